// Drafts: standbys, draining workers, and key partitions on their way to other workers.
#include <algorithm>
#include <utility>

#include "coordinator/decision.h"
#include "coordinator/load_table.h"
#include "coordinator/node_text.h"

namespace tidemill {
namespace {

using Role = KeyPartitionMove::Role;

// Where a key partition and its standby will be once the moves that count have ended.
struct Placed {
  WorkerSlot owner;
  WorkerSlot standby;
  bool moving = false;
};

std::vector<Placed> placed_of(const JobGrants& grants, bool count_waiting) {
  std::vector<Placed> out;
  for (uint32_t k = 0; k < grants.key_partitions.size(); ++k) {
    const auto& owner = grants.key_partitions[k];
    const auto standby = grants.standbys.find(k);
    out.push_back({{owner.node, owner.shard},
                   standby == grants.standbys.end() ? WorkerSlot{} : standby->second});
  }
  for (const auto& move : grants.moves) {
    if (move.key_partition >= out.size() || (move.shown_in == 0 && !count_waiting)) continue;
    Placed& placed = out[move.key_partition];
    placed.moving = true;
    if (move.role == Role::kStandby) {
      placed.standby = move.to;
      continue;
    }
    if (placed.standby.node == move.to.node) placed.standby = placed.owner;
    placed.owner = move.to;
  }
  return out;
}

bool concerns(const JobEntry& entry, const JobEntry* only) {
  return only == nullptr || entry.job->id == only->job->id;
}

}  // namespace

std::vector<PlacementWorker> Draft::placement_workers() const {
  std::vector<PlacementWorker> out;
  for (const auto& [node, info] : state_.members) {
    if (info.role != MemberRole::kWorker) continue;
    out.push_back({node, info.shards, state_.draining.contains(node)});
  }
  return out;
}

bool Draft::takes(const WorkerSlot& slot) const {
  const auto member = state_.members.find(slot.node);
  return member != state_.members.end() && member->second.role == MemberRole::kWorker &&
         slot.shard < member->second.shards && !state_.draining.contains(slot.node);
}

std::vector<WorkerSlot> Draft::successors(const JobEntry& entry,
                                          const StandbyTable& standbys) const {
  const JobGrants& grants = *entry.grants;
  const auto copies = shown_standbys(grants);
  std::vector<WorkerSlot> out(copies.size());
  for (uint32_t k = 0; k < copies.size(); ++k) {
    bool best = false;  // out[k] has caught up
    for (const WorkerSlot& slot : copies[k]) {
      if (!takes(slot)) continue;
      const bool caught_up =
          standbys.caught_up(entry.job->id, k, grants.key_partitions[k], slot.node);
      if (out[k].node != NodeId{} && (best || !caught_up)) continue;
      out[k] = slot;
      best = caught_up;
    }
  }
  return out;
}

MoveContext Draft::move_context(const JobEntry& entry, const StandbyTable* standbys) const {
  MoveContext context;
  context.takes = [this](const WorkerSlot& slot) { return takes(slot); };
  context.stays = [this](NodeId node) {
    return state_.members.contains(node) && !state_.draining.contains(node);
  };
  context.wants_standbys = entry.job->plan->proto().standby_replicas() > 0;
  if (standbys == nullptr) return context;
  const JobId job = entry.job->id;
  context.caught_up = [this, job, standbys](uint32_t k, const PartitionGrant& owner, NodeId node,
                                            uint64_t since) {
    return state_.members.contains(owner.node) && standbys->caught_up(job, k, owner, node, since);
  };
  return context;
}

void Draft::count_ended(const std::vector<EndedMove>& ended) {
  for (const auto& move : ended) {
    ++(move.done ? state_.rebalance.done : state_.rebalance.dropped);
  }
}

// Of key partitions whose owner was lost, and which have a new one.
void Draft::drop_moves_of_lost(const JobGrants& before, JobGrants* grants) {
  std::vector<EndedMove> ended;
  std::erase_if(grants->moves, [&](const KeyPartitionMove& move) {
    const uint32_t k = move.key_partition;
    const NodeId owner = grants->key_partitions[k].node;
    if (k < before.key_partitions.size() && before.key_partitions[k].node == owner) return false;
    if (move.role == Role::kStandby) return false;
    ended.push_back({move, owner == move.to.node, "the owner is dead"});
    return true;
  });
  count_ended(ended);
}

Status Draft::drain(NodeId node) {
  const auto member = state_.members.find(node);
  if (member == state_.members.end() || member->second.role != MemberRole::kWorker) {
    return user_error("there is no worker " + node_text(node) + "; /v1/cluster lists the workers");
  }
  if (state_.draining.contains(node)) return {};
  const auto workers = placement_workers();
  const bool others = std::any_of(workers.begin(), workers.end(), [&](const PlacementWorker& w) {
    return w.node != node && !w.draining;
  });
  if (!others) {
    return retryable_error("there is no other worker that is not draining: what worker " +
                           node_text(node) + " owns could go nowhere");
  }
  state_.draining.insert(node);
  changed_ = true;
  return {};
}

Result<bool> Draft::undrain(NodeId node) {
  const auto member = state_.members.find(node);
  if (member == state_.members.end() || member->second.role != MemberRole::kWorker) {
    return user_error("there is no worker " + node_text(node) + "; /v1/cluster lists the workers");
  }
  if (state_.draining.erase(node) == 0) return false;
  changed_ = true;
  for (auto& [id, entry] : state_.jobs) {
    JobGrants grants = *entry.grants;
    const auto placed = placed_of(grants, false);
    const auto dropped = std::erase_if(grants.moves, [&](const KeyPartitionMove& move) {
      const Placed& from = placed[move.key_partition];
      const bool leaves = (move.role == Role::kOwner ? from.owner : from.standby).node == node;
      return move.shown_in == 0 && leaves;
    });
    if (dropped == 0) continue;
    state_.rebalance.dropped += static_cast<uint32_t>(dropped);
    entry.grants = std::make_shared<const JobGrants>(std::move(grants));
  }
  return true;
}

Result<RebalancePlan> Draft::plan_rebalance(const LoadTable& loads, const std::string& only,
                                            bool drain_only) const {
  const JobEntry* job = only.empty() ? nullptr : find_job(state_, only);
  if (!only.empty() && (job == nullptr || !job->job->live())) {
    return user_error("there is no job '" + only + "' that runs");
  }
  RebalanceInput input;
  input.drain_only = drain_only;
  for (const auto& worker : placement_workers()) {
    input.workers.push_back({worker.node, worker.shards, worker.draining});
  }
  for (const auto& [id, entry] : state_.jobs) {
    if (!entry.job->live()) continue;
    const bool movable = concerns(entry, job);
    const auto placed = placed_of(*entry.grants, drain_only || !movable);
    for (uint32_t k = 0; k < placed.size(); ++k) {
      const Placed& p = placed[k];
      input.key_partitions.push_back(
          {id, k, p.owner, p.standby, loads.of(id, k), movable && !p.moving});
    }
    for (uint32_t s = 0; s < entry.grants->sources.size() && entry.job->reading(); ++s) {
      const auto& grant = entry.grants->sources[s];
      input.readers.push_back({id, s, {grant.node, grant.shard}, movable});
    }
  }
  return tidemill::plan_rebalance(input);
}

void Draft::start_rebalance(const RebalancePlan& plan, const std::string& only, bool drain_only,
                            const std::string& cause, TimeUs now) {
  const JobEntry* job = only.empty() ? nullptr : find_job(state_, only);
  uint32_t going_on = 0;
  uint32_t readers = 0;
  for (auto& [id, entry] : state_.jobs) {
    if (!entry.job->live()) continue;
    JobGrants grants = *entry.grants;
    if (!drain_only && concerns(entry, job)) {
      std::erase_if(grants.moves, [](const KeyPartitionMove& m) { return m.shown_in == 0; });
    }
    for (const PlannedMove& move : plan.moves) {
      if (move.job != id) continue;
      if (move.kind == MoveKind::kReader) {
        grants.sources[move.number] = {move.to.node, move.to.shard, state_.next_epoch};
        state_.next_epoch = Epoch{state_.next_epoch.value + 1};
        ++readers;
        view_changed_ = true;
        continue;
      }
      const Role role = move.kind == MoveKind::kOwner ? Role::kOwner : Role::kStandby;
      grants.moves.push_back({move.number, role, move.to, 0, 0});
    }
    going_on += static_cast<uint32_t>(grants.moves.size());
    if (!(grants == *entry.grants)) {
      entry.grants = std::make_shared<const JobGrants>(std::move(grants));
    }
  }
  state_.rebalance = {state_.rebalance.id + 1, cause,   now, going_on == 0 ? now : 0,
                      going_on + readers,      readers, 0};
  changed_ = true;
}

bool Draft::drain_unplanned() const {
  const auto drains = [this](NodeId node) { return state_.draining.contains(node); };
  for (const auto& [id, entry] : state_.jobs) {
    if (!entry.job->live()) continue;
    for (const Placed& placed : placed_of(*entry.grants, true)) {
      if (!placed.moving && (drains(placed.owner.node) || drains(placed.standby.node))) return true;
    }
    if (!entry.job->reading()) continue;
    for (const auto& grant : entry.grants->sources) {
      if (drains(grant.node)) return true;
    }
  }
  return false;
}

void Draft::drain_workers(const LoadTable& loads, TimeUs now) {
  if (state_.draining.empty() || !drain_unplanned()) return;
  const auto plan = plan_rebalance(loads, {}, true);
  ASSERT(plan.ok());
  if (!plan->moves.empty()) {
    std::string nodes;
    for (const NodeId node : state_.draining) {
      nodes += (nodes.empty() ? "" : ", ") + node_text(node);
    }
    start_rebalance(*plan, {}, true, "drain of " + nodes, now);
  }
  // A standby for which there is no other worker than the owner's own cannot stay either.
  const auto workers = placement_workers();
  for (auto& [id, entry] : state_.jobs) {
    JobGrants grants = *entry.grants;
    const auto placed = placed_of(grants, true);
    const auto dropped = std::erase_if(grants.standbys, [&](const auto& standby) {
      const Placed& of = placed[standby.first];
      const bool room = std::any_of(workers.begin(), workers.end(), [&](const PlacementWorker& w) {
        return !w.draining && w.node != of.owner.node;
      });
      return !room && !of.moving && state_.draining.contains(standby.second.node);
    });
    if (dropped == 0) continue;
    entry.grants = std::make_shared<const JobGrants>(std::move(grants));
    changed_ = view_changed_ = true;
  }
}

std::vector<EndedJobMove> Draft::end_moves(const StandbyTable& standbys, TimeUs now) {
  std::vector<EndedJobMove> out;
  for (auto& [id, entry] : state_.jobs) {
    if (entry.grants->moves.empty()) continue;
    JobGrants grants = *entry.grants;
    const auto context = move_context(entry, &standbys);
    const auto ended = tidemill::end_moves(context, &grants, &state_.next_epoch);
    if (ended.empty()) continue;
    count_ended(ended);
    entry.grants = std::make_shared<const JobGrants>(std::move(grants));
    changed_ = true;
    for (const auto& move : ended) {
      view_changed_ = view_changed_ || move.move.shown_in != 0;
      out.push_back({id, move});
    }
  }
  if (state_.rebalance.id != 0 && state_.rebalance.finished_at == 0 && !any_moves()) {
    state_.rebalance.finished_at = now;
    changed_ = true;
  }
  return out;
}

uint32_t Draft::begin_moves(TimeUs now) {
  BeginMoves begin;
  begin.targets_shown_in = state_.view_version + 1;
  begin.standbys_shown_in = view_changed_ ? begin.targets_shown_in : state_.view_version;
  begin.now = now;
  for (const auto& [id, entry] : state_.jobs) {
    for (const auto& move : entry.grants->moves) {
      if (move.shown_in != 0) ++begin.under_way[move.to.node];
    }
  }
  for (auto& [id, entry] : state_.jobs) {
    if (entry.grants->moves.empty()) continue;
    const uint32_t before = begin.begun;
    JobGrants grants = *entry.grants;
    const uint32_t shown = tidemill::begin_moves(move_context(entry, nullptr), &begin, &grants);
    if (begin.begun == before) continue;
    entry.grants = std::make_shared<const JobGrants>(std::move(grants));
    changed_ = true;
    view_changed_ = view_changed_ || shown > 0;
  }
  return begin.begun;
}

bool Draft::any_moves() const {
  return std::any_of(state_.jobs.begin(), state_.jobs.end(),
                     [](const auto& job) { return !job.second.grants->moves.empty(); });
}

}  // namespace tidemill
