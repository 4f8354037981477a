#include "shared/wire/frames.h"

#include "shared/wire/codec.h"

namespace tidemill {
namespace {

constexpr uint32_t kMaxSourcePartitions = 1u << 16;
constexpr size_t kPartBytes = 96;  // of a part without ancestry, advances and payload
constexpr uint8_t kWhole = 1;
constexpr uint8_t kCurrent = 2;
constexpr uint8_t kHasFloors = 4;
constexpr uint32_t kMaxTables = 1u << 16;

void put_part(const FramePart& part, ByteWriter* out) {
  out->align(8);
  out->put(part.key_partition.value);
  out->put(static_cast<uint8_t>(part.kind));
  out->put(static_cast<uint8_t>((part.whole ? kWhole : 0) | (part.current ? kCurrent : 0) |
                                (part.floors.empty() ? 0 : kHasFloors)));
  out->put(static_cast<uint16_t>(part.advances.size()));
  out->put(part.epoch.value);
  out->put(part.session);
  out->put(part.seq);
  out->put(part.from_epoch.value);
  out->put(part.from_version);
  out->put(part.to_version);
  out->put(part.horizon);
  out->put(part.read_wall_us);
  out->put(part.rows_applied);
  out->put(static_cast<uint64_t>(part.ancestry.size()));
  out->put(static_cast<uint64_t>(part.payload_bytes()));
  for (const Stamp& stamp : part.ancestry) {
    out->put(stamp.epoch.value);
    out->put(stamp.version);
  }
  for (const FramePart::Advance& a : part.advances) {
    out->put(a.source.value);
    put_position(a.position, out);
  }
  if (!part.floors.empty()) {
    out->put(static_cast<uint32_t>(part.floors.size()));
    for (const TableFloor& f : part.floors) {
      out->put(f.kept);
      out->put(f.floor);
    }
  }
  out->align(8);
  for (const Buffer& bytes : part.payload) out->put_bytes(bytes.bytes());
}

bool get_part(ByteReader* in, const Buffer& bytes, FramePart* part) {
  in->align(8);
  part->key_partition = KeyPartitionId(in->get<uint32_t>());
  const auto kind = in->get<uint8_t>();
  part->kind = static_cast<PartKind>(kind);
  const auto flags = in->get<uint8_t>();
  part->whole = (flags & kWhole) != 0;
  part->current = (flags & kCurrent) != 0;
  part->advances.resize(in->get<uint16_t>());
  part->epoch = Epoch(in->get<uint64_t>());
  part->session = in->get<uint64_t>();
  part->seq = in->get<uint64_t>();
  part->from_epoch = Epoch(in->get<uint64_t>());
  part->from_version = in->get<uint64_t>();
  part->to_version = in->get<uint64_t>();
  part->horizon = in->get<int64_t>();
  part->read_wall_us = in->get<int64_t>();
  part->rows_applied = in->get<uint64_t>();
  const auto ancestors = in->get<uint64_t>();
  const auto payload_bytes = in->get<uint64_t>();
  if (ancestors > kMaxAncestors || (flags & ~(kWhole | kCurrent | kHasFloors)) != 0) {
    return false;
  }
  part->ancestry.resize(ancestors);
  for (Stamp& stamp : part->ancestry) {
    stamp.epoch = Epoch(in->get<uint64_t>());
    stamp.version = in->get<uint64_t>();
  }
  for (FramePart::Advance& a : part->advances) {
    a.source = SourcePartitionId(in->get<uint32_t>());
    a.position = get_position(in);
    if (a.source.value >= kMaxSourcePartitions) return false;
  }
  if ((flags & kHasFloors) != 0) {
    const uint32_t floors = get_count(in, sizeof(TableFloor));
    if (floors == 0 || floors > kMaxTables) return false;
    part->floors.resize(floors);
    for (TableFloor& f : part->floors) {
      f.kept = in->get<int64_t>();
      f.floor = in->get<int64_t>();
      if (f.kept < 0) return false;
    }
  }
  in->align(8);
  const size_t at = in->position();
  if (!in->ok() || kind < 1 || kind > 4 || payload_bytes > in->remaining()) return false;
  in->take(payload_bytes);
  if (payload_bytes > 0) part->payload.push_back(bytes.slice(at, payload_bytes));
  return in->ok();
}

}  // namespace

void FramePart::own_payload(BufferArena* arena) {
  for (Buffer& piece : payload) piece = arena->copy(piece.bytes());
}

size_t FramePart::payload_bytes() const {
  size_t bytes = 0;
  for (const Buffer& b : payload) bytes += b.size();
  return bytes;
}

Buffer RegisterReplicas::encode() const {
  ByteWriter out;
  out.put(job.value);
  out.put(static_cast<uint32_t>(entries.size()));
  for (const Entry& e : entries) {
    out.put(e.key_partition.value);
    out.put(e.epoch.value);
    out.put(e.session);
  }
  return Buffer(out.take());
}

Result<RegisterReplicas> RegisterReplicas::decode(const Buffer& bytes) {
  ByteReader in(bytes.bytes());
  RegisterReplicas m;
  m.job = JobId(in.get<uint32_t>());
  m.entries.resize(get_count(&in, 20));
  for (Entry& e : m.entries) {
    e.key_partition = KeyPartitionId(in.get<uint32_t>());
    e.epoch = Epoch(in.get<uint64_t>());
    e.session = in.get<uint64_t>();
  }
  return checked_message(in, std::move(m), "RegisterReplicas");
}

Buffer ReplicaStates::encode() const {
  ByteWriter out;
  out.put(job.value);
  out.put(static_cast<uint32_t>(entries.size()));
  for (const ReplicaState& e : entries) {
    out.put(e.key_partition.value);
    out.put(e.registered.value);
    out.put(e.session);
    out.put(static_cast<uint8_t>(e.holds_state));
    out.put(e.epoch.value);
    out.put(e.version);
    out.put(static_cast<uint32_t>(e.offsets.size()));
    for (const SourcePosition& p : e.offsets) put_position(p, &out);
  }
  return Buffer(out.take());
}

Result<ReplicaStates> ReplicaStates::decode(const Buffer& bytes) {
  ByteReader in(bytes.bytes());
  ReplicaStates m;
  m.job = JobId(in.get<uint32_t>());
  m.entries.resize(get_count(&in, 41));
  for (ReplicaState& e : m.entries) {
    e.key_partition = KeyPartitionId(in.get<uint32_t>());
    e.registered = Epoch(in.get<uint64_t>());
    e.session = in.get<uint64_t>();
    e.holds_state = in.get<uint8_t>() != 0;
    e.epoch = Epoch(in.get<uint64_t>());
    e.version = in.get<uint64_t>();
    e.offsets.resize(get_count(&in, 33));
    for (SourcePosition& p : e.offsets) p = get_position(&in);
  }
  return checked_message(in, std::move(m), "ReplicaStates");
}

Buffer Frames::encode() const {
  ByteWriter out;
  out.put(job.value);
  out.put(static_cast<uint32_t>(parts.size()));
  out.put(link_seq);
  for (const FramePart& part : parts) put_part(part, &out);
  return Buffer(out.take());
}

Result<Frames> Frames::decode(Buffer bytes) {
  ByteReader in(bytes.bytes());
  Frames m;
  m.job = JobId(in.get<uint32_t>());
  const uint32_t parts = get_count(&in, kPartBytes);
  m.link_seq = in.get<uint64_t>();
  m.parts.resize(parts);
  for (FramePart& part : m.parts) {
    if (!get_part(&in, bytes, &part)) return corrupt_error("Frames: a part does not fit");
  }
  return checked_message(in, std::move(m), "Frames");
}

Buffer FrameAck::encode() const {
  ByteWriter out;
  out.put(job.value);
  out.put(static_cast<uint32_t>(entries.size()));
  out.put(link_seq);
  for (const Entry& e : entries) {
    out.put(e.key_partition.value);
    out.put(e.session);
    out.put(e.version);
  }
  return Buffer(out.take());
}

Result<FrameAck> FrameAck::decode(const Buffer& bytes) {
  ByteReader in(bytes.bytes());
  FrameAck m;
  m.job = JobId(in.get<uint32_t>());
  m.entries.resize(get_count(&in, 20));
  m.link_seq = in.get<uint64_t>();
  for (Entry& e : m.entries) {
    e.key_partition = KeyPartitionId(in.get<uint32_t>());
    e.session = in.get<uint64_t>();
    e.version = in.get<uint64_t>();
  }
  return checked_message(in, std::move(m), "FrameAck");
}

}  // namespace tidemill
