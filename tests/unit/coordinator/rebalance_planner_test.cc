#include "coordinator/rebalance_planner.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <set>

namespace tidemill {
namespace {

WorkerSlot slot(uint64_t node, uint32_t shard = 0) { return {NodeId{node}, shard}; }

RebalanceInput cluster(uint64_t workers) {
  RebalanceInput input;
  for (uint64_t n = 1; n <= workers; ++n) input.workers.push_back({NodeId{n}, 1, false});
  return input;
}

void add(RebalanceInput* input, uint64_t owner, uint64_t standby = 0, double cpu = -1) {
  OwnedKeyPartition p;
  p.job = JobId{1};
  p.number = static_cast<uint32_t>(input->key_partitions.size());
  p.owner = slot(owner);
  p.standby = slot(standby);
  if (cpu >= 0) p.load = MeasuredLoad{cpu, 0, 0};
  input->key_partitions.push_back(p);
}

// What it would be like once the plan is carried out.
RebalanceInput carried_out(RebalanceInput input, const RebalancePlan& plan) {
  for (const auto& move : plan.moves) {
    if (move.kind == MoveKind::kReader) {
      for (auto& r : input.readers) {
        if (r.job == move.job && r.source_partition == move.number) r.reader = move.to;
      }
      continue;
    }
    for (auto& p : input.key_partitions) {
      if (p.job != move.job || p.number != move.number) continue;
      if (move.kind == MoveKind::kStandby) {
        p.standby = move.to;
        continue;
      }
      if (p.standby.node == move.to.node) {
        const bool drains = std::any_of(
            input.workers.begin(), input.workers.end(),
            [&](const RebalanceWorker& w) { return w.node == p.owner.node && w.draining; });
        p.standby = drains ? WorkerSlot{} : p.owner;
      }
      p.owner = move.to;
    }
  }
  return input;
}

RebalanceInput any_input() {
  RebalanceInput input;
  const auto workers = *rc::gen::inRange<uint64_t>(1, 7);
  for (uint64_t n = 1; n <= workers; ++n) {
    input.workers.push_back(
        {NodeId{n}, *rc::gen::inRange<uint32_t>(1, 4), *rc::gen::inRange(0, 5) == 0});
  }
  const auto any_slot = [&] {
    const auto& worker = input.workers[*rc::gen::inRange<size_t>(0, input.workers.size())];
    return WorkerSlot{worker.node, *rc::gen::inRange<uint32_t>(0, worker.shards)};
  };
  const bool standbys = *rc::gen::arbitrary<bool>();
  const bool measured = *rc::gen::arbitrary<bool>();
  for (uint32_t k = 0; k < *rc::gen::inRange<uint32_t>(0, 40); ++k) {
    OwnedKeyPartition p{JobId{1 + k % 2}, k / 2, any_slot(), {}, {}, *rc::gen::inRange(0, 8) != 0};
    if (*rc::gen::inRange(0, 20) == 0) p.owner = slot(99);  // dead
    if (standbys) p.standby = any_slot();
    if (p.standby.node == p.owner.node) p.standby = {};
    if (measured && *rc::gen::inRange(0, 10) != 0) {
      p.load = MeasuredLoad{static_cast<double>(*rc::gen::inRange<int64_t>(0, 100'000'000)), 1, 1};
    }
    input.key_partitions.push_back(p);
  }
  for (uint32_t s = 0; s < *rc::gen::inRange<uint32_t>(0, 9); ++s) {
    input.readers.push_back({JobId{1}, s, any_slot(), *rc::gen::inRange(0, 8) != 0});
  }
  input.drain_only = *rc::gen::inRange(0, 4) == 0;
  return input;
}

TEST(RebalancePlanner, ASecondRunOnItsOwnOutputIsEmpty) {
  EXPECT_TRUE(rc::check([] {
    const auto input = any_input();
    const auto again = plan_rebalance(carried_out(input, plan_rebalance(input)));
    RC_ASSERT(again.moves.empty());
  }));
}

TEST(RebalancePlanner, KeepsToTheHardConstraints) {
  EXPECT_TRUE(rc::check([] {
    const auto input = any_input();
    const auto plan = plan_rebalance(input);
    std::map<NodeId, RebalanceWorker> workers;
    for (const auto& w : input.workers) workers[w.node] = w;
    for (const auto& move : plan.moves) {
      RC_ASSERT(workers.contains(move.from.node));
      RC_ASSERT(workers.contains(move.to.node));
      RC_ASSERT(!workers[move.to.node].draining);
      RC_ASSERT(move.to.shard < workers[move.to.node].shards);
      RC_ASSERT(move.from.node != move.to.node);
      RC_ASSERT(!move.reason.empty());
    }
    for (const auto& p : carried_out(input, plan).key_partitions) {
      RC_ASSERT(p.owner.node != p.standby.node);
    }
  }));
}

TEST(RebalancePlanner, SaysWhatItLeavesOnADrainingWorker) {
  EXPECT_TRUE(rc::check([] {
    const auto input = any_input();
    const auto plan = plan_rebalance(input);
    std::set<NodeId> draining;
    for (const auto& w : input.workers) {
      if (w.draining) draining.insert(w.node);
    }
    for (const auto& p : carried_out(input, plan).key_partitions) {
      const bool stays = draining.contains(p.owner.node) || draining.contains(p.standby.node);
      if (stays && p.movable) RC_ASSERT(!plan.obstacles.empty());
    }
  }));
}

TEST(RebalancePlanner, IsDeterministic) {
  EXPECT_TRUE(rc::check([] {
    const auto input = any_input();
    const auto one = plan_rebalance(input);
    const auto two = plan_rebalance(input);
    RC_ASSERT(one.moves.size() == two.moves.size());
    for (size_t i = 0; i < one.moves.size(); ++i) {
      RC_ASSERT(one.moves[i].number == two.moves[i].number);
      RC_ASSERT(one.moves[i].to == two.moves[i].to);
    }
  }));
}

TEST(RebalancePlanner, AWorkerThatJoinsGetsKeyPartitionsAndReaders) {
  auto input = cluster(3);
  for (int i = 0; i < 60; ++i) add(&input, i % 2 == 0 ? 1 : 2);
  for (uint32_t s = 0; s < 6; ++s) input.readers.push_back({JobId{1}, s, slot(1 + s % 2)});
  const auto plan = plan_rebalance(input);
  EXPECT_FALSE(plan.measured);
  ASSERT_EQ(plan.workers.size(), 3u);
  EXPECT_EQ(plan.workers[2].load_before, 0);
  EXPECT_NEAR(plan.workers[2].load_after, 1, 0.11);
  EXPECT_EQ(plan.workers[2].readers_after, 2u);
  EXPECT_EQ(plan.workers[0].readers_after, 2u);
  EXPECT_EQ(plan.workers[2].key_partitions_after, 18u);
  // Readers go first.
  EXPECT_EQ(plan.moves[0].kind, MoveKind::kReader);
  EXPECT_EQ(plan.moves.back().reason,
            "worker 0000000000000002 has 150 % of its share of the key partitions, worker "
            "0000000000000003 has 0 %");
}

TEST(RebalancePlanner, MeasuredLoadDecidesAndNotTheirNumber) {
  auto input = cluster(2);
  // Four of each, but those of worker 1 take four times as much.
  for (int i = 0; i < 4; ++i) add(&input, 1, 0, 40e6);
  for (int i = 0; i < 4; ++i) add(&input, 2, 0, 10e6);
  const auto plan = plan_rebalance(input);
  EXPECT_TRUE(plan.measured);
  EXPECT_NEAR(plan.workers[0].load_before, 1.6, 0.01);
  ASSERT_FALSE(plan.moves.empty());
  EXPECT_NEAR(plan.workers[0].load_after, 1, 0.21);
  for (const auto& move : plan.moves) EXPECT_EQ(move.from.node == NodeId{1}, move.number < 4);
}

TEST(RebalancePlanner, AnIdleJobsNoiseMovesNothing) {
  auto input = cluster(2);
  for (int i = 0; i < 4; ++i) add(&input, 1, 0, 40e3);
  for (int i = 0; i < 4; ++i) add(&input, 2, 0, 10e3);
  EXPECT_TRUE(plan_rebalance(input).moves.empty());
}

TEST(RebalancePlanner, ADrainMovesEverythingOfTheWorkerAndNothingElse) {
  auto input = cluster(4);
  input.drain_only = true;
  input.workers[3].draining = true;
  for (int i = 0; i < 9; ++i) add(&input, 1, 2);          // out of balance, but not asked for
  for (int i = 0; i < 6; ++i) add(&input, 4, 1 + i % 3);  // owner drains
  for (int i = 0; i < 2; ++i) add(&input, 2, 4);          // standby drains
  input.readers.push_back({JobId{1}, 0, slot(4)});
  const auto plan = plan_rebalance(input);
  EXPECT_EQ(plan.moves.size(), 9u);
  for (const auto& move : plan.moves) {
    EXPECT_EQ(move.from.node, NodeId{4});
    EXPECT_EQ(move.reason, "worker 0000000000000004 is draining");
  }
  EXPECT_EQ(plan.workers[3].key_partitions_after, 0u);
  EXPECT_EQ(plan.workers[3].standbys_after, 0u);
  EXPECT_EQ(plan.workers[3].readers_after, 0u);
  EXPECT_TRUE(plan.obstacles.empty());
}

TEST(RebalancePlanner, AStandbyTakesOverOnItsOwnShard) {
  auto input = cluster(2);
  input.workers[0].draining = true;
  input.workers[1].shards = 4;
  add(&input, 1);
  input.key_partitions[0].standby = slot(2, 3);
  const auto plan = plan_rebalance(input);
  ASSERT_EQ(plan.moves.size(), 1u);
  EXPECT_EQ(plan.moves[0].kind, MoveKind::kOwner);
  EXPECT_EQ(plan.moves[0].to, slot(2, 3));
}

TEST(RebalancePlanner, AStandbyWithoutAnotherWorkerIsAnObstacle) {
  auto input = cluster(2);
  input.workers[0].draining = true;
  add(&input, 2, 1);
  const auto plan = plan_rebalance(input);
  EXPECT_TRUE(plan.moves.empty());
  ASSERT_EQ(plan.obstacles.size(), 1u);
  EXPECT_EQ(plan.obstacles[0].constraint, "standby not with owner");
}

TEST(RebalancePlanner, AHotKeyPartitionIsNamed) {
  auto input = cluster(2);
  add(&input, 1, 0, 900e6);
  for (int i = 0; i < 3; ++i) add(&input, 2, 0, 10e6);
  const auto plan = plan_rebalance(input);
  EXPECT_TRUE(plan.moves.empty());
  ASSERT_EQ(plan.obstacles.size(), 2u);
  EXPECT_EQ(plan.obstacles[0].constraint, "load balance");
  EXPECT_NE(plan.obstacles[0].text.find("its largest key partition is 100 % of it"),
            std::string::npos);
}

TEST(RebalancePlanner, ObstaclesAreNamed) {
  auto input = cluster(1);
  input.workers[0].draining = true;
  add(&input, 1);
  add(&input, 7);
  const auto plan = plan_rebalance(input);
  EXPECT_TRUE(plan.moves.empty());
  ASSERT_EQ(plan.obstacles.size(), 2u);
  EXPECT_EQ(plan.obstacles[0].constraint, "owner alive");
  EXPECT_EQ(plan.obstacles[1].constraint, "target not draining");
}

}  // namespace
}  // namespace tidemill
