// A coordinator moves key partitions, standbys and readers between members that only speak the
// control plane.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "coordinator/coordinator.h"
#include "tests/unit/coordinator/test_cluster.h"

namespace tidemill {
namespace {

using Json = nlohmann::json;
using testing::small_yaml;
using testing::TestCluster;
using Counts = std::map<uint64_t, int>;

// Two workers and a store that have joined, and a job that is placed on both workers.
class RebalanceTest : public ::testing::Test {
 protected:
  void start(bool with_standbys = false) {
    ASSERT_TRUE(cluster_.wait([&] {
      return cluster_.coordinator().committed() != nullptr &&
             cluster_.coordinator().committed()->members.size() == 3;
    }));
    const std::string yaml = small_yaml("a") + (with_standbys ? "standby_replicas: 1\n" : "");
    ASSERT_EQ(cluster_.call("POST", "/v1/jobs?base_dir=%2F", yaml).status, 201);
    ASSERT_TRUE(cluster_.wait([&] { return cluster_.all_owned(store_); }));
    for (const auto worker : {a_, b_}) cluster_.member(worker).says_caught_up = true;
  }
  SimProcessId join(bool says_caught_up = true) {
    const auto worker = cluster_.add_worker();
    cluster_.member(worker).says_caught_up = says_caught_up;
    return worker;
  }
  int owned(SimProcessId process) { return cluster_.owners(store_)[cluster_.node(process)]; }
  // By node, in the store's view.
  Counts standbys() {
    Counts out;
    for (const auto& grant : cluster_.member(store_).view().jobs(0).key_partitions()) {
      for (const auto& standby : grant.standbys()) ++out[standby.node()];
    }
    return out;
  }
  Counts readers() {
    Counts out;
    for (const auto& grant : cluster_.member(store_).view().jobs(0).sources()) ++out[grant.node()];
    return out;
  }
  Json rebalance() { return Json::parse(cluster_.call("GET", "/v1/rebalance").body); }
  std::string text(SimProcessId process) { return node_text(NodeId{cluster_.node(process)}); }
  std::string state_of(SimProcessId process) {
    const auto cluster = Json::parse(cluster_.call("GET", "/v1/cluster").body);
    if (!cluster.contains("members")) return "";  // it is starting
    for (const auto& member : cluster["members"]) {
      if (member["node"] == text(process)) return member["state"];
    }
    return "";
  }
  void stop_saying(std::initializer_list<SimProcessId> processes) {
    for (const auto process : processes) cluster_.member(process).says_caught_up = false;
  }

  TestCluster cluster_{7};
  SimProcessId a_ = cluster_.add_worker();
  SimProcessId b_ = cluster_.add_worker();
  SimProcessId store_ = cluster_.add_store();
};

TEST_F(RebalanceTest, AWorkerThatJoinsGetsItsShareOnceItHasCaughtUp) {
  start();
  stop_saying({a_, b_});
  const auto c = join();
  ASSERT_TRUE(cluster_.wait([&] { return standbys()[cluster_.node(c)] == 2; }));
  cluster_.sim.run_for(3'000'000);
  EXPECT_EQ(owned(c), 0);
  auto status = rebalance();
  EXPECT_EQ(status["moves"], 2);
  EXPECT_EQ(status["under_way"], 2);
  EXPECT_EQ(status["cause"], "worker " + text(c) + " has joined");
  EXPECT_TRUE(status["finished_at"].is_null());
  EXPECT_NE(status["pending_moves"][0]["waits_for"].get<std::string>().find("target"),
            std::string::npos);
  for (const auto worker : {a_, b_}) cluster_.member(worker).says_caught_up = true;
  ASSERT_TRUE(cluster_.wait([&] { return owned(c) == 2; }));
  EXPECT_EQ(owned(a_), 3);
  EXPECT_EQ(owned(b_), 3);
  EXPECT_EQ(standbys(), Counts{});
  status = rebalance();
  EXPECT_EQ(status["done"], 2);
  EXPECT_FALSE(status["finished_at"].is_null());
  // There is nothing left to do.
  const auto version = cluster_.member(store_).view().version();
  cluster_.sim.run_for(5'000'000);
  EXPECT_EQ(cluster_.member(store_).view().version(), version);
}

TEST_F(RebalanceTest, NothingBeginsWhileAWorkerRestores) {
  start();
  proto::JobReport restoring;
  restoring.set_job(1);
  restoring.set_restoring(1);
  cluster_.member(a_).reports = {restoring};
  join();
  cluster_.sim.run_for(5'000'000);
  EXPECT_EQ(rebalance()["id"], 0);
  cluster_.member(a_).reports.clear();
  EXPECT_TRUE(cluster_.wait([&] { return rebalance()["id"] == 1; }));
}

TEST(RebalanceByHand, HappensOnRequestAlone) {
  CoordinatorConfig config;
  config.auto_rebalance = false;
  TestCluster cluster(8, config);
  const auto a = cluster.add_worker();
  const auto store = cluster.add_store();
  ASSERT_TRUE(cluster.wait([&] { return cluster.call("GET", "/health").status == 200; }));
  ASSERT_EQ(cluster.call("POST", "/v1/jobs", small_yaml("a")).status, 201);
  ASSERT_TRUE(cluster.wait([&] { return cluster.all_owned(store); }));
  const auto b = cluster.add_worker();
  for (const auto worker : {a, b}) cluster.member(worker).says_caught_up = true;
  cluster.sim.run_for(5'000'000);
  EXPECT_EQ(cluster.owners(store), (Counts{{cluster.node(a), 8}}));
  const auto plan = Json::parse(cluster.call("POST", "/v1/rebalance?plan=true&job=a").body);
  ASSERT_EQ(plan["moves"].size(), 5u);  // a reader, and 4 of 8 key partitions
  EXPECT_EQ(plan["moves"][0]["kind"], "reader");
  EXPECT_EQ(plan["workers"][0]["load"]["after"], 1.0);
  EXPECT_FALSE(plan["measured"].get<bool>());
  cluster.sim.run_for(1'000'000);
  EXPECT_EQ(cluster.owners(store), (Counts{{cluster.node(a), 8}}));
  EXPECT_EQ(cluster.call("POST", "/v1/rebalance?job=b").status, 404);
  const auto begun = cluster.call("POST", "/v1/rebalance");
  EXPECT_EQ(begun.status, 202);
  EXPECT_EQ(Json::parse(begun.body)["id"], 1);
  EXPECT_EQ(Json::parse(begun.body)["moves"], 5);
  EXPECT_TRUE(cluster.wait([&] {
    return cluster.owners(store) == Counts{{cluster.node(a), 4}, {cluster.node(b), 4}};
  }));
}

TEST_F(RebalanceTest, ADrainedWorkerOwnsNothingAndGetsItsShareBackWhenItIsUndone) {
  start();
  const auto c = join();
  ASSERT_TRUE(cluster_.wait([&] { return owned(c) == 2; }));
  EXPECT_EQ(cluster_.call("POST", "/v1/workers/00000000000000ff/drain").status, 404);
  EXPECT_EQ(cluster_.call("POST", "/v1/workers/" + text(store_) + "/drain").status, 404);
  const auto answer = cluster_.call("POST", "/v1/workers/" + text(b_) + "/drain");
  EXPECT_EQ(answer.status, 202);
  EXPECT_TRUE(Json::parse(answer.body)["draining"].get<bool>());
  ASSERT_TRUE(cluster_.wait([&] { return owned(b_) == 0; }));
  EXPECT_EQ(readers()[cluster_.node(b_)], 0);
  ASSERT_TRUE(cluster_.wait([&] { return state_of(b_) == "drained"; }));
  EXPECT_EQ(owned(a_), 4);
  EXPECT_EQ(owned(c), 4);
  EXPECT_TRUE(rebalance()["draining"][0]["finished"].get<bool>());
  // It stays so, also for a coordinator that starts.
  cluster_.sim.crash(cluster_.coordinator_process);
  cluster_.sim.restart(cluster_.coordinator_process);
  ASSERT_TRUE(cluster_.wait([&] { return state_of(b_) == "drained"; }));
  cluster_.sim.run_for(5'000'000);
  EXPECT_EQ(owned(b_), 0);
  EXPECT_EQ(cluster_.call("DELETE", "/v1/workers/" + text(b_) + "/drain").status, 202);
  EXPECT_EQ(state_of(b_), "alive");
  EXPECT_TRUE(cluster_.wait([&] { return owned(b_) == 2; }));
  EXPECT_EQ(cluster_.call("POST", "/v1/workers/" + text(a_) + "/drain").status, 202);
  EXPECT_EQ(cluster_.call("POST", "/v1/workers/" + text(b_) + "/drain").status, 202);
  EXPECT_EQ(cluster_.call("POST", "/v1/workers/" + text(c) + "/drain").status, 409);
}

TEST_F(RebalanceTest, MovesEndWhenTheirTargetDies) {
  start();
  stop_saying({a_, b_});
  const auto c = join();
  ASSERT_TRUE(cluster_.wait([&] { return standbys()[cluster_.node(c)] == 2; }));
  const auto before = cluster_.owners(store_);
  cluster_.sim.crash(c);
  ASSERT_TRUE(cluster_.wait([&] { return standbys().empty(); }));
  EXPECT_EQ(cluster_.owners(store_), before);
  ASSERT_TRUE(cluster_.wait([&] { return rebalance()["pending_moves"].empty(); }));
  EXPECT_EQ(rebalance()["dropped"], 2);
}

TEST_F(RebalanceTest, MovesGoOnUnderANewCoordinator) {
  start();
  stop_saying({a_, b_});
  const auto c = join();
  ASSERT_TRUE(cluster_.wait([&] { return standbys()[cluster_.node(c)] == 2; }));
  cluster_.sim.crash(cluster_.coordinator_process);
  cluster_.sim.run_for(2'000'000);
  cluster_.sim.restart(cluster_.coordinator_process);
  for (const auto worker : {a_, b_}) cluster_.member(worker).says_caught_up = true;
  ASSERT_TRUE(cluster_.wait([&] { return owned(c) == 2; }));
  EXPECT_EQ(rebalance()["done"], 2);
}

TEST_F(RebalanceTest, ADeadOwnersStandbysTakeOverAndOthersAreFound) {
  start(true);
  const auto c = join();
  ASSERT_TRUE(cluster_.wait([&] { return owned(c) == 2 && standbys().size() == 3; }));
  ASSERT_TRUE(cluster_.wait([&] { return !rebalance()["finished_at"].is_null(); }));
  const auto before = cluster_.member(store_).view().jobs(0);
  const uint64_t dead = cluster_.node(b_);
  cluster_.sim.crash(b_);
  ASSERT_TRUE(cluster_.wait([&] { return !cluster_.owners(store_).contains(dead); }));
  const auto after = cluster_.member(store_).view().jobs(0);
  int promoted = 0;
  for (int k = 0; k < 8; ++k) {
    ASSERT_EQ(before.key_partitions(k).standbys_size(), 1);
    ASSERT_EQ(after.key_partitions(k).standbys_size(), 1);
    EXPECT_NE(after.key_partitions(k).standbys(0).node(), after.key_partitions(k).node());
    if (before.key_partitions(k).node() != dead) continue;
    EXPECT_EQ(after.key_partitions(k).node(), before.key_partitions(k).standbys(0).node());
    ++promoted;
  }
  EXPECT_EQ(promoted, 3);
  // Its readers have moved in the same view.
  EXPECT_FALSE(readers().contains(dead));
}

}  // namespace
}  // namespace tidemill
