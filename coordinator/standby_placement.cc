#include "coordinator/standby_placement.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace tidemill {
namespace {

using Workers = std::vector<PlacementWorker>;

bool holds(const Workers& workers, const WorkerSlot& slot) {
  return std::any_of(workers.begin(), workers.end(), [&](const PlacementWorker& w) {
    return w.node == slot.node && slot.shard < w.shards;
  });
}

bool is_good(const Workers& workers, const PartitionGrant& owner, const WorkerSlot& standby) {
  return owner.node != NodeId{} && standby.node != owner.node && holds(workers, standby);
}

bool has_room(const Workers& workers, NodeId owner) {
  return std::any_of(workers.begin(), workers.end(),
                     [&](const PlacementWorker& w) { return !w.draining && w.node != owner; });
}

// How many standbys there are, by worker, by its shards, and by owner and worker.
struct Counts {
  std::map<NodeId, uint32_t> worker;
  std::map<std::pair<NodeId, uint32_t>, uint32_t> shard;
  std::map<std::pair<NodeId, NodeId>, uint32_t> pair;

  void add(NodeId owner, const WorkerSlot& standby) {
    ++worker[standby.node];
    ++shard[{standby.node, standby.shard}];
    ++pair[{owner, standby.node}];
  }
};

WorkerSlot least_slot(const Workers& workers, NodeId owner, Counts* counts) {
  std::tuple<uint32_t, uint32_t, NodeId> best{};
  const PlacementWorker* to = nullptr;
  for (const auto& w : workers) {
    if (w.draining || w.node == owner) continue;
    // Of a worker with more shards, as many more.
    const uint32_t per_shard = counts->worker[w.node] * 256 / w.shards;
    const std::tuple load(per_shard, counts->pair[{owner, w.node}], w.node);
    if (to == nullptr || load < best) std::tie(best, to) = std::tuple(load, &w);
  }
  if (to == nullptr) return {};
  WorkerSlot out{to->node, 0};
  for (uint32_t shard = 1; shard < to->shards; ++shard) {
    if (counts->shard[{to->node, shard}] < counts->shard[{to->node, out.shard}]) out.shard = shard;
  }
  return out;
}

}  // namespace

bool needs_standbys(const Workers& workers, bool wanted, const JobGrants& grants) {
  if (!wanted) return !grants.standbys.empty();
  for (uint32_t k = 0; k < grants.key_partitions.size(); ++k) {
    const auto& owner = grants.key_partitions[k];
    const auto standby = grants.standbys.find(k);
    if (standby != grants.standbys.end()) {
      if (!is_good(workers, owner, standby->second)) return true;
    } else if (owner.node != NodeId{} && has_room(workers, owner.node)) {
      return true;
    }
  }
  return false;
}

uint32_t place_standbys(const Workers& workers, bool wanted, JobGrants* grants) {
  auto& standbys = grants->standbys;
  const auto before = standbys;
  const auto is_bad = [&](const auto& standby) {
    return !wanted || standby.first >= grants->key_partitions.size() ||
           !is_good(workers, grants->key_partitions[standby.first], standby.second);
  };
  std::erase_if(standbys, is_bad);
  Counts counts;
  for (const auto& [k, standby] : standbys) counts.add(grants->key_partitions[k].node, standby);
  for (uint32_t k = 0; wanted && k < grants->key_partitions.size(); ++k) {
    const NodeId owner = grants->key_partitions[k].node;
    if (owner == NodeId{} || standbys.contains(k)) continue;
    const WorkerSlot slot = least_slot(workers, owner, &counts);
    if (slot.node == NodeId{}) continue;
    standbys[k] = slot;
    counts.add(owner, slot);
  }
  uint32_t changed = 0;
  for (uint32_t k = 0; k < grants->key_partitions.size(); ++k) {
    const auto now = standbys.find(k);
    const auto then = before.find(k);
    const WorkerSlot a = now == standbys.end() ? WorkerSlot{} : now->second;
    const WorkerSlot b = then == before.end() ? WorkerSlot{} : then->second;
    changed += a == b ? 0 : 1;
  }
  return changed;
}

}  // namespace tidemill
