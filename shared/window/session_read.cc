#include "shared/window/session_read.h"

#include <algorithm>
#include <bit>

#include "shared/window/collection.h"

namespace tidemill {
namespace {

using Wide = __int128;  // times may leave int64 at the edges of a window
using Groups = std::span<const std::unique_ptr<ChunkGroup>>;

// The walk from row to row: `edge` is the earliest time of the session so far.
struct Walk {
  DurationUs gap;
  Wide floor;  // of no interest what lies before
  TimeUs edge;
  TimeUs rows_since;  // rows between this time and the edge do not pass the filter
  DurationUs resolution = 0;

  bool near(Wide later, TimeUs earlier) const { return later - earlier <= gap; }
  bool reaches(TimeUs time) const { return near(edge, time); }
  bool done() const { return edge < floor; }
  void move(TimeUs time, TimeUs since) {
    if (time < edge) {
      edge = time;
      rows_since = since;
    }
  }
};

// The sealed rows that count and pass a filter, latest first.
class SealedTimes {
 public:
  SealedTimes(const ChunkLayout& layout, Groups groups, const CountedRows& counted, int32_t filter,
              TimeUs last)
      : layout_(layout), counted_(counted), filter_(filter), last_(last) {
    const auto end = std::upper_bound(groups.begin(), groups.end(), last,
                                      [](TimeUs t, const auto& g) { return t < g->first(); });
    groups_ = {groups.begin(), end};
  }

  // The latest that is left, if it lies at or after `since`.
  bool head(Wide since, TimeUs* time) {
    if (!load(since)) return false;
    *time = latest();
    return *time >= since;
  }

  // Takes the rows that the walk reaches. False if there were none.
  bool extend(Walk* walk) {
    bool moved = false;
    while (!walk->done()) {
      if (take_group(walk)) {
        moved = true;
        continue;
      }
      if (!load(Wide{walk->edge} - walk->gap) || !walk->reaches(latest())) break;
      const TimeUs earliest = chunk_->time(static_cast<uint32_t>(std::countr_zero(mask_)));
      const bool all = walk->near(latest(), earliest);
      const TimeUs reached = all ? earliest : latest();
      walk->move(reached, reached);
      mask_ = all ? 0 : mask_ & ~(uint64_t{1} << highest());
      moved = true;
    }
    return moved;
  }

 private:
  int highest() const { return 63 - std::countl_zero(mask_); }
  TimeUs latest() const { return chunk_->time(static_cast<uint32_t>(highest())); }

  // The group that is next, if all its rows exist and there is no room for a gap in it.
  bool take_group(Walk* walk) {
    if (filter_ >= 0 || !counted_.all() || mask_ != 0 || !chunks_.empty() || groups_.empty())
      return false;
    const ChunkGroup& group = *groups_.back();
    if (group.last() > last_ || !walk->reaches(group.last()) ||
        !walk->near(group.last(), group.first())) {
      return false;
    }
    walk->move(group.first(), group.first());
    groups_ = groups_.first(groups_.size() - 1);
    return true;
  }

  // Has rows of a chunk at hand, unless all that are left lie before `since`.
  bool load(Wide since) {
    while (mask_ == 0) {
      if (chunks_.empty()) {
        if (groups_.empty() || groups_.back()->last() < since) return false;
        const auto& chunks = groups_.back()->chunks;
        chunks_ = {chunks.begin(),
                   std::upper_bound(chunks.begin(), chunks.end(), last_,
                                    [](TimeUs t, const SealedChunk& c) { return t < c.first; })};
        groups_ = groups_.first(groups_.size() - 1);
        continue;
      }
      const SealedChunk& sealed = chunks_.back();
      if (sealed.last < since) return false;
      chunk_ = sealed.chunk;
      mask_ = input_rows(layout_, *chunk_, -1, filter_) & counted_.of(sealed);
      if (sealed.last > last_) mask_ &= ChunkLayout::time_mask(*chunk_, kMinTime, last_);
      chunks_ = chunks_.first(chunks_.size() - 1);
    }
    return true;
  }

  const ChunkLayout& layout_;
  const CountedRows& counted_;
  const int32_t filter_;
  const TimeUs last_;
  Groups groups_;                        // that are left
  std::span<const SealedChunk> chunks_;  // that are left of the group before those
  const Chunk* chunk_ = nullptr;
  uint64_t mask_ = 0;  // rows left of chunk_
};

// The leaves with rows that pass a filter, latest first.
class LeafTimes {
 public:
  // `tiles` null: there are none.
  LeafTimes(const FoldedTiles* tiles, int32_t filter, TimeUs last) : filter_(filter), last_(last) {
    if (tiles != nullptr) tiles_ = tiles->all();
  }

  // Null after the first of all.
  const Leaf* head() {
    for (;;) {
      while (!leaves_.empty()) {
        const Leaf& leaf = *leaves_.back();
        if (leaf.times.last <= last_ && !span(leaf).empty()) return &leaf;
        leaves_ = leaves_.first(leaves_.size() - 1);
      }
      if (tiles_.empty()) return nullptr;
      enter(tiles_.back());
      tiles_ = tiles_.first(tiles_.size() - 1);
    }
  }
  // Of the rows that pass the filter.
  const TimeSpan& span(const Leaf& leaf) const { return leaf.sessions[session_]; }

  bool extend(Walk* walk) {
    bool moved = false;
    for (const Leaf* leaf = head(); leaf != nullptr && !walk->done(); leaf = head()) {
      const TimeSpan& times = span(*leaf);
      if (!walk->reaches(times.last)) break;
      if (!walk->near(times.last, times.first)) {
        walk->resolution = std::max(walk->resolution, width_);
      }
      walk->move(times.first, leaf->times.first);
      leaves_ = leaves_.first(leaves_.size() - 1);
      moved = true;
    }
    return moved;
  }

 private:
  // Leaves that know nothing of the filter are left out; admit_unknown() says so.
  void enter(const FoldedTile& tile) {
    const auto& filters = tile.plan().session_filters;
    if (!tile.plan().knows_sessions_of(filter_)) return;
    session_ =
        static_cast<size_t>(std::find(filters.begin(), filters.end(), filter_) - filters.begin());
    width_ = DurationUs{1} << tile.shift();
    leaves_ = tile.leaves();
  }

  const int32_t filter_;
  const TimeUs last_;
  size_t session_ = 0;
  std::span<const FoldedTile> tiles_;              // that are left
  std::span<const std::unique_ptr<Leaf>> leaves_;  // that are left of the tile before those
  DurationUs width_ = 0;                           // of those
};

// The same of the tail's times, which fall.
bool extend(std::span<const TimeUs>* tail, Walk* walk) {
  bool moved = false;
  while (!tail->empty() && walk->reaches(tail->front())) {
    walk->move(tail->front(), tail->front());
    *tail = tail->subspan(1);
    moved = true;
  }
  return moved;
}

}  // namespace

void SessionReader::begin(const LogContext& context, const RowLog* log, const CountedRows* counted,
                          TimeUs as_of) {
  layout_ = &context.layout;
  leaves_ = context.leaves;
  log_ = log;
  counted_ = counted;
  as_of_ = as_of;
  found_.clear();
}

WindowReadBounds SessionReader::bounds(const FeatureSpec& feature) {
  Found wanted{std::max(feature.filter, -1),       feature.gap, feature.window, feature.offset,
               includes_right_end(feature.closed), {}};
  for (const Found& known : found_) {
    if (known.filter == wanted.filter && known.gap == wanted.gap &&
        known.longest == wanted.longest && known.offset == wanted.offset &&
        known.right_closed == wanted.right_closed) {
      return known.bounds;
    }
  }
  if (log_ != nullptr) wanted.bounds = find(wanted);
  found_.push_back(wanted);
  return wanted.bounds;
}

// The times of the tail's rows that count and pass the filter, up to `last`.
void SessionReader::tail_times(int32_t filter, TimeUs last) {
  tail_.clear();
  const Chunk* tail = log_->tail();
  if (tail == nullptr) return;
  const uint64_t mask = input_rows(*layout_, *tail, -1, filter) & counted_->of_tail() &
                        ChunkLayout::time_mask(*tail, kMinTime, last);
  each_row(mask, [&](uint32_t row) { tail_.push_back(tail->time(row)); });
  std::sort(tail_.begin(), tail_.end(), std::greater<>());
}

// Says that it is not known of rows from `first` to `last` which of them pass, if that is so.
void SessionReader::admit_unknown(int32_t filter, Wide first, Wide last,
                                  WindowReadBounds* out) const {
  if (log_->folded() == nullptr) return;
  for (const FoldedTile& tile : log_->folded()->all()) {
    if (tile.last() < first || last < tile.first() || tile.plan().knows_sessions_of(filter)) {
      continue;
    }
    out->resolution = std::max(out->resolution, DurationUs{1} << leaves_->bound.tile_shift);
  }
}

WindowReadBounds SessionReader::find(const Found& wanted) {
  const Wide end = static_cast<Wide>(as_of_) - wanted.offset;
  WindowReadBounds out;
  out.window = out.rows = {kMinTime - Wide{1}, end + (wanted.right_closed ? 1 : 0)};
  const FoldedTiles* const folded = log_->folded();
  if (folded != nullptr) folded->snap(leaves_->bound, &out.rows, &out.resolution);
  const Wide last = out.rows.end - 1;
  out.window = out.rows = {end, end};
  if (last < kMinTime) return out;
  const auto last_time = static_cast<TimeUs>(last);
  tail_times(wanted.filter, last_time);
  std::span<const TimeUs> tail = tail_;
  SealedTimes sealed(*layout_,
                     log_->sealed() == nullptr ? Groups() : Groups(log_->sealed()->groups),
                     *counted_, wanted.filter, last_time);
  LeafTimes leaves(folded, wanted.filter, last_time);
  const Wide since = end - wanted.gap;
  TimeUs latest = 0;
  bool any = sealed.head(since, &latest);
  if (!tail.empty() && tail.front() >= since && (!any || tail.front() > latest)) {
    latest = tail.front();
    any = true;
  }
  Wide rows_end = static_cast<Wide>(latest) + 1;
  const Leaf* const leaf = leaves.head();
  if (leaf != nullptr && leaves.span(*leaf).last >= since &&
      (!any || leaves.span(*leaf).last > latest)) {
    latest = leaves.span(*leaf).last;
    rows_end = static_cast<Wide>(leaf->times.last) + 1;
    any = true;
  }
  if (!any) {
    admit_unknown(wanted.filter, since, last, &out);
    return out;
  }
  Walk walk{wanted.gap, static_cast<Wide>(latest) - wanted.longest, latest, latest};
  if (leaf != nullptr && leaves.span(*leaf).last == latest) walk.rows_since = leaf->times.first;
  for (bool moved = true; moved && !walk.done();) {
    moved = sealed.extend(&walk);
    moved = extend(&tail, &walk) || moved;
    moved = leaves.extend(&walk) || moved;
  }
  const bool cut = walk.edge < walk.floor;
  out.window = {cut ? walk.floor : Wide{walk.edge}, static_cast<Wide>(latest) + 1};
  out.rows = {cut ? walk.floor : Wide{walk.rows_since}, rows_end};
  out.resolution = std::max(out.resolution, walk.resolution);
  admit_unknown(wanted.filter, cut ? walk.floor : Wide{walk.edge} - wanted.gap, last, &out);
  return out;
}

}  // namespace tidemill
