#include "worker/replica_session.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/unit/worker/data_plane_fixture.h"

namespace tidemill {
namespace {

using test::batch_of;
using test::block_of;
using test::count_at;
using test::kStart;
using test::small_plan;
using Mode = ReplicaSession::Mode;

constexpr int64_t kKeepaliveUs = 1'000;
constexpr size_t kMuch = 1u << 20;

class ReplicaSessionTest : public testing::Test {
 protected:
  ReplicaSessionTest() {
    for (InboundSession& s : owner_.sessions()) {
      s.id = 1;
      s.reader_epoch = Epoch(1);
      s.open = true;
    }
  }

  // The owner lacks nothing that is in the logs: it has heard of each source's main read.
  void catch_up() {
    for (uint32_t s = 0; s < 2; ++s) {
      const SourceBatch mark = batch_of(
          {.source = s, .seq = owner_.sessions()[s].next_seq, .end = owner_.offsets()[s]}, {});
      const auto outcome = owner_.apply(mark, mark.parts[0], 0, kStart);
      ASSERT_TRUE(outcome.ok() && *outcome == PartOutcome::kApplied);
    }
    ASSERT_TRUE(owner_.caught_up());
  }

  // One change of version: these rows.
  void apply(const std::vector<test::TestRow>& rows, uint32_t source = 0) {
    InboundSession& inbound = owner_.sessions()[source];
    const SourceBatch batch =
        batch_of({.source = source,
                  .seq = inbound.next_seq,
                  .end = {owner_.offsets()[source].offset + 10, kStart, false},
                  .read_wall_us = static_cast<int64_t>(owner_.version()) + 1},
                 block_of(rows));
    const auto outcome = owner_.apply(batch, batch.parts[0], 0, kStart);
    ASSERT_TRUE(outcome.ok() && *outcome == PartOutcome::kApplied);
  }

  void answer(const ReplicaState& held) {
    session_.begin_registration(owner_, 7, 0);
    ReplicaState state = held;
    state.session = 7;
    session_.on_replica_state(owner_, state);
  }
  // The replica has the owner's state of `version`.
  void answer_at(uint64_t version) {
    answer({KeyPartitionId(0),
            Epoch(3),
            7,
            true,
            Epoch(3),
            version,
            {{10 * version, kStart, false}, {}}});
  }
  void answer_empty() {
    catch_up();
    answer({KeyPartitionId(0), Epoch(3), 7, false, Epoch(0), 0, {}});
  }

  std::optional<FramePart> next(size_t max_bytes = kMuch) {
    FramePart part;
    if (!session_.next_part(owner_, max_bytes, now_us_, kKeepaliveUs, &part)) return {};
    return part;
  }
  // Keys whose images are in the part.
  std::vector<int64_t> counts(const FramePart& part, const std::vector<std::string>& keys) {
    PartitionState state(plan_->tables());
    for (const Buffer& images : part.payload) {
      ByteReader in(images.bytes());
      while (in.remaining() > 0) EXPECT_TRUE(state.apply_image(&in, 1).ok());
    }
    std::vector<int64_t> out;
    for (const std::string& key : keys) out.push_back(count_at(*plan_, state, key, kStart));
    return out;
  }

  std::shared_ptr<const Plan> plan_ = small_plan();
  KeyPartition owner_{plan_, KeyPartitionId(0), Epoch(3)};
  ReplicaSession session_;
  int64_t now_us_ = 0;
};

TEST_F(ReplicaSessionTest, RegistersAndAsksAgainUnderANewId) {
  EXPECT_EQ(session_.mode(), Mode::kUnregistered);
  EXPECT_TRUE(session_.should_register(0, 100));
  EXPECT_FALSE(next().has_value());
  const auto entry = session_.begin_registration(owner_, 41, 1'000);
  EXPECT_EQ(entry.key_partition, KeyPartitionId(0));
  EXPECT_EQ(entry.epoch, Epoch(3));
  EXPECT_EQ(entry.session, 41u);
  EXPECT_FALSE(session_.should_register(1'199, 100));
  EXPECT_TRUE(session_.should_register(1'200, 100));
  session_.begin_registration(owner_, 42, 1'200);
  EXPECT_FALSE(session_.should_register(1'599, 100));  // each time twice as long
  EXPECT_TRUE(session_.should_register(1'600, 100));
  session_.on_replica_state(owner_, {KeyPartitionId(0), Epoch(3), 41, true, Epoch(3), 0, {}});
  EXPECT_EQ(session_.mode(), Mode::kUnregistered);  // an answer to the former one
  session_.on_replica_state(owner_, {KeyPartitionId(0), Epoch(3), 42, true, Epoch(3), 0, {}});
  EXPECT_EQ(session_.mode(), Mode::kRows);
  EXPECT_FALSE(session_.should_register(9'999, 100));
}

TEST_F(ReplicaSessionTest, RowsGoOnFromTheReplicasVersion) {
  apply({{"a"}});
  apply({{"b"}});
  apply({{"c"}}, 1);
  apply({{"d"}});
  answer_at(1);
  const auto part = next();
  ASSERT_TRUE(part.has_value());
  EXPECT_EQ(part->kind, PartKind::kRows);
  EXPECT_EQ(part->key_partition, KeyPartitionId(0));
  EXPECT_EQ(part->epoch, Epoch(3));
  EXPECT_EQ(part->session, 7u);
  EXPECT_EQ(part->seq, 0u);
  EXPECT_EQ(part->from_version, 1u);
  EXPECT_EQ(part->to_version, 4u);
  EXPECT_EQ(part->read_wall_us, 4);
  ASSERT_EQ(part->payload.size(), 3u);
  EXPECT_EQ(part->payload[0].view(), block_of({{"b"}}).view());
  ASSERT_EQ(part->advances.size(), 2u);  // of each source the last position
  EXPECT_EQ(part->advances[0].source, SourcePartitionId(0));
  EXPECT_EQ(part->advances[0].position.offset, 30u);
  EXPECT_EQ(part->advances[1].source, SourcePartitionId(1));
  EXPECT_EQ(part->advances[1].position.offset, 10u);
  EXPECT_FALSE(next().has_value());
  apply({{"e"}});
  EXPECT_EQ(next()->seq, 1u);
}

TEST_F(ReplicaSessionTest, APartIsCutAtItsSize) {
  for (int i = 0; i < 3; ++i) apply({{"a"}});
  answer_at(0);
  for (uint64_t version = 0; version < 3; ++version) {
    const auto part = next(/*max_bytes=*/1);
    ASSERT_TRUE(part.has_value());
    EXPECT_EQ(part->seq, version);
    EXPECT_EQ(part->from_version, version);
    EXPECT_EQ(part->to_version, version + 1);
    EXPECT_EQ(part->payload.size(), 1u);
  }
  EXPECT_FALSE(next(1).has_value());
}

TEST_F(ReplicaSessionTest, AMarkWithoutRowsIsAChangeWithoutPayload) {
  answer_at(0);
  apply({});
  const auto part = next();
  ASSERT_TRUE(part.has_value());
  EXPECT_EQ(part->to_version, 1u);
  EXPECT_TRUE(part->payload.empty());
  EXPECT_EQ(part->advances[0].position.offset, 10u);
}

TEST_F(ReplicaSessionTest, AnIdleOneSaysHowFreshItIs) {
  apply({{"a"}});
  answer_at(0);
  now_us_ = 5'000;
  ASSERT_TRUE(next().has_value());
  now_us_ += kKeepaliveUs - 1;
  EXPECT_FALSE(next().has_value());
  now_us_ += 1;
  const auto part = next();
  ASSERT_TRUE(part.has_value());
  EXPECT_EQ(part->kind, PartKind::kRows);
  EXPECT_EQ(part->seq, 1u);
  EXPECT_EQ(part->from_version, 1u);
  EXPECT_EQ(part->to_version, 1u);
  EXPECT_EQ(part->read_wall_us, 1);
  EXPECT_TRUE(part->payload.empty() && part->advances.empty());
  EXPECT_FALSE(next().has_value());
}

TEST_F(ReplicaSessionTest, AnEmptyReplicaGetsImagesOfEverything) {
  apply({{"a"}, {"b"}});
  apply({{"a"}}, 1);
  answer_empty();
  EXPECT_EQ(session_.mode(), Mode::kImages);
  const auto begin = next();
  EXPECT_EQ(begin->kind, PartKind::kImagesBegin);
  EXPECT_TRUE(begin->whole);
  EXPECT_EQ(begin->from_version, 0u);
  EXPECT_EQ(begin->seq, 0u);
  const auto images = next();
  EXPECT_EQ(images->kind, PartKind::kImages);
  EXPECT_EQ(images->seq, 1u);
  EXPECT_EQ(counts(*images, {"a", "b"}), (std::vector<int64_t>{2, 1}));
  const auto close = next();
  EXPECT_EQ(close->kind, PartKind::kImagesClose);
  EXPECT_EQ(close->seq, 2u);
  EXPECT_EQ(close->to_version, 2u);
  EXPECT_TRUE(close->payload.empty());
  ASSERT_EQ(close->advances.size(), 2u);
  EXPECT_EQ(close->advances[0].position, owner_.offsets()[0]);
  EXPECT_EQ(close->advances[1].position, owner_.offsets()[1]);
  EXPECT_EQ(session_.mode(), Mode::kRows);
  EXPECT_EQ(session_.images_sent(), 2u);
  apply({{"c"}});
  const auto rows = next();
  EXPECT_EQ(rows->kind, PartKind::kRows);
  EXPECT_EQ(rows->from_version, 2u);
  EXPECT_EQ(rows->to_version, 3u);
}

TEST_F(ReplicaSessionTest, AnEmptyReplicaWaitsUntilTheOwnerHasCaughtUp) {
  const SourceBatch old =
      batch_of({.end = {10, kStart, false}, .main_read = false}, block_of({{"a"}}));
  ASSERT_TRUE(owner_.apply(old, old.parts[0], 0, kStart).ok());
  answer({KeyPartitionId(0), Epoch(3), 7, false, Epoch(0), 0, {}});
  EXPECT_EQ(session_.mode(), Mode::kWait);
  EXPECT_FALSE(next().has_value());
  catch_up();
  const auto begin = next();
  ASSERT_TRUE(begin.has_value());
  EXPECT_EQ(begin->kind, PartKind::kImagesBegin);
  EXPECT_TRUE(begin->whole);
}

TEST_F(ReplicaSessionTest, TheCloseHasTheKeysChangedSinceTheBeginning) {
  apply({{"a"}, {"b"}, {"c"}});
  answer_empty();
  next();
  const auto images = next();
  EXPECT_EQ(counts(*images, {"a", "b", "c"}), (std::vector<int64_t>{1, 1, 1}));
  apply({{"b"}});
  apply({{"d"}}, 1);
  // The new key has a slot past the place where the pass is, which it comes to yet.
  const auto more = next();
  ASSERT_EQ(more->kind, PartKind::kImages);
  EXPECT_EQ(counts(*more, {"b", "d"}), (std::vector<int64_t>{-1, 1}));
  apply({{"d"}});
  const auto close = next();
  ASSERT_EQ(close->kind, PartKind::kImagesClose);
  EXPECT_EQ(close->to_version, 4u);
  EXPECT_EQ(counts(*close, {"a", "b", "c", "d"}), (std::vector<int64_t>{-1, 2, -1, 2}));
  ASSERT_EQ(close->advances.size(), 2u);
  EXPECT_EQ(close->advances[1].position.offset, 10u);
}

TEST_F(ReplicaSessionTest, ImagesAreCutAtTheirSizeAndLargePassesRepeated) {
  std::vector<test::TestRow> rows;
  for (int i = 0; i < 400; ++i) {
    rows.push_back({std::string(1'000, 'k') + std::to_string(i), kStart, 1});
  }
  apply(rows);
  answer_empty();
  EXPECT_EQ(next()->kind, PartKind::kImagesBegin);
  size_t parts = 0;
  auto part = next(64 << 10);
  for (; !part->payload.empty(); part = next(64 << 10)) {
    ASSERT_EQ(part->kind, PartKind::kImages);
    EXPECT_LT(part->payload_bytes(), (64u << 10) + 2'000);
    if (++parts == 3) apply({rows[0]});
  }
  EXPECT_GE(parts, 6u);
  EXPECT_EQ(part->kind, PartKind::kImages);  // too much changed hands for one turn: another pass
  const auto second = next();
  EXPECT_EQ(second->kind, PartKind::kImages);
  EXPECT_EQ(counts(*second, {rows[0].key, rows[1].key}), (std::vector<int64_t>{2, -1}));
  const auto close = next();
  EXPECT_EQ(close->kind, PartKind::kImagesClose);
  EXPECT_TRUE(close->payload.empty());
  EXPECT_EQ(close->to_version, 2u);
}

TEST_F(ReplicaSessionTest, DroppedRowsBecomeImagesOfChangedKeysAndRowsFollow) {
  apply({{"a"}, {"b"}});
  answer_at(0);
  EXPECT_EQ(next()->to_version, 1u);
  apply({{"b"}});
  apply({{"c"}});
  owner_.drop_unsent(3);
  const auto begin = next();
  EXPECT_EQ(begin->kind, PartKind::kImagesBegin);
  EXPECT_FALSE(begin->whole);
  EXPECT_EQ(begin->from_version, 1u);
  EXPECT_EQ(begin->seq, 1u);
  EXPECT_EQ(session_.needs_rows_after(), UINT64_MAX);
  const auto images = next();
  EXPECT_EQ(counts(*images, {"a", "b", "c"}), (std::vector<int64_t>{-1, 2, 1}));
  EXPECT_EQ(next()->kind, PartKind::kImagesClose);
  EXPECT_EQ(session_.needs_rows_after(), 3u);
  apply({{"d"}});
  const auto rows = next();
  EXPECT_EQ(rows->kind, PartKind::kRows);
  EXPECT_EQ(rows->from_version, 3u);
  EXPECT_EQ(rows->to_version, 4u);
  EXPECT_EQ(rows->seq, 4u);
}

TEST_F(ReplicaSessionTest, DroppedRowsThatTheReplicaHasDoNotMatter) {
  apply({{"a"}});
  answer_at(0);
  next();
  owner_.drop_unsent(1);
  EXPECT_FALSE(next().has_value());
  apply({{"a"}});
  EXPECT_EQ(next()->kind, PartKind::kRows);
}

TEST_F(ReplicaSessionTest, AReplicaBehindTheRowsAtHandGetsImagesSince) {
  apply({{"a"}});
  apply({{"b"}});
  owner_.drop_unsent(2);
  answer_at(1);
  const auto begin = next();
  EXPECT_EQ(begin->kind, PartKind::kImagesBegin);
  EXPECT_FALSE(begin->whole);
  EXPECT_EQ(begin->from_version, 1u);
  EXPECT_EQ(counts(*next(), {"a", "b"}), (std::vector<int64_t>{-1, 1}));
}

TEST_F(ReplicaSessionTest, AcknowledgementsSayWhatIsPublishedAndWhichRowsAreNeeded) {
  for (int i = 0; i < 3; ++i) apply({{"a"}});
  answer_at(0);
  EXPECT_EQ(session_.needs_rows_after(), 0u);
  for (int i = 0; i < 3; ++i) next(1);
  EXPECT_EQ(session_.acked_offsets()[0].offset, 0u);
  session_.on_ack(2);  // of the first as well
  EXPECT_EQ(session_.acked_offsets()[0].offset, 20u);
  EXPECT_EQ(session_.needs_rows_after(), 2u);
  session_.on_ack(1);  // overtaken
  EXPECT_EQ(session_.acked_offsets()[0].offset, 20u);
  EXPECT_EQ(session_.needs_rows_after(), 2u);
  session_.on_ack(3);
  EXPECT_EQ(session_.acked_offsets(), owner_.offsets());
}

TEST_F(ReplicaSessionTest, ClosedImagesArePublishedOnlyOnceAcknowledged) {
  apply({{"a"}});
  answer_empty();
  while (session_.mode() == Mode::kImages) next();
  EXPECT_TRUE(session_.acked_offsets().empty());
  session_.on_ack(0);  // of the parts before the close
  EXPECT_TRUE(session_.acked_offsets().empty());
  session_.on_ack(1);
  EXPECT_EQ(session_.acked_offsets(), owner_.offsets());
}

TEST_F(ReplicaSessionTest, ARefusalIsRegisteredAnew) {
  apply({{"a"}});
  answer_at(0);
  next();
  session_.on_ack(1);
  session_.on_replica_state(owner_, {KeyPartitionId(0), Epoch(3), 7, true, Epoch(3), 0, {}});
  EXPECT_EQ(session_.mode(), Mode::kUnregistered);
  EXPECT_TRUE(session_.should_register(0, 1'000'000));
  EXPECT_FALSE(next().has_value());
  EXPECT_EQ(session_.acked_offsets(), owner_.offsets());  // what was published stays so
  answer_at(0);
  const auto part = next();
  EXPECT_EQ(part->seq, 0u);
  EXPECT_EQ(part->from_version, 0u);
}

TEST_F(ReplicaSessionTest, ANewerOwnerFencesForGood) {
  apply({{"a"}});
  answer_at(0);
  session_.on_replica_state(owner_, {KeyPartitionId(0), Epoch(4), 7, true, Epoch(3), 0, {}});
  EXPECT_EQ(session_.mode(), Mode::kFenced);
  EXPECT_FALSE(next().has_value());
  EXPECT_FALSE(session_.should_register(INT64_MAX / 2, 1));
  EXPECT_EQ(session_.needs_rows_after(), UINT64_MAX);
}

TEST_F(ReplicaSessionTest, FencedAtRegistration) {
  answer({KeyPartitionId(0), Epoch(4), 7, true, Epoch(2), 9, {}});
  EXPECT_EQ(session_.mode(), Mode::kFenced);
}

TEST_F(ReplicaSessionTest, AReplicaAheadIsReplacedOnceTheOwnerHasCaughtUp) {
  apply({{"a"}});
  answer({KeyPartitionId(0), Epoch(3), 7, true, Epoch(2), 99, {{20, kStart, false}, {}}});
  EXPECT_EQ(session_.mode(), Mode::kWait);
  EXPECT_EQ(session_.needs_rows_after(), UINT64_MAX);
  EXPECT_FALSE(next().has_value());
  now_us_ += 10 * kKeepaliveUs;
  EXPECT_FALSE(next().has_value());
  apply({{"a"}});
  const auto begin = next();
  ASSERT_TRUE(begin.has_value());
  EXPECT_EQ(begin->kind, PartKind::kImagesBegin);
  EXPECT_TRUE(begin->whole);
  EXPECT_EQ(counts(*next(), {"a"}), std::vector<int64_t>{2});
  EXPECT_EQ(next()->to_version, 2u);
}

}  // namespace
}  // namespace tidemill
