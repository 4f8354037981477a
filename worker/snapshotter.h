// Snapshotter: when key partitions of one job are written to disk, uploaded and registered. Each
// has its turn every snapshot interval, staggered, and sooner when a replica or a savepoint waits
// for it, or when changes pile up: then those go first whose oldest change is oldest, which lets go
// of the messages that the changes came in. A few at a time.
//
// A write that something waits for is urgent: readers that get no credit before it is done, or a
// replica that images are to be sent to. It has room of its own, and uploads nothing unless that is
// due as well; one that is under way is hurried.
//
// shard-affine: part of the PartitionHost actor.
#pragma once

#include <optional>
#include <vector>

#include "worker/disk_lane.h"
#include "worker/holdings.h"

namespace tidemill {

// Of changes that are in no increment, on one shard.
enum class Pressure {
  kNone,
  kPiledUp,  // they are written before their time
  kHeld,     // and senders get no more credit until some have been
};

// Writes that may be begun.
struct WriteRoom {
  size_t ordinary = 0;
  size_t urgent = 0;
};

class Snapshotter {
 public:
  Snapshotter(Runtime& runtime, ActorId self, const WorkerConfig& config, JobId job);

  // Begins what is due, as far as there is room, which it takes.
  void begin_due(Owned* owned, Standbys* standbys, uint64_t trigger, Pressure pressure,
                 WriteRoom* room);
  // Tells the registry (again) what it has not confirmed.
  void tell_registry(NodeId coordinator, Owned* owned);

  void on_written(const DiskWritten& written, OwnedPartition* owner);
  void on_written(const DiskWritten& written, StandbyPartition* standby);
  void on_registered(const proto::SnapshotRegistered& message, OwnedPartition* owner);

  const WriteRoom& in_flight() const { return in_flight_; }
  // A write is under way of what is let go.
  void forget_in_flight(const Holding& held) { --count_of(held.urgent); }
  // The last increment could not be written to disk.
  bool writes_fail() const { return writes_fail_; }
  void add_to(proto::JobReport* report) const;

 private:
  struct Due {
    int64_t since_us = 0;
    bool urgent = false;
    KeyPartitionId k{};
    bool standby = false;
  };

  bool may_begin(const Holding& held) const;
  bool is_turn(const OwnedPartition& owner, uint64_t trigger) const;
  std::optional<Due> due(const OwnedPartition& owner, uint64_t trigger, Pressure pressure) const;
  std::optional<Due> due(const StandbyPartition& standby, Pressure pressure) const;
  void begin(OwnedPartition* owner, uint64_t trigger, bool urgent);
  void begin(StandbyPartition* standby, bool urgent);
  void note_begun(Holding* held, bool urgent);
  size_t& count_of(bool urgent) { return urgent ? in_flight_.urgent : in_flight_.ordinary; }
  void log_failure(const DiskWritten& written, const std::string& reason);

  Runtime& runtime_;
  ActorId self_;
  const WorkerConfig& config_;
  JobId job_;
  WriteRoom in_flight_;  // what is under way
  uint64_t registered_ = 0;
  uint64_t uploaded_bytes_ = 0;
  uint64_t failures_ = 0;
  bool writes_fail_ = false;
  std::string last_failure_;
};

}  // namespace tidemill
