// The snapshot registry, savepoints and removals as workers and people see them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/coordinator/snapshot_fixture.h"
#include "tests/unit/coordinator/test_cluster.h"

namespace tidemill {
namespace {

using Json = nlohmann::json;
using testing::MemorySnapshots;
using testing::small_yaml;
using testing::TestCluster;

constexpr int64_t kLease = 3'000'000;
constexpr uint32_t kKeyPartitions = 8;

class CoordinatorSnapshots : public ::testing::Test {
 protected:
  CoordinatorConfig config() {
    CoordinatorConfig out;
    out.snapshots = storage_;
    out.max_stopped_jobs = 0;
    out.auto_rebalance = false;
    return out;
  }

  void start() {
    ASSERT_TRUE(cluster_.wait([&] {
      const auto* committed = cluster_.coordinator().committed();
      return committed != nullptr && committed->members.size() == 3;
    }));
    submit("a");
  }

  void submit(const std::string& name, const std::string& query = "") {
    const auto response = cluster_.call("POST", "/v1/jobs?base_dir=%2F" + query, small_yaml(name));
    ASSERT_EQ(response.status, 201) << response.body;
    job_ = JobId{Json::parse(response.body)["id"].get<uint32_t>()};
    ASSERT_TRUE(cluster_.wait([&] {
      const auto* view = view_of(store_);
      return view != nullptr && view->key_partitions(0).node() != 0;
    }));
  }

  // Of job_, as a member sees it.
  const proto::JobView* view_of(SimProcessId process) {
    for (const auto& job : cluster_.member(process).view().jobs()) {
      if (job.job() == job_.value) return &job;
    }
    return nullptr;
  }

  const JobEntry& entry() { return cluster_.coordinator().committed()->jobs.at(job_); }
  const PartitionGrant& grant_of(uint32_t k) { return entry().grants->key_partitions.at(k); }
  SimProcessId owner_of(uint32_t k) {
    return grant_of(k).node.value == cluster_.node(a_) ? a_ : b_;
  }
  size_t retained(uint32_t k) { return entry().snapshots ? entry().snapshots->of(k).size() : 0; }

  // A snapshot in storage, and its owner's claim.
  proto::SnapshotTaken snapshot(uint32_t k, uint64_t version, uint64_t trigger = 0) {
    const uint64_t epoch = grant_of(k).epoch.value;
    testing::StateFiles files;
    testing::extend(job_, k, epoch, version, &files, storage_.get());
    testing::put_manifest(job_, k, files, storage_.get());
    return testing::claim_of(job_, k, epoch, version, trigger);
  }

  void take(uint32_t k, uint64_t version, uint64_t trigger = 0) {
    auto& member = cluster_.member(owner_of(k));
    member.claims = {snapshot(k, version, trigger)};
    member.registered.clear();
    ASSERT_TRUE(cluster_.wait([&] { return !member.registered.empty(); }));
    member.claims.clear();
  }

  void take_all(uint64_t version, uint64_t trigger = 0) {
    for (uint32_t k = 0; k < kKeyPartitions; ++k) take(k, version, trigger);
  }

  Json get(const std::string& path) {
    const auto response = cluster_.call("GET", path);
    EXPECT_EQ(response.status, 200) << path << " " << response.body;
    return Json::parse(response.body);
  }

  size_t objects_of(JobId job) {
    char prefix[16];
    std::snprintf(prefix, sizeof(prefix), "job-%08x/", job.value);
    return storage_->list(prefix)->size();
  }

  std::shared_ptr<MemorySnapshots> storage_ = std::make_shared<MemorySnapshots>();
  TestCluster cluster_{1, config()};
  SimProcessId a_ = cluster_.add_worker();
  SimProcessId b_ = cluster_.add_worker();
  SimProcessId store_ = cluster_.add_store();
  JobId job_;
};

TEST_F(CoordinatorSnapshots, AnswersOnceItIsDurableAndSendsNoView) {
  start();
  const uint64_t view = cluster_.coordinator().committed()->view_version;
  take(0, 5);
  const auto& answer = cluster_.member(owner_of(0)).registered.front();
  EXPECT_EQ(answer.job(), job_.value);
  EXPECT_EQ(answer.key_partition(), 0u);
  EXPECT_EQ(answer.epoch(), grant_of(0).epoch.value);
  EXPECT_EQ(answer.version(), 5u);
  ASSERT_EQ(answer.retained_size(), 1);
  EXPECT_EQ(answer.retained(0), entry().snapshots->of(0)[0].manifest);
  EXPECT_EQ(cluster_.coordinator().committed()->view_version, view);

  take(0, 9);
  take(0, 9);  // repeated: it is told again
  EXPECT_EQ(cluster_.member(owner_of(0)).registered.front().retained_size(), 2);
  EXPECT_EQ(retained(0), 2u);

  cluster_.sim.crash(cluster_.coordinator_process);
  cluster_.sim.restart(cluster_.coordinator_process);
  ASSERT_TRUE(cluster_.wait([&] { return cluster_.coordinator().committed() != nullptr; }));
  EXPECT_EQ(retained(0), 2u);
}

TEST_F(CoordinatorSnapshots, ManyClaimsAreOneCommit) {
  start();
  const auto commits = [&] {
    const std::string text = cluster_.call("GET", "/metrics").body;
    const std::string name = "\ntidemill_coordinator_commits_total ";
    return std::stoull(text.substr(text.find(name) + name.size()));
  };
  const auto before = commits();
  for (uint32_t k = 0; k < kKeyPartitions; ++k) {
    cluster_.member(owner_of(k)).claims.push_back(snapshot(k, 3));
  }
  ASSERT_TRUE(cluster_.wait([&] {
    return retained(0) + retained(1) + retained(2) + retained(3) + retained(4) + retained(5) +
               retained(6) + retained(7) ==
           kKeyPartitions;
  }));
  EXPECT_LE(commits(), before + 4);
}

TEST_F(CoordinatorSnapshots, AFormerOwnerGetsNoAnswer) {
  start();
  take_all(5);
  const uint32_t k = 0;
  const auto zombie = owner_of(k);
  const auto survivor = zombie == a_ ? b_ : a_;
  const auto late = snapshot(k, 8);
  cluster_.sim.freeze(zombie);
  ASSERT_TRUE(cluster_.wait([&] { return grant_of(k).node.value == cluster_.node(survivor); }));
  // As if it woke up: its claim is on the way to the registry before it hears that it is dead.
  cluster_.member(zombie).registered.clear();
  cluster_.member(zombie).claims = {late};
  cluster_.sim.unfreeze(zombie);
  ASSERT_TRUE(cluster_.wait([&] { return cluster_.member(zombie).fenced(); }));
  cluster_.sim.run_for(kLease);
  EXPECT_TRUE(cluster_.member(zombie).registered.empty());
  EXPECT_EQ(entry().snapshots->of(k)[0].stamp.version, 5u);
  const auto metrics = cluster_.call("GET", "/metrics").body;
  EXPECT_EQ(metrics.find("tidemill_coordinator_snapshots_refused_total 0\n"), std::string::npos);
  take(k, 9);
  EXPECT_EQ(entry().snapshots->of(k)[0].stamp.version, 9u);
}

TEST_F(CoordinatorSnapshots, ANewOwnerLearnsWhatThereIs) {
  start();
  take(0, 5);
  take(0, 6);
  proto::SnapshotQuery query;
  query.set_job(job_.value);
  query.add_key_partitions(0);
  query.add_epochs(grant_of(0).epoch.value);
  auto& other = cluster_.member(owner_of(0) == a_ ? b_ : a_);
  auto& owner = cluster_.member(owner_of(0));
  owner.queries = other.queries = {query};
  ASSERT_TRUE(cluster_.wait([&] { return !owner.known.empty(); }));
  ASSERT_EQ(owner.known[0].entries_size(), 1);
  EXPECT_EQ(owner.known[0].entries(0).manifests_size(), 2);
  cluster_.sim.run_for(kLease);
  EXPECT_TRUE(other.known.empty());
}

TEST_F(CoordinatorSnapshots, ASavepointIsMadeListedAndStartedFrom) {
  start();
  take_all(3);
  auto response = cluster_.call("POST", "/v1/jobs/a/snapshots", R"({"name":"s"})");
  ASSERT_EQ(response.status, 202) << response.body;
  EXPECT_EQ(Json::parse(response.body)["id"], 1);
  EXPECT_TRUE(cluster_.wait([&] { return view_of(a_)->snapshot_trigger() == 1; }));
  EXPECT_EQ(get("/v1/jobs/a/snapshots/1")["key_partitions"]["done"], 0);
  EXPECT_EQ(get("/v1/savepoints/s")["state"], "PENDING");
  EXPECT_EQ(cluster_.call("POST", "/v1/jobs?from_savepoint=s", small_yaml("b")).status, 404);
  take_all(4, 1);
  ASSERT_TRUE(cluster_.wait([&] { return get("/v1/jobs/a/snapshots/1")["complete"] == true; }));
  EXPECT_EQ(get("/v1/savepoints")["savepoints"][0]["name"], "s");
  EXPECT_EQ(cluster_.call("POST", "/v1/jobs/a/snapshots", R"({"name":"s"})").status, 409);
  EXPECT_EQ(cluster_.call("GET", "/v1/jobs/a/snapshots/2").status, 404);

  const auto origin = job_;
  submit("b", "&from_savepoint=s");
  EXPECT_EQ(entry().job->origin, origin);
  EXPECT_EQ(get("/v1/jobs/b")["from_savepoint"], "s");
  EXPECT_EQ(get("/v1/jobs/b")["snapshots"]["key_partitions_without"], 0);
  const auto refused =
      cluster_.call("POST", "/v1/jobs?from_savepoint=s", small_yaml("c") + "key_partitions: 4\n");
  EXPECT_EQ(refused.status, 400);
}

TEST_F(CoordinatorSnapshots, WhatForgottenJobsAndDeletedSavepointsLeaveIsRemoved) {
  start();
  ASSERT_EQ(cluster_.call("POST", "/v1/jobs/a/snapshots", R"({"name":"s"})").status, 202);
  take_all(3, 1);
  ASSERT_TRUE(cluster_.wait([&] { return get("/v1/savepoints/s")["state"] == "COMPLETE"; }));
  take_all(4, 1);
  EXPECT_EQ(objects_of(job_), 4 * kKeyPartitions);
  const auto origin = job_;
  ASSERT_EQ(cluster_.call("POST", "/v1/jobs/a/stop").status, 202);
  EXPECT_TRUE(cluster_.wait([&] { return objects_of(origin) == 2 * kKeyPartitions; }));
  submit("b", "&from_savepoint=s");
  ASSERT_EQ(cluster_.call("DELETE", "/v1/savepoints/s").status, 202);
  EXPECT_EQ(cluster_.call("DELETE", "/v1/savepoints/s").status, 404);
  cluster_.sim.run_for(4 * kLease);
  EXPECT_EQ(objects_of(origin), 2 * kKeyPartitions);  // b has nothing else
  // A coordinator that is started again goes on with it; storage is away at first.
  cluster_.sim.crash(cluster_.coordinator_process);
  cluster_.sim.restart(cluster_.coordinator_process);
  storage_->broken = true;
  ASSERT_TRUE(cluster_.wait([&] { return cluster_.coordinator().committed() != nullptr; }));
  cluster_.sim.run_for(5 * kLease);
  storage_->broken = false;
  take_all(10);
  take_all(11);
  EXPECT_TRUE(cluster_.wait([&] { return objects_of(origin) == 0; }, 60'000'000));
  EXPECT_TRUE(cluster_.wait([&] { return cluster_.coordinator().committed()->removals.empty(); }));
  EXPECT_EQ(objects_of(job_), 4 * kKeyPartitions);
}

TEST_F(CoordinatorSnapshots, ShowsAndVerifiesWhatIsInStorage) {
  start();
  take_all(3);
  const auto shown = get("/v1/jobs/a/key-partitions/2/snapshots");
  ASSERT_EQ(shown["snapshots"].size(), 1u);
  EXPECT_EQ(shown["snapshots"][0]["files"].size(), 1u);
  EXPECT_EQ(shown["snapshots"][0]["problem"], "");
  EXPECT_EQ(cluster_.call("GET", "/v1/jobs/a/key-partitions/8/snapshots").status, 404);
  const auto check = [&](const std::string& path) {
    const auto response = cluster_.call("POST", path);
    EXPECT_EQ(response.status, 202) << response.body;
    const std::string at =
        "/v1/snapshot-checks/" + std::to_string(Json::parse(response.body)["id"].get<uint64_t>());
    EXPECT_TRUE(cluster_.wait([&] { return get(at)["done"] == true; }));
    return get(at);
  };
  // The files in this storage are none of RocksDB's.
  const auto one = check("/v1/jobs/a/snapshot-checks?key_partition=2");
  EXPECT_EQ(one["verified"], 1);
  EXPECT_EQ(one["damaged"], 1);
  EXPECT_EQ(one["problems"][0]["key_partition"], 2);
  EXPECT_EQ(check("/v1/jobs/a/snapshot-checks")["damaged"], kKeyPartitions);
  EXPECT_EQ(cluster_.call("POST", "/v1/jobs/b/snapshot-checks").status, 404);
  EXPECT_EQ(cluster_.call("GET", "/v1/snapshot-checks/99").status, 404);
  EXPECT_EQ(cluster_.call("POST", "/v1/savepoints/s/checks").status, 404);
}

TEST_F(CoordinatorSnapshots, MetricsSayHowOldTheyAreAndWhatIsStillNeeded) {
  start();
  take_all(3);
  const auto metrics = cluster_.call("GET", "/metrics").body;
  for (const char* line :
       {"tidemill_coordinator_job_partitions_without_snapshot{job=\"a\"} 0\n",
        "tidemill_coordinator_job_retained_snapshots{job=\"a\"} 8\n",
        "tidemill_coordinator_source_needed_offset{job=\"a\",source=\"transactions\","
        "partition=\"1\"} 6\n",
        "tidemill_coordinator_savepoints 0\n"}) {
    EXPECT_NE(metrics.find(line), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace tidemill
