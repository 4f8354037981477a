// Questions to the brokers about a topic, each answered within its timeout. For this module alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/columns/column.h"
#include "shared/kafka/client.h"

namespace tidemill {

// What the cluster's metadata say of a topic.
struct TopicState {
  enum class Kind { kFound, kMissing, kRefused };
  Kind kind{};
  uint32_t partitions = 0;  // kFound
  std::string reason;       // of the others
};

// An error if no broker answers. Ends early if the brokers refuse the client.
Result<TopicState> query_topic(KafkaClient* client, const std::string& topic, int timeout_ms);

// Which offset: the first or last of a partition, or of the first record at or after a time.
inline constexpr int64_t kFirstOffset = RD_KAFKA_OFFSET_BEGINNING;
inline constexpr int64_t kEndOffset = RD_KAFKA_OFFSET_END;  // that of the next record

struct OffsetAnswer {
  int64_t offset = -1;  // -1: there is none, or an error
  std::string error;
};
// For each of `partitions`, as asked by kFirstOffset, kEndOffset or a time in ms since 1970.
Result<std::vector<OffsetAnswer>> query_offsets(KafkaClient* client, const std::string& topic,
                                                const std::vector<uint32_t>& partitions,
                                                int64_t which, int timeout_ms);

// The identity of a record: its offset and a hash of its key, its value and its timestamp.
RecordIdentity identity_of(const rd_kafka_message_t& message);

// The record at `offset`, none if it is gone though later ones are there, or if the log ends
// there. The partition must not be consumed with this client otherwise.
Result<std::optional<RecordIdentity>> query_record(KafkaClient* client, const std::string& topic,
                                                   uint32_t partition, uint64_t offset,
                                                   int timeout_ms);

}  // namespace tidemill
