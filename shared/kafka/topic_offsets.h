// What a topic holds, and where a job that reads it starts. Blocking, for some seconds at most.
#pragma once

#include <cstdint>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/base/result.h"

namespace tidemill {

struct PartitionOffsets {
  uint64_t low = 0;   // of the first record there is
  uint64_t high = 0;  // of the next record
};

// By partition. Errors: the brokers cannot be reached or refuse the client (retryable), there is
// no such topic, or the settings are wrong (the user's).
Result<std::vector<PartitionOffsets>> describe_topic(const proto::KafkaInput& input);

// Decides once and for all where reading the source starts: checks its settings and fills its
// start_offsets, one per partition that the topic has now.
Status bind_kafka_source(proto::Source* source);

}  // namespace tidemill
