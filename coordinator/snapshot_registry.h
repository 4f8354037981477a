// The snapshot registry: which snapshots of a key partition count. Pure functions over the
// coordinator's state; what they change counts once the state is durable.
//
// Invariants:
// - A snapshot is registered only under the epoch of the newest grant of its key partition, so a
//   former owner can neither replace a snapshot nor have one removed.
// - The newest registered snapshot of a key partition is retained, and the one before it; those
//   that savepoints name are until the savepoint is deleted.
// - A manifest names objects of its own job only (shared/snapshot/snapshots.h), and of those that
//   were there before only such as one that was retained then names. So a list of what is retained
//   stays good enough to remove the rest by, whatever has been registered meanwhile.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coordinator/coordinator_state.h"
#include "proto/control.pb.h"
#include "shared/base/result.h"

namespace tidemill {

// Of bytes from outside: the manifest's name begins as those of its key partition do, and no list
// is longer than it can be. kUser.
Status check_claim(const proto::SnapshotTaken& claim);

enum class Registration {
  kNew,      // the state has changed
  kKnown,    // it, or a newer one of the same owner, is there
  kRefused,  // the sender does not own the key partition under that epoch
};
// `claim` has passed check_claim.
Registration register_snapshot(const proto::SnapshotTaken& claim, NodeId from,
                               CoordinatorState* state);

// The manifests whose files in storage must stay, as far as objects of this job's key partition go:
// its own newest first, then those of its savepoints, also where jobs that began with them have no
// newer ones yet.
std::vector<std::string> retained_manifests(const CoordinatorState& state, JobId job, uint32_t k);

// What `asker` may know: of the key partitions asked for, those that it owns under the epoch it
// names, or is a standby of.
proto::SnapshotsKnown known_snapshots(const CoordinatorState& state, NodeId asker,
                                      const proto::SnapshotQuery& query);

struct SnapshotSummary {
  uint32_t key_partitions = 0;
  uint32_t without = 0;             // that have none
  std::optional<TimeUs> oldest_at;  // of the least fresh newest snapshot; nothing: there is none
  uint64_t total_bytes = 0;         // of the newest ones
  uint64_t rows = 0;
  uint64_t retained = 0;  // snapshots
  // By source partition: from where on the log is still needed, to recover from any that is
  // retained. 0 for as long as a key partition has none.
  std::vector<uint64_t> needed_offsets;
};
SnapshotSummary summarize_snapshots(const JobEntry& entry);
// Of the least fresh newest snapshot; nothing if a key partition has none.
std::optional<uint64_t> snapshot_age_ms(const SnapshotSummary& summary, TimeUs now);

}  // namespace tidemill
