// What may change of a running job's sources.
#include "shared/evolution/source_changes.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/evolution/definitions.h"

namespace tidemill {
namespace {

using test::brief;
using test::compile;

std::string topic(const std::string& more, const std::string& schema = "") {
  return R"(
job: pay
sources:
  tx:
    schema: {id: int64, at: timestamp, customer: string, amount: double)" +
         schema + R"(}
    event_time: at
    stream: {kafka: {brokers: "a:9092", topic: payments)" +
         more + R"(}}
views:
  v: {source: tx, entity: [customer], aggregations: [{function: sum, column: amount, windows: [1h]}]}
)";
}

// Bound to partitions from these offsets.
std::shared_ptr<const Plan> bound(const std::string& yaml) {
  proto::JobPlan plan = compile(yaml);
  for (const uint64_t offset : {5, 9}) {
    plan.mutable_sources(0)->mutable_kafka()->add_start_offsets(offset);
  }
  return test::run(std::move(plan));
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  text.replace(text.find(from), from.size(), to);
  return text;
}

TEST(SourceChanges, WhatIsBoundStaysBound) {
  const auto running = bound(topic(""));
  const std::string wanted = replaced(topic(""), "    event_time: at\n",
                                      "    event_time: at\n    idle_after: 5s\n"
                                      "    max_out_of_orderness: 3s\n");
  const Evolution out = evolve(*running, compile(wanted));
  ASSERT_NE(out.plan, nullptr) << brief(out.differences);
  const proto::Source& source = out.plan->proto().sources(0);
  EXPECT_EQ(source.kafka().start_offsets_size(), 2);
  EXPECT_EQ(source.kafka().start_offsets(1), 9u);
  EXPECT_EQ(source.idle_after_us(), 5 * kMicrosPerSecond);
  EXPECT_EQ(source.max_out_of_orderness_us(), 3 * kMicrosPerSecond);
  EXPECT_EQ(out.plan->source_partitions(), 2u);
  EXPECT_EQ(out.differences.size(), 2u);
  EXPECT_EQ(out.differences[0].path, "sources.tx.max_out_of_orderness");
}

TEST(SourceChanges, WhichRecordsAreEventsStays) {
  const auto running = bound(topic(""));
  const auto refused = [&](const std::string& yaml) {
    const Evolution out = evolve(*running, compile(yaml));
    EXPECT_EQ(out.plan, nullptr) << yaml;
    return brief(out.differences);
  };
  constexpr char kWhy[] =
      " REFUSED: records are read again after a failure, and must then be the same events and rows "
      "as "
      "before; submit the job under another name\n";
  EXPECT_EQ(refused(topic("", ", note: string")),
            std::string("sources.tx.schema.note: added") + kWhy);
  EXPECT_EQ(refused(replaced(topic(""), "id: int64, ", "")),
            std::string("sources.tx.schema.id: removed") + kWhy);
  EXPECT_NE(refused(replaced(topic(""), "amount: double", "amount: int64"))
                .find(std::string("sources.tx.schema.amount: double -> int64") + kWhy),
            std::string::npos);
  EXPECT_NE(refused(replaced(topic(""), "topic: payments", "topic: orders")).find("orders"),
            std::string::npos);
  EXPECT_NE(refused(replaced(topic(""), "    event_time: at\n",
                             "    event_time: at\n    max_future: 1h\n"))
                .find("max_future"),
            std::string::npos);
}

TEST(SourceChanges, ColumnsMayBeNamedInAnotherOrder) {
  const auto running = bound(topic(""));
  const Evolution out =
      evolve(*running, compile(replaced(topic(""), "{id: int64, at: timestamp, customer: string",
                                        "{customer: string, at: timestamp, id: int64")));
  EXPECT_EQ(brief(out.differences), "");
  ASSERT_NE(out.plan, nullptr);
  EXPECT_EQ(out.plan->proto().sources(0).schema(0).name(), "id");
}

TEST(SourceChanges, SourcesAreThoseItWasSubmittedWith) {
  const auto running = bound(topic(""));
  const std::string other = R"(
  more:
    stream: {generator: {partitions: 1}}
)";
  const Evolution out =
      evolve(*running, compile(replaced(topic(""), "\nviews:", "\n" + other + "views:")));
  EXPECT_EQ(brief(out.differences),
            "sources.more: added REFUSED: a job reads the sources that it was submitted with; "
            "submit a job of its own for it\n");
  const Evolution renamed =
      evolve(*running,
             compile(replaced(replaced(topic(""), "  tx:", "  ty:"), "source: tx", "source: ty")));
  EXPECT_NE(brief(renamed.differences).find("sources.tx: removed REFUSED"), std::string::npos);
  EXPECT_NE(brief(renamed.differences).find("sources.ty: added REFUSED"), std::string::npos);
}

// A directory with files, and jobs that read some of them.
class FileChanges : public testing::Test {
 protected:
  FileChanges() {
    std::string name = testing::TempDir() + "tidemill_files_XXXXXX";
    directory_ = ::mkdtemp(name.data());
    write("a.csv");
    write("b.csv");
  }
  ~FileChanges() override { std::filesystem::remove_all(directory_); }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  void write(const std::string& name) const { std::ofstream(path(name)) << "at,customer\n"; }
  void remove(const std::string& name) const { std::filesystem::remove(path(name)); }
  // Reads what these match, of the directory.
  std::string job(const std::vector<std::string>& patterns) const {
    std::string files;
    for (const std::string& each : patterns) files += (files.empty() ? "" : ", ") + quoted(each);
    return R"(
job: pay
sources:
  tx:
    schema: {at: timestamp, customer: string}
    event_time: at
    history: {files: [)" +
           files + R"(]}
views:
  v: {source: tx, entity: [customer], aggregations: [{function: count, windows: [1h]}]}
)";
  }
  std::string quoted(const std::string& name) const { return "\"" + path(name) + "\""; }
  std::string differences(const proto::JobPlan& running, const std::string& wanted) const {
    const Evolution out = evolve(*test::run(running), compile(wanted, InputFiles::kMayBeGone));
    if (out.plan != nullptr) {
      EXPECT_EQ(out.plan->proto().sources(0).files().paths_size(),
                running.sources(0).files().paths_size());
    }
    return brief(out.differences);
  }

  std::string directory_;
};

constexpr char kOtherFiles[] =
    " REFUSED: a source without `follow: true` is the files that there were when the job was "
    "submitted; name them as before, or submit the job under another name\n";

TEST_F(FileChanges, FilesThatAreGoneOrNewAreNoDifference) {
  const std::string yaml = job({"*.csv"});
  const proto::JobPlan running = compile(yaml);
  write("c.csv");
  EXPECT_EQ(differences(running, yaml), "");
  remove("a.csv");
  EXPECT_EQ(differences(running, yaml), "");
  remove("b.csv");
  remove("c.csv");
  EXPECT_EQ(differences(running, yaml), "");
  std::filesystem::remove_all(directory_);
  EXPECT_EQ(differences(running, yaml), "");
  EXPECT_FALSE(compile_job(yaml, "/").errors.empty());  // of a new job
}

TEST_F(FileChanges, OtherFilesAreRefused) {
  const proto::JobPlan running = compile(job({"a.csv"}));
  EXPECT_EQ(differences(running, job({"b.csv"})),
            "sources.tx.stream.files: without " + path("a.csv") + kOtherFiles);
  EXPECT_EQ(differences(running, job({"[ab].csv"})),
            "sources.tx.stream.files: with " + path("b.csv") + kOtherFiles);
  EXPECT_EQ(differences(running, job({"none.csv"})),
            "sources.tx.stream.files: without " + path("a.csv") + kOtherFiles);
}

TEST_F(FileChanges, TheSameFilesByOtherPatternsAreNoDifference) {
  const proto::JobPlan running = compile(job({"*.csv"}));
  const std::string named = job({"b.csv", "a.csv"});
  const Evolution out = evolve(*test::run(running), compile(named));
  EXPECT_EQ(brief(out.differences), "");
  ASSERT_NE(out.plan, nullptr);
  remove("a.csv");  // it goes by what was said last
  EXPECT_EQ(differences(out.plan->proto(), named), "");
}

TEST_F(FileChanges, OfAJobThatKeptNoHashItsFilesCount) {
  proto::JobPlan running = compile(job({"*.csv"}));
  running.mutable_sources(0)->mutable_files()->clear_patterns_hash();
  write("c.csv");
  EXPECT_EQ(differences(running, job({"*.csv"})), "");
  remove("b.csv");
  EXPECT_EQ(differences(running, job({"*.csv"})),
            "sources.tx.stream.files: without " + path("b.csv") + kOtherFiles);
}

TEST(SourceChanges, AReplayMayHaveAnotherSpeed) {
  const std::string yaml = test::with_views(
      "  v: {source: tx, entity: [customer_id], aggregations: [{function: count, windows: "
      "[1h]}]}\n");
  const auto running = test::run(compile(yaml));
  const Evolution out =
      evolve(*running, compile(replaced(yaml, "partitions: 2,", "partitions: 2, replay: 60x,")));
  EXPECT_EQ(brief(out.differences), "sources.tx.stream.replay: another speed\n");
  ASSERT_NE(out.plan, nullptr);
  EXPECT_EQ(out.plan->proto().sources(0).generator().replay_speed(), 60);
  EXPECT_EQ(out.plan->proto().sources(0).not_after_us(), 77);
  const Evolution seed =
      evolve(*running, compile(replaced(yaml, "partitions: 2,", "partitions: 3,")));
  EXPECT_EQ(seed.plan, nullptr);
}

}  // namespace
}  // namespace tidemill
