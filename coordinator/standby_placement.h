// Who follows the owners of a job's key partitions as their standby. A pure function.
//
// Invariants:
// - a standby is on another worker than the owner; there is none if no other worker is alive
// - one that is where it may be stays there, also on a draining worker: it is moved away from it
// - new ones go to the worker that has the fewest of the job, then to the one that follows the
//   same owner least often: what a dead worker owned is taken over by several
#pragma once

#include <cstdint>
#include <vector>

#include "coordinator/coordinator_state.h"
#include "coordinator/placement.h"

namespace tidemill {

// Whether place_standbys would change anything.
bool needs_standbys(const std::vector<PlacementWorker>& workers, bool wanted,
                    const JobGrants& grants);

// Returns how many have changed. Not wanted: there are none.
uint32_t place_standbys(const std::vector<PlacementWorker>& workers, bool wanted,
                        JobGrants* grants);

}  // namespace tidemill
