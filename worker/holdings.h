// What one shard holds of a job: key partitions that it owns, and copies that follow the owner on
// another worker. Both begin by asking the snapshot registry what there is, and have it restored;
// an owner for whom there is nothing then asks stores for the state of their replicas.
//
// shard-affine: part of the PartitionHost actor.
#pragma once

#include <map>
#include <memory>

#include "shared/base/buffer_arena.h"
#include "shared/state/follower.h"
#include "worker/disk_lane.h"
#include "worker/key_partition.h"
#include "worker/store_search.h"

namespace tidemill {

enum class HoldingPhase {
  kAsking,     // the snapshot registry
  kRestoring,  // the disk
  kSearching,  // stores, for a state to begin with
  kActive,
};

struct Holding {
  Epoch epoch;  // of the owner's grant
  HoldingPhase phase = HoldingPhase::kAsking;
  std::unique_ptr<DiskLane> disk;
  int64_t ask_at_us = 0;
  uint64_t disk_bytes = 0;
  // Writing.
  bool writing = false;      // a write is under way
  bool urgent = false;       // it was begun because something waits for it
  bool hurried = false;      // something has come to wait for it since
  int64_t write_at_us = 0;   // its next turn
  int64_t failed_at_us = 0;  // a write failed; 0: the last one did not
};

struct OwnedPartition : Holding {
  std::unique_ptr<KeyPartition> partition;  // null until it is restored
  std::optional<StoreSearch> search;        // while it looks for a state in stores
  int64_t open_sessions_at_us = 0;          // replicas have until then to say where they stand
  uint64_t wanted_disk_version = 0;         // a replica waits for the disk to hold it
  uint64_t reported_version = 0;            // at the last report
  // The registry.
  bool registry_known = false;  // what it retains is known under this grant
  bool in_storage = true;       // what the disk holds has been uploaded, as far as it is to be
  std::optional<TakenSnapshot> unregistered;
  uint64_t unregistered_trigger = 0;
  int64_t unregistered_taken_at_us = 0;
  int64_t told_at_us = 0;
  uint64_t begun_trigger = 0;    // the greatest known when the newest snapshot was begun
  int64_t registered_at_us = 0;  // wall clock at which the newest registered one was taken; 0: none
};

struct StandbyPartition : Holding {
  std::unique_ptr<Follower> follower;  // null until it is restored
  BufferArena changes;                 // not on disk yet, if they have bytes of their own
};

using Owned = std::map<KeyPartitionId, OwnedPartition>;
using Standbys = std::map<KeyPartitionId, StandbyPartition>;

}  // namespace tidemill
