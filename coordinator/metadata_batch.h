// The coordinator's state as keys and values (docs/formats/coordinator_metadata.md): what a change
// of state writes, and back. Pure functions, the same for every KeyValueStore.
#pragma once

#include "coordinator/coordinator_state.h"
#include "coordinator/key_value_store.h"

namespace tidemill {

// What turns the values of `before` into those of `after`. Jobs, grants and whatever else is shared
// by pointer are written only where the pointers differ.
KeyValueBatch metadata_batch(const CoordinatorState& before, const CoordinatorState& after);

// Nothing stored: the state of an empty cluster, of generation 0. kCorrupt.
Result<CoordinatorState> metadata_state(const KeyValues& values);

}  // namespace tidemill
