// The view of the cluster that members get, from the durable state: those alive, the live jobs
// with their plans, and every grant.
#pragma once

#include <string>

#include "coordinator/coordinator_state.h"
#include "shared/base/buffer.h"

namespace tidemill {

// A serialized proto::ClusterView.
Buffer encode_cluster_view(const CoordinatorState& state, const std::string& instance);

}  // namespace tidemill
