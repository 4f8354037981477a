// The rebalance planner: which key partitions, standbys and readers should be on other workers, and
// why. A pure function of what is owned and of the loads measured; nothing is moved here.
//
// Hard constraints, by the names under which obstacles are reported:
// - "owner alive": what nobody living owns is placed (placement.h), not moved
// - "target not draining": nothing goes to a draining worker
// - "standby not with owner": a key partition's standby is on another worker than its owner
// - "one move at a time": what is being moved already is counted where it goes, and stays
// Soft ones, in this order:
// - "load balance": each worker's load is within the margin of its share, which is in proportion to
//   its shards. Load is CPU time if some was measured (else each key partition counts alike)
// - fewest moves: taking back any one move would leave the loads further outside the margin
// - standbys take over (they need not catch up), bytes on disk are spread: these decide between
//   moves that are equally good for the load
// - standbys and readers are spread by their number
// Planning again from the result moves nothing. An owner whose standby takes over is its standby from
// then on, unless it drains: then one is placed anew (standby_placement.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/coordinator_state.h"
#include "shared/base/ids.h"

namespace tidemill {

struct RebalanceWorker {
  NodeId node;
  uint32_t shards = 1;
  bool draining = false;
};

// Of one key partition, as measured.
struct MeasuredLoad {
  double cpu_ns_per_s = 0;
  double rows_per_s = 0;
  uint64_t disk_bytes = 0;
};

struct OwnedKeyPartition {
  JobId job;
  uint32_t number = 0;
  WorkerSlot owner;
  WorkerSlot standby;  // node 0: none
  std::optional<MeasuredLoad> load;
  bool movable = true;
};

struct OwnedReader {
  JobId job;
  uint32_t source_partition = 0;
  WorkerSlot reader;
  bool movable = true;
};

struct RebalanceInput {
  std::vector<RebalanceWorker> workers;  // alive
  std::vector<OwnedKeyPartition> key_partitions;
  std::vector<OwnedReader> readers;
  bool drain_only = false;  // empty the draining workers, and leave the others alone
};

enum class MoveKind : uint8_t { kReader, kOwner, kStandby };

struct PlannedMove {
  MoveKind kind{};
  JobId job;
  uint32_t number = 0;  // of the key partition, or of the source partition
  WorkerSlot from;
  WorkerSlot to;
  std::string reason;
};

// Before and after the plan.
struct WorkerLoad {
  NodeId node;
  bool draining = false;
  // 1: exactly its share; of a draining worker, the part of all load that it has.
  double load_before = 0;
  double load_after = 0;
  uint32_t key_partitions_before = 0;
  uint32_t key_partitions_after = 0;
  uint32_t standbys_before = 0;
  uint32_t standbys_after = 0;
  uint32_t readers_before = 0;
  uint32_t readers_after = 0;
  uint64_t disk_bytes_before = 0;
  uint64_t disk_bytes_after = 0;
};

// What cannot be done or improved, and the constraint in the way.
struct Obstacle {
  std::string constraint;
  std::string text;
};

struct RebalancePlan {
  std::vector<PlannedMove> moves;  // in this order: readers, then what drains, then the costliest
  std::vector<WorkerLoad> workers;
  std::vector<Obstacle> obstacles;
  bool measured = false;  // loads are CPU time; else each key partition counts alike
};

inline constexpr int64_t kLoadMarginPercent = 10;

RebalancePlan plan_rebalance(const RebalanceInput& input);

}  // namespace tidemill
