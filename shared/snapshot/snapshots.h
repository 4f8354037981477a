// Snapshots of key partitions in snapshot storage: taking, restoring, checking, removing.
//
// A snapshot is a manifest object, written last, and the SST objects that it names. Which
// snapshots count is decided by the coordinator's registry alone, so that a worker that is no
// longer the owner can neither replace a snapshot nor remove what one needs:
//  - An owner writes below its own epoch only, so no two ever write an object of one name:
//    job-00000001/k-00017/<epoch, 16 hex digits>/manifest-..., base-..., rows-...
//  - It builds on the objects of an earlier owner only where a retained snapshot names them: those
//    of which the registry told it under its own epoch. The earlier owner has heard of them too
//    before it removed anything, and of others it may still remove some.
//  - It builds on no objects of another job, whose savepoint may be deleted one day.
//  - A store that writes its replica's state for a new owner does so below that owner's epoch and
//    its own node. No other process writes there, and nobody but that owner and later ones removes
//    anything there.
// docs/formats/snapshot.md.
//
// blocking
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shared/snapshot/snapshot_storage.h"
#include "shared/state/partition_disk.h"

namespace tidemill {

// The names of a key partition's objects begin so: "job-00000001/k-00017/".
std::string snapshot_prefix(JobId job, KeyPartitionId k);

struct TakenSnapshot {
  std::string manifest;  // its object
  Stamp stamp;
  uint64_t total_bytes = 0;  // of all files that it names
  uint64_t new_bytes = 0;    // uploaded for it, manifest included
  uint64_t rows = 0;
  OffsetVector offsets;
};

// Uploads what `disk` holds, which is not nothing, and what is not in storage yet, then its
// manifest. `own` is the epoch of the owner's grant, `retained` what the registry last answered to
// it under that epoch (SnapshotsKnown or SnapshotRegistered): a file counts as in storage if it is
// below `own`, by whomever it was written for it, or named by one of those. kCorrupt: a file on
// disk is damaged.
Result<TakenSnapshot> upload_snapshot(PartitionDisk* disk, SnapshotStorage* storage, Epoch own,
                                      std::span<const std::string> retained);

// Likewise, of a store's copy, for the owner of that epoch to begin with.
Result<TakenSnapshot> upload_snapshot_of_store(PartitionDisk* disk, SnapshotStorage* storage,
                                               Epoch owner, NodeId store);

struct RestoredSnapshot {
  std::string manifest;              // that was used; empty: `candidates` was empty
  std::vector<std::string> refused;  // those before it, each with the reason
};

// Makes `disk` hold the first of `candidates` (manifest objects, best first) that verifies: fetches
// the files that are not on disk yet. Each one that does not is refused with a warning,
// `snapshot_refused`. kCorrupt if there are candidates and none verifies; kRetryable if storage or
// disk cannot be used now.
Result<RestoredSnapshot> restore_snapshot(PartitionDisk* disk, SnapshotStorage* storage,
                                          std::span<const std::string> candidates);

// Reads a manifest object. kCorrupt if it is damaged.
Result<proto::StateManifest> read_manifest(SnapshotStorage* storage, const std::string& name);

// Reads every file that a manifest names and compares sizes, checksums and the head in it. What is
// wrong, one line each; empty: nothing.
Result<std::vector<std::string>> verify_snapshot(SnapshotStorage* storage,
                                                 const std::string& manifest);

// Removes the objects of a key partition that none of `retained` names and that were written under
// `own` or an earlier epoch; of its own, only what is not newer than its newest retained snapshot:
// that may be on its way to the registry. Gives the number removed. `retained` is what the registry
// answered to a snapshot of the owner under `own`. An error if one of them cannot be read: then
// nothing is removed.
Result<uint64_t> remove_unretained(SnapshotStorage* storage, JobId job, KeyPartitionId k, Epoch own,
                                   std::span<const std::string> retained);

}  // namespace tidemill
