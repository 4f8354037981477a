// What the coordinator's REST API answers about standbys, moves, drains and rebalances. Reference:
// docs/coordinator.md. Pure functions.
#pragma once

#include <vector>

#include "coordinator/coordinator_state.h"
#include "coordinator/rebalance_planner.h"
#include "coordinator/rebalancer.h"
#include "shared/net/http_server.h"

namespace tidemill {

HttpResponse plan_response(const CoordinatorState& state, const RebalancePlan& plan);
HttpResponse rebalance_started_response(const RebalanceRecord& record);
HttpResponse rebalance_response(const CoordinatorState& state, const std::vector<MoveStatus>& moves,
                                TimeUs now);
HttpResponse drain_response(const CoordinatorState& state, NodeId node);

}  // namespace tidemill
