// The placement planner: who shall own the partitions of one job. A pure function.
//
// Invariants:
// - what a living worker owns stays where it is; only what nobody living owns is placed
// - nothing is placed on a draining worker
// - every partition is owned if any worker is alive that is not draining; what nobody living owns
// is
//   owned by nobody (node 0) otherwise
// - a key partition whose owner is lost goes to its successor, if that can take it
// - every grant that changes gets an epoch of its own, at least next_epoch and above the old one
// - a job placed at once, on workers that do not drain: loads of any two slots (worker, shard)
// differ by at most one key
//   partition, and loads of any two workers by at most one source partition
// - planning again from the result changes nothing
//
// A source partition is also moved alone, on request: see pick_reader.
#pragma once

#include <cstdint>
#include <vector>

#include "coordinator/coordinator_state.h"

namespace tidemill {

struct PlacementWorker {
  NodeId node;
  uint32_t shards = 1;
  bool draining = false;
};

struct PlacementInput {
  std::vector<PlacementWorker> workers;  // alive
  const JobGrants* current = nullptr;    // sizes need not fit: missing ones are owned by nobody
  uint32_t key_partitions = 0;
  uint32_t source_partitions = 0;
  bool place_sources = true;  // no: their grants stay as they are
  Epoch next_epoch{1};
  // Of the other jobs; ties go to the worker with less to do for them.
  std::vector<const JobGrants*> others;
  // By key partition who holds a copy of it, for when its owner is lost. Those missing, and node 0:
  // nobody.
  std::vector<WorkerSlot> successors{};
};

struct Placement {
  JobGrants grants;
  Epoch next_epoch;    // every epoch handed out is below it
  uint32_t moved = 0;  // grants that changed
};

Placement plan_placement(const PlacementInput& input);

// Where the reader of `source_partition` of input.current should be instead: on `to`, or, if `to`
// is 0, on another worker than now that is not draining, the one with the fewest readers of the job
// (ties: of other jobs). Its shard there is the one with the fewest. Node 0: there is no such
// worker. The epoch is not set.
PartitionGrant pick_reader(const PlacementInput& input, uint32_t source_partition, NodeId to);

}  // namespace tidemill
