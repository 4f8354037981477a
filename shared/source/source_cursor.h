// SourceCursor: reads one source partition in order from an offset. Offsets are those of the next
// record to read, as a Kafka consumer commits them: a file's is a byte, a generator's a number.
// Blocking: used on the blocking pool only, by one task at a time.
#pragma once

#include <cstdint>
#include <memory>

#include "proto/plan.pb.h"
#include "shared/base/result.h"
#include "shared/columns/column.h"

namespace tidemill {

class SourceCursor {
 public:
  // Partition `index` (0-based within `source`) from `offset`.
  static Result<std::unique_ptr<SourceCursor>> open(const proto::Source& source, uint32_t index,
                                                    uint64_t offset);
  virtual ~SourceCursor() = default;

  // Replaces `batch` by the next records: at most `max_records` and about `max_bytes` of input.
  // A bad record never fails the read; it is in batch->bad. Nothing to read now and not finished:
  // an empty batch with end_offset == begin_offset.
  virtual Status read(size_t max_records, size_t max_bytes, EventBatch* batch) = 0;
};

}  // namespace tidemill
