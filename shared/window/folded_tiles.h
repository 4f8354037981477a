// FoldedTiles: tiles of event time of which one key has more rows than the table's bound
// (LeafPlan). Their rows are not kept; they are cut into leaves, aligned intervals of one width of
// 2^k us within a tile, each with a summary of its rows and their first and last event time.
//
// The width of a tile is the smallest at which no more leaves than the bound hold rows. Adding rows
// makes it wider or leaves it, so it depends on the multiset of rows alone, as do the leaves.
//
// A leaf counts for a window if its first and its last row lie in it; snap() says which windows
// that leaves short. Blocks of leaves and whole tiles cache summaries, made at the first read.
// shard-affine
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "shared/window/leaf_plan.h"
#include "shared/window/state_bytes.h"
#include "shared/window/window_bounds.h"

namespace tidemill {

struct FoldContext {
  const ChunkLayout& layout;
  StateBytes* bytes;  // kept exact
};

// The first and the last of some times; none if first > last.
struct TimeSpan {
  TimeUs first = kMaxTime;
  TimeUs last = kMinTime;

  bool empty() const { return first > last; }
  DurationUs apart() const { return last - first; }  // of times within a tile, of which some are
  void add(TimeUs time) {
    first = std::min(first, time);
    last = std::max(last, time);
  }
  void add(const TimeSpan& other) {
    first = std::min(first, other.first);
    last = std::max(last, other.last);
  }
  friend bool operator==(const TimeSpan&, const TimeSpan&) = default;
};

struct Leaf {
  Leaf(const BasePlan& parts, size_t sessions) : sessions(sessions), summary(parts) {}

  int64_t number = 0;  // it holds rows of the times [n, n + 1) × width
  TimeSpan times;
  uint64_t rows = 0;
  std::vector<TimeSpan> sessions;  // by LeafPlan::session_filters, of the rows that pass it
  BaseSummary summary;
};

class FoldedTile {
 public:
  FoldedTile(std::shared_ptr<const LeafPlan> plan, int64_t number, int shift)
      : plan_(std::move(plan)), number_(number), shift_(shift) {}
  FoldedTile(FoldedTile&&) = default;  // clear() before it is dropped
  FoldedTile& operator=(FoldedTile&&) = default;

  // That its leaves were made for, and go on being.
  const LeafPlan& plan() const { return *plan_; }
  int64_t number() const { return number_; }
  int shift() const { return shift_; }  // leaves are 2^shift us wide
  // By number, and so by time; empty only before the first rows.
  const std::vector<std::unique_ptr<Leaf>>& leaves() const { return leaves_; }
  TimeUs first() const { return leaves_.front()->times.first; }
  TimeUs last() const { return leaves_.back()->times.last; }

  // Rows of the tile; those of the chunk stay where they are.
  void add(const FoldContext& context, const ChunkRows& rows);
  // A leaf behind those that are there.
  void restore(const FoldContext& context, std::unique_ptr<Leaf> leaf);
  // Makes leaves wider until the bound is kept.
  void keep_bound(const FoldContext& context);
  void clear(const FoldContext& context);

  // The leaf that would hold a row of this time; null if there is none.
  const Leaf* leaf_at(TimeUs time) const;
  // Calls visit(summary) for summaries that are of the leaves from `first` to `last` together,
  // where no leaf reaches over one of the two.
  template <typename Visit>
  void each_summary(const FoldContext& context, TimeUs first, TimeUs last, Visit&& visit) const;

 private:
  static constexpr size_t kBlockLeaves = 64;

  using Leaves = std::vector<std::unique_ptr<Leaf>>;

  Leaf* leaf_for(const FoldContext& context, int64_t number);
  void widen(const FoldContext& context, int shift);
  void drop_blocks(const FoldContext& context, size_t from, size_t to) const;
  void drop_leaf(const FoldContext& context, Leaf* leaf);
  const BaseSummary& block(const FoldContext& context, size_t number) const;
  const BaseSummary& total(const FoldContext& context) const;

  std::shared_ptr<const LeafPlan> plan_;
  int64_t number_;
  int shift_;
  Leaves leaves_;
  mutable std::vector<std::unique_ptr<BaseSummary>> blocks_;  // null: not known
  mutable std::unique_ptr<BaseSummary> total_;
};

class FoldedTiles {
 public:
  // By number.
  const std::vector<FoldedTile>& all() const { return tiles_; }
  std::vector<FoldedTile>& all() { return tiles_; }
  bool empty() const { return tiles_.empty(); }
  TimeUs last() const { return tiles_.back().last(); }
  const FoldedTile* find(int64_t number) const;
  // A tile that is not there yet; `shift` as leaf_shift_of() says.
  FoldedTile* add(std::shared_ptr<const LeafPlan> plan, int64_t number, int shift);
  void free_before(const FoldContext& context, int64_t number);
  void clear(const FoldContext& context) { free_before(context, INT64_MAX); }

  // Moves the ends of a window that is not empty off leaves with rows on both sides of them, so
  // that these do not count, and raises `resolution` to the width of each of them.
  void snap(const TileBound& bound, WindowBounds* bounds, DurationUs* resolution) const;
  // Whether all leaves in the times have what the feature needs.
  bool hold(const FeatureSpec& feature, const WindowBounds& times) const;
  // Calls visit(plan, summary) as FoldedTile does.
  template <typename Visit>
  void each_summary(const FoldContext& context, TimeUs first, TimeUs last, Visit&& visit) const {
    for (const FoldedTile& tile : tiles_) {
      if (tile.first() <= last && first <= tile.last()) {
        tile.each_summary(context, first, last,
                          [&](const BaseSummary& summary) { visit(tile.plan(), summary); });
      }
    }
  }

 private:
  const Leaf* leaf_at(const TileBound& bound, __int128 time, int* shift) const;

  std::vector<FoldedTile> tiles_;
};

// The shift of the leaves of a tile with rows of these times, which rise.
int leaf_shift_of(const TileBound& bound, const std::vector<TimeUs>& times);

template <typename Visit>
void FoldedTile::each_summary(const FoldContext& context, TimeUs first, TimeUs last,
                              Visit&& visit) const {
  if (first <= this->first() && this->last() <= last) return visit(total(context));
  const auto from = std::lower_bound(
      leaves_.begin(), leaves_.end(), first,
      [](const std::unique_ptr<Leaf>& leaf, TimeUs t) { return leaf->times.first < t; });
  const auto to = std::upper_bound(
      from, leaves_.end(), last,
      [](TimeUs t, const std::unique_ptr<Leaf>& leaf) { return t < leaf->times.last; });
  const auto end = static_cast<size_t>(to - leaves_.begin());
  for (auto i = static_cast<size_t>(from - leaves_.begin()); i < end;) {
    if (i % kBlockLeaves == 0 && end - i >= kBlockLeaves) {
      visit(block(context, i / kBlockLeaves));
      i += kBlockLeaves;
    } else {
      visit(leaves_[i++]->summary);
    }
  }
}

}  // namespace tidemill
