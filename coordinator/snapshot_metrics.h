// Snapshots, savepoints and removals as metrics; docs/coordinator.md lists them. Pure.
#pragma once

#include <string>

#include "coordinator/coordinator_state.h"

namespace tidemill {

// Prometheus text, of live jobs. `now`: wall clock.
std::string snapshot_metrics(const CoordinatorState& state, TimeUs now);

}  // namespace tidemill
