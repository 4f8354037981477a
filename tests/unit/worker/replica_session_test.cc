#include "worker/replica_session.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/unit/worker/data_plane_fixture.h"

namespace tidemill {
namespace {

using test::batch_of;
using test::block_of;
using test::kStart;
using test::small_plan;
using Mode = ReplicaSession::Mode;

constexpr int64_t kKeepaliveUs = 1'000;
constexpr size_t kMuch = 1u << 20;

// An owner under epoch 3. Every apply() is one version, and ten offsets of its source.
class ReplicaSessionTest : public testing::Test {
 protected:
  ReplicaSessionTest() { begin_with({}); }

  void begin_with(const StateHead& head) {
    owner_ = std::make_unique<KeyPartition>(plan_, KeyPartitionId(0), Epoch(3), head);
    for (InboundSession& s : owner_->sessions()) {
      s.id = 1;
      s.reader_epoch = Epoch(1);
      s.open = true;
    }
  }
  // What epoch 2 left at version 50 and V (100, 0).
  static StateHead former() {
    StateHead head;
    head.ancestry = {{Epoch(2), 50}};
    head.offsets = {{100, kStart, false}, {}};
    head.rows_applied = 500;
    return head;
  }

  void apply(const std::vector<test::TestRow>& rows, uint32_t source = 0, bool main_read = true) {
    InboundSession& inbound = owner_->sessions()[source];
    const SourceBatch batch =
        batch_of({.source = source,
                  .seq = inbound.next_seq,
                  .end = {owner_->offsets()[source].offset + 10, kStart, false},
                  .read_wall_us = static_cast<int64_t>(owner_->version()) + 1,
                  .main_read = main_read},
                 block_of(rows));
    const auto outcome = owner_->apply(batch, batch.parts[0], 0, kStart);
    ASSERT_TRUE(outcome.ok() && *outcome == PartOutcome::kApplied);
  }

  void answer(bool holds, Stamp stamp, const std::vector<uint64_t>& offsets) {
    session_.begin_registration(KeyPartitionId(0), Epoch(3), 7, 0);
    ReplicaState state{KeyPartitionId(0), Epoch(3), 7, holds, stamp.epoch, stamp.version, {}};
    for (const uint64_t offset : offsets) {
      state.offsets.push_back({offset, offset == 0 ? kMinTime : kStart, false});
    }
    session_.on_replica_state(Epoch(3), state);
  }
  void answer_at(uint64_t version) { answer(true, {Epoch(3), version}, {10 * version, 0}); }

  std::optional<FramePart> next(size_t max_bytes = kMuch) {
    FramePart part;
    if (!session_.next_part(*owner_, max_bytes, now_us_, kKeepaliveUs, &part)) return {};
    return part;
  }
  void write_increment() {
    owner_->begin_increment(0);
    owner_->end_increment(true);
  }
  // A page of the scan that the session waits for, of what the disk holds.
  void give_page(const StateHead& head, bool whole, bool last, const std::string& images) {
    const auto wanted = session_.scan_wanted();
    ASSERT_TRUE(wanted.has_value());
    session_.scan_asked();
    EXPECT_FALSE(session_.scan_wanted().has_value());  // one at a time
    session_.on_page({wanted->scan, "", head, whole, Buffer(images), last});
  }

  std::shared_ptr<const Plan> plan_ = small_plan();
  std::unique_ptr<KeyPartition> owner_;
  ReplicaSession session_;
  int64_t now_us_ = 0;
};

TEST_F(ReplicaSessionTest, RegistersAndAsksAgainUnderANewId) {
  EXPECT_EQ(session_.mode(), Mode::kUnregistered);
  EXPECT_TRUE(session_.should_register(0, 100));
  EXPECT_FALSE(next().has_value());
  const auto entry = session_.begin_registration(KeyPartitionId(0), Epoch(3), 41, 1'000);
  EXPECT_EQ(entry.key_partition, KeyPartitionId(0));
  EXPECT_EQ(entry.epoch, Epoch(3));
  EXPECT_EQ(entry.session, 41u);
  EXPECT_FALSE(session_.should_register(1'199, 100));
  EXPECT_TRUE(session_.should_register(1'200, 100));
  session_.begin_registration(KeyPartitionId(0), Epoch(3), 42, 1'200);
  EXPECT_FALSE(session_.should_register(1'599, 100));  // each time twice as long
  EXPECT_TRUE(session_.should_register(1'600, 100));
  session_.on_replica_state(Epoch(3), {KeyPartitionId(0), Epoch(3), 41, true, Epoch(3), 1, {}});
  EXPECT_EQ(session_.mode(), Mode::kUnregistered);  // an answer to the former one
  session_.on_replica_state(Epoch(3), {KeyPartitionId(0), Epoch(3), 42, true, Epoch(3), 1, {}});
  EXPECT_TRUE(session_.answered());
  EXPECT_FALSE(session_.should_register(9'999, 100));
}

TEST_F(ReplicaSessionTest, RowsGoOnFromTheReplicasVersion) {
  apply({{"a"}});
  apply({{"b"}});
  apply({{"c"}}, 1);
  apply({{"d"}});
  answer_at(2);
  const auto part = next();
  ASSERT_TRUE(part.has_value());
  EXPECT_EQ(part->kind, PartKind::kRows);
  EXPECT_EQ(part->epoch, Epoch(3));
  EXPECT_EQ(part->session, 7u);
  EXPECT_EQ(part->seq, 0u);
  EXPECT_EQ(part->from_epoch, Epoch(3));
  EXPECT_EQ(part->from_version, 2u);
  EXPECT_EQ(part->to_version, 5u);
  EXPECT_EQ(part->ancestry, (Ancestry{{Epoch(3), 5}}));  // the first part of a session says it
  EXPECT_EQ(part->rows_applied, 4u);
  EXPECT_TRUE(part->current);
  ASSERT_EQ(part->payload.size(), 3u);
  EXPECT_EQ(part->payload[0].view(), block_of({{"b"}}).view());
  ASSERT_EQ(part->advances.size(), 2u);  // of each source the last position
  EXPECT_EQ(part->advances[0].position.offset, 30u);
  EXPECT_EQ(part->advances[1].position.offset, 10u);
  EXPECT_FALSE(next().has_value());
  apply({{"e"}});
  const auto more = next();
  EXPECT_EQ(more->seq, 1u);
  EXPECT_TRUE(more->ancestry.empty());
}

TEST_F(ReplicaSessionTest, APartIsCutAtItsSize) {
  for (int i = 0; i < 3; ++i) apply({{"a"}});
  answer_at(1);
  for (uint64_t version = 1; version < 4; ++version) {
    const auto part = next(/*max_bytes=*/1);
    ASSERT_TRUE(part.has_value());
    EXPECT_EQ(part->from_version, version);
    EXPECT_EQ(part->to_version, version + 1);
    EXPECT_EQ(part->payload.size(), 1u);
    EXPECT_FALSE(part->current && version < 3);
  }
  EXPECT_FALSE(next(1).has_value());
}

TEST_F(ReplicaSessionTest, AnIdleOneSaysHowFreshItIs) {
  apply({{"a"}});
  answer_at(1);
  now_us_ = 5'000;
  ASSERT_TRUE(next().has_value());
  now_us_ += kKeepaliveUs - 1;
  EXPECT_FALSE(next().has_value());
  now_us_ += 1;
  const auto part = next();
  ASSERT_TRUE(part.has_value());
  EXPECT_EQ(part->from_version, 2u);
  EXPECT_EQ(part->to_version, 2u);
  EXPECT_TRUE(part->payload.empty() && part->advances.empty());
  EXPECT_FALSE(next().has_value());
}

TEST_F(ReplicaSessionTest, NothingIsCurrentBeforeTheOwnerHasCaughtUp) {
  apply({{"a"}}, 0, /*main_read=*/false);
  apply({{"a"}}, 1);
  answer_at(1);
  EXPECT_FALSE(next()->current);
  apply({{"a"}});
  EXPECT_TRUE(next()->current);
}

TEST_F(ReplicaSessionTest, AnEmptyReplicaOfAnOwnerFromNothingGetsRowsFromTheStart) {
  apply({{"a"}});
  answer(false, {}, {});
  const auto begin = next();
  EXPECT_EQ(begin->kind, PartKind::kImagesBegin);
  EXPECT_TRUE(begin->whole);
  const auto close = next();
  EXPECT_EQ(close->kind, PartKind::kImagesClose);
  EXPECT_EQ(close->to_version, 0u);
  EXPECT_TRUE(close->payload.empty() && close->advances.empty());
  EXPECT_FALSE(close->current);
  const auto rows = next();
  EXPECT_EQ(rows->kind, PartKind::kRows);
  EXPECT_EQ(rows->from_version, 0u);
  EXPECT_EQ(rows->to_version, 2u);
  EXPECT_EQ(rows->payload.size(), 1u);
}

TEST_F(ReplicaSessionTest, AnEmptyReplicaGetsImagesOfWhatIsOnDiskThenRows) {
  begin_with(former());
  apply({{"b"}});
  answer(false, {}, {});
  EXPECT_FALSE(next().has_value());  // pages have to come first
  EXPECT_EQ(session_.mode(), Mode::kImages);
  const auto wanted = session_.scan_wanted();
  ASSERT_TRUE(wanted.has_value());
  EXPECT_TRUE(wanted->begin);
  EXPECT_EQ(wanted->since, std::nullopt);
  EXPECT_EQ(wanted->disk_version, 50u);  // what it holds: rows are at hand since
  give_page(former(), true, false, "one");
  EXPECT_EQ(next()->kind, PartKind::kImagesBegin);
  EXPECT_EQ(next()->payload[0].view(), "one");
  EXPECT_FALSE(next().has_value());
  EXPECT_FALSE(session_.scan_wanted()->begin);
  give_page(former(), true, true, "two");
  const auto close = next();
  EXPECT_EQ(close->kind, PartKind::kImagesClose);
  EXPECT_EQ(close->to_version, 50u);
  EXPECT_EQ(close->ancestry, former().ancestry);
  EXPECT_EQ(close->rows_applied, 500u);
  ASSERT_EQ(close->advances.size(), 2u);
  EXPECT_EQ(close->advances[0].position.offset, 100u);
  EXPECT_EQ(close->payload[0].view(), "two");
  EXPECT_FALSE(close->current);
  const auto rows = next();
  EXPECT_EQ(rows->from_epoch, Epoch(3));
  EXPECT_EQ(rows->from_version, 50u);
  EXPECT_EQ(rows->to_version, 52u);
  EXPECT_EQ(rows->ancestry, (Ancestry{{Epoch(2), 50}, {Epoch(3), 52}}));
  EXPECT_EQ(rows->payload.size(), 1u);
  EXPECT_EQ(session_.counts().replaced, 1u);
}

// The new owner began at (100, 0). The replica has the former owner's rows up to (120, 10).
TEST_F(ReplicaSessionTest, AReplicaAheadGoesOnWithTheRowsPastItsV) {
  begin_with(former());
  answer(true, {Epoch(2), 70}, {120, 10});
  EXPECT_FALSE(next().has_value());
  EXPECT_EQ(session_.mode(), Mode::kWait);
  apply({{"a"}});  // 100 to 110
  apply({{"b"}});  // to 120
  apply({{"c"}});  // to 130: new
  EXPECT_FALSE(next().has_value());
  EXPECT_EQ(session_.needs_rows_after(*owner_), 50u);
  apply({{"d"}}, 1);  // 0 to 10: reaches its V
  apply({{"e"}}, 1);
  const auto part = next();
  ASSERT_TRUE(part.has_value());
  EXPECT_EQ(part->kind, PartKind::kRows);
  EXPECT_EQ(part->from_epoch, Epoch(2));
  EXPECT_EQ(part->from_version, 70u);
  EXPECT_EQ(part->to_version, 55u);
  EXPECT_FALSE(part->current);
  ASSERT_EQ(part->payload.size(), 1u);
  EXPECT_EQ(part->payload[0].view(), block_of({{"c"}}).view());
  ASSERT_EQ(part->advances.size(), 1u);
  EXPECT_EQ(part->advances[0].position.offset, 130u);
  const auto more = next();
  EXPECT_EQ(more->from_epoch, Epoch(3));
  EXPECT_EQ(more->from_version, 55u);
  EXPECT_EQ(more->payload[0].view(), block_of({{"e"}}).view());
  EXPECT_TRUE(more->current);
  EXPECT_EQ(session_.counts().resumed, 1u);
}

TEST_F(ReplicaSessionTest, AReplicaAcrossAChangeGetsImagesOfWhatChangedSinceTheOwnerBegan) {
  begin_with(former());
  answer(true, {Epoch(2), 70}, {105, 0});
  apply({{"a"}});
  EXPECT_FALSE(next().has_value());
  const auto wanted = session_.scan_wanted();
  ASSERT_TRUE(wanted.has_value());
  EXPECT_EQ(wanted->since, std::optional<uint64_t>(50));
  EXPECT_EQ(wanted->disk_version, 52u);  // an older one might take the replica back
  write_increment();
  give_page(owner_->head(), false, true, "a");
  const auto begin = next();
  EXPECT_FALSE(begin->whole);
  EXPECT_EQ(begin->from_epoch, Epoch(2));
  EXPECT_EQ(begin->from_version, 70u);
  EXPECT_TRUE(next()->payload.size() == 1);
  EXPECT_EQ(session_.mode(), Mode::kRows);
}

TEST_F(ReplicaSessionTest, DroppedRowsBecomeImagesOfChangedKeys) {
  apply({{"a"}});
  answer_at(1);
  EXPECT_EQ(next()->to_version, 2u);
  apply({{"b"}});
  write_increment();
  owner_->drop_unsent(3);
  EXPECT_FALSE(next().has_value());
  EXPECT_EQ(session_.mode(), Mode::kImages);
  EXPECT_EQ(session_.scan_wanted()->since, std::optional<uint64_t>(2));
  give_page(owner_->head(), false, true, "b");
  const auto begin = next();
  EXPECT_EQ(begin->from_version, 2u);
  EXPECT_EQ(begin->seq, 1u);
  EXPECT_EQ(next()->to_version, 3u);
  apply({{"c"}});
  EXPECT_EQ(next()->from_version, 3u);
}

// What a replica lacks is not less for being dropped: readers wait for the store that is ahead.
TEST_F(ReplicaSessionTest, RowsThatAreDroppedAreStillNotAcknowledged) {
  apply({{"a"}});
  EXPECT_EQ(session_.acked_bytes(), std::nullopt) << "it is not registered";
  answer_at(1);
  EXPECT_EQ(next()->to_version, 2u);
  const uint64_t at_1 = *session_.acked_bytes();
  EXPECT_EQ(at_1, owner_->noted_bytes_up_to(1));
  apply({{"b"}});
  apply({{"c"}});
  write_increment();
  owner_->drop_unsent(3);
  EXPECT_EQ(session_.acked_bytes(), at_1) << "the part in flight is dropped here, too";
  EXPECT_FALSE(next().has_value());
  ASSERT_EQ(session_.mode(), Mode::kImages);
  EXPECT_EQ(session_.acked_bytes(), at_1);
  session_.on_ack(2);
  const uint64_t at_2 = *session_.acked_bytes();
  EXPECT_GT(at_2, at_1);
  EXPECT_LT(at_2, owner_->noted_bytes());
  const StateHead written = owner_->head();
  apply({{"d"}});
  give_page(written, false, true, "bc");
  next();
  EXPECT_EQ(next()->to_version, 4u);
  EXPECT_EQ(session_.acked_bytes(), owner_->noted_bytes_up_to(4));
  session_.unregister();
  EXPECT_EQ(session_.acked_bytes(), std::nullopt) << "whoever is away holds up nobody";
}

// It has what the owner reads again: that is not behind, nor is it known how far it is.
TEST_F(ReplicaSessionTest, OneThatResumesFollowsOnceItHasBegunTo) {
  begin_with(former());
  apply({{"a"}});
  answer(true, {Epoch(2), 60}, {110, 0});
  ASSERT_TRUE(next().has_value());
  ASSERT_EQ(session_.mode(), Mode::kRows);
  EXPECT_EQ(session_.acked_bytes(), std::optional<uint64_t>(0));
  session_.on_ack(owner_->version());
  EXPECT_EQ(session_.acked_bytes(), owner_->noted_bytes());
}

TEST_F(ReplicaSessionTest, AScanThatFailsIsRegisteredAnew) {
  begin_with(former());
  answer(false, {}, {});
  next();
  const auto wanted = session_.scan_wanted();
  session_.scan_asked();
  session_.on_page({wanted->scan + 1, "another's", {}, false, {}, false});
  EXPECT_EQ(session_.mode(), Mode::kImages);
  session_.on_page({wanted->scan, "the disk failed", {}, false, {}, false});
  EXPECT_EQ(session_.mode(), Mode::kUnregistered);
  EXPECT_TRUE(session_.should_register(0, 1'000));
}

TEST_F(ReplicaSessionTest, AcknowledgementsSayWhatIsPublishedAndWhichRowsAreNeeded) {
  for (int i = 0; i < 3; ++i) apply({{"a"}});
  answer_at(1);
  for (int i = 0; i < 3; ++i) next(1);
  EXPECT_EQ(session_.needs_rows_after(*owner_), 1u);
  session_.on_ack(3);  // of the first as well
  EXPECT_EQ(session_.acked_offsets()[0].offset, 20u);
  EXPECT_EQ(session_.acked_version(), 3u);
  EXPECT_EQ(session_.needs_rows_after(*owner_), 3u);
  session_.on_ack(2);  // overtaken
  EXPECT_EQ(session_.acked_offsets()[0].offset, 20u);
  session_.on_ack(4);
  EXPECT_EQ(session_.acked_offsets(), owner_->offsets());
}

TEST_F(ReplicaSessionTest, ARefusalIsRegisteredAnew) {
  apply({{"a"}});
  answer_at(1);
  next();
  session_.on_ack(2);
  session_.on_replica_state(Epoch(3), {KeyPartitionId(0), Epoch(3), 7, true, Epoch(3), 1, {}});
  EXPECT_EQ(session_.mode(), Mode::kUnregistered);
  // The next part of the same session did not fit either: no answer to what is to be asked.
  session_.on_replica_state(Epoch(3), {KeyPartitionId(0), Epoch(3), 7, true, Epoch(3), 1, {}});
  EXPECT_EQ(session_.mode(), Mode::kUnregistered);
  EXPECT_TRUE(session_.should_register(0, 1'000'000));
  EXPECT_FALSE(next().has_value());
  EXPECT_EQ(session_.acked_offsets(), owner_->offsets());  // what was published stays so
  answer_at(1);
  const auto part = next();
  EXPECT_EQ(part->seq, 0u);
  EXPECT_EQ(part->from_version, 1u);
}

TEST_F(ReplicaSessionTest, ANewerOwnerFencesForGood) {
  apply({{"a"}});
  answer_at(1);
  next();
  session_.on_replica_state(Epoch(3), {KeyPartitionId(0), Epoch(4), 7, true, Epoch(3), 0, {}});
  EXPECT_EQ(session_.mode(), Mode::kFenced);
  EXPECT_FALSE(next().has_value());
  EXPECT_FALSE(session_.should_register(INT64_MAX / 2, 1));
  EXPECT_EQ(session_.needs_rows_after(*owner_), UINT64_MAX);
}

}  // namespace
}  // namespace tidemill
