#include "shared/wire/source_batch.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/unit/wire/arbitrary.h"

namespace tidemill {
namespace {

using test::any_id;
using test::any_position;
using test::check_hostile;

OpenSessions any_open() {
  OpenSessions m{any_id<JobId>(), any_id<SourcePartitionId>(), any_id<Epoch>(), {}};
  m.sessions.resize(*rc::gen::inRange<size_t>(0, 6));
  for (auto& s : m.sessions) {
    s = {any_id<KeyPartitionId>(),
         any_id<Epoch>(),
         *rc::gen::arbitrary<uint64_t>(),
         any_position(),
         {}};
    uint64_t cut = s.from.offset;
    for (int i = *rc::gen::inRange(0, 4); i > 0 && cut < UINT64_MAX - 10; --i) {
      cut += *rc::gen::inRange<uint64_t>(1, 9);
      s.cuts.push_back(cut);
    }
  }
  return m;
}

SessionsClosed any_closed() {
  SessionsClosed m{any_id<JobId>(), any_id<SourcePartitionId>(), any_id<Epoch>(), {}};
  m.sessions.resize(*rc::gen::inRange<size_t>(0, 6));
  for (auto& s : m.sessions) s = {any_id<KeyPartitionId>(), *rc::gen::arbitrary<uint64_t>()};
  return m;
}

BatchAck any_ack() {
  return {any_id<JobId>(), any_id<SourcePartitionId>(), any_id<Epoch>(),
          *rc::gen::arbitrary<uint64_t>()};
}

RC_GTEST_PROP(OpenSessions, ReadsBack, ()) {
  const OpenSessions m = any_open();
  const auto got = OpenSessions::decode(m.encode());
  RC_ASSERT(got.ok());
  RC_ASSERT(got->job == m.job && got->source == m.source && got->reader_epoch == m.reader_epoch);
  RC_ASSERT(got->sessions.size() == m.sessions.size());
  for (size_t i = 0; i < m.sessions.size(); ++i) {
    const auto &a = got->sessions[i], &b = m.sessions[i];
    RC_ASSERT(a.key_partition == b.key_partition && a.epoch == b.epoch);
    RC_ASSERT(a.session == b.session && a.from == b.from && a.cuts == b.cuts);
  }
}

RC_GTEST_PROP(SessionsClosed, ReadsBack, ()) {
  const SessionsClosed m = any_closed();
  const auto got = SessionsClosed::decode(m.encode());
  RC_ASSERT(got.ok());
  RC_ASSERT(got->job == m.job && got->source == m.source && got->reader_epoch == m.reader_epoch);
  RC_ASSERT(got->sessions.size() == m.sessions.size());
  for (size_t i = 0; i < m.sessions.size(); ++i) {
    RC_ASSERT(got->sessions[i].key_partition == m.sessions[i].key_partition);
    RC_ASSERT(got->sessions[i].session == m.sessions[i].session);
  }
}

RC_GTEST_PROP(BatchAck, ReadsBack, ()) {
  const BatchAck m = any_ack();
  const auto got = BatchAck::decode(m.encode());
  RC_ASSERT(got.ok());
  RC_ASSERT(got->job == m.job && got->source == m.source && got->reader_epoch == m.reader_epoch);
  RC_ASSERT(got->link_seq == m.link_seq);
}

TEST(OpenSessions, CutsRiseAndAreFew) {
  OpenSessions m{JobId(1), SourcePartitionId(2), Epoch(3), {{KeyPartitionId(4), Epoch(5), 6, {}}}};
  m.sessions[0].from.offset = 10;
  const auto decodes = [&](std::vector<uint64_t> cuts) {
    m.sessions[0].cuts = std::move(cuts);
    return OpenSessions::decode(m.encode()).ok();
  };
  EXPECT_TRUE(decodes({11, 12}));
  EXPECT_FALSE(decodes({10}));
  EXPECT_FALSE(decodes({12, 12}));
  std::vector<uint64_t> many;
  for (uint64_t i = 0; i <= OpenSessions::kMaxCuts; ++i) many.push_back(100 + i);
  EXPECT_FALSE(decodes(many));
}

RC_GTEST_PROP(OpenSessions, HostileBytes, ()) { check_hostile(any_open()); }
RC_GTEST_PROP(SessionsClosed, HostileBytes, ()) { check_hostile(any_closed()); }
RC_GTEST_PROP(BatchAck, HostileBytes, ()) { check_hostile(any_ack()); }

struct Part {
  KeyPartitionId key_partition;
  uint64_t session = 0;
  uint64_t seq = 0;
  std::vector<uint8_t> blocks;
};

std::vector<Part> any_parts() {
  std::vector<Part> parts(*rc::gen::inRange<size_t>(0, 6));
  for (Part& p : parts) {
    p = {any_id<KeyPartitionId>(), *rc::gen::arbitrary<uint64_t>(), *rc::gen::arbitrary<uint64_t>(),
         std::vector<uint8_t>(8 * *rc::gen::inRange<size_t>(0, 9))};
    for (uint8_t& b : p.blocks) b = *rc::gen::arbitrary<uint8_t>();
  }
  return parts;
}

Buffer write(const SourceBatchHeader& header, const std::vector<Part>& parts, uint64_t link_seq) {
  SourceBatchWriter writer(header, static_cast<uint32_t>(parts.size()));
  for (const Part& p : parts) {
    writer.begin_part(p.key_partition, p.session, p.seq);
    writer.blocks()->put_bytes(p.blocks);
  }
  return writer.finish(link_seq);
}

SourceBatchHeader any_header() {
  return {any_id<JobId>(),
          any_id<SourcePartitionId>(),
          any_id<Epoch>(),
          0,
          any_position(),
          *rc::gen::arbitrary<int64_t>(),
          *rc::gen::arbitrary<bool>(),
          *rc::gen::arbitrary<bool>(),
          *rc::gen::arbitrary<uint32_t>()};
}

RC_GTEST_PROP(SourceBatch, ReadsBackPartByPart, ()) {
  const SourceBatchHeader header = any_header();
  const std::vector<Part> parts = any_parts();
  const auto link_seq = *rc::gen::arbitrary<uint64_t>();
  const auto got = SourceBatch::decode(write(header, parts, link_seq));
  RC_ASSERT(got.ok());
  RC_ASSERT(got->header.job == header.job && got->header.source == header.source);
  RC_ASSERT(got->header.reader_epoch == header.reader_epoch && got->header.end == header.end);
  RC_ASSERT(got->header.link_seq == link_seq);
  RC_ASSERT(got->header.read_wall_us == header.read_wall_us);
  RC_ASSERT(got->header.main_read == header.main_read);
  RC_ASSERT(got->header.idle == header.idle);
  RC_ASSERT(got->header.tables == header.tables);
  RC_ASSERT(got->parts.size() == parts.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    RC_ASSERT(got->parts[i].key_partition == parts[i].key_partition);
    RC_ASSERT(got->parts[i].session == parts[i].session && got->parts[i].seq == parts[i].seq);
    const Buffer blocks = got->blocks(got->parts[i]);
    RC_ASSERT(std::vector<uint8_t>(blocks.bytes().begin(), blocks.bytes().end()) ==
              parts[i].blocks);
    RC_ASSERT(reinterpret_cast<uintptr_t>(blocks.data()) % 8 == 0u);
  }
}

RC_GTEST_PROP(SourceBatch, HostileBytesAreRefusedOrStayInside, ()) {
  const Buffer bytes = test::damaged(write(any_header(), any_parts(), 1));
  const auto got = SourceBatch::decode(bytes);
  if (!got.ok()) {
    RC_ASSERT(got.error().code() == ErrorCode::kCorrupt);
    return;
  }
  for (const SourceBatchPart& part : got->parts) {
    const Buffer blocks = got->blocks(part);
    RC_ASSERT(blocks.data() >= bytes.data());
    RC_ASSERT(blocks.data() + blocks.size() <= bytes.data() + bytes.size());
    RC_ASSERT(part.blocks_offset % 8 == 0u);
  }
}

// The layout that docs/formats/data_plane.md draws.
TEST(SourceBatch, LiesAsDocumented) {
  SourceBatchHeader header{
      JobId(1), SourcePartitionId(2), Epoch(3), 0, {5, 6, true, {14, 15}}, 7, true, true, 17};
  const Buffer bytes = write(header,
                             {{KeyPartitionId(8), 9, 10, std::vector<uint8_t>(16, 0xee)},
                              {KeyPartitionId(11), 12, 13, {}}},
                             4);
  ASSERT_EQ(bytes.size(), 80u + 2 * 32 + 16);
  const auto at = [&](size_t i) { return static_cast<int>(bytes.data()[i]); };
  EXPECT_EQ(at(0), 1);
  EXPECT_EQ(at(4), 2);
  EXPECT_EQ(at(8), 3);
  EXPECT_EQ(at(16), 4);
  EXPECT_EQ(at(24), 5);
  EXPECT_EQ(at(32), 6);
  EXPECT_EQ(at(40), 1);
  EXPECT_EQ(at(41), 14);
  EXPECT_EQ(at(49), 15);
  EXPECT_EQ(at(57), 1);
  EXPECT_EQ(at(58), 1);
  EXPECT_EQ(at(64), 7);
  EXPECT_EQ(at(72), 2);
  EXPECT_EQ(at(76), 17);
  EXPECT_EQ(at(80), 8);
  EXPECT_EQ(at(88), 9);
  EXPECT_EQ(at(96), 10);
  EXPECT_EQ(at(104), 144);
  EXPECT_EQ(at(108), 16);
  EXPECT_EQ(at(112), 11);
  EXPECT_EQ(at(136), 160);
  EXPECT_EQ(at(140), 0);
  EXPECT_EQ(at(144), 0xee);
}

TEST(SourceBatch, SaysWhatIsWrong) {
  const auto decode = [](size_t at, uint32_t value) {
    const Buffer good = write({}, {{KeyPartitionId(1), 1, 0, std::vector<uint8_t>(16, 1)}}, 1);
    std::vector<uint8_t> bytes(good.bytes().begin(), good.bytes().end());
    std::memcpy(bytes.data() + at, &value, sizeof value);
    return SourceBatch::decode(Buffer(std::move(bytes))).error().message();
  };
  const std::string outside = "SourceBatch: a part lies outside the message";
  EXPECT_EQ(decode(72, 5), "SourceBatch: short or too many parts");
  EXPECT_EQ(decode(72, UINT32_MAX), "SourceBatch: short or too many parts");
  EXPECT_EQ(decode(104, 108), outside);  // not at a multiple of 8
  EXPECT_EQ(decode(104, 216), outside);
  EXPECT_EQ(decode(108, 24), outside);
  EXPECT_EQ(decode(108, UINT32_MAX), outside);
}

}  // namespace
}  // namespace tidemill
