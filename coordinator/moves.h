// Moves of one job's key partitions and standbys, step by step. Pure functions on its grants.
//
// A move waits until it may begin; then its target is shown to all as one that follows the owner;
// when the owner says that the target has caught up, the target takes over under a new epoch, in
// one change: the key partition is never without an owner. A move whose target or owner is lost is
// dropped: what it was for is planned anew.
//
// Invariants:
// - at most one move of a key partition is under way, and at most kMovesAtOncePerTarget to a worker
// - a target is alive and not draining, and never the owner
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "coordinator/coordinator_state.h"

namespace tidemill {

// Each restores from snapshot storage and reads what has happened since, beside its other work.
inline constexpr uint32_t kMovesAtOncePerTarget = 4;

struct MoveContext {
  // Alive, a worker with such a shard, and not draining.
  std::function<bool(const WorkerSlot&)> takes;
  // Whether the owner has said, under that view or a newer one, that the node has caught up.
  std::function<bool(uint32_t key_partition, const PartitionGrant& owner, NodeId node,
                     uint64_t since)>
      caught_up;
  // Of the owner that is left: alive and not draining, so that it may stay as the standby.
  std::function<bool(NodeId)> stays;
  bool wants_standbys = false;
};

struct EndedMove {
  KeyPartitionMove move;
  bool done = false;
  std::string reason;  // of one that is not
};

// Ends what has caught up, or cannot. Epochs are taken from *next_epoch.
std::vector<EndedMove> end_moves(const MoveContext& context, JobGrants* grants, Epoch* next_epoch);

struct BeginMoves {
  uint64_t standbys_shown_in = 0;  // the view that shows the standbys as they are now
  uint64_t targets_shown_in = 0;   // the view that will show the targets
  TimeUs now = 0;
  std::map<NodeId, uint32_t> under_way;  // by target, of all jobs
  uint32_t begun = 0;
};

// Begins what may begin. Returns how many of these change the view.
uint32_t begin_moves(const MoveContext& context, BeginMoves* begin, JobGrants* grants);

// By key partition those who follow its owner as the view shows them, by node: its standby and the
// target of a move that is under way, each once.
std::vector<std::vector<WorkerSlot>> shown_standbys(const JobGrants& grants);

}  // namespace tidemill
