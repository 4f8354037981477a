// KafkaPartitionReader: the records of one partition of a topic, in order from an offset. Offsets
// are managed by the caller alone: no consumer group is joined. Offsets may have holes, where
// markers of transactions were or compaction took a record.
//
// Blocking, and used by one task at a time. Readers of one topic share connections.
// Failure: brokers that are away are a retryable error, once what is queued has been read. A log
// that is not the one read before, or no longer holds what is needed, is kSourceChanged.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/base/result.h"
#include "shared/columns/column.h"

namespace tidemill {

struct KafkaRecord {
  uint64_t offset = 0;
  int64_t timestamp_ms = -1;  // of the record, since 1970; negative: it has none
  bool has_value = false;     // without one it is a tombstone
  std::string_view value;
};

// What one read gave: everything with begin_offset <= offset < end_offset.
struct KafkaRecords {
  std::vector<KafkaRecord> records;
  size_t value_bytes = 0;
  uint64_t end_offset = 0;  // behind the last record, or behind the holes at the log's end
  bool at_end = false;      // the brokers said lately that nothing is at or after end_offset
  RecordIdentity last;      // the last record before end_offset
};

class KafkaPartitionReader {
 public:
  // From `offset`, before which `last` was read. Looks first whether the log is still the same.
  static Result<std::unique_ptr<KafkaPartitionReader>> open(const proto::KafkaInput& input,
                                                            uint32_t partition, uint64_t offset,
                                                            const RecordIdentity& last);
  virtual ~KafkaPartitionReader() = default;

  // Up to `max_records`, and as many as begin within `max_bytes`, but at least one. Waits a little
  // if there is nothing: longer if records are known to come. Values are valid until the next
  // read.
  virtual Status read(size_t max_records, size_t max_bytes, KafkaRecords* out) = 0;
  // Takes the records of the last read from number `first` on out of `records`, which that read
  // gave: the next read begins with them.
  virtual void give_back(size_t first, KafkaRecords* records) = 0;
  // The reads that follow end at `offset`; those that begin at or behind it are not bounded.
  virtual void read_until(uint64_t offset) = 0;

  virtual uint32_t partitions() const = 0;      // of the topic now; 0: not known
  virtual uint64_t log_end_offset() const = 0;  // as last seen; 0: not known
  // To the consumer group, at most once a second; does not block.
  virtual void commit(uint64_t offset) = 0;
};

}  // namespace tidemill
