#include "shared/kafka/log_checks.h"

namespace tidemill {
namespace {

constexpr const char* kAnew =
    "; what was computed so far stays served. To read the topic as it is now, stop this job and "
    "submit it anew";

std::string partition_of(const LogPosition& position) {
  return "partition " + std::to_string(position.partition) + " of topic '" + position.topic + "'";
}

}  // namespace

std::string refuse_offsets(const LogPosition& position, uint64_t low, uint64_t high) {
  const std::string next = std::to_string(position.offset);
  if (position.offset < low) {
    return partition_of(position) + " begins at offset " + std::to_string(low) + " now, but " +
           (position.anything_read ? "the job has read it up to offset "
                                   : "the job starts at offset ") +
           next + ": " + std::to_string(low - position.offset) +
           " offsets are beyond retention and were never read. Keep records for longer "
           "(retention.ms, retention.bytes) than a job may be behind" +
           kAnew;
  }
  if (position.offset > high) {
    return partition_of(position) + " ends at offset " + std::to_string(high) + " now, but " +
           (position.anything_read ? "the job has read it up to offset "
                                   : "the job starts at offset ") +
           next + ": the log was truncated, or the topic deleted and created again" + kAnew;
  }
  return {};
}

std::string refuse_record(const LogPosition& position, const RecordIdentity& last) {
  return partition_of(position) + " holds another record at offset " + std::to_string(last.offset) +
         " than the one that was read there (the job has read up to " +
         std::to_string(position.offset) +
         "): the topic was deleted and created again, or its log was truncated and written anew" +
         kAnew;
}

std::string refuse_missing_topic(const LogPosition& position) {
  return "topic '" + position.topic + "' does not exist any more (partition " +
         std::to_string(position.partition) + " was read up to offset " +
         std::to_string(position.offset) + "): it was deleted" + kAnew;
}

std::string refuse_missing_partition(const LogPosition& position, uint32_t partitions) {
  return partition_of(position) + " does not exist: the topic has only " +
         std::to_string(partitions) + " partitions now, so it was deleted and created again" +
         kAnew;
}

}  // namespace tidemill
