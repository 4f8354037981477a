// Whether a log can still be the one that was read: pure judgements, with words for people.
#pragma once

#include <cstdint>
#include <string>

#include "shared/columns/column.h"

namespace tidemill {

// A read position in a partition: everything before `offset` was read.
struct LogPosition {
  std::string topic;
  uint32_t partition = 0;
  uint64_t offset = 0;
  bool anything_read = false;  // false: the offset is where the job starts
};

// "", or why a log that begins at `low` and ends before `high` cannot be read on from `position`.
std::string refuse_offsets(const LogPosition& position, uint64_t low, uint64_t high);

// The same of a record that is at `last.offset` now and is not the one that was read there.
std::string refuse_record(const LogPosition& position, const RecordIdentity& last);

// The same of a topic, or a partition, that is no longer there.
std::string refuse_missing_topic(const LogPosition& position);
std::string refuse_missing_partition(const LogPosition& position, uint32_t partitions);

}  // namespace tidemill
