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

  bool near(Wide later, TimeUs earlier) const { return later - earlier <= gap; }
  bool reaches(TimeUs time) const { return near(edge, time); }
  bool done() const { return edge <= floor; }
};

// The sealed rows that pass a filter, latest first.
class SealedTimes {
 public:
  SealedTimes(const ChunkLayout& layout, Groups groups, int32_t filter, TimeUs last)
      : layout_(layout), filter_(filter), last_(last) {
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
      walk->edge = std::min(walk->edge, all ? earliest : latest());
      mask_ = all ? 0 : mask_ & ~(uint64_t{1} << highest());
      moved = true;
    }
    return moved;
  }

 private:
  int highest() const { return 63 - std::countl_zero(mask_); }
  TimeUs latest() const { return chunk_->time(static_cast<uint32_t>(highest())); }

  // The group that is next, if all its rows count and there is no room for a gap in it.
  bool take_group(Walk* walk) {
    if (filter_ >= 0 || mask_ != 0 || !chunks_.empty() || groups_.empty()) return false;
    const ChunkGroup& group = *groups_.back();
    if (group.last() > last_ || !walk->reaches(group.last()) ||
        !walk->near(group.last(), group.first())) {
      return false;
    }
    walk->edge = std::min(walk->edge, group.first());
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
      mask_ = input_rows(layout_, *chunk_, -1, filter_);
      if (sealed.last > last_) mask_ &= ChunkLayout::time_mask(*chunk_, kMinTime, last_);
      chunks_ = chunks_.first(chunks_.size() - 1);
    }
    return true;
  }

  const ChunkLayout& layout_;
  const int32_t filter_;
  const TimeUs last_;
  Groups groups_;                        // that are left
  std::span<const SealedChunk> chunks_;  // that are left of the group before those
  const Chunk* chunk_ = nullptr;
  uint64_t mask_ = 0;  // rows left of chunk_
};

// The same of the tail's times, which fall.
bool extend(std::span<const TimeUs>* tail, Walk* walk) {
  bool moved = false;
  while (!tail->empty() && walk->reaches(tail->front())) {
    walk->edge = std::min(walk->edge, tail->front());
    *tail = tail->subspan(1);
    moved = true;
  }
  return moved;
}

}  // namespace

void SessionReader::begin(const ChunkLayout* layout, const RowLog* log, TimeUs as_of) {
  layout_ = layout;
  log_ = log;
  as_of_ = as_of;
  found_.clear();
}

WindowBounds SessionReader::bounds(const FeatureSpec& feature) {
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

// The times of the tail's rows that pass the filter, up to `last`.
void SessionReader::tail_times(int32_t filter, TimeUs last) {
  tail_.clear();
  const Chunk* tail = log_->tail();
  if (tail == nullptr) return;
  const uint64_t mask =
      input_rows(*layout_, *tail, -1, filter) & ChunkLayout::time_mask(*tail, kMinTime, last);
  each_row(mask, [&](uint32_t row) { tail_.push_back(tail->time(row)); });
  std::sort(tail_.begin(), tail_.end(), std::greater<>());
}

WindowBounds SessionReader::find(const Found& wanted) {
  const Wide end = static_cast<Wide>(as_of_) - wanted.offset;
  const Wide last = end - (wanted.right_closed ? 0 : 1);
  if (last < kMinTime) return {end, end};
  tail_times(wanted.filter, static_cast<TimeUs>(last));
  std::span<const TimeUs> tail = tail_;
  SealedTimes sealed(*layout_,
                     log_->sealed() == nullptr ? Groups() : Groups(log_->sealed()->groups),
                     wanted.filter, static_cast<TimeUs>(last));
  const Wide since = end - wanted.gap;
  TimeUs latest = 0;
  bool any = sealed.head(since, &latest);
  if (!tail.empty() && tail.front() >= since && (!any || tail.front() > latest)) {
    latest = tail.front();
    any = true;
  }
  if (!any) return {end, end};
  Walk walk{wanted.gap, static_cast<Wide>(latest) - wanted.longest, latest};
  while (!walk.done()) {
    const bool by_sealed = sealed.extend(&walk);
    if (!extend(&tail, &walk) && !by_sealed) break;
  }
  return {std::max<Wide>(walk.edge, walk.floor), static_cast<Wide>(latest) + 1};
}

}  // namespace tidemill
