// Messages between readers and key partitions. Format: docs/formats/data_plane.md.
//
// A session is (source partition, key partition), opened by the key partition at its V_k[s]. Its
// messages carry dense sequence numbers from 0. One physical SourceBatch carries the parts of all
// sessions of one (reader, partition host); each part is a batch and a progress mark at once: the
// rows of that key partition up to `end`, perhaps none.
#pragma once

#include <cstdint>
#include <vector>

#include "shared/base/buffer.h"
#include "shared/base/ids.h"
#include "shared/base/result.h"
#include "shared/wire/offset_vector.h"

namespace tidemill {

struct OpenSessions {
  struct Session {
    KeyPartitionId key_partition;
    Epoch epoch;  // of the key partition's grant; registers it at the reader
    uint64_t session = 0;
    SourcePosition from;
    // Offsets behind `from`, rising, at most kMaxCuts: a part of this session that reaches beyond
    // one begins at it or later. Replicas stand there.
    std::vector<uint64_t> cuts{};
  };
  static constexpr size_t kMaxCuts = 16;
  JobId job;
  SourcePartitionId source;
  Epoch reader_epoch;  // the grant under which the reader is asked
  std::vector<Session> sessions;

  Buffer encode() const;
  static Result<OpenSessions> decode(const Buffer& bytes);
};

// The reader has ended these sessions (no credit, or a newer epoch is registered).
struct SessionsClosed {
  struct Session {
    KeyPartitionId key_partition;
    uint64_t session = 0;
  };
  JobId job;
  SourcePartitionId source;
  Epoch reader_epoch;
  std::vector<Session> sessions;

  Buffer encode() const;
  static Result<SessionsClosed> decode(const Buffer& bytes);
};

struct SourceBatchHeader {
  JobId job;
  SourcePartitionId source;
  Epoch reader_epoch;
  uint64_t link_seq = 0;
  SourcePosition end;
  int64_t read_wall_us = 0;  // when the records were read, for freshness
  bool main_read = false;    // of the main read, not of one that catches up
  bool idle = false;         // at the log's end for so long that the horizon need not wait
  uint32_t tables = 0;       // of the plan by which the records were evaluated
};

struct SourceBatchPart {
  KeyPartitionId key_partition;
  uint64_t session = 0;
  uint64_t seq = 0;
  uint32_t blocks_offset = 0;  // of its row blocks, from the message's start; a multiple of 8
  uint32_t blocks_bytes = 0;
};

struct SourceBatch {
  SourceBatchHeader header;
  std::vector<SourceBatchPart> parts;
  Buffer bytes;  // the whole message; blocks are slices of it

  Buffer blocks(const SourceBatchPart& part) const {
    return bytes.slice(part.blocks_offset, part.blocks_bytes);
  }
  static Result<SourceBatch> decode(Buffer bytes);
};

// Builds a SourceBatch: parts are announced first, then their blocks are appended in order.
class SourceBatchWriter {
 public:
  SourceBatchWriter(const SourceBatchHeader& header, uint32_t parts);
  void begin_part(KeyPartitionId key_partition, uint64_t session, uint64_t seq);
  ByteWriter* blocks() { return &out_; }  // write_row_block()s of the part begun last
  size_t size() const { return out_.size(); }
  Buffer finish(uint64_t link_seq);

 private:
  void end_part();

  ByteWriter out_;
  uint32_t parts_;
  uint32_t begun_ = 0;
};

struct BatchAck {
  JobId job;
  SourcePartitionId source;
  Epoch reader_epoch;
  uint64_t link_seq = 0;

  Buffer encode() const;
  static Result<BatchAck> decode(const Buffer& bytes);
};

}  // namespace tidemill
