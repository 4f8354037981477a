#include "shared/window/row_log.h"

#include <algorithm>
#include <bit>

#include "shared/base/assert.h"
#include "shared/window/row_log_parts.h"

namespace tidemill {
namespace {

constexpr size_t kGroupChunks = 64;      // after so many a new group is begun at the end
constexpr size_t kGroupLimit = 128;      // a group that grows beyond is split
constexpr size_t kLeastSealedRows = 32;  // fewer rows than that stay in the tail

constexpr size_t kFoldedChunks = kGroupLimit;  // folded at a time

uint32_t expired_rows(const Chunk& chunk, TimeUs limit) {
  const uint64_t live = ChunkLayout::time_mask(chunk, limit, kMaxTime);
  return static_cast<uint32_t>(chunk.rows - std::popcount(live));
}

}  // namespace

void drop_cache(SummaryCache* cache, StateBytes* bytes) {
  *bytes -= cache_bytes(*cache);
  SummaryCache().swap(*cache);
}

void drop_caches(const ChunkGroup& group, StateBytes* bytes) {
  drop_cache(&group.cache, bytes);
  *bytes -= cache_bytes(group.collections);
  group.collections.reset();
  group.counted_known = false;
}

SealedChunk sealed_chunk(Chunk* chunk) {
  SealedChunk out;
  out.chunk = chunk;
  out.first = chunk->time(0);
  out.last = chunk->time(chunk->rows - 1u);
  return out;
}

uint64_t group_bytes(const ChunkGroup& group) {
  return sizeof(ChunkGroup) + group.chunks.capacity() * sizeof(SealedChunk);
}

uint64_t list_bytes(const SealedChunks& sealed) {
  return sizeof(SealedChunks) + sealed.groups.capacity() * sizeof(sealed.groups[0]);
}

uint64_t cache_bytes(const SummaryCache& cache) {
  uint64_t bytes = cache.capacity() * sizeof(Summary);
  for (const Summary& summary : cache) bytes += summary.heap_bytes();
  return bytes;
}

uint64_t cache_bytes(const CollectionCache& cache) {
  if (cache == nullptr) return 0;
  uint64_t bytes =
      sizeof(std::vector<GroupCollection>) + cache->capacity() * sizeof(GroupCollection);
  for (const GroupCollection& collection : *cache) {
    bytes += collection.rows.capacity() * sizeof(RowRef);
    bytes += collection.hashes.capacity() * sizeof(uint64_t);
    if (collection.sketch != nullptr) bytes += sizeof(Sketch) + collection.sketch->heap_bytes();
  }
  return bytes;
}

void RowLog::append(const LogContext& context, const RowInput& row) {
  StateBytes* const bytes = &context.stats->bytes;
  if (tail_ != nullptr && tail_->rows == tail_->capacity && context.limit != kMinTime) {
    const uint32_t expired = expired_rows(*tail_, context.limit);
    if (expired * 4 >= tail_->rows) compact_tail(context, expired);
  }
  context.layout.push(&tail_, row, bytes);
  ++context.stats->rows;
  if (tail_->rows == kChunkRows || context.layout.heavy(*tail_)) seal(context);
}

// Sorts the tail and seals it, or as much of it as lies behind the sealed chunks.
void RowLog::seal(const LogContext& context) {
  if (tail_->rows == kChunkRows) ++context.stats->full_chunks;
  free_sealed(context);
  if (folded() != nullptr) {
    fold_tail_rows(context);
    if (tail_ == nullptr || tail_->rows < kLeastSealedRows) return;
  }
  std::vector<RowRef> sorted;
  context.layout.sort(*tail_, &sorted);
  std::span<const RowRef> rows(sorted);
  if (context.base != nullptr && rows.front().time() < context.limit) {
    const uint32_t expired = expired_rows(*tail_, context.limit);
    fold_tail(context, rows.first(expired));
    rows = rows.subspan(expired);
  }
  const bool late =
      has_groups() && !rows.empty() && context.layout.compare(last_sealed(), rows.front()) > 0;
  if (late) {
    seal_late(context, rows);
  } else if (rows.size() < sorted.size()) {
    keep_rest(context, rows);
  } else {
    Chunk* chunk = tail_;
    if (!tail_->sorted()) {
      chunk = context.layout.build(rows, &context.stats->bytes);
      ChunkLayout::free(tail_, &context.stats->bytes);
    }
    tail_ = nullptr;
    push_sealed(context, chunk);
  }
  if (sealed_ != nullptr && sealed_->tile_rows != nullptr) settle(context);
}

void RowLog::seal_late(const LogContext& context, std::span<const RowRef> rows) {
  const ChunkLayout& layout = context.layout;
  const RowRef last = last_sealed();
  size_t late = 0;
  while (late < rows.size() && layout.compare(rows[late], last) < 0) ++late;
  for (size_t i = 0; i < late;) {
    const Place place = place_of(layout, rows[i]);
    const SealedChunk& target = sealed_->groups[place.group]->chunks[place.chunk];
    const RowRef end{target.chunk, target.chunk->rows - 1u};
    size_t j = i + 1;
    while (j < late && layout.compare(rows[j], end) <= 0) ++j;
    recut(context, place, rows.subspan(i, j - i));
    i = j;
  }
  keep_rest(context, rows.subspan(late));
}

// What is left of a tail after other rows of it went elsewhere: sealed if that is worth a chunk.
void RowLog::keep_rest(const LogContext& context, std::span<const RowRef> rows) {
  Chunk* rest = rows.empty() ? nullptr : context.layout.build(rows, &context.stats->bytes);
  ChunkLayout::free(tail_, &context.stats->bytes);
  tail_ = nullptr;
  if (rows.size() >= kLeastSealedRows) {
    push_sealed(context, rest);
  } else {
    tail_ = rest;
  }
}

RowRef RowLog::last_sealed() const {
  const Chunk* chunk = sealed_->groups.back()->chunks.back().chunk;
  return {chunk, chunk->rows - 1u};
}

// The first chunk whose last row is not before `row`; there is one.
RowLog::Place RowLog::place_of(const ChunkLayout& layout, const RowRef& row) const {
  const auto ends_before = [&](const SealedChunk& sealed, const RowRef& r) {
    return layout.compare({sealed.chunk, sealed.chunk->rows - 1u}, r) < 0;
  };
  const auto group = std::lower_bound(
      sealed_->groups.begin(), sealed_->groups.end(), row,
      [&](const auto& g, const RowRef& r) { return ends_before(g->chunks.back(), r); });
  const auto& chunks = (*group)->chunks;
  const auto chunk = std::lower_bound(chunks.begin(), chunks.end(), row, ends_before);
  return {static_cast<size_t>(group - sealed_->groups.begin()),
          static_cast<size_t>(chunk - chunks.begin())};
}

// Merges late rows into one sealed chunk; in two if they are more than fit.
void RowLog::recut(const LogContext& context, const Place& place, std::span<const RowRef> late) {
  StateBytes* const bytes = &context.stats->bytes;
  count_sealed(context, late);
  ChunkGroup& group = *sealed_->groups[place.group];
  SealedChunk& target = group.chunks[place.chunk];
  Chunk* const old = target.chunk;
  RowRef own[kChunkRows];
  for (uint32_t i = 0; i < old->rows; ++i) own[i] = {old, i};
  RowRef merged[2 * kChunkRows];
  const auto end = std::merge(
      own, own + old->rows, late.begin(), late.end(), merged,
      [&](const RowRef& a, const RowRef& b) { return context.layout.compare(a, b) < 0; });
  const TimeUs first_time = merged[0].time();
  const TimeUs last_time = end[-1].time();
  const auto count = static_cast<size_t>(end - merged);
  const size_t first = count > kChunkRows ? count / 2 : count;
  Chunk* const left = context.layout.build({merged, first}, bytes);
  Chunk* const right =
      first < count ? context.layout.build({merged + first, count - first}, bytes) : nullptr;
  ChunkLayout::free(old, bytes);
  ++context.stats->recut_chunks;
  drop_cache(&target.cache, bytes);
  drop_caches(group, bytes);
  forget_counted(context, first_time, last_time);
  target = sealed_chunk(left);
  if (right != nullptr) insert_sealed(context, {place.group, place.chunk + 1}, right);
}

void RowLog::push_sealed(const LogContext& context, Chunk* chunk) {
  StateBytes* const bytes = &context.stats->bytes;
  forget_counted(context, chunk->time(0), chunk->time(chunk->rows - 1u));
  auto& groups = sealed_list(context).groups;
  RowRef rows[kChunkRows];
  for (uint32_t i = 0; i < chunk->rows; ++i) rows[i] = {chunk, i};
  count_sealed(context, {rows, chunk->rows});
  if (groups.empty() || groups.back()->chunks.size() >= kGroupChunks) {
    *bytes -= list_bytes(*sealed_);
    groups.push_back(std::make_unique<ChunkGroup>());
    *bytes += list_bytes(*sealed_) + group_bytes(*groups.back());
  }
  insert_sealed(context, {groups.size() - 1, groups.back()->chunks.size()}, chunk);
}

// A chunk of rows from `first` to `last` is new: forgets what they may change of sealed rows:
// whether those of their times count, and those up to the deduplication's `within` later. Rows of
// one time may lie in several chunks, and are always forgotten together: so whoever begins at the
// time at which a forgotten chunk ends is forgotten too.
void RowLog::forget_counted(const LogContext& context, TimeUs first, TimeUs last) {
  if (context.deduplication == nullptr || !has_groups()) return;
  StateBytes* const bytes = &context.stats->bytes;
  TimeUs end = kMaxTime;
  if (__builtin_add_overflow(last, context.deduplication->within, &end)) end = kMaxTime;
  auto& groups = sealed_->groups;
  auto group = std::lower_bound(groups.begin(), groups.end(), first,
                                [](const auto& g, TimeUs t) { return g->last() < t; });
  for (; group != groups.end() && (*group)->first() <= end; ++group) {
    drop_caches(**group, bytes);
    for (SealedChunk& sealed : (*group)->chunks) {
      if (sealed.last < first || end < sealed.first) continue;
      drop_cache(&sealed.cache, bytes);
      sealed.counted_known = false;
      end = std::max(end, sealed.last);
    }
  }
}

SealedChunks& RowLog::sealed_list(const LogContext& context) {
  if (sealed_ == nullptr) {
    sealed_ = new SealedChunks();
    context.stats->bytes += list_bytes(*sealed_);
  }
  return *sealed_;
}

void RowLog::drop_sealed_list(const LogContext& context) {
  context.stats->bytes -= list_bytes(*sealed_);
  delete sealed_;
  sealed_ = nullptr;
}

BaseSummary& RowLog::base_of(const LogContext& context) {
  SealedChunks& list = sealed_list(context);
  if (list.base == nullptr) {
    list.base = std::make_unique<BaseSummary>(*context.base);
    context.stats->bytes += list.base->bytes();
  }
  return *list.base;
}

void RowLog::restore_base(const LogContext& context, BaseSummary base) {
  SealedChunks& list = sealed_list(context);
  ASSERT(list.groups.empty() && list.base == nullptr);
  list.base = std::make_unique<BaseSummary>(std::move(base));
  context.stats->bytes += list.base->bytes();
}

// Folds rows of the tail, which are in canonical order; they are still in it.
void RowLog::fold_tail(const LogContext& context, std::span<const RowRef> expired) {
  StateBytes* const bytes = &context.stats->bytes;
  BaseSummary& base = base_of(context);
  uint64_t mask = 0;
  for (const RowRef& row : expired) mask |= uint64_t{1} << row.row;
  base.fold(*context.base, context.layout, {tail_, mask}, bytes);
  if (!context.base->lists.empty()) {
    base.keep(*context.base, context.layout, context.layout.build(expired, bytes), bytes);
  }
  context.stats->rows -= expired.size();
  context.stats->freed_rows += expired.size();
}

void RowLog::insert_sealed(const LogContext& context, const Place& place, Chunk* chunk) {
  StateBytes* const bytes = &context.stats->bytes;
  ChunkGroup& group = *sealed_->groups[place.group];
  drop_caches(group, bytes);
  *bytes -= group_bytes(group);
  const size_t held = group.chunks.size();
  if (held == group.chunks.capacity()) group.chunks.reserve(held + held / 4 + 1);
  group.chunks.insert(group.chunks.begin() + static_cast<ptrdiff_t>(place.chunk),
                      sealed_chunk(chunk));
  if (group.chunks.size() > kGroupLimit) {
    auto right = std::make_unique<ChunkGroup>();
    const auto middle = group.chunks.begin() + kGroupLimit / 2;
    right->chunks.assign(std::make_move_iterator(middle),
                         std::make_move_iterator(group.chunks.end()));
    group.chunks.erase(middle, group.chunks.end());
    *bytes += group_bytes(*right);
    *bytes -= list_bytes(*sealed_);
    sealed_->groups.insert(sealed_->groups.begin() + static_cast<ptrdiff_t>(place.group) + 1,
                           std::move(right));
    *bytes += list_bytes(*sealed_);
  }
  *bytes += group_bytes(group);
}

bool RowLog::free_sealed(const LogContext& context) {
  if (sealed_ == nullptr || context.limit == kMinTime) return true;
  if (folded() != nullptr) free_folded(context);
  StateBytes* const bytes = &context.stats->bytes;
  auto& groups = sealed_->groups;
  size_t most = context.base == nullptr ? SIZE_MAX : kFoldedChunks;
  size_t empty_groups = 0;
  for (auto& group : groups) {
    size_t gone = 0;
    for (; gone < group->chunks.size() && group->chunks[gone].last < context.limit && most > 0;
         --most) {
      free_chunk(context, &group->chunks[gone++]);
    }
    if (gone == 0) break;
    drop_caches(*group, bytes);
    group->chunks.erase(group->chunks.begin(),
                        group->chunks.begin() + static_cast<ptrdiff_t>(gone));
    if (!group->chunks.empty()) break;
    *bytes -= group_bytes(*group);
    ++empty_groups;
  }
  groups.erase(groups.begin(), groups.begin() + static_cast<ptrdiff_t>(empty_groups));
  const bool done = groups.empty() || groups.front()->chunks.front().last >= context.limit;
  if (sealed_->tile_rows != nullptr) {
    auto& tiles = *sealed_->tile_rows;
    tiles.erase(tiles.begin(), tiles.lower_bound(context.leaves->bound.tile_of(context.limit)));
  }
  if (groups.empty() && sealed_->base == nullptr && sealed_->folded == nullptr) {
    drop_sealed_list(context);
  }
  return done;
}

// Frees one sealed chunk's rows, and folds them first if somebody still asks about them.
void RowLog::free_chunk(const LogContext& context, SealedChunk* sealed) {
  StateBytes* const bytes = &context.stats->bytes;
  context.stats->rows -= sealed->chunk->rows;
  context.stats->freed_rows += sealed->chunk->rows;
  sealed_->rows -= sealed->chunk->rows;
  drop_cache(&sealed->cache, bytes);
  if (context.base != nullptr) {
    BaseSummary& base = base_of(context);
    base.fold(*context.base, context.layout, {sealed->chunk, all_rows(*sealed->chunk)}, bytes);
    if (!context.base->lists.empty()) {
      base.keep(*context.base, context.layout, sealed->chunk, bytes);
      sealed->chunk = nullptr;
    }
  }
  ChunkLayout::free(sealed->chunk, bytes);
  sealed->chunk = nullptr;
}

// Rebuilds the tail without its `expired` rows before the limit.
void RowLog::compact_tail(const LogContext& context, uint32_t expired) {
  std::vector<RowRef> rows;
  context.layout.sort(*tail_, &rows);
  if (context.base != nullptr) {
    fold_tail(context, std::span(rows).first(expired));
  } else {
    context.stats->rows -= expired;
    context.stats->freed_rows += expired;
  }
  Chunk* const kept =
      expired == rows.size()
          ? nullptr
          : context.layout.build(std::span(rows).subspan(expired), &context.stats->bytes);
  ChunkLayout::free(tail_, &context.stats->bytes);
  tail_ = kept;
}

bool RowLog::free_expired(const LogContext& context) {
  const bool done = free_sealed(context);
  if (tail_ == nullptr || context.limit == kMinTime) return done;
  const uint32_t expired = expired_rows(*tail_, context.limit);
  if (expired * 2 >= tail_->rows && expired > 0) compact_tail(context, expired);
  return done;
}

void RowLog::clear(const LogContext& context) {
  StateBytes* const bytes = &context.stats->bytes;
  if (tail_ != nullptr) context.stats->rows -= tail_->rows;
  ChunkLayout::free(tail_, bytes);
  tail_ = nullptr;
  if (sealed_ == nullptr) return;
  for (auto& group : sealed_->groups) {
    for (SealedChunk& sealed : group->chunks) {
      context.stats->rows -= sealed.chunk->rows;
      ChunkLayout::free(sealed.chunk, bytes);
      drop_cache(&sealed.cache, bytes);
    }
    drop_caches(*group, bytes);
    *bytes -= group_bytes(*group);
  }
  if (sealed_->base != nullptr) {
    *bytes -= sealed_->base->bytes();
    sealed_->base->clear(bytes);
  }
  if (sealed_->folded != nullptr) sealed_->folded->clear(context.fold());
  drop_sealed_list(context);
}

bool RowLog::has_row_since(TimeUs limit) const {
  if (has_groups() && sealed_->groups.back()->last() >= limit) return true;
  if (folded() != nullptr && folded()->last() >= limit) return true;
  return tail_ != nullptr && ChunkLayout::max_time(*tail_) >= limit;
}

uint64_t RowLog::row_count() const {
  uint64_t rows = tail_ == nullptr ? 0 : tail_->rows;
  if (sealed_ == nullptr) return rows;
  for (const auto& group : sealed_->groups) {
    for (const SealedChunk& sealed : group->chunks) rows += sealed.chunk->rows;
  }
  return rows;
}

void RowLog::collect_expired(const LogContext& context, std::vector<ChunkRows>* out) const {
  out->clear();
  if (context.limit == kMinTime) return;
  const auto add = [&](const Chunk& chunk) {
    const uint64_t mask = ChunkLayout::time_mask(chunk, kMinTime, context.limit - 1);
    if (mask != 0) out->push_back({&chunk, mask});
  };
  if (sealed_ != nullptr) {
    for (const auto& group : sealed_->groups) {
      for (const SealedChunk& sealed : group->chunks) {
        if (sealed.first < context.limit) add(*sealed.chunk);
      }
    }
  }
  if (tail_ != nullptr) add(*tail_);
}

void RowLog::collect(const LogContext& context, std::vector<RowRef>* out) const {
  out->clear();
  const auto live = [&](const RowRef& row) { return row.chunk->time(row.row) >= context.limit; };
  if (sealed_ != nullptr) {
    for (const auto& group : sealed_->groups) {
      for (const SealedChunk& sealed : group->chunks) {
        if (sealed.last < context.limit) continue;
        for (uint32_t i = 0; i < sealed.chunk->rows; ++i) {
          if (sealed.first >= context.limit || live({sealed.chunk, i})) {
            out->push_back({sealed.chunk, i});
          }
        }
      }
    }
  }
  if (tail_ == nullptr) return;
  std::vector<RowRef> tail;
  context.layout.sort(*tail_, &tail);
  std::erase_if(tail, [&](const RowRef& row) { return !live(row); });
  if (tail.empty()) return;
  const auto before = [&](const RowRef& a, const RowRef& b) {
    return context.layout.compare(a, b) < 0;
  };
  // Only the sealed rows behind the tail's first can change places with the tail's.
  const auto overlap = std::upper_bound(out->begin(), out->end(), tail.front(), before);
  const auto from = overlap - out->begin();
  out->insert(out->end(), tail.begin(), tail.end());
  std::inplace_merge(out->begin() + from, out->end() - static_cast<ptrdiff_t>(tail.size()),
                     out->end(), before);
}

}  // namespace tidemill
