// Removing objects from snapshot storage that no manifest of a job or savepoint names any more: a
// key partition at a time, each by the state that is committed then.
#pragma once

#include <string>
#include <vector>

#include "coordinator/coordinator_state.h"
#include "shared/base/result.h"
#include "shared/snapshot/snapshot_storage.h"

namespace tidemill {

struct RemovalStep {
  std::string prefix;    // all objects whose names begin so; or if it is empty
  std::string manifest;  // this one and what it names
  // Manifests that are retained, of whatever job or savepoint: they and what they name stay.
  std::vector<std::string> protecting;
};

// What is to be done for key partition k of the removal. Pure.
RemovalStep plan_removal(const CoordinatorState& state, const SnapshotRemoval& removal, uint32_t k);

struct RemovedObjects {
  uint64_t removed = 0;
  uint64_t kept = 0;  // since something still names them
};
// Nothing is removed if a protecting manifest cannot be read: it may have been superseded
// meanwhile, so the step is to be planned again. A manifest goes after the files that it names, so
// that a step can be repeated after an error. blocking
Result<RemovedObjects> remove_objects(SnapshotStorage* storage, const RemovalStep& step);

}  // namespace tidemill
