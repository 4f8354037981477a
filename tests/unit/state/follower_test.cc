#include "shared/state/follower.h"

#include <gtest/gtest.h>

#include "shared/window/partition_state.h"
#include "tests/unit/worker/data_plane_fixture.h"

namespace tidemill {
namespace {

using test::block_of;
using test::count_at;
using test::kHour;
using test::kStart;
using test::small_plan;
using Outcome = Follower::Outcome;

// A state beside the follower, which shows what became of the rows.
class Rows : public FollowedRows {
 public:
  explicit Rows(TableSchemas schemas) : schemas_(schemas), state(schemas) {}

  void append(const RowBlockView& block, uint64_t number) override {
    state.append(block, number);
    numbers.push_back(number);
  }
  Status replace(bool whole, std::span<const Buffer> images, uint64_t number) override {
    if (whole) clear();
    numbers.push_back(number);
    for (const Buffer& bytes : images) {
      ByteReader in(bytes.bytes());
      while (in.remaining() > 0) {
        if (Status applied = state.apply_image(&in, number); !applied) return applied;
      }
    }
    return {};
  }
  void raise_horizon(TimeUs horizon) override { state.raise_horizon(horizon); }
  void clear() override { state = PartitionState(schemas_); }

 private:
  TableSchemas schemas_;

 public:
  PartitionState state;
  std::vector<uint64_t> numbers;
};

class FollowerTest : public testing::Test {
 protected:
  ReplicaState open(uint64_t epoch, uint64_t session) {
    return follower_.register_owner({KeyPartitionId(2), Epoch(epoch), session});
  }
  FramePart part(PartKind kind, uint64_t seq, uint64_t from = 0, uint64_t to = 0) {
    FramePart p;
    p.key_partition = KeyPartitionId(2);
    p.epoch = Epoch(epoch_);
    p.session = session_;
    p.seq = seq;
    p.kind = kind;
    p.from_epoch = Epoch(from_epoch_ != 0 ? from_epoch_ : epoch_);
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
    p.rows_applied = 100 + to;
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
    ASSERT_EQ(follower_.apply(begin(0, true)), Outcome::kApplied);
    FramePart close = images(PartKind::kImagesClose, 1, to, rows);
    close.advances.push_back({SourcePartitionId(0), {10 * to, kStart, false}});
    ASSERT_EQ(follower_.apply(close), Outcome::kApplied);
  }
  int64_t count(const std::string& key) {
    return follower_.holds_state() ? count_at(*plan_, rows_.state, key, kStart) : -2;
  }
  // The session is over and says so each time.
  void expect_over(const FramePart& next) {
    EXPECT_EQ(follower_.apply(next), Outcome::kRefused);
    EXPECT_EQ(follower_.apply(next), Outcome::kRefused);
  }

  std::shared_ptr<const Plan> plan_ = small_plan();
  Rows rows_{plan_->tables()};
  Follower follower_{plan_->tables(), KeyPartitionId(2), &rows_};
  uint64_t epoch_ = 3;
  uint64_t from_epoch_ = 0;  // 0: that of the owner
  uint64_t session_ = 5;
};

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
}  // namespace tidemill
