// Snapshots, savepoints and removals as keys and values of the coordinator's metadata, and back.
// Decoding is strict. docs/formats/coordinator_metadata.md
#pragma once

#include "coordinator/coordinator_state.h"
#include "coordinator/key_value_store.h"
#include "proto/metadata.pb.h"

namespace tidemill {

// Appends what turns the stored values of `before` into those of `after`.
void add_snapshot_changes(const CoordinatorState& before, const CoordinatorState& after,
                          KeyValueBatch* batch);

// Adds what is stored to a state whose jobs are read. kCorrupt.
Status read_snapshots(const KeyValues& values, CoordinatorState* state);

proto::StoredSnapshots encode_snapshots(JobId job, uint32_t k, const PartitionSnapshots& snapshots);
proto::StoredSavepoint encode_savepoint(const Savepoint& savepoint);
proto::StoredRemoval encode_removal(const SnapshotRemoval& removal);
Result<PartitionSnapshots> decode_snapshots(const proto::StoredSnapshots& stored);
Result<Savepoint> decode_savepoint(proto::StoredSavepoint stored);
Result<SnapshotRemoval> decode_removal(const proto::StoredRemoval& stored);

}  // namespace tidemill
