#include "shared/state/follower.h"

#include "tests/unit/state/follower_fixture.h"

namespace tidemill::test {
namespace {

TEST_F(FollowerTest, HoldsNothingAtFirst) {
  EXPECT_FALSE(follower_.holds_state());
  EXPECT_EQ(follower_.head().horizon, kMinTime);
  EXPECT_EQ(follower_.max_event_time(), kMinTime);
  EXPECT_EQ(follower_.apply(rows(0, 0, 1, {{"a"}})), Outcome::kRefused);
  const ReplicaState state = open(3, 5);
  EXPECT_EQ(state.key_partition, KeyPartitionId(2));
  EXPECT_EQ(state.registered, Epoch(3));
  EXPECT_EQ(state.session, 5u);
  EXPECT_FALSE(state.holds_state);
}

TEST_F(FollowerTest, TakesNoRowsBeforeImages) {
  open(3, 5);
  EXPECT_EQ(follower_.apply(rows(0, 0, 1, {{"a"}})), Outcome::kRefused);
  EXPECT_FALSE(follower_.holds_state());
}

TEST_F(FollowerTest, ImagesAreInvisibleUntilTheyAreClosedInOneStep) {
  open(3, 5);
  EXPECT_EQ(follower_.apply(begin(0, true)), Outcome::kApplied);
  EXPECT_EQ(follower_.apply(images(PartKind::kImages, 1, 0, {{"a"}, {"a"}})), Outcome::kApplied);
  EXPECT_FALSE(follower_.holds_state());
  FramePart close = images(PartKind::kImagesClose, 2, 7, {{"b"}});
  close.advances = {{SourcePartitionId(0), {4, kStart, false}},
                    {SourcePartitionId(1), {5, kStart + 1, true}}};
  close.horizon = kStart - kHour;
  close.read_wall_us = 99;
  EXPECT_EQ(follower_.apply(close), Outcome::kApplied);
  EXPECT_TRUE(follower_.holds_state());
  EXPECT_EQ(count("a"), 2);
  EXPECT_EQ(count("b"), 1);
  EXPECT_EQ(follower_.head().stamp().version, 7u);
  EXPECT_EQ(follower_.head().stamp().epoch, Epoch(3));
  EXPECT_EQ(follower_.head().offsets, (OffsetVector{{4, kStart, false}, {5, kStart + 1, true}}));
  EXPECT_EQ(follower_.head().horizon, kStart - kHour);
  EXPECT_EQ(follower_.head().read_wall_us, 99);
  EXPECT_EQ(follower_.max_event_time(), kStart + 1);
}

TEST_F(FollowerTest, AWholeReplacementShowsTheOldStateUntilItIsClosed) {
  open(3, 5);
  load(4, {{"old"}, {"both"}});
  epoch_ = 4;
  session_ = 1;  // of another host, whose numbers start anew
  const ReplicaState held = open(4, 1);
  EXPECT_EQ(held.registered, Epoch(4));
  EXPECT_EQ(held.epoch, Epoch(3));
  EXPECT_EQ(held.version, 4u);
  EXPECT_EQ(held.offsets[0].offset, 40u);
  EXPECT_TRUE(held.holds_state);
  follower_.apply(begin(0, true));
  follower_.apply(images(PartKind::kImages, 1, 0, {{"both"}, {"both"}}));
  EXPECT_EQ(count("old"), 1);
  EXPECT_EQ(count("both"), 1);
  EXPECT_EQ(follower_.head().stamp().epoch, Epoch(3));
  FramePart close = images(PartKind::kImagesClose, 2, 2, {{"new"}});
  close.advances.push_back({SourcePartitionId(1), {50, kStart, false}});
  EXPECT_EQ(follower_.apply(close), Outcome::kApplied);
  EXPECT_EQ(count("old"), -1);
  EXPECT_EQ(count("both"), 2);
  EXPECT_EQ(count("new"), 1);
  EXPECT_EQ(follower_.head().stamp().version, 2u);
  EXPECT_EQ(follower_.head().stamp().epoch, Epoch(4));
  EXPECT_EQ(follower_.head().offsets[0], SourcePosition());  // nothing of the former V is left
  EXPECT_EQ(follower_.head().offsets[1].offset, 50u);
}

TEST_F(FollowerTest, TheHorizonNeverFallsNotEvenWhenAllIsReplaced) {
  open(3, 5);
  follower_.apply(begin(0, true));
  FramePart close = images(PartKind::kImagesClose, 1, 1, {{"a"}});
  close.horizon = kStart;
  follower_.apply(close);
  epoch_ = 4;
  open(4, 5);
  load(1, {{"a"}});  // a close whose horizon is kMinTime
  EXPECT_EQ(follower_.head().horizon, kStart);
}

TEST_F(FollowerTest, ImagesOfChangedKeysBuildOnWhatIsHeld) {
  open(3, 5);
  load(4, {{"kept"}, {"changed"}});
  EXPECT_EQ(follower_.apply(begin(2, false, 4)), Outcome::kApplied);
  FramePart close = images(PartKind::kImagesClose, 3, 9, {{"changed"}, {"changed"}, {"new"}});
  close.advances.push_back({SourcePartitionId(1), {3, kStart, false}});
  EXPECT_EQ(follower_.apply(close), Outcome::kApplied);
  EXPECT_EQ(count("kept"), 1);
  EXPECT_EQ(count("changed"), 2);
  EXPECT_EQ(count("new"), 1);
  EXPECT_EQ(follower_.head().stamp().version, 9u);
  EXPECT_EQ(follower_.head().offsets[0].offset, 40u);
  EXPECT_EQ(follower_.head().offsets[1].offset, 3u);
}

TEST_F(FollowerTest, ImagesOfChangedKeysNeedThatVeryState) {
  open(3, 5);
  EXPECT_EQ(follower_.apply(begin(0, false, 0)), Outcome::kRefused);  // nothing is held
  open(3, 6);
  session_ = 6;
  load(4, {{"a"}});
  EXPECT_EQ(follower_.apply(begin(2, false, 5)), Outcome::kRefused);  // changes 4..5 are missing
  epoch_ = 4;
  open(4, 6);
  EXPECT_EQ(follower_.apply(begin(0, false, 4)), Outcome::kRefused);  // a former owner's state
  EXPECT_EQ(count("a"), 1);
}

TEST_F(FollowerTest, ImagesWithoutABeginningAreRefused) {
  open(3, 5);
  expect_over(images(PartKind::kImages, 0, 0, {{"a"}}));
  open(3, 6);
  session_ = 6;
  expect_over(images(PartKind::kImagesClose, 0, 1, {{"a"}}));
  EXPECT_FALSE(follower_.holds_state());
}

TEST_F(FollowerTest, RowsApplyAtTheirVersionOnly) {
  open(3, 5);
  load(4, {{"a"}});
  EXPECT_EQ(follower_.apply(rows(2, 4, 6, {{"a"}, {"b"}}, 60)), Outcome::kApplied);
  EXPECT_EQ(count("a"), 2);
  EXPECT_EQ(count("b"), 1);
  EXPECT_EQ(follower_.head().stamp().version, 6u);
  EXPECT_EQ(follower_.head().offsets[0].offset, 60u);
  EXPECT_EQ(follower_.head().read_wall_us, 6);
  EXPECT_EQ(follower_.head().rows_applied, 106u);
  for (const uint64_t from : {5u, 7u}) {
    ++session_;
    open(3, session_);
    expect_over(rows(0, from, 8, {{"a"}}, 80));
    EXPECT_EQ(follower_.head().stamp().version, 6u);
    EXPECT_EQ(count("a"), 2);
    EXPECT_EQ(follower_.head().offsets[0].offset, 60u);
  }
}

TEST_F(FollowerTest, RowsOfTheRegisteredOwnerDoNotApplyToAFormerOnesState) {
  open(3, 5);
  load(4, {{"a"}});
  epoch_ = 4;
  open(4, 5);
  EXPECT_EQ(follower_.apply(rows(0, 4, 5, {{"a"}})), Outcome::kRefused);
  EXPECT_EQ(count("a"), 1);
}

TEST_F(FollowerTest, AGapEndsTheSession) {
  open(3, 5);
  load(4, {{"a"}});
  EXPECT_EQ(follower_.apply(rows(3, 4, 5, {{"a"}})), Outcome::kRefused);
  EXPECT_EQ(count("a"), 1);
  expect_over(rows(2, 4, 5, {{"a"}}));  // the one that was missing comes too late
  EXPECT_EQ(follower_.head().stamp().version, 4u);
}

TEST_F(FollowerTest, AGapWhileImagesComeDropsThem) {
  open(3, 5);
  follower_.apply(begin(0, true));
  EXPECT_EQ(follower_.apply(images(PartKind::kImages, 2, 0, {{"a"}})), Outcome::kRefused);
  open(3, 6);
  session_ = 6;
  expect_over(images(PartKind::kImagesClose, 0, 1, {{"b"}}));
  EXPECT_FALSE(follower_.holds_state());
}

TEST_F(FollowerTest, ARepeatedPartIsIgnored) {
  open(3, 5);
  load(4, {{"a"}});
  const FramePart next = rows(2, 4, 5, {{"a"}});
  EXPECT_EQ(follower_.apply(next), Outcome::kApplied);
  EXPECT_EQ(follower_.apply(next), Outcome::kRepeated);
  EXPECT_EQ(follower_.apply(begin(0, true)), Outcome::kRepeated);
  EXPECT_EQ(count("a"), 2);
  EXPECT_EQ(follower_.apply(rows(3, 5, 6, {{"a"}})), Outcome::kApplied);
  EXPECT_EQ(count("a"), 3);
}

TEST_F(FollowerTest, OtherSessionsAndEpochsAreRefused) {
  open(3, 5);
  load(4, {{"a"}});
  session_ = 4;
  EXPECT_EQ(follower_.apply(rows(2, 4, 5, {{"a"}})), Outcome::kRefused);
  session_ = 5;
  for (const uint64_t epoch : {2u, 4u}) {
    epoch_ = epoch;
    EXPECT_EQ(follower_.apply(rows(2, 4, 5, {{"a"}})), Outcome::kRefused);
  }
  epoch_ = 3;  // the session itself goes on
  EXPECT_EQ(follower_.apply(rows(2, 4, 5, {{"a"}})), Outcome::kApplied);
}

TEST_F(FollowerTest, AnOlderEpochCannotRegister) {
  open(3, 5);
  load(4, {{"a"}});
  const ReplicaState refused = open(2, 9);
  EXPECT_EQ(refused.registered, Epoch(3));
  EXPECT_EQ(refused.session, 9u);  // says to which asking this answers
  EXPECT_EQ(follower_.apply(rows(2, 4, 5, {{"a"}})), Outcome::kApplied);  // nothing has changed
}

TEST_F(FollowerTest, ANewerEpochFencesTheFormerOwner) {
  open(3, 5);
  load(4, {{"a"}});
  open(4, 5);
  EXPECT_EQ(follower_.apply(rows(2, 4, 5, {{"a"}})), Outcome::kRefused);
  EXPECT_EQ(follower_.state().registered, Epoch(4));
  EXPECT_EQ(count("a"), 1);
}

TEST_F(FollowerTest, ARepeatedRegistrationChangesNothing) {
  open(3, 5);
  load(4, {{"a"}});
  const ReplicaState again = open(3, 5);  // heard already
  EXPECT_EQ(again.session, 5u);
  EXPECT_EQ(again.version, 4u);
  const ReplicaState overtaken = open(3, 4);
  EXPECT_EQ(overtaken.session, 4u);
  EXPECT_EQ(follower_.apply(rows(2, 4, 5, {{"a"}})), Outcome::kApplied);
}

TEST_F(FollowerTest, ANewSessionOfTheSameOwnerStartsItsNumbersAnew) {
  open(3, 5);
  load(4, {{"a"}});
  follower_.apply(begin(2, true));
  EXPECT_EQ(open(3, 6).version, 4u);
  EXPECT_EQ(follower_.apply(rows(3, 4, 5, {{"a"}})), Outcome::kRefused);  // of the former
  session_ = 6;
  EXPECT_EQ(follower_.apply(rows(0, 4, 5, {{"a"}})), Outcome::kApplied);
}

TEST_F(FollowerTest, ARepeatedRegistrationDoesNotReviveASessionThatIsOver) {
  open(3, 5);
  load(4, {{"a"}});
  EXPECT_EQ(follower_.apply(rows(9, 4, 5, {{"a"}})), Outcome::kRefused);
  open(3, 5);
  expect_over(rows(0, 4, 5, {{"a"}}));
  EXPECT_EQ(count("a"), 1);
}

TEST_F(FollowerTest, CorruptRowsChangeNothing) {
  open(3, 5);
  load(4, {{"a"}});
  FramePart bad = rows(2, 4, 5, {{"a"}}, 50);
  bad.payload.push_back(test::broken_block());
  expect_over(bad);
  EXPECT_EQ(count("a"), 1);
  EXPECT_EQ(follower_.head().stamp().version, 4u);
  EXPECT_EQ(follower_.head().offsets[0].offset, 40u);
  EXPECT_EQ(follower_.head().rows_applied, 0u);
}

TEST_F(FollowerTest, CorruptImagesLeaveNoHalfState) {
  open(3, 5);
  load(4, {{"a"}});
  follower_.apply(begin(2, true));
  FramePart close = images(PartKind::kImagesClose, 3, 9, {{"b"}});
  close.payload.push_back(Buffer(std::vector<uint8_t>(40, 0xff)));
  EXPECT_EQ(follower_.apply(close), Outcome::kRefused);
  EXPECT_FALSE(follower_.holds_state());  // no answer is better than a wrong one
  const ReplicaState state = open(3, 6);
  EXPECT_FALSE(state.holds_state);  // so the owner sends everything
  session_ = 6;
  load(9, {{"b"}});
  EXPECT_EQ(count("b"), 1);
}

TEST_F(FollowerTest, AKeepaliveOnlyMakesFresher) {
  open(3, 5);
  load(4, {{"a"}});
  FramePart keepalive = part(PartKind::kRows, 2, 4, 4);
  keepalive.read_wall_us = 1'000;
  keepalive.horizon = kStart - 5;
  EXPECT_EQ(follower_.apply(keepalive), Outcome::kApplied);
  EXPECT_EQ(follower_.head().read_wall_us, 1'000);
  EXPECT_EQ(follower_.head().stamp().version, 4u);
  EXPECT_EQ(follower_.head().horizon, kStart - 5);
  EXPECT_EQ(count("a"), 1);
}

// An owner may know of a topic's new partition before this store does.
TEST_F(FollowerTest, TakesSourcePartitionsThatWereAddedToThePlan) {
  open(3, 5);
  load(4, {{"a"}});
  FramePart next = rows(2, 4, 5, {{"a"}}, 50);
  next.advances.push_back({SourcePartitionId(4), {7, kStart + 1, false}});
  EXPECT_EQ(follower_.apply(next), Outcome::kApplied);
  EXPECT_EQ(follower_.head().offsets,
            (OffsetVector{{50, kStart, false}, {}, {}, {}, {7, kStart + 1, false}}));
  EXPECT_EQ(follower_.max_event_time(), kStart + 1);
  EXPECT_EQ(count("a"), 2);
  EXPECT_EQ(follower_.apply(rows(3, 5, 6, {}, 60)), Outcome::kApplied);
  EXPECT_EQ(follower_.head().offsets[0].offset, 60u);
  EXPECT_EQ(follower_.head().offsets[4].offset, 7u);  // kept
  EXPECT_EQ(open(3, 6).offsets.size(), 5u);
}

TEST_F(FollowerTest, AnAdvanceOfASourcePartitionThatNoPlanCanHaveIsIgnored) {
  open(3, 5);
  load(4, {{"a"}});
  FramePart next = rows(2, 4, 5, {{"a"}});
  next.advances.push_back({SourcePartitionId(1'000'000'000), {1, kStart, false}});
  EXPECT_EQ(follower_.apply(next), Outcome::kApplied);
  EXPECT_LE(follower_.head().offsets.size(), 2u);
}

// What a new owner has read again is the same rows, at other versions.
TEST_F(FollowerTest, GoesOnUnderANewOwnerThatSaysFromWhichStamp) {
  open(3, 5);
  load(9, {{"a"}});
  epoch_ = 4;
  from_epoch_ = 3;
  open(4, 1);
  session_ = 1;
  FramePart resumed = rows(0, 9, 6, {{"a"}}, 95);
  resumed.ancestry = {{Epoch(2), 4}, {Epoch(4), 6}};
  EXPECT_EQ(follower_.apply(resumed), Outcome::kApplied);
  EXPECT_EQ(follower_.head().ancestry, (Ancestry{{Epoch(2), 4}, {Epoch(4), 6}}));
  EXPECT_EQ(count("a"), 2);
  from_epoch_ = 0;
  EXPECT_EQ(follower_.apply(rows(1, 6, 7, {{"a"}})), Outcome::kApplied);
  EXPECT_EQ(follower_.head().ancestry, (Ancestry{{Epoch(2), 4}, {Epoch(4), 7}}));
  EXPECT_EQ(count("a"), 3);
  ASSERT_EQ(rows_.numbers.size(), 3u);
  EXPECT_LT(rows_.numbers[0], rows_.numbers[1]);
  EXPECT_LT(rows_.numbers[1], rows_.numbers[2]) << "though the versions fell";
}

TEST_F(FollowerTest, AnAncestryThatCannotBeIsRefused) {
  for (const Ancestry& bad :
       {Ancestry{{Epoch(5), 4}}, Ancestry{{Epoch(3), 6}}, Ancestry{{Epoch(2), 3}, {Epoch(1), 4}},
        Ancestry{{Epoch(1), 9}, {Epoch(2), 4}}}) {
    ++session_;
    open(3, session_);
    load(4, {{"a"}});
    FramePart next = rows(2, 4, 5, {{"a"}});
    next.ancestry = bad;
    EXPECT_EQ(follower_.apply(next), Outcome::kRefused);
    EXPECT_EQ(count("a"), 1);
  }
}

TEST_F(FollowerTest, AnAncestryIsKeptAndGrows) {
  open(3, 5);
  follower_.apply(begin(0, true));
  FramePart close = images(PartKind::kImagesClose, 1, 8, {{"a"}});
  close.ancestry = {{Epoch(1), 2}, {Epoch(3), 7}};
  EXPECT_EQ(follower_.apply(close), Outcome::kApplied);
  EXPECT_EQ(follower_.head().ancestry, (Ancestry{{Epoch(1), 2}, {Epoch(3), 8}}));
  EXPECT_EQ(follower_.apply(rows(2, 8, 12, {})), Outcome::kApplied);
  EXPECT_EQ(follower_.head().ancestry, (Ancestry{{Epoch(1), 2}, {Epoch(3), 12}}));
}

TEST_F(FollowerTest, IsCurrentOnceAnOwnerThatHadCaughtUpSaysThatItHasAll) {
  open(3, 5);
  load(4, {{"a"}});
  EXPECT_FALSE(follower_.current());
  EXPECT_EQ(follower_.apply(rows(2, 4, 5, {{"a"}})), Outcome::kApplied);
  EXPECT_FALSE(follower_.current());
  FramePart all = rows(3, 5, 6, {});
  all.current = true;
  EXPECT_EQ(follower_.apply(all), Outcome::kApplied);
  EXPECT_TRUE(follower_.current());
  EXPECT_EQ(follower_.apply(rows(4, 6, 7, {{"a"}})), Outcome::kApplied);
  EXPECT_TRUE(follower_.current()) << "it never goes back";
}

TEST_F(FollowerTest, IsCurrentOnlyWhereItWasWhenItWasForgotten) {
  const auto apply_up_to = [&](uint64_t offset, uint64_t seq, uint64_t from) {
    FramePart part = rows(seq, from, from + 1, {}, offset);
    part.current = true;
    EXPECT_EQ(follower_.apply(part), Outcome::kApplied);
  };
  open(3, 5);
  load(4, {{"a"}});
  apply_up_to(50, 2, 4);
  EXPECT_TRUE(follower_.current());
  follower_.forget();
  EXPECT_FALSE(follower_.current());

  open(4, 6);
  epoch_ = 4;
  session_ = 6;
  load(3, {{"a"}});
  apply_up_to(49, 2, 3);
  EXPECT_FALSE(follower_.current()) << "readers have seen it at 50";
  apply_up_to(50, 3, 4);
  EXPECT_TRUE(follower_.current());
}

// The plan's one table, kept for longer.
TableSchemas kept_longer(const Plan& plan) {
  auto out = std::make_shared<std::vector<TableSchema>>(*plan.tables());
  out->front().first_retention = out->front().retention;
  out->front().retention += 24 * kHour;
  return out;
}

TEST_F(FollowerTest, KeepsRowsLongerFromWhatItHasOn) {
  open(3, 5);
  follower_.apply(begin(0, true));
  FramePart close = images(PartKind::kImagesClose, 1, 1, {{"a"}});
  close.horizon = kStart;
  follower_.apply(close);
  follower_.set_schemas(kept_longer(*plan_));
  const TableFloors floors{{25 * kHour, kept_since(plan_->tables()->front(), kHour, kStart)}};
  EXPECT_EQ(follower_.head().floors, floors);
  // What the owner says of rows counts if it is later, and is not forgotten.
  FramePart next = rows(2, 1, 2, {{"b"}});
  next.floors = {{25 * kHour, kStart}};
  EXPECT_EQ(follower_.apply(next), Outcome::kApplied);
  EXPECT_EQ(follower_.head().floors, (TableFloors{{25 * kHour, kStart}}));
  next = rows(3, 2, 3, {{"b"}});
  next.floors = floors;
  EXPECT_EQ(follower_.apply(next), Outcome::kApplied);
  EXPECT_EQ(follower_.head().floors, (TableFloors{{25 * kHour, kStart}}));
  EXPECT_EQ(follower_.begin_increment(1).head.floors, (TableFloors{{25 * kHour, kStart}}));
}

TEST_F(FollowerTest, ImagesSaySinceWhenTheyAreWhole) {
  const TimeUs kept = kept_since(plan_->tables()->front(), kHour, kStart);  // whole tiles
  Rows held(kept_longer(*plan_));
  Follower fresh(kept_longer(*plan_), KeyPartitionId(2), &held);
  fresh.register_owner({KeyPartitionId(2), Epoch(3), 5});
  EXPECT_EQ(fresh.apply(begin(0, true)), Outcome::kApplied);
  FramePart close = images(PartKind::kImagesClose, 1, 1, {{"a"}});
  close.horizon = kStart;  // of a state that knew nothing of the change
  EXPECT_EQ(fresh.apply(close), Outcome::kApplied);
  EXPECT_EQ(fresh.head().floors, (TableFloors{{25 * kHour, kept}}));
  fresh.forget();
  EXPECT_EQ(fresh.head().floors, (TableFloors{{25 * kHour, kMinTime}})) << "nothing is held";
  Follower restored(kept_longer(*plan_), KeyPartitionId(2), nullptr);
  StateHead head;
  head.ancestry = {{Epoch(1), 4}};
  head.horizon = kStart;
  restored.restore(head);
  EXPECT_EQ(restored.head().floors, (TableFloors{{25 * kHour, kept}}));
}

}  // namespace
}  // namespace tidemill::test
