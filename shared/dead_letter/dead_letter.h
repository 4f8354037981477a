// Dead letters: records that could not be used, kept where people and tools find them. Keyed by
// (source partition, offset, view), durable before any progress mark passes them. A reader writes
// those of one source partition under one epoch in order of (offset, view); a later reader goes on
// behind the last one that is durable. What a paused reader of the past still writes repeats keys
// of a later one: for a repeated key the lowest epoch wins, so each counts once.
// Format: docs/formats/dead_letters.md.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "shared/base/ids.h"
#include "shared/base/result.h"
#include "shared/columns/column.h"

namespace tidemill {

struct DeadLetter {
  std::string source;  // its name in the job
  SourcePartitionId source_partition;
  uint32_t partition = 0;  // within the source
  uint64_t offset = 0;
  std::string view;  // in whose expression it failed; empty for other reasons
  BadReason reason{};
  std::string message;
  std::string bytes;  // of the record; the first kBadRecordBytes
  uint64_t size = 0;  // of the whole record; 0: not known
};

const char* reason_name(BadReason reason);  // unparsable, oversized, future, expression
std::optional<BadReason> parse_reason(std::string_view name);

// By (reason, view), each key once.
using DeadLetterCounts = std::map<std::pair<BadReason, std::string>, uint64_t>;

// The dead letters of one source partition under one epoch. Blocking; used by one task at a time.
class DeadLetterWriter {
 public:
  virtual ~DeadLetterWriter() = default;

  // Durable when it returns. In order of (offset, view); those at or before the last durable key,
  // of any epoch, are left out.
  virtual Status append(std::span<const DeadLetter> letters) = 0;
  // All that is durable of this source partition: of earlier epochs, and what this one appended.
  virtual const DeadLetterCounts& counts() const = 0;
};

// Where the dead letters of all jobs are; shared by all workers. thread-safe
class DeadLetterStorage {
 public:
  virtual ~DeadLetterStorage() = default;
  // Reads what earlier epochs have left. `job_name` and `job` name the place.
  virtual Result<std::unique_ptr<DeadLetterWriter>> open(const std::string& job_name, JobId job,
                                                         SourcePartitionId source_partition,
                                                         Epoch epoch) = 0;
};

}  // namespace tidemill
