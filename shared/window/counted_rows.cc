#include "shared/window/counted_rows.h"

#include <algorithm>

#include "shared/window/collection.h"
#include "shared/window/distinct_hashes.h"

namespace tidemill {
namespace {

using Wide = __int128;  // differences of times may leave int64

// What ids and their order are in a table.
class Ids {
 public:
  Ids(const ChunkLayout& layout, const Deduplication& by) : layout_(layout), by_(by) {}

  // Rows that are rows at all; and those of them that have an id.
  uint64_t rows(const Chunk& chunk) const { return input_rows(layout_, chunk, -1, by_.filter); }
  uint64_t with_id(const Chunk& chunk) const {
    uint64_t mask = rows(chunk);
    for (const uint32_t column : by_.by) mask &= layout_.valid_bits(chunk, column);
    return mask;
  }

  uint64_t hash(const RowRef& row) const {
    uint64_t out = 0;
    for (const uint32_t column : by_.by) {
      out = (out ^ value_hash(layout_, row, column)) * 0x9e37'79b9'7f4a'7c15u;
    }
    return out ^ out >> 32;
  }
  bool same(const RowRef& a, const RowRef& b) const {
    return std::all_of(by_.by.begin(), by_.by.end(),
                       [&](uint32_t column) { return layout_.compare_values(a, b, column) == 0; });
  }

  // In the order of the view, of rows of one event time. 0: whatever the view sees of them is
  // equal.
  int compare(const RowRef& a, const RowRef& b) const {
    for (const uint32_t column : by_.order) {
      if (const int order = layout_.compare_values(a, b, column)) return order;
    }
    for (const uint32_t filter : by_.filters) {
      const bool in_a = (layout_.filter_bits(*a.chunk, filter) >> a.row & 1) != 0;
      const bool in_b = (layout_.filter_bits(*b.chunk, filter) >> b.row & 1) != 0;
      if (in_a != in_b) return in_a ? 1 : -1;
    }
    return 0;
  }
  bool within(TimeUs earlier, TimeUs later) const { return Wide{later} - earlier < by_.within; }

 private:
  const ChunkLayout& layout_;
  const Deduplication& by_;
};

// The last row of each id so far. Rows come in order of time.
class LastRows {
 public:
  struct Last {
    uint64_t hash;
    RowRef row;  // of its time the one that comes first, as the others do not count
    const SealedChunk* chunk;
    bool counts;
  };

  explicit LastRows(const Ids& ids) : ids_(ids), index_(64) {}

  // Null if the row is the first of its id: then it is the last now, and counts.
  Last* find_or_add(const RowRef& row, const SealedChunk& chunk) {
    const uint64_t hash = ids_.hash(row);
    size_t at = hash & (index_.size() - 1);
    for (; index_[at] != 0; at = (at + 1) & (index_.size() - 1)) {
      Last& last = lasts_[index_[at] - 1];
      if (last.hash == hash && ids_.same(last.row, row)) return &last;
    }
    lasts_.push_back({hash, row, &chunk, true});
    index_[at] = static_cast<uint32_t>(lasts_.size());
    if (lasts_.size() * 2 > index_.size()) grow();
    return nullptr;
  }

 private:
  void grow() {
    std::vector<uint32_t>(index_.size() * 4).swap(index_);
    for (size_t i = 0; i < lasts_.size(); ++i) {
      size_t at = lasts_[i].hash & (index_.size() - 1);
      while (index_[at] != 0) at = (at + 1) & (index_.size() - 1);
      index_[at] = static_cast<uint32_t>(i + 1);
    }
  }

  const Ids& ids_;
  std::vector<Last> lasts_;
  std::vector<uint32_t> index_;  // by hash; size is a power of two; number in lasts_ + 1, or 0
};

void count_row(const Ids& ids, const SealedChunk& sealed, uint32_t number, LastRows* lasts) {
  const RowRef row{sealed.chunk, number};
  const uint64_t bit = uint64_t{1} << number;
  LastRows::Last* const last = lasts->find_or_add(row, sealed);
  if (last == nullptr) {
    sealed.counted |= bit;
    return;
  }
  if (last->row.time() == row.time()) {
    if (ids.compare(row, last->row) >= 0) return;
    last->chunk->counted &= ~(uint64_t{1} << last->row.row);
  } else {
    last->counts = !ids.within(last->row.time(), row.time());
  }
  last->row = row;
  last->chunk = &sealed;
  if (last->counts) sealed.counted |= bit;
}

TimeUs earlier_by(TimeUs time, DurationUs by) {
  TimeUs out = 0;
  return __builtin_sub_overflow(time, by, &out) ? kMinTime : out;
}

TimeUs later_by(TimeUs time, DurationUs by) {
  TimeUs out = 0;
  return __builtin_add_overflow(time, by, &out) ? kMaxTime : out;
}

}  // namespace

void CountedRows::begin(const LogContext& context, const RowLog* log) {
  layout_ = &context.layout;
  by_ = context.deduplication;
  log_ = log;
  tail_counted_ = ~uint64_t{0};
  changed_.clear();
  first_changed_ = kMaxTime;
  last_changed_ = kMinTime;
  if (by_ == nullptr || log == nullptr) return;
  // The limit is the horizon less what the table retains, of which the end is for deduplication.
  since_ = context.limit == kMinTime ? kMinTime : later_by(context.limit, by_->within);
  if (log->sealed() != nullptr) count_sealed(log->sealed()->groups);
  if (log->tail() != nullptr) count_tail();
}

// Makes known of all chunks with a row that may be asked about which of their rows count.
void CountedRows::count_sealed(std::span<const std::unique_ptr<ChunkGroup>> groups) {
  const auto begin = std::lower_bound(groups.begin(), groups.end(), since_,
                                      [](const auto& g, TimeUs t) { return g->last() < t; });
  const auto is_known = [](const auto& group) { return group->counted_known; };
  if (std::all_of(begin, groups.end(), is_known)) return;
  Chunks chunks;
  size_t end = 0;  // behind the last that is not known
  for (auto group = groups.begin(); group != groups.end(); ++group) {
    for (const SealedChunk& sealed : (*group)->chunks) {
      chunks.push_back(&sealed);
      if (!sealed.counted_known && sealed.last >= since_) end = chunks.size();
    }
  }
  chunks.resize(end);
  count_chunks(chunks);
  for (auto group = begin; group != groups.end(); ++group) (*group)->counted_known = true;
}

// Looks at the chunks that are not known, and at those before them whose rows may be near enough.
// Rows of one time are known together or not at all (RowLog::forget_counted).
void CountedRows::count_chunks(const Chunks& chunks) const {
  const Ids ids(*layout_, *by_);
  LastRows lasts(ids);
  size_t unknown = 0;
  for (size_t i = 0; i < chunks.size(); ++i) {
    const auto is_unknown = [&](const SealedChunk& sealed) {
      return !sealed.counted_known && sealed.last >= since_;
    };
    for (unknown = std::max(unknown, i); !is_unknown(*chunks[unknown]);) ++unknown;
    const SealedChunk& sealed = *chunks[i];
    if (i < unknown && !ids.within(sealed.last, chunks[unknown]->first)) continue;
    const uint64_t known = sealed.counted;
    const uint64_t with_id = ids.with_id(*sealed.chunk);
    sealed.counted = ids.rows(*sealed.chunk) & ~with_id;
    each_row(with_id, [&](uint32_t row) { count_row(ids, sealed, row, &lasts); });
    if (i < unknown) sealed.counted = known;
  }
  for (const SealedChunk* sealed : chunks) {
    if (sealed->last >= since_) sealed->counted_known = true;
  }
}

// Compares the tail's rows with one another and with the sealed ones around them.
void CountedRows::count_tail() {
  const Chunk& tail = *log_->tail();
  const Ids ids(*layout_, *by_);
  tail_counted_ = ids.rows(tail);
  tail_slots_.fill(kNone);
  TimeUs first = kMaxTime;
  TimeUs last = kMinTime;
  each_row(ids.with_id(tail), [&](uint32_t row) {
    const TimeUs time = tail.time(row);
    first = std::min(first, time);
    last = std::max(last, time);
    add_to_tail_index(row);
  });
  if (first > last || log_->sealed() == nullptr) return;
  first = earlier_by(std::max(first, since_), by_->within);
  last = later_by(last, by_->within);
  const auto& groups = log_->sealed()->groups;
  auto group = std::lower_bound(groups.begin(), groups.end(), first,
                                [](const auto& g, TimeUs t) { return g->last() < t; });
  for (; group != groups.end() && (*group)->first() <= last; ++group) {
    for (const SealedChunk& sealed : (*group)->chunks) {
      if (sealed.last >= first && sealed.first <= last) compare_with_tail(sealed);
    }
  }
}

// The slot of the row's id, or the one where it would stand.
size_t CountedRows::tail_slot(const RowRef& row, uint64_t hash) const {
  const Ids ids(*layout_, *by_);
  size_t at = hash % kTailSlots;
  for (; tail_slots_[at] != kNone; at = (at + 1) % kTailSlots) {
    const uint8_t head = tail_slots_[at];
    if (tail_hashes_[head] == hash && ids.same({log_->tail(), head}, row)) break;
  }
  return at;
}

// Also compares it with those of its id that are there.
void CountedRows::add_to_tail_index(uint32_t number) {
  const Ids ids(*layout_, *by_);
  const Chunk* const tail = log_->tail();
  const RowRef row{tail, number};
  const uint64_t hash = ids.hash(row);
  const size_t slot = tail_slot(row, hash);
  for (uint8_t i = tail_slots_[slot]; i != kNone; i = tail_next_[i]) {
    const TimeUs other = tail->time(i);
    const bool before = other != row.time() ? other < row.time() : ids.compare({tail, i}, row) <= 0;
    if (!ids.within(std::min(other, row.time()), std::max(other, row.time()))) continue;
    tail_counted_ &= ~(uint64_t{1} << (before ? number : i));
  }
  tail_hashes_[number] = hash;
  tail_next_[number] = tail_slots_[slot];
  tail_slots_[slot] = static_cast<uint8_t>(number);
}

void CountedRows::compare_with_tail(const SealedChunk& sealed) {
  const Ids ids(*layout_, *by_);
  const Chunk* const tail = log_->tail();
  uint64_t not_counted = 0;
  each_row(ids.with_id(*sealed.chunk), [&](uint32_t number) {
    const RowRef row{sealed.chunk, number};
    const TimeUs time = row.time();
    for (uint8_t i = tail_slots_[tail_slot(row, ids.hash(row))]; i != kNone; i = tail_next_[i]) {
      const TimeUs other = tail->time(i);
      if (!ids.within(std::min(other, time), std::max(other, time))) continue;
      if (time != other ? time < other : ids.compare(row, {tail, i}) <= 0) {
        tail_counted_ &= ~(uint64_t{1} << i);
      } else {
        not_counted |= uint64_t{1} << number;
      }
    }
  });
  if (not_counted == 0) return;
  changed_.push_back({sealed.chunk, not_counted});
  first_changed_ = std::min(first_changed_, sealed.first);
  last_changed_ = std::max(last_changed_, sealed.last);
}

uint64_t CountedRows::not_counted(const Chunk* chunk) const {
  for (const Changed& changed : changed_) {
    if (changed.chunk == chunk) return changed.rows;
  }
  return 0;
}

}  // namespace tidemill
