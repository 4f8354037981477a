#include "cli/training/training_set.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "shared/plan/yaml_job.h"

namespace tidemill::training {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHistory =
    "t,arrived,who,n,x,what\n"
    "2018-04-01T00:00:10Z,2018-04-01T00:00:10Z,a,1,1.5,\"p, \"\"q\"\"\"\n"
    "2018-04-01T00:00:20Z,2018-04-01T00:01:00Z,a,2,2.5,r\n"  // arrives late
    "2018-04-01T00:00:20Z,2018-04-01T00:00:20Z,b,3,0.25,\n"
    "2018-04-01T00:00:30Z,2018-04-01T00:00:30Z,a,x,9.5,s\n"  // no record
    "2018-04-01T00:00:30Z,2018-04-01T00:00:31Z,a,0,9.5,t\n"  // fails in a view
    "2018-04-01T00:00:40Z,,a,4,4.5,u\n";                     // does not say when it arrived

constexpr const char* kViews = R"(
views:
  sums:
    source: in
    entity: [who]
    aggregations:
      - {function: count, windows: [20s, lifetime]}
      - {name: x, function: sum, column: x, windows: [20s]}
      - {name: what, function: last_n, column: what, n: 3, windows: [lifetime]}
      - {name: now, function: count, windows: [10s], closed: left}
  quotient:
    source: in
    entity: [who]
    aggregations: [{name: q, function: last, column: 8 / n, windows: [1h]}]
services:
  small: {features: [quotient.q_1h, sums.count_20s]}
)";

class TrainingSetTest : public testing::Test {
 protected:
  TrainingSetTest() {
    std::string name = (fs::temp_directory_path() / "tidemill_training_XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    write("in.csv", kHistory);
    options_.spine = path("spine.csv");
    options_.out = path("out.csv");
    options_.spill_dir = directory_;
    options_.threads = 2;
    options_.now = 1'800'000'000'000'000;
    options_.progress = [](Phase, uint64_t, uint64_t) {};
  }
  ~TrainingSetTest() override { fs::remove_all(directory_); }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
  }
  std::string read(const std::string& name) const {
    std::stringstream text;
    text << std::ifstream(path(name)).rdbuf();
    return text.str();
  }
  proto::JobPlan job(const std::string& stream = R"({files: "in.csv"})",
                     const std::string& views = kViews) const {
    CompiledJob compiled = compile_job(R"(
job: trained
sources:
  in:
    schema: {t: timestamp, arrived: timestamp, who: string, n: int64, x: double, what: string}
    event_time: t
    stream: )" + stream + views,
                                       directory_);
    for (const JobError& error : compiled.errors) ADD_FAILURE() << to_string(error, "job");
    return std::move(compiled.plan);
  }
  TrainingSetReport make(const proto::JobPlan& plan) {
    const auto made = make_training_set(plan, options_);
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message());
    return made.ok() ? *made : TrainingSetReport{};
  }
  // What is wrong; nothing may be left of the output.
  std::string refused(const proto::JobPlan& plan) {
    const auto made = make_training_set(plan, options_);
    EXPECT_FALSE(made.ok());
    for (const auto& entry : fs::directory_iterator(directory_)) {
      EXPECT_EQ(entry.path().filename().string().find("out.csv"), std::string::npos);
    }
    return made.ok() ? "" : made.error().message();
  }

  std::string directory_;
  TrainingSetOptions options_;
};

TEST_F(TrainingSetTest, RowsSeeWhatHadHappenedAndKeepTheirOrderAndText) {
  write("spine.csv",
        "label,who,event_time\r\n"
        "\"late, \"\"x\"\"\",a,2018-04-01T00:00:40Z\r\n"
        "\r\n"
        "early,a,2018-04-01T00:00:09.999999Z\n"
        "  twice ,b,2018-04-01T00:00:20Z\n"
        "between,a,2018-04-01T02:00:20+02:00");
  const TrainingSetReport report = make(job());
  EXPECT_EQ(report.rows, 4u);
  EXPECT_EQ(report.features, 6u);
  EXPECT_EQ(
      read("out.csv"),
      "label,who,event_time,sums__count_20s,sums__count_lifetime,sums__x_20s,"
      "sums__what_lifetime,sums__now_10s,quotient__q_1h\n"
      "\"late, "
      "\"\"x\"\"\",a,2018-04-01T00:00:40Z,2,4,14.0,\"[\"\"r\"\",\"\"t\"\",\"\"u\"\"]\",1,2\n"
      "early,a,2018-04-01T00:00:09.999999Z,0,0,,,0,\n"
      "  twice ,b,2018-04-01T00:00:20Z,1,1,0.25,,0,2\n"
      "between,a,2018-04-01T02:00:20+02:00,2,2,4.0,\"[\"\"p, \\\"\"q\\\"\"\"\",\"\"r\"\"]\",1,4\n");
}

// Their rows go by in one order of event time.
TEST_F(TrainingSetTest, AViewOverSeveralSourcesSeesAllOfThem) {
  write("transfer.csv",
        "sent,payer,cents\n"
        "2018-04-01T00:00:15Z,a,100\n"
        "2018-04-01T00:00:25Z,a,200\n"
        "2018-04-01T00:00:25Z,b,400\n");
  write("spine.csv",
        "who,event_time\n"
        "a,2018-04-01T00:00:14Z\n"
        "a,2018-04-01T00:00:20Z\n"
        "a,2018-04-01T00:00:29Z\n"
        "b,2018-04-01T00:00:29Z\n");
  const proto::JobPlan plan = job(R"({files: "in.csv"}
  transfer:
    schema: {sent: timestamp, payer: string, cents: int64}
    event_time: sent
    stream: {files: "transfer.csv"})",
                                  R"(
views:
  paid:
    union:
      - {source: in, columns: {kind: "'card'"}, where: n <> 3}
      - {source: transfer, columns: {who: payer, x: cents / 100.0, kind: "'transfer'"}}
    entity: [who]
    aggregations:
      - {name: x, function: sum, column: x, windows: [20s]}
      - {name: kind, function: last_n, column: kind, n: 3, windows: [20s]}
)");
  const TrainingSetReport report = make(plan);
  EXPECT_EQ(report.history.records, 8u);
  EXPECT_EQ(read("out.csv"),
            "who,event_time,paid__x_20s,paid__kind_20s\n"
            "a,2018-04-01T00:00:14Z,1.5,\"[\"\"card\"\"]\"\n"
            "a,2018-04-01T00:00:20Z,5.0,\"[\"\"card\"\",\"\"transfer\"\",\"\"card\"\"]\"\n"
            "a,2018-04-01T00:00:29Z,7.0,\"[\"\"transfer\"\",\"\"card\"\",\"\"transfer\"\"]\"\n"
            "b,2018-04-01T00:00:29Z,4.0,\"[\"\"transfer\"\"]\"\n");
  options_.known_at = {true, "arrived"};
  fs::remove(path("out.csv"));
  EXPECT_EQ(refused(plan),
            "source 'transfer': column 'arrived' of --arrival-column is not in its schema; name a "
            "timestamp column that every source has");
}

TEST_F(TrainingSetTest, UnusedRecordsAreCountedAndSaid) {
  write("spine.csv", "who,event_time\na,2018-04-01T00:00:40Z\n");
  const TrainingSetReport report = make(job());
  EXPECT_EQ(report.history.records, 5u);
  ASSERT_EQ(report.history.unused.size(), 2u);
  EXPECT_EQ(report.history.unused[0].where, path("in.csv"));
  EXPECT_EQ(report.history.unused[0].reason, BadReason::kUnparsable);
  EXPECT_EQ(report.history.unused[0].count, 1u);
  EXPECT_EQ(report.history.unused[1].reason, BadReason::kExpression);
  EXPECT_EQ(report.history.unused[1].view, "quotient");
  EXPECT_GT(report.history.unused[1].first_offset, report.history.unused[0].first_offset);
}

TEST_F(TrainingSetTest, AKeyWithANullHasTheFeaturesOfEmptyWindows) {
  write("spine.csv", "who,event_time\n,2018-04-01T00:00:40Z\n\"\",2018-04-01T00:00:40Z\n");
  make(job());
  EXPECT_NE(read("out.csv").find("\n,2018-04-01T00:00:40Z,0,0,,,0,\n"), std::string::npos);
}

TEST_F(TrainingSetTest, AServiceChoosesAndOrders) {
  options_.service = "small";
  write("spine.csv", "who,event_time\na,2018-04-01T00:00:20Z\n");
  make(job());
  EXPECT_EQ(read("out.csv"),
            "who,event_time,quotient__q_1h,sums__count_20s\na,2018-04-01T00:00:20Z,4,2\n");
  options_.service = "smal";
  fs::remove(path("out.csv"));
  EXPECT_EQ(refused(job()), "the job has no service 'smal'; its services are small");
}

TEST_F(TrainingSetTest, OnlyWhatHadArrivedIsKnown) {
  options_.known_at = {true, "arrived"};
  write("spine.csv",
        "who,event_time\na,2018-04-01T00:00:59.999999Z\na,2018-04-01T00:00:30Z\n"
        "a,2018-04-01T00:01:00Z\n");
  const TrainingSetReport report = make(job());
  EXPECT_EQ(report.history.no_arrival, 1u);
  const std::string out = read("out.csv");
  EXPECT_NE(out.find("\na,2018-04-01T00:00:59.999999Z,0,2,"), std::string::npos) << out;
  EXPECT_NE(out.find("\na,2018-04-01T00:00:30Z,0,1,"), std::string::npos) << out;
  EXPECT_NE(out.find("\na,2018-04-01T00:01:00Z,0,3,"), std::string::npos) << out;
}

TEST_F(TrainingSetTest, ArrivalNeedsASourceThatSaysIt) {
  write("spine.csv", "who,event_time\n");
  options_.known_at = {true, ""};
  EXPECT_NE(refused(job()).find("--arrival-column"), std::string::npos);
  options_.known_at = {true, "n"};
  EXPECT_EQ(refused(job()),
            "source 'in': column 'n' of --arrival-column is no timestamp; name a timestamp column "
            "that every source has");
}

TEST_F(TrainingSetTest, ABadRowOfTheSpineIsSaidWithItsLine) {
  write("spine.csv", "who,event_time\na,2018-04-01T00:00:40Z\n\n\"b\nb\",2018-04-01\n");
  EXPECT_EQ(refused(job()),
            path("spine.csv") +
                ":4: column 'event_time': '2018-04-01' is not a timestamp; write RFC 3339 text "
                "such as 2018-04-01T00:00:31Z");
  write("spine.csv", "who,event_time\na,\n");
  EXPECT_NE(refused(job()).find(":2: column 'event_time' is empty"), std::string::npos);
  write("spine.csv", "who,at\na,2018-04-01T00:00:40Z\n");
  EXPECT_NE(refused(job()).find("does not name column 'event_time'"), std::string::npos);
  options_.time_column = "at";
  EXPECT_EQ(make(job()).rows, 1u);
}

TEST_F(TrainingSetTest, NamesThatClashAreRefused) {
  write("spine.csv", "who,event_time,\"quotient__q_1h\"\n");
  EXPECT_NE(refused(job()).find("has a column 'quotient__q_1h'"), std::string::npos);
}

TEST_F(TrainingSetTest, TopicsAndEndlessGeneratorsAreNoHistory) {
  write("spine.csv", "who,event_time\n");
  EXPECT_NE(
      refused(job(R"({kafka: {brokers: "127.0.0.1:1", topic: t}})")).find("topic is no history"),
      std::string::npos);
}

// Offsets of Avro files are no bytes.
TEST_F(TrainingSetTest, ProgressOfAHistoryIsInBytesOfItsFiles) {
  const fs::path file = fs::absolute("tests/golden/records/payments_null.avro");
  CompiledJob compiled = compile_job(R"(
job: trained
sources:
  in:
    schema: {at: timestamp, name: string, amount: double}
    event_time: at
    stream: {files: ")" + file.string() + R"("}
views:
  v:
    source: in
    entity: [name]
    aggregations: [{function: sum, column: amount, windows: [lifetime]}]
)",
                                     directory_);
  ASSERT_TRUE(compiled.errors.empty());
  write("spine.csv", "name,at\nx,2020-01-01T00:00:00Z\n");
  options_.time_column = "at";
  options_.threads = 1;
  uint64_t done = 0;
  uint64_t total = 0;
  options_.progress = [&](Phase phase, uint64_t now, uint64_t all) {
    if (phase != Phase::kHistory) return;
    done = now;
    total = all;
  };
  EXPECT_GT(make(compiled.plan).history.records, 0u);
  EXPECT_EQ(total, fs::file_size(file));
  EXPECT_EQ(done, total);
}

// Generated history, in and out of memory, with one thread and several: the same bytes.
TEST_F(TrainingSetTest, SpillingAndThreadsChangeNothing) {
  const auto plan = [&] {
    CompiledJob compiled = compile_job(R"(
job: generated
sources:
  in: {stream: {generator: {seed: 7, partitions: 3, events: 4000, customers: 40, late_share: 0.2}}}
views:
  customer:
    source: in
    entity: [customer_id]
    aggregations:
      - {function: mean, column: amount, windows: [1m, 1h, lifetime]}
      - {name: where, function: last_n, column: terminal_id, n: 4, windows: [10m]}
  pair:
    source: in
    entity: [terminal_id, is_fraud]
    aggregations: [{function: count, windows: [1h], offset: 1m}]
)",
                                       directory_);
    EXPECT_TRUE(compiled.errors.empty());
    return compiled.plan;
  }();
  std::string spine = "n,customer_id,terminal_id,is_fraud,event_time\n";
  for (int i = 0; i < 20'000; ++i) {
    const int at = (i * 7'919) % 1'500;
    spine += std::to_string(i) + "," + std::to_string(i % 50) + "," + std::to_string(i % 60) + "," +
             (i % 9 == 0 ? "true" : "false") + "," +
             format_timestamp(1'522'540'800'000'000 + at * kMicrosPerSecond) + "\n";
  }
  write("spine.csv", spine);
  options_.threads = 1;
  EXPECT_EQ(make(plan).spilled_bytes, 0u);
  const std::string whole = read("out.csv");
  EXPECT_GT(whole.size(), spine.size());
  options_.memory_budget = 100'000;
  options_.threads = 4;
  EXPECT_GT(make(plan).spilled_bytes, 1'000'000u);
  EXPECT_TRUE(whole == read("out.csv"));
}

}  // namespace
}  // namespace tidemill::training
