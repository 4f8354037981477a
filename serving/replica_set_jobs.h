// What a ReplicaSet's work on the blocking pool needs. Only replica_set.cc and replica_upkeep.cc
// include this.
#pragma once

#include "serving/replica_set.h"

namespace tidemill {

// A piece of work has ended: `then` goes on in the actor.
struct ReplicaSet::Done : LocalPayload {
  ReplicaId id;
  uint64_t generation = 0;
  Then then;
};

// One walk over a replica's disk. The scan is used and dropped on the replica's lane, before the
// disk is.
struct ReplicaSet::WarmUp {
  ReplicaId id;
  std::shared_ptr<PartitionDisk> disk;
  std::unique_ptr<StateScan> scan;
  uint64_t evicted_before = 0;
};

inline Stamp stamp_of(const PartitionDisk& disk) {
  return disk.manifest() == nullptr ? Stamp{} : from_proto(disk.manifest()->head()).stamp();
}

inline uint64_t rows_in(const PartitionDisk& disk) {
  uint64_t rows = 0;
  if (disk.manifest() == nullptr) return rows;
  for (const proto::StateFile& file : disk.manifest()->files()) rows += file.rows();
  return rows;
}

}  // namespace tidemill
