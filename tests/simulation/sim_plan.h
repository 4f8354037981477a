// What one seed of the cluster simulation is: settings of its processes, and what happens to it
// beside the faults of network and processes (FaultPlan): mishaps of machines, disks and storage,
// and what operators do. Plain data, drawn from the seed alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tidemill::test {

// Machines, by number: the coordinator, then workers, then stores.
inline constexpr size_t kCoordinatorMachine = 0;
inline constexpr size_t kFirstWorker = 1;
inline constexpr size_t kWorkerMachines = 4;
inline constexpr size_t kFirstStore = kFirstWorker + kWorkerMachines;
inline constexpr size_t kStoreMachines = 2;
inline constexpr size_t kMachines = kFirstStore + kStoreMachines;

std::string machine_name(size_t machine);

enum class MishapKind {
  kCrashInChange,    // a process ends in the middle of the `count`-th change of its disk
  kDiskFull,         // for `duration_us`
  kDiskFailing,      // likewise, a `share` of its operations
  kDiskSlow,         // likewise: blocking work takes up to `amount_us`
  kBitFlip,          // in the newest files of a machine
  kStorageBitFlip,   // in the newest object of a key partition
  kSnapshotsLost,    // all files of a key partition damaged, and all workers end
  kStorageAway,      // for `duration_us`; it may come back having lost power
  kStorageFailing,   // likewise, a `share` of its calls
  kCoordinatorAway,  // for `duration_us`
  kStoreWiped,       // its disk is empty when it comes back
  kAllWiped,         // every worker and store: snapshots and the log are all that is left
  kWorkerJoins,
  kTerminate,  // a process is asked to end, and started again
  kDrain,      // a worker; undone after `duration_us`
  kRebalance,
  kFalseBrokenLink,  // the coordinator is told that a worker is gone, which is not
  kTriggerSnapshot,
  kSavepoint,  // taken; when it is complete the job is stopped and started from it
  kUpdateJob,  // to other features, and at the next time back again
  kCount
};

std::string mishap_name(MishapKind kind);

struct Mishap {
  MishapKind kind = MishapKind::kCount;
  int64_t at_us = 0;
  int64_t duration_us = 0;
  size_t machine = 0;
  uint64_t count = 0;
  double share = 0;
  int64_t amount_us = 0;
  bool power_lost = false;  // with the crash
};

std::string describe(const Mishap& mishap);

// How much there is of the job. Most seeds are small ones: they find nearly every bug, and cost a
// fraction of the large ones.
struct SimShape {
  uint32_t key_partitions = 0;
  uint32_t events = 0;  // of each source partition
  uint32_t customers = 0;
  uint32_t terminals = 0;
  uint32_t events_per_second = 0;  // of event time
  uint32_t replay = 0;             // so many seconds of event time in one of the log's
};

struct SimPlan {
  int64_t start_us = 0;
  int64_t end_us = 0;  // everything is healed
  SimShape shape;
  // Settings.
  int64_t snapshot_interval_ms = 0;
  int64_t store_snapshot_interval_ms = 0;
  int64_t pending_limit_bytes = 0;
  int64_t log_limit_bytes = 0;
  int64_t store_memory_bytes = 0;  // 0: no bound
  int64_t blocking_delay_us_max = 0;
  bool small_queues = false;  // of the network and before actors: they run full
  bool standbys = false;
  bool clocks_near_events = false;  // wall clocks go through the events' own times
  // How often a machine that a fault brings down loses its power, too.
  double power_losses = 0;
  std::vector<Mishap> mishaps;  // by at_us
};

SimPlan draw_plan(uint64_t seed);
std::string describe(const SimPlan& plan);

}  // namespace tidemill::test
