#include "coordinator/placement.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace tidemill {
namespace {

// A shard of a living worker, and what it has.
struct Slot {
  NodeId node;
  uint32_t shard = 0;
  uint32_t keys = 0;
  uint32_t sources = 0;
  uint32_t other_keys = 0;
  uint32_t other_sources = 0;
  size_t worker = 0;  // index of its totals
  bool open = true;   // not draining
};

struct WorkerTotals {
  uint32_t keys = 0;
  uint32_t sources = 0;
  uint32_t other_sources = 0;
};

class Planner {
 public:
  explicit Planner(const PlacementInput& input) : next_epoch_(input.next_epoch) {
    for (const auto& worker : input.workers) {
      for (uint32_t shard = 0; shard < worker.shards; ++shard) {
        slot_of_[{worker.node, shard}] = slots_.size();
        slots_.push_back({worker.node, shard, 0, 0, 0, 0, totals_.size(), !worker.draining});
      }
      totals_.emplace_back();
    }
    for (const auto* grants : input.others) count_other(*grants);
  }

  void place_keys(const std::vector<WorkerSlot>& successors, std::vector<PartitionGrant>* grants) {
    for (size_t k = 0; k < std::min(grants->size(), successors.size()); ++k) {
      auto& grant = (*grants)[k];
      if (slot_of(grant) != nullptr) continue;
      const auto to = slot_of_.find({successors[k].node, successors[k].shard});
      if (to == slot_of_.end() || !slots_[to->second].open) continue;
      change(&grant, successors[k].node, successors[k].shard);
    }
    place(
        grants, [this](Slot& slot) { ++slot.keys, ++totals_[slot.worker].keys; },
        [this](const Slot& s) {
          return std::tuple(s.keys, totals_[s.worker].keys, s.other_keys, s.node, s.shard);
        });
  }

  void place_sources(std::vector<PartitionGrant>* grants) {
    place(
        grants, [this](Slot& slot) { ++slot.sources, ++totals_[slot.worker].sources; },
        [this](const Slot& s) { return source_load(s); });
  }

  // The slot for one more source partition, among those that `allowed` takes; null: none.
  template <typename Allowed>
  const Slot* source_slot(const std::vector<PartitionGrant>& grants, Allowed allowed) {
    for (const auto& grant : grants) {
      if (auto* slot = slot_of(grant)) ++slot->sources, ++totals_[slot->worker].sources;
    }
    const Slot* least = nullptr;
    for (const Slot& slot : slots_) {
      if (!slot.open || !allowed(slot.node)) continue;
      if (least == nullptr || source_load(slot) < source_load(*least)) least = &slot;
    }
    return least;
  }

  Epoch next_epoch() const { return next_epoch_; }
  uint32_t moved() const { return moved_; }

 private:
  std::tuple<uint32_t, uint32_t, uint32_t, uint32_t, NodeId, uint32_t> source_load(
      const Slot& s) const {
    const auto& worker = totals_[s.worker];
    return {worker.sources, worker.other_sources, s.sources, s.other_sources, s.node, s.shard};
  }

  Slot* slot_of(const PartitionGrant& grant) {
    const auto it = slot_of_.find({grant.node, grant.shard});
    return it == slot_of_.end() ? nullptr : &slots_[it->second];
  }

  void count_other(const JobGrants& grants) {
    for (const auto& grant : grants.key_partitions) {
      if (auto* slot = slot_of(grant)) ++slot->other_keys;
    }
    for (const auto& grant : grants.sources) {
      if (auto* slot = slot_of(grant)) {
        ++slot->other_sources;
        ++totals_[slot->worker].other_sources;
      }
    }
  }

  // Gives what nobody living owns to the slot that is least by `load`, one after the other.
  template <typename Add, typename Load>
  void place(std::vector<PartitionGrant>* grants, Add add, Load load) {
    for (const auto& grant : *grants) {
      if (auto* slot = slot_of(grant)) add(*slot);
    }
    for (auto& grant : *grants) {
      if (slot_of(grant) != nullptr) continue;
      Slot* least = nullptr;
      for (Slot& slot : slots_) {
        if (slot.open && (least == nullptr || load(slot) < load(*least))) least = &slot;
      }
      if (least == nullptr) {
        if (grant.node != NodeId{}) change(&grant, NodeId{}, 0);
        continue;
      }
      change(&grant, least->node, least->shard);
      add(*least);
    }
  }

  void change(PartitionGrant* grant, NodeId node, uint32_t shard) {
    const Epoch epoch{std::max(next_epoch_.value, grant->epoch.value + 1)};
    *grant = {node, shard, epoch};
    next_epoch_ = Epoch{epoch.value + 1};
    ++moved_;
  }

  std::vector<Slot> slots_;
  std::vector<WorkerTotals> totals_;
  std::map<std::pair<NodeId, uint32_t>, size_t> slot_of_;
  Epoch next_epoch_;
  uint32_t moved_ = 0;
};

}  // namespace

Placement plan_placement(const PlacementInput& input) {
  Planner planner(input);
  Placement out;
  if (input.current != nullptr) out.grants = *input.current;
  out.grants.key_partitions.resize(input.key_partitions);
  out.grants.sources.resize(input.source_partitions);
  if (input.place_sources) planner.place_sources(&out.grants.sources);
  planner.place_keys(input.successors, &out.grants.key_partitions);
  out.next_epoch = planner.next_epoch();
  out.moved = planner.moved();
  return out;
}

PartitionGrant pick_reader(const PlacementInput& input, uint32_t source_partition, NodeId to) {
  Planner planner(input);
  const auto& sources = input.current->sources;
  const NodeId now = sources.at(source_partition).node;
  const auto* slot = planner.source_slot(
      sources, [&](NodeId node) { return to == NodeId{} ? node != now : node == to; });
  return slot == nullptr ? PartitionGrant{} : PartitionGrant{slot->node, slot->shard, Epoch{}};
}

}  // namespace tidemill
