// What the coordinator knows of snapshots: part of CoordinatorState, and as durable. The values are
// immutable and shared, so that a copy of a state costs a pointer per key partition that has
// changed, and a commit writes only those.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "shared/base/ids.h"
#include "shared/base/time.h"
#include "shared/plan/plan.h"
#include "shared/wire/stamp.h"

namespace tidemill {

// A snapshot of one key partition that is in snapshot storage.
struct RegisteredSnapshot {
  std::string manifest;      // its object
  Stamp stamp;               // of the state
  uint64_t total_bytes = 0;  // of all files that the manifest names
  uint64_t new_bytes = 0;    // uploaded for it
  uint64_t rows = 0;
  TimeUs taken_at = 0;            // wall clock
  uint64_t trigger = 0;           // the greatest that its owner knew when it was begun
  std::vector<uint64_t> offsets;  // V, by source partition
  friend bool operator==(const RegisteredSnapshot&, const RegisteredSnapshot&) = default;
};

// Retained of one key partition, newest first: at most kRetainedSnapshots.
using PartitionSnapshots = std::vector<RegisteredSnapshot>;
inline constexpr size_t kRetainedSnapshots = 2;

struct JobSnapshots {
  // By key partition; null, or beyond the end: there are none.
  std::vector<std::shared_ptr<const PartitionSnapshots>> key_partitions;

  const PartitionSnapshots& of(uint32_t k) const {
    static const PartitionSnapshots kNone;
    return k < key_partitions.size() && key_partitions[k] ? *key_partitions[k] : kNone;
  }
};

// A snapshot of a whole job under a name: kept until it is deleted, whatever becomes of the job.
struct Savepoint {
  std::string name;
  JobId job;
  std::string job_name;
  uint64_t trigger = 0;   // every snapshot of it was begun after this was seen; unique in the job
  bool complete = false;  // otherwise all below is still missing
  TimeUs made_at = 0;     // asked for; of a complete one, when it became so
  std::shared_ptr<const Plan> plan;           // of the job then
  std::vector<RegisteredSnapshot> snapshots;  // one per key partition; their offsets are left out
  std::vector<uint64_t> offsets;              // by source partition the least over the snapshots
};

// Objects in snapshot storage that nothing may need any more: all of a job that is forgotten, or
// those of a savepoint that was deleted.
struct SnapshotRemoval {
  JobId job;
  uint64_t trigger = 0;  // of the savepoint; 0: all of the job
  uint32_t key_partitions = 0;
  std::vector<std::string> manifests;  // of the savepoint, by key partition
  friend bool operator==(const SnapshotRemoval&, const SnapshotRemoval&) = default;
};
using RemovalId = std::pair<JobId, uint64_t>;  // job, trigger

}  // namespace tidemill
