#include "coordinator/load_balance.h"

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "shared/base/assert.h"

namespace tidemill {
namespace {

constexpr size_t kNoItem = SIZE_MAX;

// How far the loads of open workers lie outside their margins.
class Loads {
 public:
  Loads(const std::vector<BalanceWorker>& workers, int64_t margin_percent)
      : workers_(workers), margin_(margin_percent), load_(workers.size()) {
    for (const auto& worker : workers) shards_ += worker.open ? worker.shards : 0;
  }

  void add(size_t worker, int64_t cost) {
    load_[worker] += cost;
    if (workers_[worker].open) total_ += cost;
  }

  int64_t load(size_t worker) const { return load_[worker]; }
  int64_t excess_with(size_t worker, int64_t load) const {
    const int64_t share = total_ * workers_[worker].shards;
    const int64_t off = load * shards_ - share;
    return std::max<int64_t>(0, (off < 0 ? -off : off) * 100 - share * margin_);
  }
  int64_t excess(size_t worker) const { return excess_with(worker, load_[worker]); }
  int64_t sum() const {
    int64_t out = 0;
    for (size_t w = 0; w < workers_.size(); ++w) out += workers_[w].open ? excess(w) : 0;
    return out;
  }
  // What a transfer of `cost` from one to the other adds to the sum.
  int64_t change(size_t from, size_t to, int64_t cost) const {
    return excess_with(from, load_[from] - cost) + excess_with(to, load_[to] + cost) -
           excess(from) - excess(to);
  }
  // The transfer after which both have the same part of their shares: none changes less.
  int64_t ideal(size_t from, size_t to) const {
    const int64_t a = workers_[from].shards;
    const int64_t b = workers_[to].shards;
    return (load_[from] * b - load_[to] * a) / (a + b);
  }
  // Whether a load is a smaller part of its worker's share than another one's.
  bool less(size_t w, int64_t load, size_t v, int64_t other) const {
    return load * workers_[v].shards < other * workers_[w].shards;
  }
  bool less(size_t w, size_t v) const { return less(w, load_[w], v, load_[v]); }
  // At most the worker's share and the margin, of a total.
  bool fits(size_t worker, int64_t load, int64_t total) const {
    return load * shards_ * 100 <= total * workers_[worker].shards * (100 + margin_);
  }

 private:
  const std::vector<BalanceWorker>& workers_;
  int64_t margin_;
  int64_t shards_ = 0;  // of the open ones
  std::vector<int64_t> load_;
  int64_t total_ = 0;  // on open ones
};

class Balancer {
 public:
  Balancer(const std::vector<BalanceWorker>& workers, const std::vector<BalanceItem>& items,
           const BalanceOptions& options)
      : workers_(workers),
        items_(items),
        loads_(workers, options.margin_percent),
        disk_(workers.size()),
        movable_(workers.size()) {
    for (size_t i = 0; i < items.size(); ++i) {
      at_.push_back(items[i].worker);
      put(i, items[i].worker);
    }
  }

  void empty_closed() {
    std::vector<size_t> out;
    int64_t total = 0;
    for (size_t i = 0; i < items_.size(); ++i) {
      const bool closed = !workers_[at_[i]].open;
      if (closed && items_[i].movable) out.push_back(i);
      if (!closed || items_[i].movable) total += items_[i].cost;
    }
    std::stable_sort(out.begin(), out.end(),
                     [this](size_t a, size_t b) { return items_[a].cost > items_[b].cost; });
    for (const size_t i : out) {
      if (const size_t to = roomiest(i, total); to != kNoWorker) move(i, to);
    }
  }

  void improve() {
    do {
      while (improve_once()) {
      }
    } while (take_back());
  }

  const std::vector<size_t>& assigned() const { return at_; }

 private:
  void put(size_t item, size_t worker) {
    loads_.add(worker, items_[item].cost);
    disk_[worker] += items_[item].disk;
    if (items_[item].movable) movable_[worker].insert({items_[item].cost, item});
  }

  void move(size_t item, size_t to) {
    const size_t from = at_[item];
    loads_.add(from, -items_[item].cost);
    disk_[from] -= items_[item].disk;
    movable_[from].erase({items_[item].cost, item});
    at_[item] = to;
    put(item, to);
  }

  bool may(size_t item, size_t to) const {
    return workers_[to].open && items_[item].forbidden != to;
  }

  // The open worker with the least part of its share afterwards; the preferred one if that fits.
  size_t roomiest(size_t item, int64_t total) const {
    const BalanceItem& it = items_[item];
    const size_t preferred = it.preferred;
    if (preferred != kNoWorker && may(item, preferred) &&
        loads_.fits(preferred, loads_.load(preferred) + it.cost, total)) {
      return preferred;
    }
    size_t best = kNoWorker;
    for (size_t w = 0; w < workers_.size(); ++w) {
      if (!may(item, w)) continue;
      if (best == kNoWorker) {
        best = w;
        continue;
      }
      const int64_t with = loads_.load(w) + it.cost;
      const int64_t best_with = loads_.load(best) + it.cost;
      const bool worse = loads_.less(best, best_with, w, with);
      const bool better = loads_.less(w, with, best, best_with);
      if (better || (!worse && disk_[w] < disk_[best])) best = w;
    }
    return best;
  }

  bool improve_once() {
    std::vector<size_t> order;  // the fullest first
    for (size_t w = 0; w < workers_.size(); ++w) {
      if (workers_[w].open) order.push_back(w);
    }
    std::stable_sort(order.begin(), order.end(),
                     [this](size_t a, size_t b) { return loads_.less(b, a); });
    return any_pair(order, [this](size_t from, size_t to) { return move_one(from, to); }) ||
           any_pair(order, [this](size_t from, size_t to) { return exchange(from, to); });
  }

  // The first pair of a fuller and a less full worker that `step` does something for.
  template <typename Step>
  bool any_pair(const std::vector<size_t>& order, Step step) {
    for (size_t a = 0; a < order.size(); ++a) {
      for (size_t b = order.size() - 1; b > a; --b) {
        if (!loads_.less(order[b], order[a])) break;
        if (step(order[a], order[b])) return true;
      }
    }
    return false;
  }

  // Those of a worker's items that may go to another which cost next to `cost`, from both sides:
  // the excess is a convex function of what is transferred, so the best is one of them.
  std::pair<size_t, size_t> nearest(size_t worker, size_t to, int64_t cost) const {
    const auto& set = movable_[worker];
    const auto from = set.lower_bound({cost, 0});
    size_t above = kNoItem;
    for (auto it = from; it != set.end() && above == kNoItem; ++it) {
      if (may(it->second, to)) above = it->second;
    }
    size_t below = kNoItem;
    for (auto it = from; it != set.begin() && below == kNoItem;) {
      if (may((--it)->second, to)) below = it->second;
    }
    return {above, below};
  }

  bool move_one(size_t from, size_t to) {
    int64_t best_change = 0;
    size_t best = kNoItem;
    const auto [above, below] = nearest(from, to, loads_.ideal(from, to));
    for (const size_t item : {above, below}) {
      if (item == kNoItem) continue;
      const int64_t change = loads_.change(from, to, items_[item].cost);
      if (change < best_change) std::tie(best_change, best) = std::tuple(change, item);
    }
    if (best == kNoItem) return false;
    move(among_equals(from, to, items_[best].cost), to);
    return true;
  }

  // Of items of the same cost the one that prefers to go there, then the one whose bytes bring the
  // disks of both closest together.
  size_t among_equals(size_t from, size_t to, int64_t cost) const {
    using Rank = std::tuple<bool, int64_t, size_t>;
    std::optional<Rank> best;
    const auto& set = movable_[from];
    for (auto it = set.lower_bound({cost, 0}); it != set.end() && it->first == cost; ++it) {
      const BalanceItem& item = items_[it->second];
      if (!may(it->second, to)) continue;
      const int64_t apart = disk_[from] - disk_[to] - 2 * item.disk;
      const Rank rank{item.preferred != to, apart < 0 ? -apart : apart, it->second};
      if (!best || rank < *best) best = rank;
    }
    ASSERT(best.has_value());
    return std::get<2>(*best);
  }

  bool exchange(size_t from, size_t to) {
    const int64_t ideal = loads_.ideal(from, to);
    int64_t best_change = 0;
    std::pair<size_t, size_t> best{kNoItem, kNoItem};
    for (const auto& [cost, item] : movable_[from]) {
      if (!may(item, to)) continue;
      const auto [above, below] = nearest(to, from, cost - ideal);
      for (const size_t back : {above, below}) {
        if (back == kNoItem || items_[back].cost >= cost) continue;
        const int64_t change = loads_.change(from, to, cost - items_[back].cost);
        if (change < best_change)
          std::tie(best_change, best) = std::tuple(change, std::pair(item, back));
      }
    }
    if (best.first == kNoItem) return false;
    move(best.first, to);
    move(best.second, from);
    return true;
  }

  // Moves without which it is balanced as well.
  bool take_back() {
    bool any = false;
    for (size_t i = 0; i < items_.size(); ++i) {
      const size_t home = items_[i].worker;
      if (at_[i] == home || !may(i, home)) continue;
      if (loads_.change(at_[i], home, items_[i].cost) > 0) continue;
      move(i, home);
      any = true;
    }
    return any;
  }

  const std::vector<BalanceWorker>& workers_;
  const std::vector<BalanceItem>& items_;
  Loads loads_;
  std::vector<int64_t> disk_;
  std::vector<std::set<std::pair<int64_t, size_t>>> movable_;  // by worker: (cost, item)
  std::vector<size_t> at_;
};

}  // namespace

std::vector<size_t> balance(const std::vector<BalanceWorker>& workers,
                            const std::vector<BalanceItem>& items, const BalanceOptions& options) {
  Balancer balancer(workers, items, options);
  balancer.empty_closed();
  if (!options.only_closed) balancer.improve();
  return balancer.assigned();
}

int64_t imbalance(const std::vector<BalanceWorker>& workers, const std::vector<BalanceItem>& items,
                  const std::vector<size_t>& assigned, int64_t margin_percent) {
  Loads loads(workers, margin_percent);
  for (size_t i = 0; i < items.size(); ++i) loads.add(assigned[i], items[i].cost);
  return loads.sum();
}

}  // namespace tidemill
