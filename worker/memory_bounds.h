// What a memory budget of a worker's process means for its parts. They have bounds of their own
// (worker/config.h), of which a budget lowers those that would be too much of it; what changes that
// are not on disk yet may take is what is left, and follows the process
// (shared/member/memory_watch.h).
#pragma once

#include "worker/config.h"

namespace tidemill {

// The least budget with which a worker of so many shards works: what a process takes without any
// state, and room for what is on its way.
constexpr int64_t least_memory_budget(int64_t shards) {
  return 64'000'000 + 32'000'000 * (shards - 1);
}

// The bounds of one of `shards` shards. Without a budget those of `config`.
WorkerConfig within_budget(WorkerConfig config, uint16_t shards);

// What librdkafka may hold of each topic; 0: what it holds without a budget (shared/kafka).
int64_t kafka_queue_bytes(const WorkerConfig& config);

// Of one batch, for each of `readers` readers of a shard. Without a budget those of `config`: the
// readers of a process that may take what it likes need not share.
struct ReadBounds {
  int64_t records = 0;
  int64_t bytes = 0;
};
ReadBounds read_bounds(const WorkerConfig& config, size_t readers);

}  // namespace tidemill
