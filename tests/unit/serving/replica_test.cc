#include "serving/replica.h"

#include <gtest/gtest.h>

#include "tests/unit/worker/data_plane_fixture.h"

namespace tidemill {
namespace {

using test::block_of;
using test::count_at;
using test::kHour;
using test::kStart;
using test::small_plan;
using Outcome = Replica::Outcome;

class ReplicaTest : public testing::Test {
 protected:
  ReplicaState open(uint64_t epoch, uint64_t session) {
    return replica_.register_owner({KeyPartitionId(2), Epoch(epoch), session});
  }
  FramePart part(PartKind kind, uint64_t seq, uint64_t from = 0, uint64_t to = 0) {
    FramePart p;
    p.key_partition = KeyPartitionId(2);
    p.epoch = Epoch(epoch_);
    p.session = session_;
    p.seq = seq;
    p.kind = kind;
    p.from_version = from;
    p.to_version = to;
    return p;
  }
  FramePart rows(uint64_t seq, uint64_t from, uint64_t to, const std::vector<test::TestRow>& rows,
                 uint64_t offset = 0) {
    FramePart p = part(PartKind::kRows, seq, from, to);
    if (!rows.empty()) p.payload.push_back(block_of(rows));
    p.advances.push_back({SourcePartitionId(0), {offset, kStart, false}});
    p.read_wall_us = static_cast<int64_t>(to);
    return p;
  }
  FramePart begin(uint64_t seq, bool whole, uint64_t from = 0) {
    FramePart p = part(PartKind::kImagesBegin, seq, from);
    p.whole = whole;
    return p;
  }
  // Images of keys that have just these rows.
  FramePart images(PartKind kind, uint64_t seq, uint64_t to,
                   const std::vector<test::TestRow>& rows) {
    PartitionState state(plan_->tables());
    FramePart p = part(kind, seq, 0, to);
    if (!rows.empty()) {
      const Buffer block = block_of(rows);
      state.append(*RowBlockView::parse(block.bytes()), 1);
      ByteWriter out;
      for (size_t slot = 0; slot < state.slot_count(); ++slot) state.encode_image(slot, &out);
      p.payload.push_back(Buffer(out.take()));
    }
    return p;
  }
  // Holds version `to` of the session's owner.
  void load(uint64_t to, const std::vector<test::TestRow>& rows) {
    ASSERT_EQ(replica_.apply(begin(0, true)), Outcome::kApplied);
    FramePart close = images(PartKind::kImagesClose, 1, to, rows);
    close.advances.push_back({SourcePartitionId(0), {10 * to, kStart, false}});
    ASSERT_EQ(replica_.apply(close), Outcome::kApplied);
  }
  int64_t count(const std::string& key) {
    return replica_.ready() ? count_at(*plan_, replica_.window(), key, kStart) : -2;
  }
  // The session is over and says so each time.
  void expect_over(const FramePart& next) {
    EXPECT_EQ(replica_.apply(next), Outcome::kRefused);
    EXPECT_EQ(replica_.apply(next), Outcome::kRefused);
  }

  std::shared_ptr<const Plan> plan_ = small_plan();
  Replica replica_{plan_->tables(), KeyPartitionId(2)};
  uint64_t epoch_ = 3;
  uint64_t session_ = 5;
};

TEST_F(ReplicaTest, HoldsNothingAtFirst) {
  EXPECT_FALSE(replica_.ready());
  EXPECT_EQ(replica_.horizon(), kMinTime);
  EXPECT_EQ(replica_.max_event_time(), kMinTime);
  EXPECT_EQ(replica_.apply(rows(0, 0, 1, {{"a"}})), Outcome::kRefused);
  const ReplicaState state = open(3, 5);
  EXPECT_EQ(state.key_partition, KeyPartitionId(2));
  EXPECT_EQ(state.registered, Epoch(3));
  EXPECT_EQ(state.session, 5u);
  EXPECT_FALSE(state.holds_state);
}

TEST_F(ReplicaTest, TakesNoRowsBeforeImages) {
  open(3, 5);
  EXPECT_EQ(replica_.apply(rows(0, 0, 1, {{"a"}})), Outcome::kRefused);
  EXPECT_FALSE(replica_.ready());
}

TEST_F(ReplicaTest, ImagesAreInvisibleUntilTheyAreClosedInOneStep) {
  open(3, 5);
  EXPECT_EQ(replica_.apply(begin(0, true)), Outcome::kApplied);
  EXPECT_EQ(replica_.apply(images(PartKind::kImages, 1, 0, {{"a"}, {"a"}})), Outcome::kApplied);
  EXPECT_FALSE(replica_.ready());
  FramePart close = images(PartKind::kImagesClose, 2, 7, {{"b"}});
  close.advances = {{SourcePartitionId(0), {4, kStart, false}},
                    {SourcePartitionId(1), {5, kStart + 1, true}}};
  close.horizon = kStart - kHour;
  close.read_wall_us = 99;
  EXPECT_EQ(replica_.apply(close), Outcome::kApplied);
  EXPECT_TRUE(replica_.ready());
  EXPECT_EQ(count("a"), 2);
  EXPECT_EQ(count("b"), 1);
  EXPECT_EQ(replica_.version(), 7u);
  EXPECT_EQ(replica_.epoch(), Epoch(3));
  EXPECT_EQ(replica_.offsets(), (OffsetVector{{4, kStart, false}, {5, kStart + 1, true}}));
  EXPECT_EQ(replica_.horizon(), kStart - kHour);
  EXPECT_EQ(replica_.read_wall_us(), 99);
  EXPECT_EQ(replica_.max_event_time(), kStart + 1);
}

TEST_F(ReplicaTest, AWholeReplacementShowsTheOldStateUntilItIsClosed) {
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
  replica_.apply(begin(0, true));
  replica_.apply(images(PartKind::kImages, 1, 0, {{"both"}, {"both"}}));
  EXPECT_EQ(count("old"), 1);
  EXPECT_EQ(count("both"), 1);
  EXPECT_EQ(replica_.epoch(), Epoch(3));
  FramePart close = images(PartKind::kImagesClose, 2, 2, {{"new"}});
  close.advances.push_back({SourcePartitionId(1), {50, kStart, false}});
  EXPECT_EQ(replica_.apply(close), Outcome::kApplied);
  EXPECT_EQ(count("old"), -1);
  EXPECT_EQ(count("both"), 2);
  EXPECT_EQ(count("new"), 1);
  EXPECT_EQ(replica_.version(), 2u);
  EXPECT_EQ(replica_.epoch(), Epoch(4));
  EXPECT_EQ(replica_.offsets()[0], SourcePosition());  // nothing of the former V is left
  EXPECT_EQ(replica_.offsets()[1].offset, 50u);
}

TEST_F(ReplicaTest, TheHorizonNeverFallsNotEvenWhenAllIsReplaced) {
  open(3, 5);
  replica_.apply(begin(0, true));
  FramePart close = images(PartKind::kImagesClose, 1, 1, {{"a"}});
  close.horizon = kStart;
  replica_.apply(close);
  epoch_ = 4;
  open(4, 5);
  load(1, {{"a"}});  // a close whose horizon is kMinTime
  EXPECT_EQ(replica_.horizon(), kStart);
}

TEST_F(ReplicaTest, ImagesOfChangedKeysBuildOnWhatIsHeld) {
  open(3, 5);
  load(4, {{"kept"}, {"changed"}});
  EXPECT_EQ(replica_.apply(begin(2, false, 4)), Outcome::kApplied);
  FramePart close = images(PartKind::kImagesClose, 3, 9, {{"changed"}, {"changed"}, {"new"}});
  close.advances.push_back({SourcePartitionId(1), {3, kStart, false}});
  EXPECT_EQ(replica_.apply(close), Outcome::kApplied);
  EXPECT_EQ(count("kept"), 1);
  EXPECT_EQ(count("changed"), 2);
  EXPECT_EQ(count("new"), 1);
  EXPECT_EQ(replica_.version(), 9u);
  EXPECT_EQ(replica_.offsets()[0].offset, 40u);
  EXPECT_EQ(replica_.offsets()[1].offset, 3u);
}

TEST_F(ReplicaTest, ImagesOfChangedKeysNeedThatVeryState) {
  open(3, 5);
  EXPECT_EQ(replica_.apply(begin(0, false, 0)), Outcome::kRefused);  // nothing is held
  open(3, 6);
  session_ = 6;
  load(4, {{"a"}});
  EXPECT_EQ(replica_.apply(begin(2, false, 5)), Outcome::kRefused);  // changes 4..5 are missing
  epoch_ = 4;
  open(4, 6);
  EXPECT_EQ(replica_.apply(begin(0, false, 4)), Outcome::kRefused);  // a former owner's state
  EXPECT_EQ(count("a"), 1);
}

TEST_F(ReplicaTest, ImagesWithoutABeginningAreRefused) {
  open(3, 5);
  expect_over(images(PartKind::kImages, 0, 0, {{"a"}}));
  open(3, 6);
  session_ = 6;
  expect_over(images(PartKind::kImagesClose, 0, 1, {{"a"}}));
  EXPECT_FALSE(replica_.ready());
}

TEST_F(ReplicaTest, RowsApplyAtTheirVersionOnly) {
  open(3, 5);
  load(4, {{"a"}});
  EXPECT_EQ(replica_.apply(rows(2, 4, 6, {{"a"}, {"b"}}, 60)), Outcome::kApplied);
  EXPECT_EQ(count("a"), 2);
  EXPECT_EQ(count("b"), 1);
  EXPECT_EQ(replica_.version(), 6u);
  EXPECT_EQ(replica_.offsets()[0].offset, 60u);
  EXPECT_EQ(replica_.read_wall_us(), 6);
  EXPECT_EQ(replica_.rows_applied(), 2u);
  for (const uint64_t from : {5u, 7u}) {
    ++session_;
    open(3, session_);
    expect_over(rows(0, from, 8, {{"a"}}, 80));
    EXPECT_EQ(replica_.version(), 6u);
    EXPECT_EQ(count("a"), 2);
    EXPECT_EQ(replica_.offsets()[0].offset, 60u);
  }
}

TEST_F(ReplicaTest, RowsOfTheRegisteredOwnerDoNotApplyToAFormerOnesState) {
  open(3, 5);
  load(4, {{"a"}});
  epoch_ = 4;
  open(4, 5);
  EXPECT_EQ(replica_.apply(rows(0, 4, 5, {{"a"}})), Outcome::kRefused);
  EXPECT_EQ(count("a"), 1);
}

TEST_F(ReplicaTest, AGapEndsTheSession) {
  open(3, 5);
  load(4, {{"a"}});
  EXPECT_EQ(replica_.apply(rows(3, 4, 5, {{"a"}})), Outcome::kRefused);
  EXPECT_EQ(count("a"), 1);
  expect_over(rows(2, 4, 5, {{"a"}}));  // the one that was missing comes too late
  EXPECT_EQ(replica_.version(), 4u);
}

TEST_F(ReplicaTest, AGapWhileImagesComeDropsThem) {
  open(3, 5);
  replica_.apply(begin(0, true));
  EXPECT_EQ(replica_.apply(images(PartKind::kImages, 2, 0, {{"a"}})), Outcome::kRefused);
  open(3, 6);
  session_ = 6;
  expect_over(images(PartKind::kImagesClose, 0, 1, {{"b"}}));
  EXPECT_FALSE(replica_.ready());
}

TEST_F(ReplicaTest, ARepeatedPartIsIgnored) {
  open(3, 5);
  load(4, {{"a"}});
  const FramePart next = rows(2, 4, 5, {{"a"}});
  EXPECT_EQ(replica_.apply(next), Outcome::kApplied);
  EXPECT_EQ(replica_.apply(next), Outcome::kRepeated);
  EXPECT_EQ(replica_.apply(begin(0, true)), Outcome::kRepeated);
  EXPECT_EQ(count("a"), 2);
  EXPECT_EQ(replica_.apply(rows(3, 5, 6, {{"a"}})), Outcome::kApplied);
  EXPECT_EQ(count("a"), 3);
}

TEST_F(ReplicaTest, OtherSessionsAndEpochsAreRefused) {
  open(3, 5);
  load(4, {{"a"}});
  session_ = 4;
  EXPECT_EQ(replica_.apply(rows(2, 4, 5, {{"a"}})), Outcome::kRefused);
  session_ = 5;
  for (const uint64_t epoch : {2u, 4u}) {
    epoch_ = epoch;
    EXPECT_EQ(replica_.apply(rows(2, 4, 5, {{"a"}})), Outcome::kRefused);
  }
  epoch_ = 3;  // the session itself goes on
  EXPECT_EQ(replica_.apply(rows(2, 4, 5, {{"a"}})), Outcome::kApplied);
}

TEST_F(ReplicaTest, AnOlderEpochCannotRegister) {
  open(3, 5);
  load(4, {{"a"}});
  const ReplicaState refused = open(2, 9);
  EXPECT_EQ(refused.registered, Epoch(3));
  EXPECT_EQ(refused.session, 9u);  // says to which asking this answers
  EXPECT_EQ(replica_.apply(rows(2, 4, 5, {{"a"}})), Outcome::kApplied);  // nothing has changed
}

TEST_F(ReplicaTest, ANewerEpochFencesTheFormerOwner) {
  open(3, 5);
  load(4, {{"a"}});
  open(4, 5);
  EXPECT_EQ(replica_.apply(rows(2, 4, 5, {{"a"}})), Outcome::kRefused);
  EXPECT_EQ(replica_.state().registered, Epoch(4));
  EXPECT_EQ(count("a"), 1);
}

TEST_F(ReplicaTest, ARepeatedRegistrationChangesNothing) {
  open(3, 5);
  load(4, {{"a"}});
  const ReplicaState again = open(3, 5);  // heard already
  EXPECT_EQ(again.session, 5u);
  EXPECT_EQ(again.version, 4u);
  const ReplicaState overtaken = open(3, 4);
  EXPECT_EQ(overtaken.session, 4u);
  EXPECT_EQ(replica_.apply(rows(2, 4, 5, {{"a"}})), Outcome::kApplied);
}

TEST_F(ReplicaTest, ANewSessionOfTheSameOwnerStartsItsNumbersAnew) {
  open(3, 5);
  load(4, {{"a"}});
  replica_.apply(begin(2, true));
  EXPECT_EQ(open(3, 6).version, 4u);
  EXPECT_EQ(replica_.apply(rows(3, 4, 5, {{"a"}})), Outcome::kRefused);  // of the former
  session_ = 6;
  EXPECT_EQ(replica_.apply(rows(0, 4, 5, {{"a"}})), Outcome::kApplied);
}

TEST_F(ReplicaTest, ARepeatedRegistrationDoesNotReviveASessionThatIsOver) {
  open(3, 5);
  load(4, {{"a"}});
  EXPECT_EQ(replica_.apply(rows(9, 4, 5, {{"a"}})), Outcome::kRefused);
  open(3, 5);
  expect_over(rows(0, 4, 5, {{"a"}}));
  EXPECT_EQ(count("a"), 1);
}

TEST_F(ReplicaTest, CorruptRowsChangeNothing) {
  open(3, 5);
  load(4, {{"a"}});
  FramePart bad = rows(2, 4, 5, {{"a"}}, 50);
  bad.payload.push_back(test::broken_block());
  expect_over(bad);
  EXPECT_EQ(count("a"), 1);
  EXPECT_EQ(replica_.version(), 4u);
  EXPECT_EQ(replica_.offsets()[0].offset, 40u);
  EXPECT_EQ(replica_.rows_applied(), 0u);
}

TEST_F(ReplicaTest, CorruptImagesLeaveNoHalfState) {
  open(3, 5);
  load(4, {{"a"}});
  replica_.apply(begin(2, true));
  FramePart close = images(PartKind::kImagesClose, 3, 9, {{"b"}});
  close.payload.push_back(Buffer(std::vector<uint8_t>(40, 0xff)));
  EXPECT_EQ(replica_.apply(close), Outcome::kRefused);
  EXPECT_FALSE(replica_.ready());  // no answer is better than a wrong one
  const ReplicaState state = open(3, 6);
  EXPECT_FALSE(state.holds_state);  // so the owner sends everything
  session_ = 6;
  load(9, {{"b"}});
  EXPECT_EQ(count("b"), 1);
}

TEST_F(ReplicaTest, AKeepaliveOnlyMakesFresher) {
  open(3, 5);
  load(4, {{"a"}});
  FramePart keepalive = part(PartKind::kRows, 2, 4, 4);
  keepalive.read_wall_us = 1'000;
  keepalive.horizon = kStart - 5;
  EXPECT_EQ(replica_.apply(keepalive), Outcome::kApplied);
  EXPECT_EQ(replica_.read_wall_us(), 1'000);
  EXPECT_EQ(replica_.version(), 4u);
  EXPECT_EQ(replica_.horizon(), kStart - 5);
  EXPECT_EQ(count("a"), 1);
}

// An owner may know of a topic's new partition before this store does.
TEST_F(ReplicaTest, TakesSourcePartitionsThatWereAddedToThePlan) {
  open(3, 5);
  load(4, {{"a"}});
  FramePart next = rows(2, 4, 5, {{"a"}}, 50);
  next.advances.push_back({SourcePartitionId(4), {7, kStart + 1, false}});
  EXPECT_EQ(replica_.apply(next), Outcome::kApplied);
  EXPECT_EQ(replica_.offsets(),
            (OffsetVector{{50, kStart, false}, {}, {}, {}, {7, kStart + 1, false}}));
  EXPECT_EQ(replica_.max_event_time(), kStart + 1);
  EXPECT_EQ(count("a"), 2);
  EXPECT_EQ(replica_.apply(rows(3, 5, 6, {}, 60)), Outcome::kApplied);
  EXPECT_EQ(replica_.offsets()[0].offset, 60u);
  EXPECT_EQ(replica_.offsets()[4].offset, 7u);  // kept
  EXPECT_EQ(open(3, 6).offsets.size(), 5u);
}

TEST_F(ReplicaTest, AnAdvanceOfASourcePartitionThatNoPlanCanHaveIsIgnored) {
  open(3, 5);
  load(4, {{"a"}});
  FramePart next = rows(2, 4, 5, {{"a"}});
  next.advances.push_back({SourcePartitionId(1'000'000'000), {1, kStart, false}});
  EXPECT_EQ(replica_.apply(next), Outcome::kApplied);
  EXPECT_LE(replica_.offsets().size(), 2u);
}

}  // namespace
}  // namespace tidemill
