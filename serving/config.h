// What a store's actors are given: limits and intervals (options of tidemill-store, see
// config/store.yaml), and the world's things that they use.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "serving/features_request.h"
#include "shared/state/disk.h"

namespace tidemill {

class SstReaders;

struct StoreConfig {
  ReadLimits limits;
  int64_t snapshot_interval_ms = 10'000;  // between increments of one replica on disk
  int64_t log_limit_bytes = 16u << 20;    // of one replica on disk, not sorted by key
  int64_t memory_budget_bytes = 0;        // of the whole process; 0: no bound
};

struct StoreResources {
  std::shared_ptr<Disk> disk;
  std::string data_dir;  // on `disk`, this process's alone
  // What this process takes of memory; may block. None: what its shards account for.
  std::function<uint64_t()> resident_bytes;
  // Gives back to the system what this thread has freed. None: that happens by itself.
  std::function<void()> release_memory = nullptr;
  // Files that are open for reads of single keys, of all shards. None: each shard has its own.
  std::shared_ptr<SstReaders> readers = nullptr;
};

}  // namespace tidemill
