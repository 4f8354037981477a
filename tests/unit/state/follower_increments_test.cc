// What a follower keeps until it is on disk, and goes on from.
#include "shared/state/follower.h"
#include "tests/unit/state/follower_fixture.h"

namespace tidemill::test {
namespace {

StateHead some_head() {
  StateHead head;
  head.ancestry = {{Epoch(3), 4}};
  head.offsets = {{40, kStart, false}};
  head.horizon = kStart - kHour;
  return head;
}

TEST_F(FollowerTest, GoesOnFromWhatItsDiskHolds) {
  follower_.restore(some_head());
  EXPECT_TRUE(follower_.holds_state());
  EXPECT_FALSE(follower_.current());
  EXPECT_FALSE(follower_.changed());
  EXPECT_EQ(rows_.state.horizon(), kStart - kHour);
  EXPECT_EQ(open(2, 9).registered, Epoch(3)) << "an owner of the past";
  const ReplicaState held = open(3, 5);
  EXPECT_EQ(held.epoch, Epoch(3));
  EXPECT_EQ(held.version, 4u);
  EXPECT_EQ(held.offsets, some_head().offsets);
  EXPECT_EQ(follower_.apply(rows(0, 4, 5, {{"a"}}, 50)), Outcome::kApplied);
  EXPECT_TRUE(follower_.changed());
  EXPECT_EQ(follower_.head().offsets[0].offset, 50u);
}

TEST_F(FollowerTest, RestoringNothingLeavesItEmpty) {
  follower_.restore(StateHead());
  EXPECT_FALSE(follower_.holds_state());
  EXPECT_FALSE(follower_.changed());
}

TEST_F(FollowerTest, AnIncrementHoldsTheChangesSinceTheLastOneInOrder) {
  follower_.restore(some_head());
  open(3, 5);
  follower_.apply(rows(0, 4, 5, {{"a"}}));
  follower_.apply(begin(1, false, 5));
  follower_.apply(images(PartKind::kImages, 2, 0, {{"b"}}));
  follower_.apply(images(PartKind::kImagesClose, 3, 9, {{"c"}}));
  EXPECT_GT(follower_.pending_bytes(), 0u);
  const Increment increment = follower_.begin_increment(77);
  EXPECT_EQ(increment.from_version, 4u);
  EXPECT_FALSE(increment.whole);
  EXPECT_EQ(increment.head, follower_.head());
  EXPECT_EQ(increment.taken_at_us, 77);
  ASSERT_EQ(increment.changes.size(), 3u);
  EXPECT_EQ(increment.changes[0].kind, StateChange::Kind::kRows);
  EXPECT_EQ(increment.changes[1].kind, StateChange::Kind::kImages);
  EXPECT_EQ(increment.changes[2].kind, StateChange::Kind::kImages);
  EXPECT_TRUE(follower_.writing());
  follower_.apply(rows(4, 9, 10, {{"late"}}));
  follower_.end_increment(true);
  EXPECT_FALSE(follower_.writing());
  EXPECT_EQ(follower_.on_disk(), (Stamp{Epoch(3), 9}));
  EXPECT_EQ(follower_.covered(), rows_.numbers[1]);
  ASSERT_EQ(follower_.pending().size(), 1u) << "what came meanwhile";
  EXPECT_EQ(follower_.pending()[0].version, 10u);
  EXPECT_EQ(follower_.pending()[0].number, rows_.numbers[2]);
  EXPECT_EQ(follower_.pending_bytes(), follower_.pending()[0].change.bytes.size());
  EXPECT_TRUE(follower_.changed());
  const Increment next = follower_.begin_increment(78);
  EXPECT_EQ(next.from_version, 9u);
  EXPECT_EQ(next.changes.size(), 1u);
  follower_.end_increment(true);
  EXPECT_FALSE(follower_.changed());
  EXPECT_EQ(follower_.pending_bytes(), 0u);
}

TEST_F(FollowerTest, AnIncrementThatFailsLosesNothing) {
  follower_.restore(some_head());
  open(3, 5);
  follower_.apply(rows(0, 4, 5, {{"a"}}));
  follower_.begin_increment(1);
  follower_.apply(rows(1, 5, 6, {{"b"}}));
  follower_.end_increment(false);
  EXPECT_EQ(follower_.on_disk(), (Stamp{Epoch(3), 4}));
  const Increment again = follower_.begin_increment(2);
  EXPECT_EQ(again.from_version, 4u);
  EXPECT_EQ(again.changes.size(), 2u);
}

TEST_F(FollowerTest, OffsetsAloneAreAnIncrementToo) {
  follower_.restore(some_head());
  open(3, 5);
  follower_.apply(rows(0, 4, 5, {}, 50));
  EXPECT_TRUE(follower_.changed());
  const Increment increment = follower_.begin_increment(1);
  EXPECT_TRUE(increment.changes.empty());
  EXPECT_EQ(increment.head.offsets[0].offset, 50u);
}

TEST_F(FollowerTest, AReplacementMakesTheNextIncrementWhole) {
  follower_.restore(some_head());
  open(3, 5);
  follower_.apply(rows(0, 4, 5, {{"old"}}));
  follower_.apply(begin(1, true));
  follower_.apply(images(PartKind::kImagesClose, 2, 9, {{"new"}}));
  EXPECT_EQ(follower_.on_disk(), Stamp{});
  const Increment increment = follower_.begin_increment(1);
  EXPECT_TRUE(increment.whole);
  EXPECT_EQ(increment.from_version, 0u);
  ASSERT_EQ(increment.changes.size(), 1u);
  EXPECT_EQ(increment.changes[0].kind, StateChange::Kind::kImages);
  follower_.end_increment(true);
  follower_.apply(rows(3, 9, 10, {{"new"}}));
  EXPECT_FALSE(follower_.begin_increment(2).whole);
}

TEST_F(FollowerTest, AReplacementWhileAnIncrementIsWrittenMakesTheNextOneWhole) {
  follower_.restore(some_head());
  open(3, 5);
  follower_.apply(rows(0, 4, 5, {{"old"}}));
  follower_.begin_increment(1);
  follower_.apply(begin(1, true));
  follower_.apply(images(PartKind::kImagesClose, 2, 9, {{"new"}}));
  follower_.end_increment(true);  // the disk holds the old state at version 5 now
  EXPECT_EQ(follower_.on_disk(), Stamp{});
  EXPECT_EQ(follower_.covered(), 0u);
  const Increment increment = follower_.begin_increment(2);
  EXPECT_TRUE(increment.whole);
  ASSERT_EQ(increment.changes.size(), 1u);
}

TEST_F(FollowerTest, WhatIsDamagedIsForgottenAndTheOwnerLearnsOfIt) {
  follower_.restore(some_head());
  open(3, 5);
  follower_.apply(rows(0, 4, 5, {{"a"}}));
  follower_.forget();
  EXPECT_FALSE(follower_.holds_state());
  EXPECT_FALSE(follower_.changed());
  EXPECT_EQ(follower_.apply(rows(1, 5, 6, {{"a"}})), Outcome::kRefused);
  EXPECT_EQ(open(2, 9).registered, Epoch(3)) << "the fence stands";
  EXPECT_FALSE(open(3, 6).holds_state);
  session_ = 6;
  load(9, {{"b"}});
  EXPECT_EQ(count("b"), 1);
  EXPECT_EQ(count("a"), -1);
  EXPECT_TRUE(follower_.begin_increment(1).whole);
}

// A standby keeps rows only to write them.
TEST_F(FollowerTest, NeedsNobodyWhoWantsTheRows) {
  Follower standby(plan_->tables(), KeyPartitionId(2), nullptr);
  standby.register_owner({KeyPartitionId(2), Epoch(3), 5});
  EXPECT_EQ(standby.apply(begin(0, true)), Outcome::kApplied);
  EXPECT_EQ(standby.apply(images(PartKind::kImagesClose, 1, 1, {{"a"}})), Outcome::kApplied);
  EXPECT_EQ(standby.apply(rows(2, 1, 2, {{"a"}})), Outcome::kApplied);
  EXPECT_EQ(standby.pending().size(), 2u);
}

}  // namespace
}  // namespace tidemill::test
