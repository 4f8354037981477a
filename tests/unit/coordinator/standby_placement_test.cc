#include "coordinator/standby_placement.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>

namespace tidemill {
namespace {

struct Case {
  std::vector<PlacementWorker> workers;
  bool wanted = true;
  JobGrants grants;
};

Case any_case() {
  Case c;
  for (uint64_t n = 1; n <= *rc::gen::inRange<uint64_t>(0, 6); ++n) {
    c.workers.push_back(
        {NodeId{n}, *rc::gen::inRange<uint32_t>(1, 4), *rc::gen::inRange(0, 4) == 0});
  }
  c.wanted = *rc::gen::inRange(0, 5) != 0;
  const auto any_slot = [] {
    return WorkerSlot{NodeId{*rc::gen::inRange<uint64_t>(0, 8)}, *rc::gen::inRange<uint32_t>(0, 4)};
  };
  for (uint32_t k = 0; k < *rc::gen::inRange<uint32_t>(0, 30); ++k) {
    const auto owner = any_slot();
    c.grants.key_partitions.push_back({owner.node, owner.shard, Epoch{k}});
    auto standby = any_slot();
    if (standby.node != NodeId{}) c.grants.standbys[k] = standby;
  }
  return c;
}

bool holds(const Case& c, const WorkerSlot& slot) {
  return std::any_of(c.workers.begin(), c.workers.end(), [&](const PlacementWorker& w) {
    return w.node == slot.node && slot.shard < w.shards;
  });
}

TEST(StandbyPlacement, KeepsToItsInvariants) {
  EXPECT_TRUE(rc::check([] {
    Case c = any_case();
    const auto before = c.grants.standbys;
    const bool needed = needs_standbys(c.workers, c.wanted, c.grants);
    const auto changed = place_standbys(c.workers, c.wanted, &c.grants);
    RC_ASSERT(needed == (changed > 0));
    RC_ASSERT(c.wanted || c.grants.standbys.empty());
    for (uint32_t k = 0; c.wanted && k < c.grants.key_partitions.size(); ++k) {
      const NodeId owner = c.grants.key_partitions[k].node;
      const auto was = before.find(k);
      const auto is = c.grants.standbys.find(k);
      const bool good = was != before.end() && owner != NodeId{} && was->second.node != owner &&
                        holds(c, was->second);
      if (good) {
        RC_ASSERT(is->second == was->second);
        continue;
      }
      const bool room = std::any_of(c.workers.begin(), c.workers.end(),
                                    [&](const auto& w) { return !w.draining && w.node != owner; });
      RC_ASSERT((is != c.grants.standbys.end()) == (room && owner != NodeId{}));
      if (is == c.grants.standbys.end()) continue;
      RC_ASSERT(holds(c, is->second));
      RC_ASSERT(is->second.node != owner);
      for (const auto& w : c.workers) RC_ASSERT(w.node != is->second.node || !w.draining);
    }
    RC_ASSERT(!needs_standbys(c.workers, c.wanted, c.grants));
    RC_ASSERT(place_standbys(c.workers, c.wanted, &c.grants) == 0u);
  }));
}

TEST(StandbyPlacement, WhatOneWorkerOwnsIsFollowedBySeveral) {
  Case c;
  for (const uint64_t n : {1, 2, 3, 4}) c.workers.push_back({NodeId{n}, 1});
  for (uint32_t k = 0; k < 24; ++k) {
    c.grants.key_partitions.push_back({NodeId{1 + k % 4}, 0, Epoch{1}});
  }
  EXPECT_EQ(place_standbys(c.workers, true, &c.grants), 24u);
  std::map<std::pair<NodeId, NodeId>, int> pairs;
  for (const auto& [k, standby] : c.grants.standbys) {
    ++pairs[{c.grants.key_partitions[k].node, standby.node}];
  }
  EXPECT_EQ(pairs.size(), 12u);
  for (const auto& [pair, count] : pairs) EXPECT_EQ(count, 2);
}

}  // namespace
}  // namespace tidemill
