#include "coordinator/placement.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <set>

namespace tidemill {
namespace {

struct Case {
  std::vector<PlacementWorker> workers;
  JobGrants current;
  std::vector<JobGrants> others;
  uint32_t key_partitions = 0;
  uint32_t source_partitions = 0;
  Epoch next_epoch{1};

  PlacementInput input() const {
    PlacementInput in{workers, &current, key_partitions, source_partitions, true, next_epoch, {}};
    for (const auto& other : others) in.others.push_back(&other);
    return in;
  }
};

std::vector<PlacementWorker> any_workers() {
  const auto nodes = *rc::gen::unique<std::vector<uint64_t>>(rc::gen::inRange<uint64_t>(1, 12));
  std::vector<PlacementWorker> out;
  for (const auto node : nodes) {
    out.push_back({NodeId{node}, *rc::gen::inRange<uint32_t>(1, 4)});
  }
  return out;
}

// Owned by nobody, by workers that may live, and by some that do not.
std::vector<PartitionGrant> any_grants(size_t count) {
  std::vector<PartitionGrant> out;
  for (size_t i = 0; i < count; ++i) {
    const auto node = *rc::gen::inRange<uint64_t>(0, 14);
    out.push_back({NodeId{node}, node == 0 ? 0 : *rc::gen::inRange<uint32_t>(0, 4),
                   Epoch{*rc::gen::inRange<uint64_t>(0, 50)}});
  }
  return out;
}

Case any_case() {
  Case c;
  c.workers = any_workers();
  c.key_partitions = *rc::gen::inRange<uint32_t>(1, 40);
  c.source_partitions = *rc::gen::inRange<uint32_t>(1, 8);
  c.current.key_partitions = any_grants(*rc::gen::element<size_t>(0, c.key_partitions));
  c.current.sources = any_grants(c.source_partitions);
  c.others.push_back({any_grants(4), any_grants(10)});
  c.next_epoch = Epoch{*rc::gen::inRange<uint64_t>(1, 60)};
  return c;
}

bool lives(const Case& c, const PartitionGrant& grant) {
  return std::any_of(c.workers.begin(), c.workers.end(), [&](const PlacementWorker& w) {
    return w.node == grant.node && grant.shard < w.shards;
  });
}

void check_moves(const Case& c, const std::vector<PartitionGrant>& before,
                 const std::vector<PartitionGrant>& after, std::set<uint64_t>* epochs) {
  for (size_t i = 0; i < after.size(); ++i) {
    const PartitionGrant old = i < before.size() ? before[i] : PartitionGrant{};
    if (lives(c, old)) {
      RC_ASSERT(after[i] == old);
      continue;
    }
    if (c.workers.empty()) {
      RC_ASSERT(after[i].node == NodeId{});
    } else {
      RC_ASSERT(lives(c, after[i]));
    }
    if (after[i] == old) continue;
    RC_ASSERT(after[i].epoch > old.epoch);
    RC_ASSERT(after[i].epoch >= c.next_epoch);
    RC_ASSERT(epochs->insert(after[i].epoch.value).second);
  }
}

TEST(Placement, MovesOnlyWhatNobodyLivingOwnsAndRaisesItsEpoch) {
  EXPECT_TRUE(rc::check([] {
    const Case c = any_case();
    const auto placed = plan_placement(c.input());
    RC_ASSERT(placed.grants.key_partitions.size() == c.key_partitions);
    RC_ASSERT(placed.grants.sources.size() == c.source_partitions);
    std::set<uint64_t> epochs;
    check_moves(c, c.current.key_partitions, placed.grants.key_partitions, &epochs);
    check_moves(c, c.current.sources, placed.grants.sources, &epochs);
    RC_ASSERT(placed.moved == epochs.size());
    RC_ASSERT(placed.next_epoch >= c.next_epoch);
    for (const auto epoch : epochs) RC_ASSERT(epoch < placed.next_epoch.value);
  }));
}

TEST(Placement, PlanningAgainChangesNothing) {
  EXPECT_TRUE(rc::check([] {
    Case c = any_case();
    const auto placed = plan_placement(c.input());
    c.current = placed.grants;
    c.next_epoch = placed.next_epoch;
    const auto again = plan_placement(c.input());
    RC_ASSERT(again.moved == 0u);
    RC_ASSERT(again.grants == placed.grants);
    RC_ASSERT(again.next_epoch == placed.next_epoch);
  }));
}

TEST(Placement, DoesNotDependOnTheOrderOfWorkers) {
  EXPECT_TRUE(rc::check([] {
    Case c = any_case();
    const auto placed = plan_placement(c.input());
    std::reverse(c.workers.begin(), c.workers.end());
    RC_ASSERT(plan_placement(c.input()).grants == placed.grants);
  }));
}

template <typename Key>
uint32_t spread(const std::map<Key, uint32_t>& loads) {
  uint32_t least = UINT32_MAX;
  uint32_t most = 0;
  for (const auto& [key, load] : loads) {
    least = std::min(least, load);
    most = std::max(most, load);
  }
  return most - least;
}

TEST(Placement, AJobPlacedAtOnceIsBalanced) {
  EXPECT_TRUE(rc::check([] {
    Case c = any_case();
    RC_PRE(!c.workers.empty());
    c.current = {};
    const auto placed = plan_placement(c.input());
    std::map<std::pair<NodeId, uint32_t>, uint32_t> keys;
    std::map<NodeId, uint32_t> sources;
    for (const auto& worker : c.workers) {
      sources[worker.node] = 0;
      for (uint32_t shard = 0; shard < worker.shards; ++shard) keys[{worker.node, shard}] = 0;
    }
    for (const auto& grant : placed.grants.key_partitions) ++keys[{grant.node, grant.shard}];
    for (const auto& grant : placed.grants.sources) ++sources[grant.node];
    RC_ASSERT(spread(keys) <= 1u);
    RC_ASSERT(spread(sources) <= 1u);
  }));
}

TEST(Placement, WhatADeadWorkerOwnedIsSharedByTheOthers) {
  Case c;
  c.workers = {{NodeId{1}, 1}, {NodeId{2}, 1}, {NodeId{3}, 1}};
  c.key_partitions = 12;
  c.source_partitions = 3;
  const auto first = plan_placement(c.input());
  c.workers.pop_back();
  c.current = first.grants;
  c.next_epoch = first.next_epoch;
  const auto second = plan_placement(c.input());
  EXPECT_EQ(second.moved, 4u + 1u);
  std::map<NodeId, uint32_t> keys;
  for (const auto& grant : second.grants.key_partitions) ++keys[grant.node];
  EXPECT_EQ(keys, (std::map<NodeId, uint32_t>{{NodeId{1}, 6}, {NodeId{2}, 6}}));
}

TEST(Placement, SourcesThatAreNotReadAnyMoreAreNotPlaced) {
  Case c;
  c.workers = {{NodeId{1}, 1}};
  c.key_partitions = 2;
  c.source_partitions = 2;
  c.current.sources = {{NodeId{}, 0, Epoch{8}}, {NodeId{}, 0, Epoch{9}}};
  auto input = c.input();
  input.place_sources = false;
  const auto placed = plan_placement(input);
  EXPECT_EQ(placed.moved, 2u);
  EXPECT_EQ(placed.grants.sources, c.current.sources);
  EXPECT_EQ(placed.grants.key_partitions[1].node, NodeId{1});
}

TEST(PickReader, TakesTheOtherWorkerWithTheFewestReaders) {
  Case c;
  c.workers = {{NodeId{1}, 1}, {NodeId{2}, 2}, {NodeId{3}, 1}};
  for (const uint64_t node : {1, 1, 2, 3, 3}) {
    c.current.sources.push_back({NodeId{node}, 0, Epoch{1}});
  }
  // Worker 2 has the fewest; its second shard has none.
  EXPECT_EQ(pick_reader(c.input(), 0, NodeId{}), (PartitionGrant{NodeId{2}, 1, Epoch{}}));
  // Not where it is, though there are fewest.
  EXPECT_EQ(pick_reader(c.input(), 2, NodeId{}).node, NodeId{1});
  EXPECT_EQ(pick_reader(c.input(), 0, NodeId{3}).node, NodeId{3});
  EXPECT_EQ(pick_reader(c.input(), 0, NodeId{4}).node, NodeId{});
}

TEST(PickReader, NeedsAnotherWorker) {
  Case c;
  c.workers = {{NodeId{1}, 4}};
  c.current.sources = {{NodeId{1}, 0, Epoch{1}}};
  EXPECT_EQ(pick_reader(c.input(), 0, NodeId{}).node, NodeId{});
  c.workers.clear();
  EXPECT_EQ(pick_reader(c.input(), 0, NodeId{}).node, NodeId{});
}

TEST(PickReader, TiesGoToTheWorkerWithLessOfOtherJobs) {
  Case c;
  c.workers = {{NodeId{1}, 1}, {NodeId{2}, 1}, {NodeId{3}, 1}};
  c.current.sources = {{NodeId{3}, 0, Epoch{1}}};
  c.others.push_back({{{NodeId{1}, 0, Epoch{1}}}, {}});
  EXPECT_EQ(pick_reader(c.input(), 0, NodeId{}).node, NodeId{2});
}

TEST(Placement, TiesGoToTheWorkerWithLessOfOtherJobs) {
  Case c;
  c.workers = {{NodeId{1}, 1}, {NodeId{2}, 1}};
  c.key_partitions = 1;
  c.source_partitions = 1;
  const PartitionGrant busy{NodeId{1}, 0, Epoch{1}};
  c.others.push_back({{busy}, {busy}});
  c.next_epoch = Epoch{2};
  const auto placed = plan_placement(c.input());
  EXPECT_EQ(placed.grants.key_partitions[0].node, NodeId{2});
  EXPECT_EQ(placed.grants.sources[0].node, NodeId{2});
}

}  // namespace
}  // namespace tidemill
