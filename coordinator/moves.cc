#include "coordinator/moves.h"

#include <algorithm>
#include <set>
#include <utility>

namespace tidemill {
namespace {

using Role = KeyPartitionMove::Role;

bool is_standby(const JobGrants& grants, uint32_t k, NodeId node) {
  const auto it = grants.standbys.find(k);
  return it != grants.standbys.end() && it->second.node == node;
}

// Whether it has come true by other means.
bool is_there(const JobGrants& grants, const KeyPartitionMove& move) {
  if (move.role == Role::kOwner) {
    return grants.key_partitions[move.key_partition].node == move.to.node;
  }
  return is_standby(grants, move.key_partition, move.to.node);
}

// Why it cannot go on; empty if it can.
std::string what_is_wrong(const MoveContext& context, const JobGrants& grants,
                          const KeyPartitionMove& move) {
  const auto& owner = grants.key_partitions[move.key_partition];
  if (!context.takes(move.to)) return "its target is dead or draining";
  if (owner.node == NodeId{}) return "the key partition has no owner";
  if (move.role == Role::kOwner) return {};
  if (!grants.standbys.contains(move.key_partition)) return "the key partition has no standby";
  if (owner.node == move.to.node) return "its target has become the owner";
  return {};
}

void take_over(const MoveContext& context, const KeyPartitionMove& move, JobGrants* grants,
               Epoch* next_epoch) {
  const uint32_t k = move.key_partition;
  if (move.role == Role::kStandby) {
    grants->standbys[k] = move.to;
    return;
  }
  auto& grant = grants->key_partitions[k];
  const WorkerSlot left{grant.node, grant.shard};
  const Epoch epoch{std::max(next_epoch->value, grant.epoch.value + 1)};
  *next_epoch = Epoch{epoch.value + 1};
  grant = {move.to.node, move.to.shard, epoch};
  if (!context.wants_standbys) return;
  const auto standby = grants->standbys.find(k);
  const bool keeps = standby != grants->standbys.end() && standby->second.node != move.to.node;
  if (keeps) return;
  grants->standbys.erase(k);
  // Who has owned it so far holds all of it.
  if (context.stays(left.node)) grants->standbys[k] = left;
}

}  // namespace

std::vector<EndedMove> end_moves(const MoveContext& context, JobGrants* grants, Epoch* next_epoch) {
  std::vector<EndedMove> ended;
  std::vector<KeyPartitionMove> left;
  for (const auto& move : grants->moves) {
    if (move.key_partition >= grants->key_partitions.size()) continue;
    if (is_there(*grants, move)) {
      ended.push_back({move, true, {}});
      continue;
    }
    if (auto wrong = what_is_wrong(context, *grants, move); !wrong.empty()) {
      ended.push_back({move, false, std::move(wrong)});
      continue;
    }
    const auto& owner = grants->key_partitions[move.key_partition];
    const bool caught_up = move.shown_in != 0 && context.caught_up(move.key_partition, owner,
                                                                   move.to.node, move.shown_in);
    if (!caught_up) {
      left.push_back(move);
      continue;
    }
    take_over(context, move, grants, next_epoch);
    ended.push_back({move, true, {}});
  }
  if (!ended.empty()) grants->moves = std::move(left);
  return ended;
}

uint32_t begin_moves(const MoveContext& context, BeginMoves* begin, JobGrants* grants) {
  uint32_t shown = 0;
  std::set<uint32_t> busy;
  for (const auto& move : grants->moves) {
    if (move.shown_in != 0) busy.insert(move.key_partition);
  }
  for (auto& move : grants->moves) {
    // One that is listed behind another of the same key partition waits for it.
    if (move.shown_in != 0 || !busy.insert(move.key_partition).second) continue;
    uint32_t& to_target = begin->under_way[move.to.node];
    if (to_target >= kMovesAtOncePerTarget || !context.takes(move.to)) continue;
    ++to_target;
    ++begin->begun;
    const bool follows = is_standby(*grants, move.key_partition, move.to.node);
    move.shown_in = follows ? begin->standbys_shown_in : begin->targets_shown_in;
    move.begun_at = begin->now;
    shown += follows ? 0 : 1;
  }
  return shown;
}

std::vector<std::vector<WorkerSlot>> shown_standbys(const JobGrants& grants) {
  std::vector<std::vector<WorkerSlot>> out(grants.key_partitions.size());
  for (const auto& [k, standby] : grants.standbys) {
    if (k < out.size()) out[k].push_back(standby);
  }
  for (const auto& move : grants.moves) {
    if (move.shown_in == 0 || move.key_partition >= out.size()) continue;
    auto& of = out[move.key_partition];
    const bool there = std::any_of(
        of.begin(), of.end(), [&](const WorkerSlot& slot) { return slot.node == move.to.node; });
    if (!there) of.push_back(move.to);
  }
  for (uint32_t k = 0; k < out.size(); ++k) {
    std::erase_if(
        out[k], [&](const WorkerSlot& slot) { return slot.node == grants.key_partitions[k].node; });
    std::sort(out[k].begin(), out[k].end(),
              [](const WorkerSlot& a, const WorkerSlot& b) { return a.node < b.node; });
  }
  return out;
}

}  // namespace tidemill
