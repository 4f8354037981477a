// KafkaRecordWriter: writes records to a topic, idempotently: a record is in the log once and in
// the order written, whatever has to be repeated. Blocking; used by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proto/plan.pb.h"
#include "shared/base/result.h"

namespace tidemill {

// Creates the topic of `input` with `partitions`, keeping records for ever (retention.ms=-1: a
// broker looks at their timestamps, and old ones would be gone at once). False: there is one of
// that name, and nothing was changed.
Result<bool> create_topic(const proto::KafkaInput& input, uint32_t partitions);

class KafkaRecordWriter {
 public:
  struct Record {
    std::optional<uint32_t> partition = {};  // empty: by a hash of the key, as Java's producers do
    std::string_view key = {};
    bool has_key = false;
    std::string_view value = {};
    bool has_value = true;  // without: a tombstone
    int64_t timestamp_ms = 0;
  };

  static Result<std::unique_ptr<KafkaRecordWriter>> open(const proto::KafkaInput& input);
  virtual ~KafkaRecordWriter() = default;

  // Hands a record over, which is copied; waits while too many are on their way. The error is that
  // of the first record that could not be delivered.
  virtual Status write(const Record& record) = 0;
  // Waits until all records are in the log, or one has failed.
  virtual Status flush() = 0;
  virtual uint64_t delivered() const = 0;  // are in the log
  virtual uint64_t failed() const = 0;     // may not be in the log
};

}  // namespace tidemill
