// SourceCursor: reads one source partition in order from an offset. Offsets are those of the next
// record to read, as a Kafka consumer commits them: a file's is a byte of the decompressed text (of
// an Avro file: docs/formats/avro.md), a row's of a Parquet file and a generator's a number. Blocking, and slow to destroy: used and destroyed on the blocking pool
// only, by one task at a time.
//
// A log that is not the one that was read before (recreated, truncated, shrunken), or no longer
// holds what is asked for, is an error of code kSourceChanged: trying again is no use. Its message
// says what happened and what to do.
#pragma once

#include <cstdint>
#include <memory>

#include "proto/plan.pb.h"
#include "shared/base/result.h"
#include "shared/columns/column.h"

namespace tidemill {

class SourceCursor {
 public:
  // Partition `index` (0-based within `source`) from `offset`; 0 is its first record, wherever the
  // log begins. `last` is what was read before the offset, {} if not known or nothing was.
  static Result<std::unique_ptr<SourceCursor>> open(const proto::Source& source, uint32_t index,
                                                    uint64_t offset, const RecordIdentity& last);
  virtual ~SourceCursor() = default;

  // Replaces `batch` by the next records: at most `max_records` and about `max_bytes` of input.
  // A bad record never fails the read; it is in batch->bad. Nothing to read now and not finished:
  // an empty batch with end_offset == begin_offset.
  virtual Status read(size_t max_records, size_t max_bytes, EventBatch* batch) = 0;

  // The reads that follow end at `offset`, in front of the record that begins there or behind it;
  // one that begins at or behind it is not bounded. kNoEnd: none is. Only where a record begins, or
  // in a hole of the log, is it kept to exactly.
  static constexpr uint64_t kNoEnd = UINT64_MAX;
  void read_until(uint64_t offset) { until_ = offset; }

  // The bytes of the record of row `row` of the batch that was read last, as they are in the log;
  // at most the first kBadRecordBytes. `*size` is the whole record's, 0 if not known.
  virtual std::string record_bytes(const EventBatch& batch, size_t row, uint64_t* size) = 0;

  // What is known of the log beside its records.
  struct LogInfo {
    uint32_t partitions = 0;  // of the topic now; 0: no topic, or not known
    uint64_t end_offset = 0;  // as last seen; 0: not known
  };
  virtual LogInfo info() const { return {}; }

  // What time it is for the reads that follow; a cursor has no clock. Without it, a followed file
  // is never finished.
  virtual void set_wall_time(TimeUs now) {}

  // Everything before `offset` has been applied: for tools that watch consumer groups. Does not
  // block; failures are logged and change nothing.
  virtual void commit(uint64_t offset) {}

 protected:
  // Where a read that begins at `offset` ends at the latest.
  uint64_t limit_at(uint64_t offset) const { return offset < until_ ? until_ : kNoEnd; }

 private:
  uint64_t until_ = kNoEnd;
};

}  // namespace tidemill
