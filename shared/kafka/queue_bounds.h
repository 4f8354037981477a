// QueueBounds: what consuming clients may hold of records that were fetched and not read yet: the
// settings of librdkafka that bound it, by topic. Its queues are per partition; a response may go
// beyond by fetch.max.bytes.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "shared/kafka/client_settings.h"

namespace tidemill {

// From now on, for topics that are read first after it: at most about so many bytes over the
// partitions of each. 0, as at first: no bound of the process's. thread-safe
void bound_kafka_queues(int64_t topic_bytes);
int64_t kafka_queues_bound();

// Settings that keep a topic of so many partitions to `topic_bytes`. `message_bytes`: the largest
// record that the client takes (message.max.bytes), below which no response may be bounded.
std::vector<KafkaSetting> queue_settings(int64_t partitions, int64_t topic_bytes,
                                         int64_t message_bytes);

// Records in the client's queues, by what librdkafka reports (statistics.interval.ms).
uint64_t queued_bytes(std::string_view statistics);

}  // namespace tidemill
