// What a store's actors are given: limits and intervals (options of tidemill-store, see
// config/store.yaml), and the world's things that they use.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "serving/features_request.h"
#include "shared/member/memory_watch.h"
#include "shared/snapshot/snapshot_storage.h"
#include "shared/state/disk.h"

namespace tidemill {

class SstReaders;

struct StoreConfig {
  ReadLimits limits;
  int64_t snapshot_interval_ms = 10'000;  // between increments of one replica on disk
  int64_t log_limit_bytes = 64u << 20;    // of one replica on disk, not sorted by key
  int64_t memory_budget_bytes = 0;        // of the whole process; 0: no bound
};

struct StoreResources {
  std::shared_ptr<Disk> disk;
  std::string data_dir;  // on `disk`, this process's alone
  // That all workers and the coordinator share: where a state goes that an owner wants to begin
  // with.
  std::shared_ptr<SnapshotStorage> snapshots;
  ProcessMemory memory = {};
  // Files that are open for reads of single keys, of all shards. None: each shard has its own.
  std::shared_ptr<SstReaders> readers = nullptr;
};

}  // namespace tidemill
