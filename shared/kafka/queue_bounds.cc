#include "shared/kafka/queue_bounds.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <string>

namespace tidemill {
namespace {

constexpr int64_t kQueueBytesMax = 16 << 20;
constexpr int64_t kQueueBytesMin = 2 << 20;
constexpr int64_t kQueueBytesAll = 256 << 20;  // over the partitions of a topic
constexpr int64_t kBoundedBytesMin = 64 << 10;
constexpr int64_t kQueueRecordsMax = 100'000;
constexpr int64_t kQueueRecordsMin = 10'000;
constexpr int64_t kQueueRecordsAll = 1'000'000;
constexpr int64_t kFetchBytesMax = 16 << 20;
constexpr int64_t kPartitionFetchBytesMax = 2 << 20;
constexpr int64_t kFetchesPerTopic = 4;  // a response is so small a part of what a topic may take

std::atomic<int64_t>& bound() {
  static std::atomic<int64_t> bytes{0};
  return bytes;
}

}  // namespace

void bound_kafka_queues(int64_t topic_bytes) { bound().store(topic_bytes); }
int64_t kafka_queues_bound() { return bound().load(); }

std::vector<KafkaSetting> queue_settings(int64_t partitions, int64_t topic_bytes,
                                         int64_t message_bytes) {
  partitions = std::max<int64_t>(partitions, 1);
  int64_t queue = std::clamp(kQueueBytesAll / partitions, kQueueBytesMin, kQueueBytesMax);
  int64_t fetch = kFetchBytesMax;
  if (topic_bytes > 0) {
    queue = std::min(queue, std::max(topic_bytes / partitions, kBoundedBytesMin));
    fetch = std::min(fetch, topic_bytes / kFetchesPerTopic);
  }
  const int64_t records =
      std::clamp(kQueueRecordsAll / partitions, kQueueRecordsMin, kQueueRecordsMax);
  return {{"max.partition.fetch.bytes", std::to_string(std::min(queue, kPartitionFetchBytesMax))},
          {"fetch.max.bytes", std::to_string(std::max(fetch, message_bytes))},
          {"queued.max.messages.kbytes", std::to_string(queue / 1024)},
          {"queued.min.messages", std::to_string(records)}};
}

uint64_t queued_bytes(std::string_view statistics) {
  constexpr std::string_view kName = "\"fetchq_size\":";
  uint64_t sum = 0;
  for (size_t at = statistics.find(kName); at != std::string_view::npos;
       at = statistics.find(kName, at)) {
    at += kName.size();
    while (at < statistics.size() && statistics[at] == ' ') ++at;
    uint64_t bytes = 0;
    std::from_chars(statistics.data() + at, statistics.data() + statistics.size(), bytes);
    sum += bytes;
  }
  return sum;
}

}  // namespace tidemill
