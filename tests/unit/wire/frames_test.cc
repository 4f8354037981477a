#include "shared/wire/frames.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/unit/wire/arbitrary.h"

namespace tidemill {
namespace {

using test::any_id;
using test::any_offsets;
using test::any_position;
using test::check_hostile;

RegisterReplicas any_register() {
  RegisterReplicas m{any_id<JobId>(), {}};
  m.entries.resize(*rc::gen::inRange<size_t>(0, 6));
  for (auto& e : m.entries) {
    e = {any_id<KeyPartitionId>(), any_id<Epoch>(), *rc::gen::arbitrary<uint64_t>()};
  }
  return m;
}

ReplicaStates any_states() {
  ReplicaStates m{any_id<JobId>(), {}};
  m.entries.resize(*rc::gen::inRange<size_t>(0, 5));
  for (ReplicaState& e : m.entries) {
    e = {any_id<KeyPartitionId>(),
         any_id<Epoch>(),
         *rc::gen::arbitrary<uint64_t>(),
         *rc::gen::arbitrary<bool>(),
         any_id<Epoch>(),
         *rc::gen::arbitrary<uint64_t>(),
         any_offsets()};
  }
  return m;
}

FrameAck any_ack() {
  FrameAck m{any_id<JobId>(), *rc::gen::arbitrary<uint64_t>(), {}};
  m.entries.resize(*rc::gen::inRange<size_t>(0, 6));
  for (auto& e : m.entries) {
    e = {any_id<KeyPartitionId>(), *rc::gen::arbitrary<uint64_t>(),
         *rc::gen::arbitrary<uint64_t>()};
  }
  return m;
}

FramePart any_part() {
  FramePart p;
  p.key_partition = any_id<KeyPartitionId>();
  p.epoch = any_id<Epoch>();
  p.session = *rc::gen::arbitrary<uint64_t>();
  p.seq = *rc::gen::arbitrary<uint64_t>();
  p.kind = static_cast<PartKind>(*rc::gen::inRange(1, 5));
  p.whole = *rc::gen::arbitrary<bool>();
  p.current = *rc::gen::arbitrary<bool>();
  p.from_epoch = any_id<Epoch>();
  p.from_version = *rc::gen::arbitrary<uint64_t>();
  p.to_version = *rc::gen::arbitrary<uint64_t>();
  p.horizon = *rc::gen::arbitrary<int64_t>();
  p.read_wall_us = *rc::gen::arbitrary<int64_t>();
  p.rows_applied = *rc::gen::arbitrary<uint64_t>();
  const auto ancestors = *rc::gen::inRange(0, 5);
  for (int i = 0; i < ancestors; ++i) {
    p.ancestry.push_back({any_id<Epoch>(), *rc::gen::arbitrary<uint64_t>()});
  }
  const auto advances = *rc::gen::inRange(0, 4);
  for (int i = 0; i < advances; ++i) {
    p.advances.push_back({SourcePartitionId(*rc::gen::inRange(0u, 1u << 16)), any_position()});
  }
  const auto floors = *rc::gen::inRange(0, 3);
  for (int i = 0; i < floors; ++i) {
    p.floors.push_back({*rc::gen::inRange<int64_t>(0, 1'000'000), *rc::gen::arbitrary<int64_t>()});
  }
  const auto buffers = *rc::gen::inRange(0, 3);
  for (int i = 0; i < buffers; ++i) {
    // Images have any length, row blocks multiples of 8.
    const auto unit = p.kind == PartKind::kRows ? 8 : 1;
    std::vector<uint8_t> bytes(static_cast<size_t>(unit * *rc::gen::inRange(1, 20)));
    for (uint8_t& b : bytes) b = *rc::gen::arbitrary<uint8_t>();
    p.payload.push_back(Buffer(std::move(bytes)));
  }
  return p;
}

Frames any_frames() {
  Frames m{any_id<JobId>(), *rc::gen::arbitrary<uint64_t>(), {}};
  m.parts.resize(*rc::gen::inRange<size_t>(0, 5));
  for (FramePart& p : m.parts) p = any_part();
  return m;
}

std::string joined(const FramePart& part) {
  std::string out;
  for (const Buffer& b : part.payload) out += b.view();
  return out;
}

void check_same(const FramePart& a, const FramePart& b) {
  RC_ASSERT(a.floors == b.floors);
  RC_ASSERT(a.key_partition == b.key_partition && a.epoch == b.epoch && a.session == b.session);
  RC_ASSERT(a.seq == b.seq && a.kind == b.kind && a.whole == b.whole);
  RC_ASSERT(a.current == b.current && a.from_epoch == b.from_epoch && a.ancestry == b.ancestry);
  RC_ASSERT(a.from_version == b.from_version && a.to_version == b.to_version);
  RC_ASSERT(a.rows_applied == b.rows_applied);
  RC_ASSERT(a.horizon == b.horizon && a.read_wall_us == b.read_wall_us);
  RC_ASSERT(a.advances.size() == b.advances.size());
  for (size_t i = 0; i < a.advances.size(); ++i) {
    RC_ASSERT(a.advances[i].source == b.advances[i].source);
    RC_ASSERT(a.advances[i].position == b.advances[i].position);
  }
  RC_ASSERT(a.payload_bytes() == b.payload_bytes());
  RC_ASSERT(joined(a) == joined(b));
}

RC_GTEST_PROP(Frames, ReadBackPartByPart, ()) {
  const Frames m = any_frames();
  const Buffer bytes = m.encode();
  const auto got = Frames::decode(bytes);
  RC_ASSERT(got.ok());
  RC_ASSERT(got->job == m.job && got->link_seq == m.link_seq);
  RC_ASSERT(got->parts.size() == m.parts.size());
  for (size_t i = 0; i < m.parts.size(); ++i) {
    check_same(got->parts[i], m.parts[i]);
    for (const Buffer& payload : got->parts[i].payload) {  // in place, and aligned
      RC_ASSERT(payload.data() >= bytes.data());
      RC_ASSERT(payload.data() + payload.size() <= bytes.data() + bytes.size());
      RC_ASSERT(reinterpret_cast<uintptr_t>(payload.data()) % 8 == 0u);
    }
  }
}

RC_GTEST_PROP(RegisterReplicas, ReadsBack, ()) {
  const RegisterReplicas m = any_register();
  const auto got = RegisterReplicas::decode(m.encode());
  RC_ASSERT(got.ok());
  RC_ASSERT(got->job == m.job && got->entries.size() == m.entries.size());
  for (size_t i = 0; i < m.entries.size(); ++i) {
    const auto &a = got->entries[i], &b = m.entries[i];
    RC_ASSERT(a.key_partition == b.key_partition && a.epoch == b.epoch && a.session == b.session);
  }
}

RC_GTEST_PROP(ReplicaStates, ReadsBack, ()) {
  const ReplicaStates m = any_states();
  const auto got = ReplicaStates::decode(m.encode());
  RC_ASSERT(got.ok());
  RC_ASSERT(got->job == m.job && got->entries.size() == m.entries.size());
  for (size_t i = 0; i < m.entries.size(); ++i) {
    const auto &a = got->entries[i], &b = m.entries[i];
    RC_ASSERT(a.key_partition == b.key_partition && a.registered == b.registered);
    RC_ASSERT(a.session == b.session && a.holds_state == b.holds_state && a.epoch == b.epoch);
    RC_ASSERT(a.version == b.version && a.offsets == b.offsets);
  }
}

RC_GTEST_PROP(FrameAck, ReadsBack, ()) {
  const FrameAck m = any_ack();
  const auto got = FrameAck::decode(m.encode());
  RC_ASSERT(got.ok());
  RC_ASSERT(got->job == m.job && got->link_seq == m.link_seq);
  RC_ASSERT(got->entries.size() == m.entries.size());
  for (size_t i = 0; i < m.entries.size(); ++i) {
    const auto &a = got->entries[i], &b = m.entries[i];
    RC_ASSERT(a.key_partition == b.key_partition && a.session == b.session);
    RC_ASSERT(a.version == b.version);
  }
}

RC_GTEST_PROP(RegisterReplicas, HostileBytes, ()) { check_hostile(any_register()); }
RC_GTEST_PROP(ReplicaStates, HostileBytes, ()) { check_hostile(any_states()); }
RC_GTEST_PROP(FrameAck, HostileBytes, ()) { check_hostile(any_ack()); }

RC_GTEST_PROP(Frames, HostileBytesAreRefusedOrStayInside, ()) {
  const Buffer bytes = test::damaged(any_frames().encode());
  const auto got = Frames::decode(bytes);
  if (!got.ok()) {
    RC_ASSERT(got.error().code() == ErrorCode::kCorrupt);
    return;
  }
  for (const FramePart& part : got->parts) {
    RC_ASSERT(part.kind >= PartKind::kRows && part.kind <= PartKind::kImagesClose);
    for (const FramePart::Advance& a : part.advances) RC_ASSERT(a.source.value < 1u << 16);
    for (const Buffer& payload : part.payload) {
      RC_ASSERT(payload.data() >= bytes.data());
      RC_ASSERT(payload.data() + payload.size() <= bytes.data() + bytes.size());
    }
  }
  // What was taken is a message like any other.
  const auto again = Frames::decode(got->encode());
  RC_ASSERT(again.ok());
  RC_ASSERT(again->parts.size() == got->parts.size());
  for (size_t i = 0; i < got->parts.size(); ++i) check_same(again->parts[i], got->parts[i]);
}

std::string error_with(size_t at, uint8_t value) {
  Frames m{JobId(1), 2, {}};
  FramePart part;
  part.kind = PartKind::kRows;
  part.advances.push_back({SourcePartitionId(3), {}});
  part.payload.push_back(Buffer(std::vector<uint8_t>(8, 1)));
  m.parts.push_back(part);
  const Buffer good = m.encode();
  std::vector<uint8_t> bytes(good.bytes().begin(), good.bytes().end());
  bytes[at] = value;
  const auto got = Frames::decode(Buffer(std::move(bytes)));
  return got.ok() ? "none" : got.error().message();
}

TEST(Frames, APayloadCanHaveBytesOfItsOwn) {
  FramePart part;
  const Buffer message(std::string("0123456789abcdef"));
  part.payload = {message.slice(0, 8), message.slice(8, 8)};
  BufferArena arena;
  part.own_payload(&arena);
  ASSERT_EQ(part.payload.size(), 2u);
  EXPECT_EQ(part.payload[0].view(), "01234567");
  EXPECT_EQ(part.payload[1].view(), "89abcdef");
  EXPECT_NE(part.payload[0].data(), message.data());
  EXPECT_NE(part.payload[1].data(), message.data() + 8);
}

TEST(Frames, SayWhatIsWrong) {
  const std::string part = "Frames: a part does not fit";
  EXPECT_EQ(error_with(0, 1), "none");
  EXPECT_EQ(error_with(4, 2), "Frames: wrong length");  // more parts than it can hold
  EXPECT_EQ(error_with(4, 0), "Frames: wrong length");
  EXPECT_EQ(error_with(16 + 4, 0), part);  // no such kind
  EXPECT_EQ(error_with(16 + 4, 5), part);
  EXPECT_EQ(error_with(16 + 6, 200), part);  // advances past the end
  EXPECT_EQ(error_with(16 + 5, 8), part);    // no such flag
  EXPECT_EQ(error_with(16 + 80, 65), part);  // more ancestors than there may be
  EXPECT_EQ(error_with(16 + 80, 60), part);  // ancestors past the end
  EXPECT_EQ(error_with(16 + 88, 16), part);  // payload past the end
  EXPECT_EQ(error_with(16 + 88 + 7, 0xff), part);
  EXPECT_EQ(error_with(16 + 88, 0), "Frames: wrong length");
  EXPECT_EQ(error_with(16 + 96 + 2, 1), part);  // source partition 65539
}

TEST(Frames, ACountThatTheMessageCannotHoldAllocatesNothing) {
  ByteWriter out;
  out.put(uint32_t{1});
  out.put(UINT32_MAX);
  out.put(uint64_t{0});
  const Buffer bytes(out.take());
  EXPECT_FALSE(Frames::decode(bytes).ok());
  EXPECT_FALSE(FrameAck::decode(bytes).ok());
  EXPECT_FALSE(ReplicaStates::decode(bytes).ok());
  EXPECT_FALSE(RegisterReplicas::decode(bytes).ok());
}

}  // namespace
}  // namespace tidemill
