// Snapshotter: when key partitions of one job are written to disk, uploaded and registered. Each
// has its turn every snapshot interval, staggered, and sooner when a replica or a savepoint waits
// for it, or when changes pile up: then those go first whose oldest change is oldest, which lets go
// of the messages that the changes came in. A few at a time.
//
// shard-affine: part of the PartitionHost actor.
#pragma once

#include <optional>
#include <vector>

#include "worker/disk_lane.h"
#include "worker/holdings.h"

namespace tidemill {

class Snapshotter {
 public:
  Snapshotter(Runtime& runtime, ActorId self, const WorkerConfig& config, JobId job);

  // Begins what is due, at most `budget` writes; gives how many were begun. `pressed`: changes have
  // piled up on this shard.
  size_t begin_due(Owned* owned, Standbys* standbys, uint64_t trigger, bool pressed, size_t budget);
  // Tells the registry (again) what it has not confirmed.
  void tell_registry(NodeId coordinator, Owned* owned);

  void on_written(const DiskWritten& written, OwnedPartition* owner);
  void on_written(const DiskWritten& written, StandbyPartition* standby);
  void on_registered(const proto::SnapshotRegistered& message, OwnedPartition* owner);

  size_t in_flight() const { return in_flight_; }
  void forget_in_flight() { --in_flight_; }
  // The last increment could not be written to disk.
  bool writes_fail() const { return writes_fail_; }
  void add_to(proto::JobReport* report) const;

 private:
  struct Due {
    int64_t since_us = 0;
    KeyPartitionId k;
    bool standby = false;
  };

  std::optional<int64_t> due_since(const OwnedPartition& owner, uint64_t trigger,
                                   bool pressed) const;
  std::optional<int64_t> due_since(const StandbyPartition& standby, bool pressed) const;
  void begin(OwnedPartition* owner, uint64_t trigger);
  void begin(StandbyPartition* standby);
  void log_failure(const DiskWritten& written, const std::string& reason);

  Runtime& runtime_;
  ActorId self_;
  const WorkerConfig& config_;
  JobId job_;
  size_t in_flight_ = 0;
  uint64_t registered_ = 0;
  uint64_t uploaded_bytes_ = 0;
  uint64_t failures_ = 0;
  bool writes_fail_ = false;
  std::string last_failure_;
};

}  // namespace tidemill
