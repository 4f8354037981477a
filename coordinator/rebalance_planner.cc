#include "coordinator/rebalance_planner.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>
#include <utility>

#include "coordinator/load_balance.h"
#include "coordinator/node_text.h"

namespace tidemill {
namespace {

constexpr int64_t kAllLoad = 1'000'000'000;  // what measured costs add up to
// CPU time that all key partitions together take if nothing happens to them; below, differences
// between them are noise.
constexpr double kIdleCpuNsPerSecond = 20e6;

struct Context {
  explicit Context(const RebalanceInput& in) : input(in) {
    for (size_t w = 0; w < in.workers.size(); ++w) {
      index[in.workers[w].node] = w;
      workers.push_back({in.workers[w].shards, !in.workers[w].draining});
      open += in.workers[w].draining ? 0 : 1;
    }
  }

  size_t worker_of(NodeId node) const {
    const auto it = index.find(node);
    return it == index.end() ? kNoWorker : it->second;
  }
  bool draining(NodeId node) const {
    const size_t w = worker_of(node);
    return w != kNoWorker && input.workers[w].draining;
  }

  const RebalanceInput& input;
  std::map<NodeId, size_t> index;
  std::vector<BalanceWorker> workers;
  size_t open = 0;
};

// What a key partition costs: its part of the CPU time measured. One that was not measured yet
// counts as the others do on average.
std::vector<int64_t> costs_of(const std::vector<OwnedKeyPartition>& partitions, bool* measured) {
  double sum = 0;
  size_t known = 0;
  for (const auto& p : partitions) {
    if (!p.load) continue;
    sum += p.load->cpu_ns_per_s;
    ++known;
  }
  *measured = known > 0 && sum >= kIdleCpuNsPerSecond;
  std::vector<int64_t> out(partitions.size(), 1);
  if (!*measured) return out;
  const double average = sum / static_cast<double>(known);
  const double total = average * static_cast<double>(partitions.size());
  for (size_t i = 0; i < partitions.size(); ++i) {
    const double cpu = partitions[i].load ? partitions[i].load->cpu_ns_per_s : average;
    out[i] = 1 + static_cast<int64_t>(std::llround(cpu / total * static_cast<double>(kAllLoad)));
  }
  return out;
}

// The items of one kind, with the shards that they are on, and where they should be.
struct Layer {
  MoveKind kind{};
  std::vector<BalanceItem> items;
  std::vector<size_t> source;          // of each item, its index in the input
  std::vector<uint32_t> shards;        // of each item, before
  std::vector<size_t> assigned;        // of each item, the worker
  std::vector<uint32_t> new_shards{};  // of each item, after

  void add(size_t index, const BalanceItem& item, uint32_t shard) {
    source.push_back(index);
    items.push_back(item);
    shards.push_back(shard);
  }
};

// A moved item goes to the shard of its worker with the least on it.
void choose_shards(const Context& c, Layer* layer) {
  std::vector<std::vector<int64_t>> on(c.workers.size());
  for (size_t w = 0; w < on.size(); ++w) on[w].resize(static_cast<size_t>(c.workers[w].shards));
  layer->new_shards = layer->shards;
  for (size_t i = 0; i < layer->items.size(); ++i) {
    const size_t w = layer->assigned[i];
    if (w == layer->items[i].worker && layer->shards[i] < on[w].size()) {
      on[w][layer->shards[i]] += layer->items[i].cost;
    }
  }
  for (size_t i = 0; i < layer->items.size(); ++i) {
    const size_t w = layer->assigned[i];
    if (w == layer->items[i].worker) continue;
    const auto least = std::min_element(on[w].begin(), on[w].end());
    *least += layer->items[i].cost;
    layer->new_shards[i] = static_cast<uint32_t>(least - on[w].begin());
  }
}

void solve(const Context& c, Layer* layer) {
  layer->assigned = balance(c.workers, layer->items, {kLoadMarginPercent, c.input.drain_only});
  choose_shards(c, layer);
}

Layer owners_layer(const Context& c, const std::vector<int64_t>& costs) {
  Layer layer;
  layer.kind = MoveKind::kOwner;
  for (size_t i = 0; i < c.input.key_partitions.size(); ++i) {
    const auto& p = c.input.key_partitions[i];
    BalanceItem item;
    item.worker = c.worker_of(p.owner.node);
    if (item.worker == kNoWorker) continue;
    item.cost = costs[i];
    item.disk = p.load ? static_cast<int64_t>(p.load->disk_bytes) : 0;
    item.preferred = c.worker_of(p.standby.node);
    item.movable = p.movable;
    layer.add(i, item, p.owner.shard);
  }
  solve(c, &layer);
  for (size_t i = 0; i < layer.items.size(); ++i) {  // its standby takes over where it is
    const auto& standby = c.input.key_partitions[layer.source[i]].standby;
    const bool moved = layer.assigned[i] != layer.items[i].worker;
    if (moved && layer.assigned[i] == layer.items[i].preferred) {
      layer.new_shards[i] = standby.shard;
    }
  }
  return layer;
}

// After the owners have moved: one that went to its standby has left a standby where it was, or none
// if it was on a draining worker.
Layer standbys_layer(const Context& c, const Layer& owners) {
  Layer layer;
  layer.kind = MoveKind::kStandby;
  for (size_t o = 0; o < owners.items.size(); ++o) {
    const auto& p = c.input.key_partitions[owners.source[o]];
    BalanceItem item;
    item.worker = c.worker_of(p.standby.node);
    if (item.worker == kNoWorker) continue;
    uint32_t shard = p.standby.shard;
    if (item.worker == owners.assigned[o]) {
      item.worker = owners.items[o].worker;
      shard = owners.shards[o];
      if (!c.workers[item.worker].open) continue;
    }
    item.forbidden = owners.assigned[o];
    item.disk = owners.items[o].disk;
    item.movable = p.movable;
    layer.add(owners.source[o], item, shard);
  }
  solve(c, &layer);
  return layer;
}

Layer readers_layer(const Context& c) {
  Layer layer;
  layer.kind = MoveKind::kReader;
  for (size_t i = 0; i < c.input.readers.size(); ++i) {
    const auto& r = c.input.readers[i];
    BalanceItem item;
    item.worker = c.worker_of(r.reader.node);
    if (item.worker == kNoWorker) continue;
    item.movable = r.movable;
    layer.add(i, item, r.reader.shard);
  }
  solve(c, &layer);
  return layer;
}

// By worker what of its share it has; of a draining one the part of everything.
std::vector<double> shares(const Context& c, const std::vector<BalanceItem>& items,
                           const std::vector<size_t>& on) {
  std::vector<double> load(c.workers.size());
  double total = 0;
  double shards = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    load[on[i]] += static_cast<double>(items[i].cost);
    total += static_cast<double>(items[i].cost);
  }
  for (const auto& worker : c.workers)
    shards += worker.open ? static_cast<double>(worker.shards) : 0;
  for (size_t w = 0; w < load.size(); ++w) {
    const double share =
        c.workers[w].open ? total * static_cast<double>(c.workers[w].shards) / shards : total;
    load[w] = share > 0 ? load[w] / share : 0;
  }
  return load;
}

std::vector<size_t> before_of(const Layer& layer) {
  std::vector<size_t> out;
  for (const auto& item : layer.items) out.push_back(item.worker);
  return out;
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.0f %%", share * 100);
  return text;
}

const char* load_word(MoveKind kind, bool measured) {
  if (kind == MoveKind::kReader) return "readers";
  if (kind == MoveKind::kStandby) return "standbys";
  return measured ? "CPU time" : "key partitions";
}

std::string reason_for(const Context& c, const Layer& layer, size_t i, bool measured,
                       const std::vector<double>& shares_before) {
  const size_t from = layer.items[i].worker;
  const size_t to = layer.assigned[i];
  const std::string source = node_text(c.input.workers[from].node);
  if (!c.workers[from].open) return "worker " + source + " is draining";
  return "worker " + source + " has " + percent(shares_before[from]) + " of its share of the " +
         load_word(layer.kind, measured) + ", worker " + node_text(c.input.workers[to].node) +
         " has " + percent(shares_before[to]);
}

// What drains first, then what costs most.
void add_moves(const Context& c, const Layer& layer, RebalancePlan* plan) {
  const auto shares_before = shares(c, layer.items, before_of(layer));
  std::vector<size_t> moved;
  for (size_t i = 0; i < layer.items.size(); ++i) {
    if (layer.assigned[i] != layer.items[i].worker) moved.push_back(i);
  }
  std::stable_sort(moved.begin(), moved.end(), [&](size_t a, size_t b) {
    const bool a_drains = !c.workers[layer.items[a].worker].open;
    const bool b_drains = !c.workers[layer.items[b].worker].open;
    if (a_drains != b_drains) return a_drains;
    return layer.items[a].cost > layer.items[b].cost;
  });
  for (const size_t i : moved) {
    PlannedMove move;
    move.kind = layer.kind;
    if (layer.kind == MoveKind::kReader) {
      const auto& reader = c.input.readers[layer.source[i]];
      move.job = reader.job;
      move.number = reader.source_partition;
    } else {
      const auto& partition = c.input.key_partitions[layer.source[i]];
      move.job = partition.job;
      move.number = partition.number;
    }
    move.from = {c.input.workers[layer.items[i].worker].node, layer.shards[i]};
    move.to = {c.input.workers[layer.assigned[i]].node, layer.new_shards[i]};
    move.reason = reason_for(c, layer, i, plan->measured, shares_before);
    plan->moves.push_back(std::move(move));
  }
}

void count(const Layer& layer, uint32_t WorkerLoad::*before, uint32_t WorkerLoad::*after,
           RebalancePlan* plan) {
  for (size_t i = 0; i < layer.items.size(); ++i) {
    ++(plan->workers[layer.items[i].worker].*before);
    ++(plan->workers[layer.assigned[i]].*after);
  }
}

void show_workers(const Context& c, const Layer& owners, const Layer& standbys,
                  const Layer& readers, RebalancePlan* plan) {
  const auto before = shares(c, owners.items, before_of(owners));
  const auto after = shares(c, owners.items, owners.assigned);
  for (size_t w = 0; w < c.workers.size(); ++w) {
    WorkerLoad load;
    load.node = c.input.workers[w].node;
    load.draining = c.input.workers[w].draining;
    load.load_before = before[w];
    load.load_after = after[w];
    plan->workers.push_back(load);
  }
  count(owners, &WorkerLoad::key_partitions_before, &WorkerLoad::key_partitions_after, plan);
  count(standbys, &WorkerLoad::standbys_before, &WorkerLoad::standbys_after, plan);
  count(readers, &WorkerLoad::readers_before, &WorkerLoad::readers_after, plan);
  for (size_t i = 0; i < owners.items.size(); ++i) {
    const auto disk = static_cast<uint64_t>(owners.items[i].disk);
    plan->workers[owners.items[i].worker].disk_bytes_before += disk;
    plan->workers[owners.assigned[i]].disk_bytes_after += disk;
  }
}

std::string things(size_t count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

void note_unowned(const Context& c, RebalancePlan* plan) {
  const auto lost = [&](const WorkerSlot& slot) { return c.worker_of(slot.node) == kNoWorker; };
  const auto& keys = c.input.key_partitions;
  const auto count =
      std::count_if(keys.begin(), keys.end(), [&](const auto& p) { return lost(p.owner); });
  if (count == 0) return;
  plan->obstacles.push_back(
      {"owner alive", things(static_cast<size_t>(count), "key partition") +
                          " without a living owner: placed before anything is moved"});
}

// What stays on a draining worker though it should not.
void note_stuck(const Context& c, const Layer& layer, const char* what, RebalancePlan* plan) {
  std::map<size_t, size_t> stuck;
  for (size_t i = 0; i < layer.items.size(); ++i) {
    const bool stays = !c.workers[layer.assigned[i]].open && layer.items[i].movable;
    if (stays) ++stuck[layer.assigned[i]];
  }
  for (const auto& [w, count] : stuck) {
    const std::string text = things(count, what) + " stay on draining worker " +
                             node_text(c.input.workers[w].node) + ": ";
    if (c.open == 0) {
      plan->obstacles.push_back({"target not draining", text + "every worker is draining"});
    } else {
      plan->obstacles.push_back(
          {"standby not with owner", text + "the only other workers are their owners'"});
    }
  }
}

void note_imbalance(const Context& c, const Layer& layer, RebalancePlan* plan) {
  if (c.input.drain_only) return;
  const double margin = static_cast<double>(kLoadMarginPercent) / 100;
  const auto after = shares(c, layer.items, layer.assigned);
  for (size_t w = 0; w < c.workers.size(); ++w) {
    if (!c.workers[w].open || layer.items.empty()) continue;
    if (std::abs(after[w] - 1) <= margin + 1e-9) continue;
    int64_t largest = 0;
    int64_t sum = 0;
    bool fixed = false;
    for (size_t i = 0; i < layer.items.size(); ++i) {
      if (layer.assigned[i] != w) continue;
      largest = std::max(largest, layer.items[i].cost);
      sum += layer.items[i].cost;
      fixed = fixed || !layer.items[i].movable;
    }
    std::string text = "worker " + node_text(c.input.workers[w].node) + " has " +
                       percent(after[w]) + " of its share of the " +
                       load_word(layer.kind, plan->measured) +
                       ": no move or exchange of whole ones brings the loads closer together";
    if (layer.kind == MoveKind::kOwner && sum > 0 && after[w] > 1) {
      text += "; its largest key partition is " +
              percent(static_cast<double>(largest) / static_cast<double>(sum)) + " of it";
    }
    if (fixed) text += "; some of what it has is being moved, or not to be moved";
    plan->obstacles.push_back({"load balance", std::move(text)});
  }
}

}  // namespace

RebalancePlan plan_rebalance(const RebalanceInput& input) {
  RebalancePlan plan;
  const Context c(input);
  const auto costs = costs_of(input.key_partitions, &plan.measured);
  const Layer owners = owners_layer(c, costs);
  const Layer standbys = standbys_layer(c, owners);
  const Layer readers = readers_layer(c);
  add_moves(c, readers, &plan);
  add_moves(c, owners, &plan);
  add_moves(c, standbys, &plan);
  show_workers(c, owners, standbys, readers, &plan);
  note_unowned(c, &plan);
  note_stuck(c, owners, "key partition", &plan);
  note_stuck(c, standbys, "standby", &plan);
  note_stuck(c, readers, "reader", &plan);
  note_imbalance(c, owners, &plan);
  return plan;
}

}  // namespace tidemill
