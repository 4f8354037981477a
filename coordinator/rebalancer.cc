#include "coordinator/rebalancer.h"

#include <algorithm>

#include "coordinator/node_text.h"
#include "shared/obs/log.h"

namespace tidemill {
namespace {

using Role = KeyPartitionMove::Role;

void log_ended(const std::vector<EndedJobMove>& ended, RebalanceOutcome* outcome) {
  for (const auto& [job, end] : ended) {
    if (end.done) {
      ++outcome->done;
      outcome->taken_over += end.move.role == Role::kOwner ? 1 : 0;
      continue;
    }
    ++outcome->dropped;
    log_event(LogLevel::kInfo, "move_dropped",
              {{"job", job.value},
               {"key_partition", end.move.key_partition},
               {"to", node_text(end.move.to.node)},
               {"reason", end.reason}});
  }
}

void log_plan(const CoordinatorState& state) {
  log_event(LogLevel::kInfo, "rebalance_started",
            {{"id", state.rebalance.id},
             {"cause", state.rebalance.cause},
             {"moves", state.rebalance.moves}});
}

}  // namespace

void Rebalancer::take(const proto::Heartbeat& report, const CoordinatorState& state,
                      int64_t now_us) {
  if (report.role() != proto::WORKER) return;
  standbys_.take(report, state);
  loads_.take(report, state, now_us);
}

void Rebalancer::want(const std::string& cause, int64_t now_us) {
  if (!config_.automatic) return;
  wanted_ = cause;
  not_before_us_ = now_us + config_.join_settle_us;
}

bool Rebalancer::may_begin(const Draft& draft, const MembershipTable& members,
                           int64_t now_us) const {
  if (now_us < not_before_us_ || draft.changed() || draft.any_moves()) return false;
  const CoordinatorState& state = draft.state();
  for (const auto& [id, entry] : state.jobs) {
    const auto& grants = entry.grants->key_partitions;
    if (std::any_of(grants.begin(), grants.end(),
                    [](const PartitionGrant& grant) { return grant.node == NodeId{}; })) {
      return false;
    }
  }
  for (const auto& [node, info] : state.members) {
    if (info.role != MemberRole::kWorker) continue;
    const auto* member = members.find_alive(node);
    if (member == nullptr || member->report.view_version() != state.view_version) return false;
    for (const auto& job : member->report.jobs()) {
      if (job.restoring() > 0) return false;
    }
  }
  return true;
}

void Rebalancer::rebalance_if_wanted(Draft* draft, const MembershipTable& members, int64_t now_us,
                                     TimeUs wall_us) {
  if (wanted_.empty() || !may_begin(*draft, members, now_us)) return;
  const auto plan = draft->plan_rebalance(loads_, {}, false);
  const std::string cause = std::move(wanted_);
  wanted_.clear();
  if (!plan || plan->moves.empty()) return;
  draft->start_rebalance(*plan, {}, false, cause, wall_us);
  log_plan(draft->state());
}

RebalanceOutcome Rebalancer::advance(Draft* draft, const MembershipTable& members, int64_t now_us,
                                     TimeUs wall_us) {
  RebalanceOutcome outcome;
  standbys_.keep(draft->state());
  loads_.keep(draft->state());
  log_ended(draft->end_moves(standbys_, wall_us), &outcome);
  outcome.placed = draft->place(standbys_);
  const uint64_t before = draft->state().rebalance.id;
  draft->drain_workers(loads_, wall_us);
  if (draft->state().rebalance.id != before) log_plan(draft->state());
  rebalance_if_wanted(draft, members, now_us, wall_us);
  (void)draft->begin_moves(wall_us);
  warn_stalled(draft->state(), members, wall_us);
  note_drained(draft->state());
  return outcome;
}

std::string Rebalancer::waits_for(const CoordinatorState& state, const MembershipTable& members,
                                  JobId job, const KeyPartitionMove& move) const {
  if (move.shown_in == 0) {
    return "fewer than " + std::to_string(kMovesAtOncePerTarget) +
           " moves under way to its target, and no other one of its key partition";
  }
  const auto& owner = state.jobs.at(job).grants->key_partitions.at(move.key_partition);
  const auto* target = members.find_alive(move.to.node);
  const auto* source = members.find_alive(owner.node);
  if (target == nullptr || target->report.view_version() < move.shown_in) {
    return "the target, which has not applied the view that shows the move";
  }
  if (source == nullptr || source->report.view_version() < move.shown_in) {
    return "the owner, which has not applied the view that shows the move";
  }
  if (!standbys_.known(job, move.key_partition, owner, move.to.node, move.shown_in)) {
    return "the target, which has not registered with the owner: it restores, or cannot reach it";
  }
  return "the target, which has not caught up with the owner";
}

std::vector<MoveStatus> Rebalancer::moves(const CoordinatorState& state,
                                          const MembershipTable& members, TimeUs wall_us) const {
  std::vector<MoveStatus> out;
  for (const auto& [id, entry] : state.jobs) {
    for (const auto& move : entry.grants->moves) {
      MoveStatus status;
      status.job = id;
      status.move = move;
      status.from = entry.grants->key_partitions.at(move.key_partition).node;
      if (move.role == Role::kStandby) {
        const auto standby = entry.grants->standbys.find(move.key_partition);
        status.from = standby == entry.grants->standbys.end() ? NodeId{} : standby->second.node;
      }
      status.waiting = waits_for(state, members, id, move);
      status.stalled = move.shown_in != 0 && wall_us - move.begun_at > kStalledUs;
      out.push_back(std::move(status));
    }
  }
  return out;
}

void Rebalancer::warn_stalled(const CoordinatorState& state, const MembershipTable& members,
                              TimeUs wall_us) {
  std::set<std::tuple<JobId, uint32_t, NodeId>> stalled;
  for (const auto& [id, entry] : state.jobs) {
    for (const auto& move : entry.grants->moves) {
      if (move.shown_in == 0 || wall_us - move.begun_at <= kStalledUs) continue;
      const std::tuple key(id, move.key_partition, move.to.node);
      stalled.insert(key);
      if (warned_.contains(key)) continue;
      log_event(LogLevel::kWarning, "move_stalled",
                {{"job", id.value},
                 {"key_partition", move.key_partition},
                 {"to", node_text(move.to.node)},
                 {"waits_for", waits_for(state, members, id, move)}});
    }
  }
  warned_ = std::move(stalled);
}

void Rebalancer::note_drained(const CoordinatorState& state) {
  if (state.draining.empty() && drained_.empty()) return;
  std::set<NodeId> drained;
  for (const DrainStatus& status : drain_status(state)) {
    if (!status.finished()) continue;
    drained.insert(status.node);
    if (drained_.contains(status.node)) continue;
    log_event(LogLevel::kInfo, "worker_drained", {{"node", node_text(status.node)}});
  }
  drained_ = std::move(drained);
}

std::vector<DrainStatus> drain_status(const CoordinatorState& state) {
  std::map<NodeId, DrainStatus> drains;
  for (const NodeId node : state.draining) drains[node].node = node;
  const auto count = [&](NodeId node, uint32_t DrainStatus::*what) {
    const auto it = drains.find(node);
    if (it != drains.end()) ++(it->second.*what);
  };
  for (const auto& [id, entry] : state.jobs) {
    const JobGrants& grants = *entry.grants;
    for (const auto& grant : grants.key_partitions) count(grant.node, &DrainStatus::key_partitions);
    for (const auto& grant : grants.sources) count(grant.node, &DrainStatus::source_partitions);
    for (const auto& [k, standby] : grants.standbys) count(standby.node, &DrainStatus::standbys);
  }
  std::vector<DrainStatus> out;
  for (const auto& [node, status] : drains) out.push_back(status);
  return out;
}

}  // namespace tidemill
