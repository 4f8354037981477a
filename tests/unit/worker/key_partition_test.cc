#include "worker/key_partition.h"

#include <gtest/gtest.h>

#include "shared/plan/source_partitions.h"
#include "shared/window/block_list.h"
#include "tests/unit/state/follower_fixture.h"
#include "tests/unit/worker/data_plane_fixture.h"

namespace tidemill {
namespace {

using test::batch_of;
using test::BatchOptions;
using test::block_of;
using test::count_at;
using test::kHour;
using test::kSecond;
using test::kStart;
using test::small_plan;

constexpr int64_t kWall = kStart + 1'000 * kHour;

class KeyPartitionTest : public testing::Test {
 protected:
  KeyPartitionTest() {
    for (InboundSession& s : partition_.sessions()) {
      s.id = 1;
      s.reader_epoch = Epoch(1);
      s.open = true;
    }
  }

  PartOutcome apply(const BatchOptions& options, const Buffer& blocks, int64_t now_us = 5) {
    const SourceBatch batch = batch_of(options, blocks);
    auto outcome = partition_.apply(batch, batch.parts[0], now_us, kWall);
    EXPECT_TRUE(outcome.ok());
    return outcome.ok() ? *outcome : PartOutcome::kIgnored;
  }
  int64_t count(const std::string& key, TimeUs as_of = kStart) {
    PartitionState state(plan_->tables());
    for (const AppliedChange& change : partition_.unsent()) append(change.blocks, &state);
    return count_at(*plan_, state, key, as_of);
  }
  void append(const Buffer& blocks, PartitionState* state) {
    std::vector<RowBlockView> views;
    ASSERT_TRUE(parse_blocks(blocks, *plan_->tables(), &views).ok());
    for (const RowBlockView& view : views) state->append(view, 1);
  }

  std::shared_ptr<const Plan> plan_ = small_plan();
  KeyPartition partition_{plan_, KeyPartitionId(0), Epoch(3), StateHead{}};
};

const SourcePosition kTen{10, kStart, false};
const SourcePosition kTwenty{20, kStart + kSecond, false};

TEST_F(KeyPartitionTest, StartsWithNothing) {
  EXPECT_EQ(partition_.version(), 1u);
  EXPECT_EQ(partition_.offsets(), OffsetVector(2));
  EXPECT_EQ(partition_.horizon(), kMinTime);
  EXPECT_EQ(partition_.epoch(), Epoch(3));
  // Its grant is the first change.
  ASSERT_EQ(partition_.unsent().size(), 1u);
  EXPECT_EQ(partition_.unsent()[0].source, AppliedChange::kNoSource);
  EXPECT_EQ(partition_.head().ancestry, (Ancestry{{Epoch(3), 1}}));
  EXPECT_EQ(partition_.disk_version(), 0u);
}

TEST_F(KeyPartitionTest, RowsHaveBytesOfTheirOwnIfTheyShall) {
  const auto within = [](const Buffer& part, const Buffer& whole) {
    return part.data() >= whole.data() && part.data() < whole.data() + whole.size();
  };
  const Buffer rows = block_of({{"a"}, {"b"}});
  const SourceBatch first = batch_of({.seq = 0, .end = kTen}, rows);
  ASSERT_TRUE(partition_.apply(first, first.parts[0], 5, kWall).ok());
  EXPECT_TRUE(within(partition_.unsent().back().blocks, first.bytes));
  partition_.set_own_bytes();
  const SourceBatch second = batch_of({.seq = 1, .end = kTwenty}, rows);
  ASSERT_TRUE(partition_.apply(second, second.parts[0], 5, kWall).ok());
  EXPECT_FALSE(within(partition_.unsent().back().blocks, second.bytes));
  EXPECT_EQ(partition_.unsent().back().blocks.view(), rows.view());
  EXPECT_EQ(count("a"), 2);
}

TEST_F(KeyPartitionTest, RowsOffsetAndVersionMoveInOneStep) {
  EXPECT_EQ(apply({.end = kTen, .read_wall_us = 77}, block_of({{"a"}, {"a"}, {"b"}})),
            PartOutcome::kApplied);
  EXPECT_EQ(partition_.version(), 2u);
  EXPECT_EQ(partition_.offsets()[0], kTen);
  EXPECT_EQ(partition_.offsets()[1], SourcePosition());
  EXPECT_EQ(partition_.read_wall_us(), 77);
  EXPECT_EQ(partition_.rows_applied_here(), 3u);
  EXPECT_EQ(count("a"), 2);
  EXPECT_EQ(count("b"), 1);
  EXPECT_EQ(count("c"), -1);
  ASSERT_EQ(partition_.unsent().size(), 2u);
  const AppliedChange& change = partition_.unsent().back();
  EXPECT_EQ(change.version, 2u);
  EXPECT_EQ(change.source, SourcePartitionId(0));
  EXPECT_EQ(change.position, kTen);
  EXPECT_EQ(change.blocks.view(), block_of({{"a"}, {"a"}, {"b"}}).view());
}

TEST_F(KeyPartitionTest, AMarkWithoutRowsMovesTheOffset) {
  EXPECT_EQ(apply({.end = kTen}, {}), PartOutcome::kApplied);
  EXPECT_EQ(partition_.version(), 2u);
  EXPECT_EQ(partition_.offsets()[0], kTen);
  EXPECT_EQ(partition_.unsent().size(), 2u);
}

TEST_F(KeyPartitionTest, AnIdleMarkMakesOnlyFresherAndCountsInTheSession) {
  apply({.end = kTen, .read_wall_us = 50}, {});
  EXPECT_EQ(apply({.seq = 1, .end = kTen, .read_wall_us = 90}, {}), PartOutcome::kApplied);
  EXPECT_EQ(partition_.version(), 2u);
  EXPECT_EQ(partition_.read_wall_us(), 90);
  EXPECT_EQ(partition_.unsent().size(), 2u);
  EXPECT_EQ(apply({.seq = 2, .end = kTen, .read_wall_us = 60}, {}), PartOutcome::kApplied);
  EXPECT_EQ(partition_.read_wall_us(), 90);
  EXPECT_EQ(apply({.seq = 3, .end = kTwenty}, block_of({{"a"}})), PartOutcome::kApplied);
  EXPECT_EQ(count("a"), 1);
}

TEST_F(KeyPartitionTest, AMissingNumberIsAGapAndChangesNothing) {
  apply({.end = kTen}, block_of({{"a"}}));
  EXPECT_EQ(apply({.seq = 2, .end = kTwenty}, block_of({{"a"}})), PartOutcome::kGap);
  EXPECT_EQ(apply({.seq = 2, .end = kTwenty}, {}), PartOutcome::kGap);  // a mark as well
  EXPECT_EQ(partition_.version(), 2u);
  EXPECT_EQ(partition_.offsets()[0], kTen);
  EXPECT_EQ(count("a"), 1);
}

TEST_F(KeyPartitionTest, ARepetitionIsIgnored) {
  apply({.end = kTen}, block_of({{"a"}}));
  EXPECT_EQ(apply({.end = kTen}, block_of({{"a"}})), PartOutcome::kIgnored);
  EXPECT_EQ(count("a"), 1);
  EXPECT_EQ(partition_.version(), 2u);
  EXPECT_EQ(apply({.seq = 1, .end = kTwenty}, block_of({{"a"}})), PartOutcome::kApplied);
  EXPECT_EQ(count("a"), 2);
}

TEST_F(KeyPartitionTest, OtherSessionsAndReadersAreIgnored) {
  EXPECT_EQ(apply({.session = 2, .end = kTen}, block_of({{"a"}})), PartOutcome::kIgnored);
  EXPECT_EQ(apply({.reader_epoch = 2, .end = kTen}, block_of({{"a"}})), PartOutcome::kIgnored);
  EXPECT_EQ(apply({.reader_epoch = 0, .end = kTen}, block_of({{"a"}})), PartOutcome::kIgnored);
  EXPECT_FALSE(partition_.sessions()[0].answered);
  partition_.sessions()[0].open = false;
  EXPECT_EQ(apply({.end = kTen}, block_of({{"a"}})), PartOutcome::kIgnored);
  EXPECT_EQ(partition_.version(), 1u);
  EXPECT_EQ(count("a"), -1);
}

TEST_F(KeyPartitionTest, WhatComesIsNotedInItsSession) {
  apply({.end = kTen}, {}, 1'234);
  EXPECT_TRUE(partition_.sessions()[0].answered);
  EXPECT_EQ(partition_.sessions()[0].last_heard_us, 1'234);
  EXPECT_EQ(partition_.sessions()[0].next_seq, 1u);
  EXPECT_FALSE(partition_.sessions()[1].answered);
}

TEST_F(KeyPartitionTest, SourcesAreNumberedApart) {
  apply({.source = 0, .end = kTen}, block_of({{"a"}}));
  EXPECT_EQ(apply({.source = 1, .end = kTwenty}, block_of({{"a"}})), PartOutcome::kApplied);
  EXPECT_EQ(partition_.offsets(), (OffsetVector{kTen, kTwenty}));
  EXPECT_EQ(partition_.version(), 3u);
  EXPECT_EQ(count("a"), 2);
}

TEST_F(KeyPartitionTest, CorruptBlocksLeaveTheStateAsItWas) {
  apply({.end = kTen, .read_wall_us = 50}, block_of({{"a"}}));
  const Buffer good = block_of({{"a"}});
  std::vector<uint8_t> half(good.bytes().begin(), good.bytes().end());
  const Buffer bad = test::broken_block();
  half.insert(half.end(), bad.bytes().begin(), bad.bytes().end());  // a good one before it
  const std::vector<Buffer> cases{bad, Buffer(std::move(half)), block_of({{"a"}}, /*table=*/1)};
  for (const Buffer& blocks : cases) {
    const SourceBatch batch = batch_of({.seq = 1, .end = kTwenty, .read_wall_us = 99}, blocks);
    const auto outcome = partition_.apply(batch, batch.parts[0], 9, kWall);
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.error().code(), ErrorCode::kCorrupt);
    EXPECT_EQ(partition_.version(), 2u);
    EXPECT_EQ(partition_.offsets()[0], kTen);
    EXPECT_EQ(partition_.read_wall_us(), 50);
    EXPECT_EQ(partition_.rows_applied_here(), 1u);
    EXPECT_EQ(partition_.unsent().size(), 2u);
    EXPECT_EQ(count("a"), 1);
  }
  EXPECT_EQ(apply({.seq = 1, .end = kTwenty}, block_of({{"a"}})), PartOutcome::kApplied);
  EXPECT_EQ(count("a"), 2);
}

TEST_F(KeyPartitionTest, UnsentIsDroppedUpToAVersionAndItsBytesCounted) {
  partition_.drop_unsent(1);
  EXPECT_EQ(partition_.unsent_bytes(), 0u);
  for (uint64_t i = 0; i < 4; ++i) {
    apply({.seq = i, .end = {i + 1, kStart, false}}, block_of({{"a"}}));
  }
  const uint64_t bytes = partition_.unsent_bytes();
  EXPECT_GT(bytes, 4 * block_of({{"a"}}).size());
  partition_.drop_unsent(2);
  EXPECT_EQ(partition_.unsent_since(), 2u);
  EXPECT_EQ(partition_.unsent_bytes(), bytes / 4 * 3);
  const uint64_t all = partition_.noted_bytes();
  EXPECT_EQ(partition_.noted_bytes_up_to(0), 0u) << "before its time";
  EXPECT_EQ(partition_.noted_bytes_up_to(1), std::nullopt) << "that is gone";
  EXPECT_EQ(partition_.noted_bytes_up_to(2), all - bytes / 4 * 3);
  EXPECT_EQ(partition_.noted_bytes_up_to(3), all - bytes / 4 * 2);
  EXPECT_EQ(partition_.noted_bytes_up_to(5), all);
  EXPECT_EQ(partition_.unsent().front().version, 3u);
  partition_.drop_unsent(0);  // nothing comes back
  EXPECT_EQ(partition_.unsent_since(), 2u);
  partition_.drop_unsent(UINT64_MAX);
  EXPECT_EQ(partition_.unsent_since(), 5u);
  EXPECT_EQ(partition_.unsent_bytes(), 0u);
  EXPECT_TRUE(partition_.unsent().empty());
}

// --- increments ---------------------------------------------------------------------------------

TEST_F(KeyPartitionTest, AnIncrementHoldsWhatTheDiskDoesNot) {
  apply({.end = kTen}, block_of({{"a"}}));
  const Increment first = partition_.begin_increment(99);
  EXPECT_TRUE(first.whole);
  EXPECT_EQ(first.from_version, 0u);
  EXPECT_EQ(first.head.stamp(), (Stamp{Epoch(3), 2}));
  EXPECT_EQ(first.head.offsets[0], kTen);
  EXPECT_EQ(first.taken_at_us, 99);
  ASSERT_EQ(first.changes.size(), 1u);
  EXPECT_EQ(first.changes[0].bytes.view(), block_of({{"a"}}).view());
  // What comes while it is written is of the next one.
  apply({.seq = 1, .end = kTwenty}, block_of({{"b"}}));
  partition_.end_increment(true);

  EXPECT_EQ(partition_.disk_version(), 2u);
  EXPECT_TRUE(partition_.changed_since_disk());
  const Increment second = partition_.begin_increment(100);
  EXPECT_FALSE(second.whole);
  EXPECT_EQ(second.from_version, 2u);
  ASSERT_EQ(second.changes.size(), 1u);
  EXPECT_EQ(second.changes[0].bytes.view(), block_of({{"b"}}).view());
  partition_.end_increment(true);
  EXPECT_FALSE(partition_.changed_since_disk());
  EXPECT_EQ(partition_.pending_bytes(), 0u);
}

TEST_F(KeyPartitionTest, AnIncrementThatCouldNotBeWrittenIsInTheNextOne) {
  apply({.end = kTen}, block_of({{"a"}}));
  partition_.begin_increment(0);
  apply({.seq = 1, .end = kTwenty}, block_of({{"b"}}));
  partition_.end_increment(false);
  EXPECT_EQ(partition_.disk_version(), 0u);
  const Increment again = partition_.begin_increment(0);
  EXPECT_TRUE(again.whole);
  EXPECT_EQ(again.changes.size(), 2u);
  EXPECT_EQ(again.head.stamp().version, 3u);
}

TEST_F(KeyPartitionTest, ItGoesOnFromWhatWasRestored) {
  StateHead head;
  head.ancestry = {{Epoch(1), 40}, {Epoch(2), 70}};
  head.offsets = {kTen, kTwenty};
  head.horizon = kStart - kHour;
  head.rows_applied = 500;
  KeyPartition restored(plan_, KeyPartitionId(0), Epoch(3), head);
  EXPECT_EQ(restored.first_version(), 70u);
  EXPECT_EQ(restored.version(), 71u);
  EXPECT_EQ(restored.head().ancestry, (Ancestry{{Epoch(1), 40}, {Epoch(2), 70}, {Epoch(3), 71}}));
  EXPECT_EQ(restored.offsets(), head.offsets);
  EXPECT_EQ(restored.horizon(), head.horizon);
  EXPECT_EQ(restored.rows_applied_here(), 0u);
  EXPECT_EQ(restored.disk_version(), 70u);
  EXPECT_EQ(restored.unsent_since(), 70u);
  EXPECT_EQ(restored.begin_increment(0).from_version, 70u);
}

// What a new owner reads again lies wholly on one side of where a replica stands, or does not.
TEST_F(KeyPartitionTest, ChangesAreAlignedWithAReplicaOrNot) {
  apply({.end = {4, kStart, false}}, block_of({{"a"}}));
  apply({.seq = 1, .end = kTen}, block_of({{"a"}}));
  apply({.source = 1, .end = kTwenty}, block_of({{"a"}}));
  EXPECT_TRUE(partition_.owner_state({{4, 0, false}, {20, 0, false}}).aligned);
  EXPECT_TRUE(partition_.owner_state({{10, 0, false}, {}}).aligned);
  EXPECT_FALSE(partition_.owner_state({{5, 0, false}, {}}).aligned);
  EXPECT_FALSE(partition_.owner_state({{4, 0, false}, {7, 0, false}}).aligned);
  EXPECT_EQ(partition_.version_covering({{4, 0, false}, {}}), 2u);
  EXPECT_EQ(partition_.version_covering({{4, 0, false}, {20, 0, false}}), 4u);
}

TEST_F(KeyPartitionTest, TheHorizonRisesWithTheSlowestSource) {
  apply({.source = 0, .end = {1, kStart + 9 * kHour, false}}, {});
  EXPECT_EQ(partition_.horizon(), kMinTime);
  apply({.source = 1, .end = {1, kStart + 5 * kHour, false}}, {});
  EXPECT_EQ(partition_.horizon(), kStart + 4 * kHour - 10 * kSecond);
  apply({.source = 1, .seq = 1, .end = {2, kStart + 5 * kHour, true}}, {});
  EXPECT_EQ(partition_.horizon(), kStart + 8 * kHour - 10 * kSecond);
  apply({.source = 0, .seq = 1, .end = {2, kStart + 9 * kHour, true}}, {});
  EXPECT_EQ(partition_.horizon(), kStart + 8 * kHour - 10 * kSecond);  // all finished: stands still
}

// Two sources: max_out_of_orderness 10s, allowed_lateness 1h.
TEST_F(KeyPartitionTest, AnIdleSourceHoldsNothingBackUntilItGoesOn) {
  apply({.source = 0, .end = {1, kStart + 9 * kHour, false}}, {});
  apply({.source = 1, .end = {1, kStart + 5 * kHour, false}}, {});
  ASSERT_EQ(partition_.horizon(), kStart + 4 * kHour - 10 * kSecond);
  const uint64_t version = partition_.version();
  apply({.source = 1, .seq = 1, .end = {1, kStart + 5 * kHour, false}, .idle = true}, {});
  EXPECT_EQ(partition_.horizon(), kStart + 8 * kHour - 10 * kSecond);
  EXPECT_EQ(partition_.version(), version + 1);  // replicas are told
  EXPECT_EQ(partition_.unsent().back().horizon, partition_.horizon());
  apply({.source = 1, .seq = 2, .end = {1, kStart + 5 * kHour, false}, .idle = true}, {});
  EXPECT_EQ(partition_.version(), version + 1);  // nothing new
  apply({.source = 1, .seq = 3, .end = {2, kStart + 5 * kHour, false}}, {});
  EXPECT_EQ(partition_.horizon(), kStart + 8 * kHour - 10 * kSecond);  // only rises
}

TEST_F(KeyPartitionTest, OnlyAReaderThatIsHeardOfIsIdle) {
  const TimeUs nine = kStart + 9 * kHour;
  apply({.source = 0, .end = {1, nine, false}}, {});
  apply({.source = 1, .end = {1, kStart + 5 * kHour, false}, .idle = true}, {});
  ASSERT_EQ(partition_.horizon(), nine - kHour - 10 * kSecond);
  // Silent for long: it may have gone on.
  apply({.source = 0, .seq = 1, .end = {2, nine + kHour, false}}, {}, 5 * kSecond);
  EXPECT_EQ(partition_.horizon(), nine - kHour - 10 * kSecond);
  apply({.source = 1, .seq = 1, .end = {1, kStart + 5 * kHour, false}, .idle = true}, {},
        5 * kSecond);
  apply({.source = 0, .seq = 2, .end = {3, nine + kHour, false}}, {}, 5 * kSecond);
  EXPECT_EQ(partition_.horizon(), nine - 10 * kSecond);
  // Its session is closed: the next reader has not said anything yet.
  partition_.close_session(1);
  apply({.source = 0, .seq = 3, .end = {4, nine + 2 * kHour, false}}, {}, 5 * kSecond);
  EXPECT_EQ(partition_.horizon(), nine - 10 * kSecond);
}

TEST_F(KeyPartitionTest, ASourcePartitionThatIsAddedStartsAtItsBeginning) {
  apply({.source = 0, .end = {7, kStart + kHour, false}}, block_of({{"a"}}));
  apply({.source = 1, .end = {7, kStart + kHour, false}}, {});
  const TimeUs horizon = partition_.horizon();
  proto::JobPlan grown = small_plan()->proto();
  grown.mutable_sources(0)->mutable_generator()->set_partitions(3);
  number_source_partitions(&grown);
  partition_.grow(*Plan::from_proto(grown));
  ASSERT_EQ(partition_.offsets().size(), 3u);
  EXPECT_EQ(partition_.offsets()[0].offset, 7u);
  EXPECT_EQ(partition_.offsets()[2], SourcePosition());
  partition_.sessions()[2] = partition_.sessions()[0];
  partition_.sessions()[2].next_seq = 0;
  apply({.source = 2, .end = {1, kStart + 2 * kHour, false}}, block_of({{"a"}}));
  EXPECT_EQ(partition_.offsets()[2].offset, 1u);
  EXPECT_EQ(partition_.rows_applied_here(), 2u);
  EXPECT_EQ(partition_.horizon(), horizon);
}

// Though it was told before that nobody reads any more.
TEST_F(KeyPartitionTest, IsCaughtUpOnceAllMainReadsAreReachedThatThereAre) {
  partition_.set_read_no_more();
  EXPECT_TRUE(partition_.caught_up());
  proto::JobPlan grown = small_plan()->proto();
  grown.mutable_sources(0)->mutable_generator()->set_partitions(3);
  number_source_partitions(&grown);
  partition_.grow(*Plan::from_proto(grown));
  partition_.sessions()[2] = partition_.sessions()[0];
  for (uint32_t source = 0; source < 3; ++source) {
    EXPECT_FALSE(partition_.caught_up()) << source;
    apply({.source = source, .end = {7, kStart + kHour, false}}, block_of({{"a"}}));
  }
  EXPECT_TRUE(partition_.caught_up());
}

TEST(HorizonOf, IsTheSlowestActiveSourceLessLateness) {
  constexpr int64_t kLate = kHour + 10 * kSecond;
  const TimeUs t = kStart;
  struct Case {
    const char* what;
    OffsetVector offsets;
    int64_t wall_us;
    TimeUs want;
    std::vector<bool> idle = {false, false};
  };
  const std::vector<Case> cases{
      {"nobody has said anything", {{}, {}}, kWall, kMinTime},
      {"one has said nothing", {{1, t, false}, {}}, kWall, kMinTime},
      {"one has read bad records only", {{1, t, false}, {9, kMinTime, false}}, kWall, kMinTime},
      {"the slowest decides", {{1, t, false}, {1, t + kHour, false}}, kWall, t - kLate},
      {"a finished one does not", {{1, t, true}, {1, t + kHour, false}}, kWall, t + kHour - kLate},
      {"nor an empty finished one", {{0, kMinTime, true}, {1, t, false}}, kWall, t - kLate},
      {"all finished", {{1, t, true}, {1, t, true}}, kWall, kMinTime},
      {"the owner's clock behind", {{1, t, false}, {1, t, false}}, t - 7, t - 7 - kLate},
      {"its clock behind one of them", {{1, t, false}, {1, t + 9, false}}, t + 5, t - kLate},
      {"as far back as time goes", {{1, kMinTime + 1, false}, {1, t, false}}, kWall, kMinTime},
      {"no sources", {}, kWall, kMinTime},
      {"an idle one does not",
       {{1, t, false}, {1, t + kHour, false}},
       kWall,
       t + kHour - kLate,
       {true, false}},
      {"nor an idle one that said nothing", {{}, {1, t, false}}, kWall, t - kLate, {true, false}},
      {"one idle, one finished", {{1, t, false}, {1, t, true}}, kWall, kMinTime, {true, false}},
  };
  const auto plan = small_plan();
  for (const Case& c : cases) {
    EXPECT_EQ(horizon_of(*plan, c.offsets, c.idle, c.wall_us), c.want) << c.what;
  }
}

// Each source has its own out-of-orderness.
TEST(HorizonOf, TakesEachSourcesOwnOutOfOrderness) {
  const auto plan = test::plan_of(R"(
job: two
allowed_lateness: 0s
sources:
  a: {max_out_of_orderness: 1m, stream: {generator: {partitions: 1, events: 1, events_per_second: 1}}}
  b: {max_out_of_orderness: 1s, stream: {generator: {partitions: 1, events: 1, events_per_second: 1}}}
views:
  v: {source: a, entity: [customer_id], aggregations: [{function: count, windows: [1h]}]}
  w: {source: b, entity: [customer_id], aggregations: [{function: count, windows: [1h]}]}
)");
  const std::vector<bool> none_idle{false, false};
  EXPECT_EQ(horizon_of(*plan, {{1, kStart, false}, {1, kStart, false}}, none_idle, kWall),
            kStart - 60 * kSecond);
  EXPECT_EQ(horizon_of(*plan, {{1, kStart, true}, {1, kStart, false}}, none_idle, kWall),
            kStart - kSecond);
}

// A standby's copy that becomes the owner's.
class Promotion : public test::FollowerTest {
 protected:
  void SetUp() override {
    open(epoch_, session_);
    load(1, {{"a"}});
    follower_.begin_increment(kWall);
    ASSERT_EQ(follower_.apply(rows(2, 1, 2, {{"b"}}, 20)), test::Outcome::kApplied);
  }
  KeyPartition promoted() { return {plan_, KeyPartitionId(2), Epoch(epoch_ + 1), follower_}; }
};

TEST_F(Promotion, GoesOnWithTheIncrementThatIsBeingWritten) {
  KeyPartition partition = promoted();
  ASSERT_TRUE(partition.writing());
  EXPECT_EQ(partition.disk_version(), 0u);
  partition.end_increment(true);
  EXPECT_EQ(partition.disk_version(), 1u);
  const Increment next = partition.begin_increment(kWall);
  EXPECT_EQ(next.from_version, 1u);
  EXPECT_FALSE(next.whole);
  ASSERT_EQ(next.changes.size(), 1u) << "what came meanwhile";
  EXPECT_EQ(next.changes[0].kind, StateChange::Kind::kRows);
}

TEST_F(Promotion, AnIncrementThatFailedIsWrittenAgain) {
  KeyPartition partition = promoted();
  partition.end_increment(false);
  const Increment next = partition.begin_increment(kWall);
  EXPECT_TRUE(next.whole);
  EXPECT_EQ(next.changes.size(), 2u);
}

TEST_F(Promotion, WhatIsWrittenOfAFormerStateIsNotGoneOnWith) {
  ASSERT_TRUE(follower_.writes());
  ASSERT_EQ(follower_.apply(begin(3, true)), test::Outcome::kApplied);
  FramePart close = images(PartKind::kImagesClose, 4, 9, {{"c"}});
  ASSERT_EQ(follower_.apply(close), test::Outcome::kApplied);
  EXPECT_TRUE(follower_.writing());
  EXPECT_FALSE(follower_.writes());
  KeyPartition partition = promoted();
  EXPECT_FALSE(partition.writing());
  const Increment next = partition.begin_increment(kWall);
  EXPECT_TRUE(next.whole);
  ASSERT_EQ(next.changes.size(), 1u);
  EXPECT_EQ(next.changes[0].kind, StateChange::Kind::kImages);
}

// The plan as of its next revision, with the rows of its table kept for 25 hours, and a second
// table.
std::shared_ptr<const Plan> revised(const Plan& plan) {
  proto::JobPlan next = plan.proto();
  next.set_revision(1);
  next.set_format_version(5);
  proto::Table* table = next.mutable_tables(0);
  table->set_fed(proto::Table::FED_ALL);
  table->set_first_retention_us(table->retention_us());
  table->set_retention_us(25 * kHour);
  *next.add_tables() = *table;
  next.mutable_tables(1)->clear_first_retention_us();
  next.mutable_tables(1)->set_since_revision(1);
  auto made = Plan::from_proto(std::move(next));
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message());
  return made.ok() ? *made : nullptr;
}

TEST_F(KeyPartitionTest, ChangesSaySinceWhenTheirStateIsWhole) {
  const TimeUs horizon = kStart - kHour - 10 * kSecond;  // of both sources
  apply({.source = 0, .seq = 0, .end = kTen}, block_of({{"a"}}));
  apply({.source = 1, .seq = 0, .end = kTwenty}, block_of({{"a"}}));
  EXPECT_EQ(partition_.horizon(), horizon);
  EXPECT_TRUE(partition_.unsent().back().floors->empty());
  const auto next = revised(*plan_);
  const std::vector<TableSchema>& tables = *next->tables();
  partition_.grow(next);
  // A reader that has not heard of it yet, one that has, and one that has heard of more.
  const auto behind = [&](TimeUs newest) { return tile_end_from(tables[1], newest + 1); };
  const TableFloors first{{25 * kHour, kept_since(tables[0], kHour, horizon)},
                          {25 * kHour, behind(kStart + kSecond)}};
  EXPECT_EQ(partition_.head().floors, first);
  EXPECT_TRUE(partition_.unsent().back().floors->empty()) << "as of then";
  const SourcePosition thirty{30, kStart + 5 * kHour, false};
  apply({.source = 0, .seq = 1, .end = thirty, .tables = 1}, block_of({{"a"}}));
  const TableFloors second{first[0], {25 * kHour, behind(kStart + 5 * kHour)}};
  EXPECT_EQ(partition_.head().floors, second);
  EXPECT_EQ(*partition_.unsent().back().floors, second);
  const SourcePosition forty{40, kStart + 9 * kHour, false};
  apply({.source = 0, .seq = 2, .end = forty, .tables = 2}, block_of({{"a"}}));
  EXPECT_EQ(partition_.head().floors, second);
  const uint64_t version = partition_.version();
  EXPECT_EQ(apply({.source = 0, .seq = 3, .end = {50, kStart}, .tables = 3}, {}),
            PartOutcome::kGap);
  EXPECT_EQ(partition_.version(), version);
}

}  // namespace
}  // namespace tidemill
