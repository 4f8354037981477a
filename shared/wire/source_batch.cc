#include "shared/wire/source_batch.h"

#include "shared/base/assert.h"
#include "shared/wire/codec.h"

namespace tidemill {
namespace {

// Layout of a SourceBatch: 80 bytes of header, then `parts` records of 32 bytes, then row blocks.
constexpr size_t kLinkSeqAt = 16;
constexpr size_t kHeaderBytes = 80;
constexpr size_t kPartBytes = 32;
constexpr uint32_t kMaxParts = 1u << 16;

}  // namespace

Buffer OpenSessions::encode() const {
  ByteWriter out;
  out.put(job.value);
  out.put(source.value);
  out.put(reader_epoch.value);
  out.put(static_cast<uint32_t>(sessions.size()));
  for (const Session& s : sessions) {
    out.put(s.key_partition.value);
    out.put(s.epoch.value);
    out.put(s.session);
    put_position(s.from, &out);
    out.put(static_cast<uint8_t>(s.cuts.size()));
    for (const uint64_t offset : s.cuts) out.put(offset);
  }
  return Buffer(out.take());
}

Result<OpenSessions> OpenSessions::decode(const Buffer& bytes) {
  ByteReader in(bytes.bytes());
  OpenSessions m;
  m.job = JobId(in.get<uint32_t>());
  m.source = SourcePartitionId(in.get<uint32_t>());
  m.reader_epoch = Epoch(in.get<uint64_t>());
  m.sessions.resize(get_count(&in, 54));
  for (Session& s : m.sessions) {
    s.key_partition = KeyPartitionId(in.get<uint32_t>());
    s.epoch = Epoch(in.get<uint64_t>());
    s.session = in.get<uint64_t>();
    s.from = get_position(&in);
    s.cuts.resize(in.get<uint8_t>());
    if (s.cuts.size() > kMaxCuts) return corrupt_error("OpenSessions: too many cuts");
    uint64_t after = s.from.offset;
    for (uint64_t& offset : s.cuts) {
      offset = in.get<uint64_t>();
      if (in.ok() && offset <= after) return corrupt_error("OpenSessions: cuts must rise");
      after = offset;
    }
  }
  return checked_message(in, std::move(m), "OpenSessions");
}

Buffer SessionsClosed::encode() const {
  ByteWriter out;
  out.put(job.value);
  out.put(source.value);
  out.put(reader_epoch.value);
  out.put(static_cast<uint32_t>(sessions.size()));
  for (const Session& s : sessions) {
    out.put(s.key_partition.value);
    out.put(s.session);
  }
  return Buffer(out.take());
}

Result<SessionsClosed> SessionsClosed::decode(const Buffer& bytes) {
  ByteReader in(bytes.bytes());
  SessionsClosed m;
  m.job = JobId(in.get<uint32_t>());
  m.source = SourcePartitionId(in.get<uint32_t>());
  m.reader_epoch = Epoch(in.get<uint64_t>());
  m.sessions.resize(get_count(&in, 12));
  for (Session& s : m.sessions) {
    s.key_partition = KeyPartitionId(in.get<uint32_t>());
    s.session = in.get<uint64_t>();
  }
  return checked_message(in, std::move(m), "SessionsClosed");
}

SourceBatchWriter::SourceBatchWriter(const SourceBatchHeader& header, uint32_t parts)
    : parts_(parts) {
  out_.put(header.job.value);
  out_.put(header.source.value);
  out_.put(header.reader_epoch.value);
  out_.put(uint64_t{0});  // link_seq, patched by finish()
  put_position(header.end, &out_);
  out_.put(static_cast<uint8_t>(header.main_read));
  out_.put(static_cast<uint8_t>(header.idle));
  out_.align(8);
  out_.put(header.read_wall_us);
  out_.put(parts);
  out_.put(header.tables);
  ASSERT(out_.size() == kHeaderBytes);
  out_.reserve(parts * kPartBytes);
}

void SourceBatchWriter::end_part() {
  if (begun_ == 0) return;
  const size_t at = kHeaderBytes + (begun_ - 1) * kPartBytes;
  uint32_t offset = 0;
  std::memcpy(&offset, out_.bytes().data() + at + 24, sizeof offset);
  out_.align(8);
  out_.patch(at + 28, static_cast<uint32_t>(out_.size() - offset));
}

void SourceBatchWriter::begin_part(KeyPartitionId key_partition, uint64_t session, uint64_t seq) {
  ASSERT(begun_ < parts_);
  end_part();
  const size_t at = kHeaderBytes + begun_ * kPartBytes;
  out_.patch(at, key_partition.value);
  out_.patch(at + 8, session);
  out_.patch(at + 16, seq);
  out_.patch(at + 24, static_cast<uint32_t>(out_.size()));
  ++begun_;
}

Buffer SourceBatchWriter::finish(uint64_t link_seq) {
  ASSERT(begun_ == parts_);
  end_part();
  out_.patch(kLinkSeqAt, link_seq);
  return Buffer(out_.take());
}

Result<SourceBatch> SourceBatch::decode(Buffer bytes) {
  ByteReader in(bytes.bytes());
  SourceBatch m;
  m.header.job = JobId(in.get<uint32_t>());
  m.header.source = SourcePartitionId(in.get<uint32_t>());
  m.header.reader_epoch = Epoch(in.get<uint64_t>());
  m.header.link_seq = in.get<uint64_t>();
  m.header.end = get_position(&in);
  m.header.main_read = in.get<uint8_t>() != 0;
  m.header.idle = in.get<uint8_t>() != 0;
  in.align(8);
  m.header.read_wall_us = in.get<int64_t>();
  const uint32_t parts = get_count(&in, kPartBytes);
  m.header.tables = in.get<uint32_t>();
  if (!in.ok() || parts > kMaxParts) return corrupt_error("SourceBatch: short or too many parts");
  m.parts.resize(parts);
  for (SourceBatchPart& part : m.parts) {
    part.key_partition = KeyPartitionId(in.get<uint32_t>());
    in.get<uint32_t>();
    part.session = in.get<uint64_t>();
    part.seq = in.get<uint64_t>();
    part.blocks_offset = in.get<uint32_t>();
    part.blocks_bytes = in.get<uint32_t>();
    if (!in.ok() || part.blocks_offset % 8 != 0 || part.blocks_offset > bytes.size() ||
        part.blocks_bytes > bytes.size() - part.blocks_offset) {
      return corrupt_error("SourceBatch: a part lies outside the message");
    }
  }
  m.bytes = std::move(bytes);
  return m;
}

Buffer BatchAck::encode() const {
  ByteWriter out;
  out.put(job.value);
  out.put(source.value);
  out.put(reader_epoch.value);
  out.put(link_seq);
  return Buffer(out.take());
}

Result<BatchAck> BatchAck::decode(const Buffer& bytes) {
  ByteReader in(bytes.bytes());
  BatchAck m;
  m.job = JobId(in.get<uint32_t>());
  m.source = SourcePartitionId(in.get<uint32_t>());
  m.reader_epoch = Epoch(in.get<uint64_t>());
  m.link_seq = in.get<uint64_t>();
  return checked_message(in, m, "BatchAck");
}

}  // namespace tidemill
