#include "coordinator/coordinator.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "shared/wire/actors.h"
#include "shared/wire/messages.h"
#include "tests/unit/coordinator/test_cluster.h"

namespace tidemill {
namespace {

using Json = nlohmann::json;
using testing::small_yaml;
using testing::TestCluster;

constexpr int64_t kLease = 3'000'000;

// Two workers and a store that have joined, and a job that is placed on both workers.
class CoordinatorTest : public ::testing::Test {
 protected:
  void start_with_job() {
    ASSERT_TRUE(cluster_.wait([&] {
      return cluster_.coordinator().committed() != nullptr &&
             cluster_.coordinator().committed()->members.size() == 3;
    }));
    ASSERT_EQ(cluster_.call("POST", "/v1/jobs?base_dir=%2F", small_yaml("a")).status, 201);
    ASSERT_TRUE(cluster_.wait([&] { return cluster_.all_owned(store_); }));
  }

  TestCluster cluster_{1};
  SimProcessId a_ = cluster_.add_worker();
  SimProcessId b_ = cluster_.add_worker();
  SimProcessId store_ = cluster_.add_store();
};

TEST_F(CoordinatorTest, MembersJoinAndAJobIsPlacedOnAllWorkers) {
  start_with_job();
  const std::map<uint64_t, int> even{{cluster_.node(a_), 4}, {cluster_.node(b_), 4}};
  EXPECT_EQ(cluster_.owners(store_), even);
  const auto& view = cluster_.member(store_).view();
  EXPECT_EQ(view.members_size(), 3);
  ASSERT_EQ(view.jobs(0).sources_size(), 2);
  EXPECT_NE(view.jobs(0).sources(0).node(), view.jobs(0).sources(1).node());
  EXPECT_TRUE(cluster_.wait([&] { return cluster_.all_owned(a_) && cluster_.all_owned(b_); }));
}

TEST_F(CoordinatorTest, WhatADeadWorkerOwnedGetsNewOwnersAndEpochs) {
  start_with_job();
  const auto before = cluster_.member(store_).view();
  const auto survivor = cluster_.node(a_);
  cluster_.sim.crash(b_);
  const int64_t crashed_at = cluster_.sim.now_us();
  ASSERT_TRUE(cluster_.wait([&] {
    return cluster_.owners(store_) == std::map<uint64_t, int>{{survivor, 8}};
  }));
  EXPECT_LT(cluster_.sim.now_us() - crashed_at, kLease / 3);  // its connection broke
  const auto& after = cluster_.member(store_).view();
  EXPECT_GT(after.version(), before.version());
  EXPECT_EQ(after.members_size(), 2);
  for (int k = 0; k < 8; ++k) {
    const auto& old = before.jobs(0).key_partitions(k);
    const auto& now = after.jobs(0).key_partitions(k);
    if (old.node() == survivor) {
      EXPECT_EQ(old.SerializeAsString(), now.SerializeAsString());
    } else {
      EXPECT_GT(now.epoch(), old.epoch());
    }
  }
}

TEST_F(CoordinatorTest, AWorkerThatCannotBeReachedIsDeadAfterItsLease) {
  start_with_job();
  cluster_.sim.cut(b_, cluster_.coordinator_process);
  cluster_.sim.crash(b_);
  const int64_t crashed_at = cluster_.sim.now_us();
  ASSERT_TRUE(cluster_.wait([&] { return cluster_.owners(store_).size() == 1; }));
  EXPECT_GT(cluster_.sim.now_us() - crashed_at, kLease / 2);
}

TEST_F(CoordinatorTest, AWrongHintThatAConnectionBrokeMovesNothing) {
  start_with_job();
  const auto before = cluster_.member(store_).view();
  for (int i = 0; i < 20; ++i) {
    cluster_.sim.tell_link_broken(cluster_.coordinator_process, b_);
    cluster_.sim.run_for(400'000);
  }
  EXPECT_EQ(cluster_.member(store_).view().SerializeAsString(), before.SerializeAsString());
}

TEST_F(CoordinatorTest, AFrozenWorkerIsFencedWhenItWakes) {
  start_with_job();
  cluster_.sim.freeze(b_);
  ASSERT_TRUE(cluster_.wait([&] { return cluster_.owners(store_).size() == 1; }));
  const auto owners = cluster_.owners(store_);
  cluster_.sim.unfreeze(b_);
  EXPECT_TRUE(cluster_.wait([&] { return cluster_.member(b_).fenced(); }));
  EXPECT_EQ(cluster_.owners(store_), owners);
  EXPECT_FALSE(cluster_.member(a_).fenced());
}

TEST_F(CoordinatorTest, AFrozenWorkerIsFencedByTheNextCoordinatorToo) {
  start_with_job();
  cluster_.sim.freeze(b_);
  ASSERT_TRUE(cluster_.wait([&] { return cluster_.owners(store_).size() == 1; }));
  cluster_.sim.crash(cluster_.coordinator_process);
  cluster_.sim.restart(cluster_.coordinator_process);
  cluster_.sim.unfreeze(b_);
  EXPECT_TRUE(cluster_.wait([&] { return cluster_.member(b_).fenced(); }));
}

TEST_F(CoordinatorTest, ARestartedWorkerReplacesItsFormerSelfAtOnce) {
  start_with_job();
  const auto old_node = cluster_.node(b_);
  cluster_.sim.crash(b_);
  cluster_.sim.restart(b_);
  const int64_t restarted_at = cluster_.sim.now_us();
  ASSERT_NE(cluster_.node(b_), old_node);
  EXPECT_TRUE(cluster_.wait([&] {
    const auto owners = cluster_.owners(store_);
    return !owners.contains(old_node) && owners.size() == 2;
  }));
  EXPECT_LT(cluster_.sim.now_us() - restarted_at, kLease / 2);
}

TEST_F(CoordinatorTest, ARestartKeepsJobsAndGrants) {
  start_with_job();
  const auto before = cluster_.member(store_).view();
  cluster_.sim.crash(cluster_.coordinator_process);
  cluster_.sim.run_for(10 * kLease);
  cluster_.sim.restart(cluster_.coordinator_process);
  ASSERT_TRUE(cluster_.wait([&] {
    const auto response = cluster_.call("GET", "/v1/jobs/a");
    return response.status == 200;
  }));
  cluster_.sim.run_for(3 * kLease);
  const auto& after = cluster_.member(store_).view();
  EXPECT_GE(after.version(), before.version());
  EXPECT_EQ(after.jobs(0).SerializeAsString(), before.jobs(0).SerializeAsString());
  EXPECT_EQ(cluster_.coordinator().committed()->generation, 2u);
  EXPECT_FALSE(cluster_.member(a_).fenced() || cluster_.member(b_).fenced());

  // What is decided from now on has epochs never handed out before.
  uint64_t newest = 0;
  for (const auto& grant : before.jobs(0).key_partitions())
    newest = std::max(newest, grant.epoch());
  cluster_.sim.crash(b_);
  ASSERT_TRUE(cluster_.wait([&] { return cluster_.owners(store_).size() == 1; }));
  for (int k = 0; k < 8; ++k) {
    const auto& grant = cluster_.member(store_).view().jobs(0).key_partitions(k);
    if (grant.SerializeAsString() == before.jobs(0).key_partitions(k).SerializeAsString()) continue;
    EXPECT_GT(grant.epoch(), newest);
  }
}

TEST_F(CoordinatorTest, AWorkerLostDuringTheRestartIsDeadAfterOneLease) {
  start_with_job();
  const auto survivor = cluster_.node(a_);
  cluster_.sim.crash(cluster_.coordinator_process);
  cluster_.sim.crash(b_);
  cluster_.sim.restart(cluster_.coordinator_process);
  const int64_t restarted_at = cluster_.sim.now_us();
  ASSERT_TRUE(cluster_.wait([&] {
    return cluster_.owners(store_) == std::map<uint64_t, int>{{survivor, 8}};
  }));
  EXPECT_GE(cluster_.sim.now_us() - restarted_at, kLease);
  EXPECT_LT(cluster_.sim.now_us() - restarted_at, 2 * kLease);
}

TEST_F(CoordinatorTest, ACompletedJobStaysSo) {
  start_with_job();
  const auto& view = cluster_.member(store_).view();
  for (const auto process : {a_, b_}) {
    proto::JobReport report;
    report.set_job(1);
    report.set_key_partitions(4);
    for (uint32_t s = 0; s < 2; ++s) {
      proto::SourceProgress progress;
      progress.set_source_partition(s);
      progress.set_offset(1000);
      progress.set_finished(true);
      *report.add_applied() = progress;
      *report.add_published() = progress;
      const auto& grant = view.jobs(0).sources(static_cast<int>(s));
      if (grant.node() != cluster_.node(process)) continue;
      auto* reader = report.add_readers();
      *reader->mutable_read() = progress;
      reader->set_epoch(grant.epoch());
    }
    cluster_.member(process).reports = {report};
  }
  const auto state = [&] {
    return Json::parse(cluster_.call("GET", "/v1/jobs/a").body)["state"].get<std::string>();
  };
  EXPECT_EQ(state(), "RUNNING");
  // Read and applied to the end, but the store does not hold every key partition yet.
  EXPECT_FALSE(cluster_.wait([&] { return state() == "COMPLETED"; }));
  proto::JobReport held;
  held.set_job(1);
  held.set_key_partitions(8);
  cluster_.member(store_).reports = {held};
  EXPECT_TRUE(cluster_.wait([&] { return state() == "COMPLETED"; }));
  EXPECT_EQ(cluster_.call("POST", "/v1/jobs", small_yaml("a")).status, 409);
  cluster_.sim.crash(b_);
  ASSERT_TRUE(cluster_.wait([&] { return cluster_.owners(store_).size() == 1; }));
  EXPECT_EQ(state(), "COMPLETED");
}

TEST_F(CoordinatorTest, MetricsTellWhatTakesMemory) {
  start_with_job();
  proto::JobReport held;
  held.set_job(1);
  held.set_key_partitions(8);
  held.set_rows(1'000);
  held.set_keys(50);
  held.set_state_bytes(20'400);
  cluster_.member(store_).reports = {held};
  cluster_.member(store_).memory = {{"rows", 20'400}, {"other", 5'000}};
  const auto shows = [&](const std::string& text) {
    return cluster_.call("GET", "/metrics").body.find(text) != std::string::npos;
  };
  EXPECT_TRUE(cluster_.wait([&] { return shows(",role=\"store\",consumer=\"rows\"} 20400\n"); }));
  EXPECT_TRUE(shows("tidemill_memory_bytes{node=\""));
  EXPECT_TRUE(shows(",role=\"store\",consumer=\"other\"} 5000\n"));
  EXPECT_TRUE(shows("tidemill_coordinator_job_bytes_per_key{job=\"a\"} 408\n"));
  EXPECT_TRUE(shows("tidemill_coordinator_job_bytes_per_row{job=\"a\"} 20\n"));
}

TEST_F(CoordinatorTest, AStoppedJobLeavesTheView) {
  start_with_job();
  EXPECT_EQ(cluster_.call("POST", "/v1/jobs", small_yaml("a")).status, 409);
  const auto response = cluster_.call("POST", "/v1/jobs/a/stop");
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(Json::parse(response.body)["id"], 1);
  EXPECT_TRUE(cluster_.wait([&] { return cluster_.member(a_).view().jobs_size() == 0; }));
  EXPECT_EQ(Json::parse(cluster_.call("GET", "/v1/jobs/1").body)["state"], "STOPPED");
  EXPECT_EQ(cluster_.call("POST", "/v1/jobs/b/stop").status, 404);
  const auto again = cluster_.call("POST", "/v1/jobs", small_yaml("a"));
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(Json::parse(again.body)["id"], 2);
}

std::vector<std::string> features_in(const proto::ClusterView& view) {
  std::vector<std::string> out;
  for (const auto& feature : view.jobs(0).plan().views(0).features()) out.push_back(feature.name());
  return out;
}

TEST_F(CoordinatorTest, AnUpdatedJobGoesOnWhereItIs) {
  start_with_job();
  const auto before = cluster_.member(a_).view();
  const std::string wanted =
      small_yaml("a") + "      - {name: half, function: count, windows: [30m]}\n";
  const auto planned = cluster_.call("POST", "/v1/jobs/a/update?plan=true", wanted);
  EXPECT_EQ(planned.status, 200);
  EXPECT_EQ(Json::parse(planned.body)["revision"], 0);
  EXPECT_EQ(Json::parse(planned.body)["differences"][0]["path"], "views.customer.half_30m");
  EXPECT_EQ(Json::parse(planned.body)["differences"][0]["effect"], "at once");
  EXPECT_EQ(Json::parse(cluster_.call("GET", "/v1/jobs/a").body)["yaml"], small_yaml("a"));

  const auto made = cluster_.call("POST", "/v1/jobs/a/update", wanted);
  EXPECT_EQ(made.status, 200);
  EXPECT_EQ(Json::parse(made.body)["revision"], 1);
  EXPECT_TRUE(cluster_.wait([&] {
    return features_in(cluster_.member(a_).view()) ==
               std::vector<std::string>{"count_1h", "half_30m"} &&
           features_in(cluster_.member(store_).view()).size() == 2;
  }));
  const auto& after = cluster_.member(a_).view();
  for (int k = 0; k < 8; ++k) {  // nothing moves
    EXPECT_EQ(after.jobs(0).key_partitions(k).SerializeAsString(),
              before.jobs(0).key_partitions(k).SerializeAsString());
  }
  const auto shown = Json::parse(cluster_.call("GET", "/v1/jobs/a").body);
  EXPECT_EQ(shown["yaml"], wanted);
  EXPECT_EQ(shown["revision"], 1);
  // The same again is no change.
  const auto again = cluster_.call("POST", "/v1/jobs/a/update", wanted);
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(Json::parse(again.body)["revision"], 1);
  EXPECT_TRUE(Json::parse(again.body)["differences"].empty());
}

TEST_F(CoordinatorTest, AnUpdateOutlivesTheCoordinator) {
  start_with_job();
  const std::string wanted =
      small_yaml("a") + "      - {name: half, function: count, windows: [30m]}\n";
  ASSERT_EQ(cluster_.call("POST", "/v1/jobs/a/update", wanted).status, 200);
  cluster_.sim.crash(cluster_.coordinator_process);
  cluster_.sim.restart(cluster_.coordinator_process);
  ASSERT_TRUE(cluster_.wait([&] {
    return cluster_.coordinator().committed() != nullptr &&
           cluster_.coordinator().committed()->jobs.size() == 1;
  }));
  const JobRecord& job = *cluster_.coordinator().committed()->jobs.begin()->second.job;
  EXPECT_EQ(job.plan->proto().revision(), 1u);
  EXPECT_EQ(job.plan->views()[0].features.size(), 2u);
}

TEST_F(CoordinatorTest, AnUpdateIsRefusedWholeWithEveryReason) {
  start_with_job();
  const std::string wanted = small_yaml("a") +
                             "      - {name: day, function: count, windows: [1h, 1d]}\n" +
                             "      - {function: sum, column: amount, windows: [lifetime]}\n";
  const auto response = cluster_.call("POST", "/v1/jobs/a/update", wanted);
  EXPECT_EQ(response.status, 409);
  const auto answer = Json::parse(response.body);
  EXPECT_EQ(answer["refused"], 1);
  EXPECT_EQ(answer["error"]["message"], "1 difference is refused, so nothing was changed");
  EXPECT_EQ(answer["differences"][0]["path"], "views.customer.day_1h");
  EXPECT_EQ(answer["differences"][0]["effect"], "at once");
  EXPECT_EQ(answer["differences"][1]["effect"], "fills");
  EXPECT_EQ(answer["differences"][2]["path"], "views.customer.amount_sum_lifetime");
  EXPECT_EQ(answer["differences"][2]["effect"], "refused");
  EXPECT_EQ(Json::parse(cluster_.call("GET", "/v1/jobs/a").body)["revision"], 0);
  EXPECT_EQ(features_in(cluster_.member(a_).view()), std::vector<std::string>{"count_1h"});
  // What is no job, or not this one.
  EXPECT_EQ(cluster_.call("POST", "/v1/jobs/a/update", "job: a\n").status, 400);
  EXPECT_EQ(cluster_.call("POST", "/v1/jobs/a/update", small_yaml("b")).status, 409);
  EXPECT_EQ(cluster_.call("POST", "/v1/jobs/b/update", small_yaml("b")).status, 404);
  EXPECT_EQ(cluster_.call("POST", "/v1/jobs/a/update", std::string((1 << 20) + 1, '#')).status,
            413);
  ASSERT_EQ(cluster_.call("POST", "/v1/jobs/a/stop").status, 202);
  EXPECT_EQ(cluster_.call("POST", "/v1/jobs/a/update", small_yaml("a")).status, 409);
}

TEST_F(CoordinatorTest, AnswersRest) {
  start_with_job();
  const auto cluster = Json::parse(cluster_.call("GET", "/v1/cluster").body);
  EXPECT_EQ(cluster["members"].size(), 3u);
  int key_partitions = 0;
  for (const auto& member : cluster["members"]) {
    EXPECT_TRUE(member["alive"].get<bool>());
    key_partitions += member["key_partitions"].get<int>();
  }
  EXPECT_EQ(key_partitions, 8);
  const auto job = Json::parse(cluster_.call("GET", "/v1/jobs/a").body);
  EXPECT_EQ(job["yaml"], small_yaml("a"));
  EXPECT_EQ(job["key_partitions"]["owned"], 8);
  EXPECT_EQ(job["sources"][1]["input"], "generator 1");
  EXPECT_EQ(Json::parse(cluster_.call("GET", "/v1/jobs").body)["jobs"].size(), 1u);
  EXPECT_EQ(cluster_.call("GET", "/health").status, 200);
  EXPECT_EQ(cluster_.call("GET", "/v1/jobs/b").status, 404);
  EXPECT_EQ(cluster_.call("GET", "/v1/nothing").status, 404);
  EXPECT_EQ(cluster_.call("PUT", "/v1/jobs").status, 405);
  EXPECT_EQ(cluster_.call("POST", "/v1/jobs", std::string((1 << 20) + 1, '#')).status, 413);
  const auto metrics = cluster_.call("GET", "/metrics").body;
  EXPECT_NE(metrics.find("tidemill_coordinator_members{role=\"worker\"} 2"), std::string::npos);
  EXPECT_NE(metrics.find("tidemill_coordinator_member_resident_bytes{node="), std::string::npos);
  EXPECT_NE(metrics.find("tidemill_coordinator_member_memory_budget_bytes{node="),
            std::string::npos);
  EXPECT_NE(metrics.find("tidemill_coordinator_job_unowned_partitions{job=\"a\"} 0"),
            std::string::npos);
}

TEST_F(CoordinatorTest, ABadJobIsRefusedWithEveryError) {
  start_with_job();
  auto yaml = small_yaml("b");
  yaml.replace(yaml.find("function: count"), 15, "function: cuont");
  yaml += "  other:\n    source: nowhere\n";
  const auto response = cluster_.call("POST", "/v1/jobs", yaml);
  EXPECT_EQ(response.status, 400);
  const auto errors = Json::parse(response.body)["error"]["errors"];
  EXPECT_GE(errors.size(), 2u);
  EXPECT_GT(errors[0]["line"].get<int>(), 0);
  EXPECT_EQ(Json::parse(cluster_.call("GET", "/v1/jobs").body)["jobs"].size(), 1u);
}

TEST(CoordinatorJoins, AStoppedJobLacksNothing) {
  TestCluster cluster(2);
  ASSERT_TRUE(cluster.wait([&] { return cluster.call("GET", "/health").status == 200; }));
  EXPECT_EQ(cluster.call("POST", "/v1/jobs", small_yaml("a")).status, 201);
  const std::string unowned = "tidemill_coordinator_job_unowned_partitions{job=\"a\"} ";
  EXPECT_NE(cluster.call("GET", "/metrics").body.find(unowned + "8"), std::string::npos);
  EXPECT_EQ(cluster.call("POST", "/v1/jobs/a/stop").status, 202);
  EXPECT_NE(cluster.call("GET", "/metrics").body.find(unowned + "0"), std::string::npos);
}

TEST(CoordinatorJoins, AJobWithoutWorkersWaitsAndIsSharedByThoseThatComeTogether) {
  TestCluster cluster(3);
  const auto store = cluster.add_store();
  ASSERT_TRUE(cluster.wait([&] { return cluster.call("GET", "/health").status == 200; }));
  EXPECT_EQ(cluster.call("POST", "/v1/jobs", small_yaml("a")).status, 201);
  ASSERT_TRUE(cluster.wait([&] { return !cluster.owners(store).empty(); }));
  EXPECT_EQ(cluster.owners(store), (std::map<uint64_t, int>{{0, 8}}));
  const auto a = cluster.add_worker();
  cluster.sim.run_for(500'000);
  const auto b = cluster.add_worker();
  ASSERT_TRUE(cluster.wait([&] { return cluster.all_owned(store); }));
  EXPECT_EQ(cluster.owners(store),
            (std::map<uint64_t, int>{{cluster.node(a), 4}, {cluster.node(b), 4}}));
  // Whoever comes later gets nothing at once: what is placed stays until a copy has caught up.
  cluster.add_worker();
  cluster.sim.run_for(kLease);
  EXPECT_EQ(cluster.owners(store).size(), 2u);
}

// Crashes, freezes and a bad network from a seed; then everything heals, and the cluster agrees.
// FakeMember checks on every view that versions and epochs only grow.
uint64_t run_with_faults(uint64_t seed) {
  SimConfig network;
  network.drop_probability = 0.05;
  network.duplicate_probability = 0.05;
  network.reorder_probability = 0.1;
  TestCluster cluster(seed, {}, network);
  std::vector<SimProcessId> workers;
  for (int i = 0; i < 3; ++i) workers.push_back(cluster.add_worker());
  const auto store = cluster.add_store();
  cluster.sim.run_for(2'000'000);
  EXPECT_EQ(cluster.call("POST", "/v1/jobs", small_yaml("a")).status, 201);
  Random random(seed);
  for (int round = 0; round < 12; ++round) {
    const auto victim = workers[random.below(workers.size())];
    const auto coordinator = cluster.coordinator_process;
    const auto what = random.below(4);
    if (what == 0) cluster.sim.crash(victim);
    if (what == 1) cluster.sim.freeze(victim);
    if (what == 2) cluster.sim.crash(coordinator);
    if (what == 3) cluster.sim.cut(victim, coordinator);
    cluster.sim.run_for(static_cast<int64_t>(random.below(5'000'000)));
    if (what == 0) cluster.sim.restart(victim);
    if (what == 1) cluster.sim.unfreeze(victim);
    if (what == 2) cluster.sim.restart(coordinator);
    if (what == 3) cluster.sim.heal(victim, coordinator);
    cluster.sim.run_for(static_cast<int64_t>(random.below(3'000'000)));
    for (const auto worker : workers) {  // a fenced process ends and is started again
      if (!cluster.member(worker).fenced()) continue;
      cluster.sim.crash(worker);
      cluster.sim.restart(worker);
    }
  }
  cluster.sim.heal_network();
  cluster.sim.set_network(0, 0, 0, 1'000);
  EXPECT_TRUE(cluster.wait([&] {
    for (const auto worker : workers) {
      if (cluster.member(worker).fenced()) {
        cluster.sim.crash(worker);
        cluster.sim.restart(worker);
      }
    }
    const auto* committed = cluster.coordinator().committed();
    if (committed == nullptr || committed->members.size() != 4) return false;
    for (const auto worker : workers) {
      if (cluster.member(worker).view().version() != committed->view_version) return false;
    }
    return cluster.all_owned(store) &&
           cluster.member(store).view().version() == committed->view_version;
  })) << "seed "
      << seed;
  for (const auto& [node, count] : cluster.owners(store)) {
    EXPECT_TRUE(cluster.coordinator().members().find_alive(NodeId{node})) << "seed " << seed;
  }
  EXPECT_TRUE(cluster.sim.errors().empty());
  return cluster.sim.trace_hash();
}

TEST(CoordinatorFaults, TheClusterAgreesAgainWhateverHappened) {
  for (uint64_t seed = 1; seed <= 40; ++seed) run_with_faults(seed);
}

TEST(CoordinatorFaults, TheSameSeedIsTheSameRun) {
  EXPECT_EQ(run_with_faults(7), run_with_faults(7));
}

}  // namespace
}  // namespace tidemill
