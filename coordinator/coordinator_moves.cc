// The coordinator's requests about draining workers and rebalancing.
#include "coordinator/coordinator.h"
#include "coordinator/node_text.h"
#include "coordinator/rest_rebalance.h"
#include "shared/obs/log.h"

namespace tidemill {

HttpResponse Coordinator::drain(const DrainCommand& command, Draft* draft) {
  // A worker that is dead is none to drain, nor one that could take anything.
  draft->set_members(members_.alive());
  if (command.undo) {
    const auto was = draft->undrain(command.node);
    if (!was) return http_error(404, was.error().message());
    if (*was) {
      log_event(LogLevel::kInfo, "worker_drain_undone", {{"node", node_text(command.node)}});
      rebalancer_.want("worker " + node_text(command.node) + " does not drain any more",
                       runtime_.monotonic_us());
    }
    return drain_response(draft->state(), command.node);
  }
  if (const auto status = draft->drain(command.node); !status) {
    const bool unknown = status.error().code() == ErrorCode::kUser;
    return http_error(unknown ? 404 : 409, status.error().message());
  }
  log_event(LogLevel::kInfo, "worker_draining", {{"node", node_text(command.node)}});
  return drain_response(draft->state(), command.node);
}

HttpResponse Coordinator::rebalance(const RebalanceCommand& command, Draft* draft) {
  draft->set_members(members_.alive());
  const auto plan = draft->plan_rebalance(rebalancer_.loads(), command.job, false);
  if (!plan) return http_error(404, plan.error().message());
  draft->start_rebalance(*plan, command.job, false, "requested", runtime_.wall_us());
  const RebalanceRecord& record = draft->state().rebalance;
  log_event(LogLevel::kInfo, "rebalance_started",
            {{"id", record.id}, {"cause", record.cause}, {"moves", record.moves}});
  return rebalance_started_response(record);
}

HttpResponse Coordinator::plan_rebalance(const std::string& job) {
  Draft draft(*committed_);
  draft.set_members(members_.alive());
  const auto plan = draft.plan_rebalance(rebalancer_.loads(), job, false);
  return plan ? plan_response(draft.state(), *plan) : http_error(404, plan.error().message());
}

HttpResponse Coordinator::show_rebalance() {
  const TimeUs now = runtime_.wall_us();
  return rebalance_response(*committed_, rebalancer_.moves(*committed_, members_, now), now);
}

}  // namespace tidemill
