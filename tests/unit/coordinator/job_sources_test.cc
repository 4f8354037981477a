// Sources of running jobs: bound at submission, found later, moved, and failed.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "shared/dead_letter/letter_storage.h"
#include "tests/unit/coordinator/test_cluster.h"
#include "tests/unit/coordinator/test_jobs.h"

namespace tidemill {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using testing::FakeCatalog;
using testing::TestCluster;

constexpr char kTopicJob[] = R"(job: a
key_partitions: 8
sources:
  payments:
    schema: {event_time: timestamp, customer_id: string}
    event_time: event_time
    stream: {kafka: {brokers: "broker:9092", topic: payments, format: json}}
views:
  customer:
    source: payments
    entity: [customer_id]
    aggregations:
      - {function: count, windows: [1h]}
)";

// A topic of two partitions, two workers, a store, and a job that reads it.
class JobSourcesTest : public ::testing::Test {
 protected:
  JobSourcesTest() : catalog_(std::make_shared<FakeCatalog>()), cluster_(1, config()) {
    catalog_->topics["payments"] = 2;
    a_ = cluster_.add_worker();
    b_ = cluster_.add_worker();
    store_ = cluster_.add_store();
  }
  ~JobSourcesTest() override { fs::remove_all(letters_); }

  CoordinatorConfig config() const {
    CoordinatorConfig out;
    out.catalog = catalog_;
    out.dead_letters = letters_.string();
    return out;
  }

  void start(const std::string& yaml = kTopicJob) {
    ASSERT_TRUE(cluster_.wait([&] {
      const auto* committed = cluster_.coordinator().committed();
      return committed != nullptr && committed->members.size() == 3;
    }));
    const auto response = cluster_.call("POST", "/v1/jobs", yaml);
    ASSERT_EQ(response.status, 201) << response.body;
    ASSERT_TRUE(cluster_.wait([&] { return cluster_.all_owned(store_); }));
  }

  const JobEntry& entry() { return cluster_.coordinator().committed()->jobs.at(JobId{1}); }
  const proto::JobView& view() { return cluster_.member(store_).view().jobs(0); }
  Json job() { return Json::parse(cluster_.call("GET", "/v1/jobs/a").body); }

  // Both workers report the readers that they have been granted, as `say` completes them.
  void report(const std::function<void(proto::ReaderReport*)>& say) {
    for (const auto process : {a_, b_}) {
      auto beat = testing::reading(NodeId{cluster_.node(process)}, entry());
      auto* report = beat.mutable_jobs(0);
      for (auto& reader : *report->mutable_readers()) say(&reader);
      cluster_.member(process).reports = {*report};
    }
  }
  void fail_job() {
    report([](proto::ReaderReport* reader) {
      auto* letters = reader->add_dead_letters();
      letters->set_reason("future");
      letters->set_records(3);
    });
    ASSERT_TRUE(cluster_.wait([&] { return job()["bad_records"] == 6; }));
    report([](proto::ReaderReport* reader) {
      reader->mutable_read()->set_offset(120);
      auto* letters = reader->add_dead_letters();
      letters->set_reason("future");
      letters->set_records(3);
      if (reader->read().source_partition() != 1) return;
      reader->set_source_changed(true);
      reader->set_error("the topic was created anew");
    });
    ASSERT_TRUE(cluster_.wait([&] { return job()["state"] == "FAILED"; }));
  }

  fs::path letters_ =
      fs::path(::testing::TempDir()) / ("tidemill_letters_" + std::to_string(::getpid()));
  std::shared_ptr<FakeCatalog> catalog_;
  TestCluster cluster_;
  SimProcessId a_{}, b_{}, store_{};
};

TEST_F(JobSourcesTest, ATopicIsBoundWhenTheJobIsSubmitted) {
  start();
  ASSERT_EQ(view().sources_size(), 2);
  const auto& source = view().plan().sources(0);
  EXPECT_EQ(source.kafka().start_offsets(1), 100u);
  EXPECT_EQ(source.not_after_us(), 0);
  EXPECT_EQ(view().plan().source_partitions_size(), 2);
  EXPECT_EQ(job()["sources"][1]["input"], "payments 1");
}

// A job that has read them goes on, and is changed, without its files.
TEST_F(JobSourcesTest, AJobWhoseFilesAreGoneIsUpdated) {
  const fs::path files = letters_.string() + "_files";
  fs::create_directory(files);
  std::ofstream(files / "a.csv") << "event_time,customer_id\n";
  const std::string yaml =
      "job: a\nkey_partitions: 8\nsources:\n  payments:\n"
      "    schema: {event_time: timestamp, customer_id: string}\n"
      "    event_time: event_time\n"
      "    history: {files: \"" +
      (files / "*.csv").string() + "\"}\n" +
      std::string(kTopicJob).substr(std::string(kTopicJob).find("views:"));
  start(yaml);
  fs::remove_all(files);
  const auto made = cluster_.call("POST", "/v1/jobs/a/update",
                                  yaml + "      - {name: half, function: count, windows: [30m]}\n");
  EXPECT_EQ(made.status, 200) << made.body;
  EXPECT_EQ(Json::parse(made.body)["differences"].size(), 1u);
  EXPECT_EQ(entry().job->plan->proto().sources(0).files().paths(0), (files / "a.csv").string());
  std::string other = yaml;
  other.replace(other.find("*.csv"), 5, "b.csv");
  const auto refused = cluster_.call("POST", "/v1/jobs/a/update", other);
  EXPECT_EQ(refused.status, 409) << refused.body;
}

TEST_F(JobSourcesTest, AJobWhoseSourcesCannotBeBoundIsRefusedWithEveryError) {
  start();
  std::string yaml = kTopicJob;
  yaml.replace(yaml.find("job: a"), 6, "job: b");
  yaml.replace(yaml.find("topic: payments"), 15, "topic: nothing ");
  std::string second = yaml.substr(yaml.find("  payments:"));
  second = second.substr(0, second.find("views:"));
  second.replace(second.find("payments"), 8, "others");
  yaml.insert(yaml.find("views:"), second);
  const auto response = cluster_.call("POST", "/v1/jobs", yaml);
  EXPECT_EQ(response.status, 400);
  const auto errors = Json::parse(response.body)["error"]["errors"];
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_EQ(errors[0]["path"], "sources.payments");
  EXPECT_EQ(errors[0]["message"], "there is no topic 'nothing'");
  EXPECT_EQ(errors[1]["path"], "sources.others");
}

TEST_F(JobSourcesTest, PartitionsThatATopicGetsAreReadAlsoAfterARestart) {
  start();
  const auto before = cluster_.member(store_).view();
  report([](proto::ReaderReport* reader) { reader->set_log_partitions(3); });
  ASSERT_TRUE(cluster_.wait([&] { return view().sources_size() == 3; }));
  ASSERT_TRUE(cluster_.wait([&] { return view().sources(2).node() != 0; }));
  EXPECT_GT(cluster_.member(store_).view().version(), before.version());
  EXPECT_EQ(view().plan().sources(0).kafka().start_offsets(2), 0u);
  EXPECT_EQ(view().sources(0).SerializeAsString(), before.jobs(0).sources(0).SerializeAsString());
  const auto grown = view().SerializeAsString();
  cluster_.sim.crash(cluster_.coordinator_process);
  cluster_.sim.restart(cluster_.coordinator_process);
  ASSERT_TRUE(cluster_.wait([&] {
    const auto* committed = cluster_.coordinator().committed();
    return committed != nullptr && committed->generation == 2;
  }));
  cluster_.sim.run_for(10'000'000);
  EXPECT_EQ(view().SerializeAsString(), grown);
  EXPECT_EQ(entry().job->plan->source_partitions(), 3u);
}

TEST_F(JobSourcesTest, AFailedJobIsReadByNobodyAlsoAfterARestart) {
  start();
  fail_job();
  const std::string error = "source 'payments': the topic was created anew";
  EXPECT_EQ(job()["error"], error);
  // What its readers said last is still shown.
  EXPECT_EQ(job()["bad_records"], 6);
  EXPECT_EQ(job()["sources"][1]["error"], "the topic was created anew");
  const auto nobody_reads = [&] {
    for (const auto& grant : view().sources()) {
      if (grant.node() != 0) return false;
    }
    return cluster_.all_owned(store_);
  };
  ASSERT_TRUE(cluster_.wait(nobody_reads));
  cluster_.sim.crash(cluster_.coordinator_process);
  cluster_.sim.restart(cluster_.coordinator_process);
  ASSERT_TRUE(cluster_.wait([&] { return cluster_.call("GET", "/v1/jobs/a").status == 200; }));
  EXPECT_EQ(job()["state"], "FAILED");
  EXPECT_EQ(job()["error"], error);
  EXPECT_EQ(job()["bad_records"], 6);
  EXPECT_EQ(job()["sources"][0]["offset"], 120);
  EXPECT_EQ(job()["sources"][1]["error"], "the topic was created anew");
  // A worker that is lost: what it held goes to the other, and still nobody reads.
  const auto survivor = cluster_.node(a_);
  cluster_.sim.crash(b_);
  ASSERT_TRUE(cluster_.wait([&] {
    return cluster_.owners(store_) == std::map<uint64_t, int>{{survivor, 8}};
  }));
  EXPECT_TRUE(nobody_reads());
  const auto metrics = cluster_.call("GET", "/metrics").body;
  EXPECT_NE(metrics.find("tidemill_coordinator_job_failed{job=\"a\"} 1"), std::string::npos);
}

TEST_F(JobSourcesTest, AFailedJobIsStoppedAsOthersAre) {
  start();
  fail_job();
  EXPECT_EQ(cluster_.call("POST", "/v1/jobs", kTopicJob).status, 409);
  EXPECT_EQ(cluster_.call("POST", "/v1/jobs/a/source-partitions/0/move").status, 409);
  EXPECT_EQ(cluster_.call("POST", "/v1/jobs/a/stop").status, 202);
  EXPECT_TRUE(cluster_.wait([&] { return cluster_.member(a_).view().jobs_size() == 0; }));
  EXPECT_EQ(cluster_.call("POST", "/v1/jobs", kTopicJob).status, 201);
}

TEST_F(JobSourcesTest, AReaderIsMovedOnRequest) {
  start();
  const auto before = view();
  const std::string path = "/v1/jobs/a/source-partitions/0/move";
  const auto response = cluster_.call("POST", path);
  EXPECT_EQ(response.status, 202) << response.body;
  const auto other =
      before.sources(0).node() == cluster_.node(a_) ? cluster_.node(b_) : cluster_.node(a_);
  EXPECT_EQ(Json::parse(response.body)["node"], node_text(NodeId{other}));
  ASSERT_TRUE(cluster_.wait([&] { return view().sources(0).node() == other; }));
  EXPECT_EQ(view().sources(0).epoch(), Json::parse(response.body)["epoch"].get<uint64_t>());
  EXPECT_EQ(view().sources(1).SerializeAsString(), before.sources(1).SerializeAsString());
  for (int k = 0; k < 8; ++k) {
    EXPECT_EQ(view().key_partitions(k).SerializeAsString(),
              before.key_partitions(k).SerializeAsString());
  }
  const auto to = [](uint64_t node) { return "{\"to\": \"" + node_text(NodeId{node}) + "\"}"; };
  EXPECT_EQ(cluster_.call("POST", path, to(before.sources(0).node())).status, 202);
  ASSERT_TRUE(cluster_.wait([&] { return view().sources(0).node() == before.sources(0).node(); }));
  EXPECT_EQ(cluster_.call("POST", path, to(before.sources(0).node())).status, 409);
  EXPECT_EQ(cluster_.call("POST", path, to(cluster_.node(store_))).status, 404);
  EXPECT_EQ(cluster_.call("POST", path, to(12345)).status, 404);
  EXPECT_EQ(cluster_.call("POST", path, "{\"to\": \"nobody\"}").status, 400);
  EXPECT_EQ(cluster_.call("POST", "/v1/jobs/b/source-partitions/0/move").status, 404);
  EXPECT_EQ(cluster_.call("POST", "/v1/jobs/a/source-partitions/2/move").status, 404);
}

// Readers that begin, as after a move, have counted nothing yet; it is all in storage.
TEST_F(JobSourcesTest, DeadLettersCountOnWhileANewReaderHasNotLooked) {
  start();
  report([](proto::ReaderReport* reader) {
    auto* letters = reader->add_dead_letters();
    letters->set_reason("future");
    letters->set_records(3);
  });
  ASSERT_TRUE(cluster_.wait([&] { return job()["bad_records"] == 6; }));
  report([](proto::ReaderReport* reader) {
    reader->set_dead_letters_known(false);
    reader->set_records(7);
  });
  ASSERT_TRUE(cluster_.wait([&] { return job()["sources"][0]["records"] == 7; }));
  EXPECT_EQ(job()["bad_records"], 6);
  // Nor are they forgotten if nobody is left to say so.
  for (const auto process : {a_, b_}) cluster_.sim.crash(process);
  ASSERT_TRUE(
      cluster_.wait([&] { return cluster_.coordinator().committed()->members.size() == 1; }));
  EXPECT_EQ(job()["bad_records"], 6);
}

TEST_F(JobSourcesTest, FilesThatAppearAreFound) {
  const auto directory = letters_.string() + "_files";
  fs::create_directories(directory);
  std::ofstream(directory + "/0.csv") << "event_time,customer_id\n";
  catalog_->files = {directory + "/0.csv"};
  std::string yaml = kTopicJob;
  yaml.replace(yaml.find("{kafka:"), yaml.find("}}") + 2 - yaml.find("{kafka:"),
               "{files: \"" + directory + "/*.csv\", follow: true}");
  start(yaml);
  fs::remove_all(directory);
  EXPECT_EQ(view().sources_size(), 1);
  catalog_->files.push_back("/data/1.csv");
  ASSERT_TRUE(cluster_.wait([&] { return view().sources_size() == 2; }, 5'000'000));
  EXPECT_EQ(view().plan().sources(0).files().paths(1), "/data/1.csv");
  EXPECT_TRUE(cluster_.wait([&] { return view().sources(1).node() != 0; }));
  catalog_->error = "cannot list /data";
  EXPECT_TRUE(cluster_.wait(
      [&] { return job()["discovery_error"] == "source 'payments': cannot list /data"; }));
  // What is wrong with one directory keeps nothing else from being found.
  catalog_->files.push_back("/data/2.csv");
  ASSERT_TRUE(cluster_.wait([&] { return view().sources_size() == 3; }, 5'000'000));
  catalog_->error.clear();
  EXPECT_TRUE(cluster_.wait([&] { return job()["discovery_error"] == ""; }));
}

TEST_F(JobSourcesTest, DeadLettersAreReadAlsoOfAStoppedJob) {
  start();
  EXPECT_EQ(Json::parse(cluster_.call("GET", "/v1/jobs/a/dead-letters").body)["dead_letters"],
            Json::array());
  DirectoryDeadLetters storage(letters_.string());
  auto writer = storage.open("a", JobId{1}, SourcePartitionId{1}, Epoch{3});
  ASSERT_TRUE(writer.ok()) << writer.error().message();
  DeadLetter letter;
  letter.source = "payments";
  letter.source_partition = SourcePartitionId{1};
  letter.partition = 1;
  letter.offset = 7;
  letter.reason = BadReason::kFuture;
  letter.bytes = "{}";
  ASSERT_TRUE((*writer)->append({&letter, 1}).ok());
  ASSERT_EQ(cluster_.call("POST", "/v1/jobs/a/stop").status, 202);
  const auto page = Json::parse(cluster_.call("GET", "/v1/jobs/a/dead-letters?limit=5").body);
  ASSERT_EQ(page["dead_letters"].size(), 1u);
  EXPECT_EQ(page["dead_letters"][0]["offset"], 7);
  EXPECT_EQ(page["dead_letters"][0]["reason"], "future");
  EXPECT_EQ(
      Json::parse(
          cluster_.call("GET", "/v1/jobs/a/dead-letters?reason=oversized").body)["dead_letters"],
      Json::array());
  EXPECT_EQ(cluster_.call("GET", "/v1/jobs/b/dead-letters").status, 404);
  EXPECT_EQ(cluster_.call("GET", "/v1/jobs/a/dead-letters?limit=many").status, 400);
  EXPECT_EQ(cluster_.call("GET", "/v1/jobs/a/dead-letters?reson=future").status, 400);
}

TEST_F(JobSourcesTest, MetricsShowWhereSourcesStand) {
  start();
  report([](proto::ReaderReport* reader) {
    reader->mutable_read()->set_offset(120);
    reader->set_log_end_offset(150);
    if (reader->read().source_partition() == 1) reader->set_error("the schema registry is away");
    auto* letters = reader->add_dead_letters();
    letters->set_reason("oversized");
    letters->set_records(2);
  });
  for (const auto process : {a_, b_}) {
    auto& report = cluster_.member(process).reports.at(0);
    report.add_too_late_by_view(4);
    for (uint32_t s = 0; s < 2; ++s) {
      auto* applied = report.add_applied();
      applied->set_source_partition(s);
      applied->set_offset(process == a_ ? 110 : 115);
    }
  }
  const std::string of = "{job=\"a\",source=\"payments\",partition=\"1\"} ";
  EXPECT_TRUE(cluster_.wait([&] {
    return cluster_.call("GET", "/metrics").body.find("source_lag" + of + "30") !=
           std::string::npos;
  }));
  ASSERT_TRUE(cluster_.wait([&] {
    return cluster_.call("GET", "/metrics")
               .body.find("view_too_late_rows{job=\"a\",view=\"customer\"} 8") != std::string::npos;
  }));
  const auto text = cluster_.call("GET", "/metrics").body;
  const std::string prefix = "tidemill_coordinator_";
  for (const std::string& line :
       {"source_applied_offset" + of + "110", "source_log_end_offset" + of + "150",
        "source_failing" + of + "1",
        std::string("source_failing{job=\"a\",source=\"payments\",partition=\"0\"} 0"),
        std::string("job_dead_letters{job=\"a\",source=\"payments\",reason=\"oversized\"} 4"),
        std::string("job_dead_letters{job=\"a\",source=\"payments\",reason=\"future\"} 0"),
        std::string("job_bad_records{job=\"a\"} 4"), std::string("job_failed{job=\"a\"} 0")}) {
    EXPECT_NE(text.find("\n" + prefix + line + "\n"), std::string::npos) << line << "\n" << text;
  }
  ASSERT_EQ(cluster_.call("POST", "/v1/jobs/a/stop").status, 202);
  EXPECT_EQ(cluster_.call("GET", "/metrics").body.find("source_lag{"), std::string::npos);
}

}  // namespace
}  // namespace tidemill
