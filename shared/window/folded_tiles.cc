#include "shared/window/folded_tiles.h"

#include <algorithm>
#include <bit>

#include "shared/base/assert.h"

namespace tidemill {
namespace {

constexpr int kBits = 64;

// Counts how many aligned intervals of each width hold some of the numbers that are added, which
// rise.
class OccupiedCounter {
 public:
  void add(int64_t number) {
    if (any_) {
      const uint64_t different = static_cast<uint64_t>(number) ^ static_cast<uint64_t>(previous_);
      if (different != 0) ++apart_[kBits - 1 - std::countl_zero(different)];
    }
    any_ = true;
    previous_ = number;
  }
  // The smallest shift, at least `least`, at which so many intervals do.
  int smallest_shift(int least, uint64_t most) const {
    uint64_t occupied = 1;
    for (int shift = kBits - 1; shift >= least; --shift) {
      occupied += apart_[shift];
      if (occupied > most) return shift + 1;
    }
    return least;
  }

 private:
  bool any_ = false;
  int64_t previous_ = 0;
  uint64_t apart_[kBits] = {};  // neighbours that are apart up to this shift
};

void drop_summary(const FoldContext& context, std::unique_ptr<BaseSummary>* summary) {
  if (*summary == nullptr) return;
  *context.bytes -= (*summary)->bytes();
  (*summary)->clear(context.bytes);
  summary->reset();
}

std::unique_ptr<BaseSummary> new_summary(const FoldContext& context, const LeafPlan& plan) {
  auto out = std::make_unique<BaseSummary>(plan.parts);
  *context.bytes += out->bytes();
  return out;
}

uint64_t own_bytes(const Leaf& leaf) {
  return sizeof(Leaf) - sizeof(BaseSummary) + leaf.sessions.capacity() * sizeof(TimeSpan) +
         sizeof(std::unique_ptr<Leaf>);
}

}  // namespace

int leaf_shift_of(const TileBound& bound, const std::vector<TimeUs>& times) {
  OccupiedCounter counter;
  for (const TimeUs time : times) counter.add(time);
  return counter.smallest_shift(bound.leaf_shift, bound.max_leaves);
}

void FoldedTile::drop_blocks(const FoldContext& context, size_t from, size_t to) const {
  for (size_t b = from; b < std::min(to, blocks_.size()); ++b) drop_summary(context, &blocks_[b]);
  drop_summary(context, &total_);
}

void FoldedTile::drop_leaf(const FoldContext& context, Leaf* leaf) {
  *context.bytes -= own_bytes(*leaf) + leaf->summary.bytes();
  leaf->summary.clear(context.bytes);
}

void FoldedTile::clear(const FoldContext& context) {
  drop_blocks(context, 0, blocks_.size());
  for (auto& leaf : leaves_) drop_leaf(context, leaf.get());
  leaves_.clear();
}

// What is cached of its block is dropped, as it is about to change.
Leaf* FoldedTile::leaf_for(const FoldContext& context, int64_t number) {
  const auto at = std::lower_bound(
      leaves_.begin(), leaves_.end(), number,
      [](const std::unique_ptr<Leaf>& leaf, int64_t n) { return leaf->number < n; });
  const size_t block = static_cast<size_t>(at - leaves_.begin()) / kBlockLeaves;
  if (at != leaves_.end() && (*at)->number == number) {
    drop_blocks(context, block, block + 1);
    return at->get();
  }
  drop_blocks(context, block, blocks_.size());
  auto leaf = std::make_unique<Leaf>(plan_->parts, plan_->session_filters.size());
  leaf->number = number;
  *context.bytes += own_bytes(*leaf) + leaf->summary.bytes();
  return leaves_.insert(at, std::move(leaf))->get();
}

void FoldedTile::add(const FoldContext& context, const ChunkRows& rows) {
  const Chunk& chunk = *rows.chunk;
  for (uint64_t left = rows.mask; left != 0;) {
    const int64_t number = chunk.time(static_cast<uint32_t>(std::countr_zero(left))) >> shift_;
    Leaf* const leaf = leaf_for(context, number);
    std::vector<RowRef> refs;
    uint64_t mask = 0;
    each_row(left, [&](uint32_t i) {
      const TimeUs time = chunk.time(i);
      if (time >> shift_ != number) return;
      mask |= uint64_t{1} << i;
      refs.push_back({&chunk, i});
      leaf->times.add(time);
    });
    left &= ~mask;
    leaf->rows += refs.size();
    for (size_t s = 0; s < leaf->sessions.size(); ++s) {
      const uint64_t passing =
          mask & input_rows(context.layout, chunk, -1, plan_->session_filters[s]);
      each_row(passing, [&](uint32_t i) { leaf->sessions[s].add(chunk.time(i)); });
    }
    leaf->summary.spread(plan_->parts, leaf->times.apart(), context.bytes);
    leaf->summary.fold(plan_->parts, context.layout, {&chunk, mask}, context.bytes);
    if (plan_->parts.lists.empty()) continue;
    std::sort(refs.begin(), refs.end(),
              [&](const RowRef& a, const RowRef& b) { return context.layout.compare(a, b) < 0; });
    leaf->summary.keep(plan_->parts, context.layout, context.layout.build(refs, context.bytes),
                       context.bytes);
  }
}

void FoldedTile::restore(const FoldContext& context, std::unique_ptr<Leaf> leaf) {
  ASSERT(leaves_.empty() || leaves_.back()->number < leaf->number);
  *context.bytes += own_bytes(*leaf) + leaf->summary.bytes();
  leaves_.push_back(std::move(leaf));
}

void FoldedTile::keep_bound(const FoldContext& context) {
  const TileBound& bound = plan_->bound;
  if (leaves_.size() <= bound.max_leaves && shift_ >= bound.leaf_shift) return;
  OccupiedCounter counter;
  for (const auto& leaf : leaves_) counter.add(leaf->number << shift_);
  const int shift = counter.smallest_shift(std::max(bound.leaf_shift, shift_), bound.max_leaves);
  if (shift > shift_) widen(context, shift);
}

void FoldedTile::widen(const FoldContext& context, int shift) {
  drop_blocks(context, 0, blocks_.size());
  Leaves old;
  old.swap(leaves_);
  for (auto& leaf : old) {
    const int64_t number = leaf->number >> (shift - shift_);
    if (leaves_.empty() || leaves_.back()->number != number) {
      leaf->number = number;
      leaves_.push_back(std::move(leaf));
      continue;
    }
    Leaf& into = *leaves_.back();
    into.times.add(leaf->times);
    into.rows += leaf->rows;
    for (size_t s = 0; s < into.sessions.size(); ++s) into.sessions[s].add(leaf->sessions[s]);
    into.summary.spread(plan_->parts, into.times.apart(), context.bytes);
    into.summary.merge(plan_->parts, context.layout, leaf->summary, plan_->parts, context.bytes);
    drop_leaf(context, leaf.get());
  }
  shift_ = shift;
}

const Leaf* FoldedTile::leaf_at(TimeUs time) const {
  const int64_t number = time >> shift_;
  const auto at = std::lower_bound(
      leaves_.begin(), leaves_.end(), number,
      [](const std::unique_ptr<Leaf>& leaf, int64_t n) { return leaf->number < n; });
  return at != leaves_.end() && (*at)->number == number ? at->get() : nullptr;
}

const BaseSummary& FoldedTile::block(const FoldContext& context, size_t number) const {
  if (blocks_.size() <= number) blocks_.resize(number + 1);
  std::unique_ptr<BaseSummary>& out = blocks_[number];
  if (out != nullptr) return *out;
  out = new_summary(context, *plan_);
  const size_t end = std::min(leaves_.size(), (number + 1) * kBlockLeaves);
  const TimeUs first = leaves_[number * kBlockLeaves]->times.first;
  out->spread(plan_->parts, leaves_[end - 1]->times.last - first, context.bytes);
  for (size_t i = number * kBlockLeaves; i < end; ++i) {
    out->merge(plan_->parts, context.layout, leaves_[i]->summary, plan_->parts, context.bytes);
  }
  return *out;
}

const BaseSummary& FoldedTile::total(const FoldContext& context) const {
  if (leaves_.size() <= kBlockLeaves) return block(context, 0);
  if (total_ != nullptr) return *total_;
  total_ = new_summary(context, *plan_);
  total_->spread(plan_->parts, last() - first(), context.bytes);
  for (size_t b = 0; b * kBlockLeaves < leaves_.size(); ++b) {
    total_->merge(plan_->parts, context.layout, block(context, b), plan_->parts, context.bytes);
  }
  return *total_;
}

const FoldedTile* FoldedTiles::find(int64_t number) const {
  const auto at =
      std::lower_bound(tiles_.begin(), tiles_.end(), number,
                       [](const FoldedTile& tile, int64_t n) { return tile.number() < n; });
  return at != tiles_.end() && at->number() == number ? &*at : nullptr;
}

FoldedTile* FoldedTiles::add(std::shared_ptr<const LeafPlan> plan, int64_t number, int shift) {
  const auto at =
      std::lower_bound(tiles_.begin(), tiles_.end(), number,
                       [](const FoldedTile& tile, int64_t n) { return tile.number() < n; });
  ASSERT(at == tiles_.end() || at->number() != number);
  return &*tiles_.insert(at, FoldedTile(std::move(plan), number, shift));
}

void FoldedTiles::free_before(const FoldContext& context, int64_t number) {
  size_t gone = 0;
  while (gone < tiles_.size() && tiles_[gone].number() < number) tiles_[gone++].clear(context);
  tiles_.erase(tiles_.begin(), tiles_.begin() + static_cast<ptrdiff_t>(gone));
}

// Null also if the time is none.
const Leaf* FoldedTiles::leaf_at(const TileBound& bound, __int128 time, int* shift) const {
  if (time < kMinTime || time > kMaxTime) return nullptr;
  const auto at = static_cast<TimeUs>(time);
  const FoldedTile* tile = find(bound.tile_of(at));
  if (tile == nullptr) return nullptr;
  *shift = tile->shift();
  return tile->leaf_at(at);
}

bool FoldedTiles::hold(const FeatureSpec& feature, const WindowBounds& times) const {
  const LeafPlan* known = nullptr;  // that holds it
  for (const FoldedTile& tile : tiles_) {
    if (&tile.plan() == known || tile.last() < times.begin || times.end <= tile.first()) continue;
    if (!tile.plan().holds(feature)) return false;
    known = &tile.plan();
  }
  return true;
}

void FoldedTiles::snap(const TileBound& bound, WindowBounds* bounds, DurationUs* resolution) const {
  if (bounds->begin >= bounds->end) return;
  const __int128 begin = bounds->begin;
  const __int128 last = bounds->end - 1;
  const auto coarsen = [&](int shift) {
    *resolution = std::max(*resolution, DurationUs{1} << shift);
  };
  int shift = 0;
  const Leaf* leaf = leaf_at(bound, begin, &shift);
  if (leaf != nullptr && leaf->times.first < begin && begin <= leaf->times.last) {
    bounds->begin = __int128{leaf->times.last} + 1;
    coarsen(shift);
  }
  leaf = leaf_at(bound, last, &shift);
  if (leaf != nullptr && leaf->times.first <= last && last < leaf->times.last) {
    bounds->end = leaf->times.first;
    coarsen(shift);
  }
  bounds->end = std::max(bounds->begin, bounds->end);
}

}  // namespace tidemill
