#include "worker/memory_bounds.h"

#include <algorithm>

namespace tidemill {
namespace {

// One of so many parts of a shard's share.
constexpr int64_t kReads = 64;  // bytes of records; parsed, and twice, they take five times that
constexpr int64_t kCredit = 16;
constexpr int64_t kUnsent = 8;
constexpr int64_t kLogs = 64;  // they are sorted in memory, of two key partitions at once
constexpr int64_t kFramesPerCredit = 8;
constexpr int64_t kKafka = 64;  // of the whole budget

constexpr int64_t kRecordBytes = 128;  // a record takes memory for its columns, however short it is
constexpr int64_t kLeastReadBytes = 64 << 10;

void lower(int64_t* bound, int64_t bytes) { *bound = std::min(*bound, bytes); }

}  // namespace

WorkerConfig within_budget(WorkerConfig config, uint16_t shards) {
  if (config.memory_budget_bytes == 0) return config;
  const int64_t share = config.memory_budget_bytes / shards;
  lower(&config.read_bytes, share / kReads);
  lower(&config.batch_credit_bytes, share / kCredit);
  lower(&config.frame_credit_bytes, share / kCredit);
  lower(&config.frame_bytes, config.frame_credit_bytes / kFramesPerCredit);
  lower(&config.unsent_limit_bytes, share / kUnsent);
  lower(&config.log_limit_bytes, share / kLogs);
  return config;
}

int64_t kafka_queue_bytes(const WorkerConfig& config) {
  return config.memory_budget_bytes / kKafka;
}

ReadBounds read_bounds(const WorkerConfig& config, size_t readers) {
  if (config.memory_budget_bytes == 0) return {config.read_records, config.read_bytes};
  const int64_t each = config.read_bytes / static_cast<int64_t>(std::max<size_t>(readers, 1));
  const int64_t bytes = std::min(config.read_bytes, std::max(each, kLeastReadBytes));
  return {std::min(config.read_records, std::max<int64_t>(bytes / kRecordBytes, 1)), bytes};
}

}  // namespace tidemill
