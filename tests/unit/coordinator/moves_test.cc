#include "coordinator/moves.h"

#include <gtest/gtest.h>

#include <set>
#include <tuple>

namespace tidemill {
namespace {

using Role = KeyPartitionMove::Role;

WorkerSlot slot(uint64_t node, uint32_t shard = 0) { return {NodeId{node}, shard}; }

// Workers 1 to 9; one key partition for each owner.
class Moves : public ::testing::Test {
 protected:
  Moves() {
    context_.takes = [this](const WorkerSlot& to) {
      return !dead_.contains(to.node.value) && !draining_.contains(to.node.value);
    };
    context_.stays = [this](NodeId node) {
      return !dead_.contains(node.value) && !draining_.contains(node.value);
    };
    context_.caught_up = [this](uint32_t k, const PartitionGrant&, NodeId node, uint64_t since) {
      const auto it = caught_up_.find({k, node.value});
      return it != caught_up_.end() && it->second >= since;
    };
    begin_.standbys_shown_in = 7;
    begin_.targets_shown_in = 8;
    begin_.now = 100;
  }

  void own(uint64_t node) {
    grants_.key_partitions.push_back({NodeId{node}, 0, Epoch{10 + grants_.key_partitions.size()}});
  }
  void move(uint32_t k, Role role, uint64_t to, uint32_t shard = 0) {
    grants_.moves.push_back({k, role, slot(to, shard), 0, 0});
  }
  std::vector<EndedMove> end() { return end_moves(context_, &grants_, &next_epoch_); }
  uint32_t begin() { return begin_moves(context_, &begin_, &grants_); }

  MoveContext context_;
  BeginMoves begin_;
  JobGrants grants_;
  Epoch next_epoch_{50};
  std::set<uint64_t> dead_;
  std::set<uint64_t> draining_;
  // (key partition, node): under which view it was said.
  std::map<std::pair<uint32_t, uint64_t>, uint64_t> caught_up_;
};

TEST_F(Moves, TheTargetFollowsAndThenTakesOverUnderANewEpoch) {
  own(1);
  move(0, Role::kOwner, 2, 3);
  EXPECT_TRUE(end().empty());
  EXPECT_TRUE(shown_standbys(grants_)[0].empty());
  EXPECT_EQ(begin(), 1u);
  EXPECT_EQ(shown_standbys(grants_)[0], std::vector<WorkerSlot>{slot(2, 3)});
  EXPECT_TRUE(end().empty());
  caught_up_[{0, 2}] = 7;  // said under an older view, of a former life
  EXPECT_TRUE(end().empty());
  EXPECT_EQ(grants_.key_partitions[0].node, NodeId{1});
  caught_up_[{0, 2}] = 8;
  const auto ended = end();
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_TRUE(ended[0].done);
  EXPECT_EQ(grants_.key_partitions[0], (PartitionGrant{NodeId{2}, 3, Epoch{50}}));
  EXPECT_EQ(next_epoch_, Epoch{51});
  EXPECT_TRUE(grants_.moves.empty());
  EXPECT_TRUE(grants_.standbys.empty());
  EXPECT_TRUE(shown_standbys(grants_)[0].empty());
}

TEST_F(Moves, AMoveToTheStandbyNeedsNoNewViewAndLeavesTheOldOwnerAsTheStandby) {
  context_.wants_standbys = true;
  own(1);
  grants_.standbys[0] = slot(2);
  move(0, Role::kOwner, 2);
  EXPECT_EQ(begin(), 0u);
  EXPECT_EQ(begin_.begun, 1u);
  EXPECT_EQ(shown_standbys(grants_)[0], std::vector<WorkerSlot>{slot(2)});
  caught_up_[{0, 2}] = 7;
  ASSERT_EQ(end().size(), 1u);
  EXPECT_EQ(grants_.key_partitions[0].node, NodeId{2});
  EXPECT_EQ(grants_.standbys.at(0), slot(1));
}

TEST_F(Moves, AStandbyElsewhereStaysAndADrainingOwnerDoesNotBecomeOne) {
  context_.wants_standbys = true;
  for (const uint64_t node : {1, 1}) own(node);
  grants_.standbys[0] = slot(3);
  move(0, Role::kOwner, 2);
  move(1, Role::kOwner, 2);
  begin();
  EXPECT_EQ(shown_standbys(grants_)[0], (std::vector<WorkerSlot>{slot(2), slot(3)}));
  draining_.insert(1);
  for (const uint32_t k : {0u, 1u}) caught_up_[{k, 2}] = 8;
  ASSERT_EQ(end().size(), 2u);
  EXPECT_EQ(grants_.standbys, (std::map<uint32_t, WorkerSlot>{{0, slot(3)}}));
}

TEST_F(Moves, AStandbyIsMovedWithoutTouchingTheOwner) {
  context_.wants_standbys = true;
  own(1);
  grants_.standbys[0] = slot(2);
  move(0, Role::kStandby, 3);
  EXPECT_EQ(begin(), 1u);
  caught_up_[{0, 3}] = 8;
  ASSERT_EQ(end().size(), 1u);
  EXPECT_EQ(grants_.standbys.at(0), slot(3));
  EXPECT_EQ(grants_.key_partitions[0].epoch, Epoch{10});
}

TEST_F(Moves, WhatCannotBeIsDroppedWithItsReason) {
  for (const uint64_t node : {1, 1, 1, 3}) own(node);
  grants_.standbys[3] = slot(4);
  move(0, Role::kOwner, 2);
  move(1, Role::kOwner, 5);
  move(2, Role::kStandby, 6);
  move(3, Role::kStandby, 3);
  begin();
  dead_.insert(2);
  draining_.insert(5);
  for (uint32_t k = 0; k < 4; ++k) {
    for (const uint64_t node : {2, 3, 5, 6}) caught_up_[{k, node}] = 9;
  }
  const auto before = grants_.key_partitions;
  const auto ended = end();
  ASSERT_EQ(ended.size(), 4u);
  EXPECT_EQ(ended[0].reason, "its target is dead or draining");
  EXPECT_EQ(ended[1].reason, "its target is dead or draining");
  EXPECT_EQ(ended[2].reason, "the key partition has no standby");
  EXPECT_EQ(ended[3].reason, "its target has become the owner");
  EXPECT_EQ(grants_.key_partitions, before);
}

TEST_F(Moves, AMoveThatHasComeTrueIsDone) {
  own(2);
  move(0, Role::kOwner, 2);
  const auto ended = end();
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_TRUE(ended[0].done);
  EXPECT_EQ(grants_.key_partitions[0].epoch, Epoch{10});
}

TEST_F(Moves, AtMostSoManyAreUnderWayToATarget) {
  for (uint32_t k = 0; k < 40; ++k) {
    own(1);
    move(k, Role::kOwner, k < 38 ? 2 : 3);
  }
  EXPECT_EQ(begin(), kMovesAtOncePerTarget + 2);
  EXPECT_EQ(begin(), 0u);
  caught_up_[{0, 2}] = 8;
  ASSERT_EQ(end().size(), 1u);
  begin_.under_way = {{NodeId{2}, kMovesAtOncePerTarget - 1}};
  EXPECT_EQ(begin(), 1u);
}

TEST_F(Moves, TheMovesOfAKeyPartitionGoOneAfterTheOther) {
  context_.wants_standbys = true;
  own(1);
  grants_.standbys[0] = slot(2);
  move(0, Role::kOwner, 3);
  move(0, Role::kStandby, 4);
  EXPECT_EQ(begin(), 1u);
  EXPECT_EQ(shown_standbys(grants_)[0], (std::vector<WorkerSlot>{slot(2), slot(3)}));
  caught_up_[{0, 3}] = 8;
  ASSERT_EQ(end().size(), 1u);
  EXPECT_EQ(begin(), 1u);
  EXPECT_EQ(shown_standbys(grants_)[0], (std::vector<WorkerSlot>{slot(2), slot(4)}));
}

}  // namespace
}  // namespace tidemill
