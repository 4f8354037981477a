// Decisions about snapshots and savepoints.
#include "coordinator/decision.h"

namespace tidemill {

Registration Draft::register_snapshot(const proto::SnapshotTaken& claim, NodeId from) {
  const auto outcome = tidemill::register_snapshot(claim, from, &state_);
  if (outcome == Registration::kNew) changed_ = true;
  return outcome;
}

Result<Triggered> Draft::trigger_snapshot(std::string_view job, const std::string& savepoint,
                                          TimeUs now) {
  auto triggered = tidemill::trigger_snapshot(job, savepoint, now, &state_);
  if (triggered) changed_ = view_changed_ = true;
  return triggered;
}

SavepointChanges Draft::update_savepoints(TimeUs now) {
  auto changes = tidemill::update_savepoints(now, &state_);
  if (!changes.completed.empty() || !changes.dropped.empty()) changed_ = true;
  return changes;
}

Status Draft::delete_savepoint(const std::string& name) {
  auto status = tidemill::delete_savepoint(name, &state_);
  if (status) changed_ = true;
  return status;
}

void Draft::end_removal(const RemovalId& id) {
  if (state_.removals.erase(id) > 0) changed_ = true;
}

}  // namespace tidemill
