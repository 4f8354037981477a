// LoadTable: how much each key partition takes, from what its owners count: rates, as differences
// between their reports, smoothed. They belong to the key partition and stay with it when it moves.
// Kept in memory. shard-affine; time is handed in (monotonic microseconds)
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "coordinator/coordinator_state.h"
#include "coordinator/rebalance_planner.h"
#include "proto/control.pb.h"

namespace tidemill {

class LoadTable {
 public:
  // A heartbeat of a member; what it says of key partitions that it does not own is ignored.
  void take(const proto::Heartbeat& report, const CoordinatorState& state, int64_t now_us);
  // Forgets jobs that are gone.
  void keep(const CoordinatorState& state);

  // Nothing: not measured yet.
  std::optional<MeasuredLoad> of(JobId job, uint32_t key_partition) const;

 private:
  struct Counted {
    Epoch epoch;        // of the owner that counts
    int64_t at_us = 0;  // when the rates' next difference begins
    uint64_t rows = 0;
    uint64_t cpu_ns = 0;
    uint64_t disk_bytes = 0;
    bool measured = false;
    double rows_per_s = 0;
    double cpu_ns_per_s = 0;
  };
  static void count(const proto::KeyPartitionLoad& load, Epoch epoch, int64_t now_us, Counted* of);

  std::map<JobId, std::map<uint32_t, Counted>> jobs_;
};

}  // namespace tidemill
