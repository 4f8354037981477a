// Of a row log: tiles with more rows than the table's bound are folded.
#include <algorithm>
#include <bit>

#include "shared/base/assert.h"
#include "shared/window/row_log_parts.h"

namespace tidemill {

// Rows that are about to be sealed.
void RowLog::count_sealed(const LogContext& context, std::span<const RowRef> rows) {
  if (context.leaves == nullptr) return;
  const TileBound& bound = context.leaves->bound;
  if (sealed_->tile_rows == nullptr && sealed_->rows + rows.size() > bound.max_rows) {
    count_tiles(bound);
  }
  sealed_->rows += rows.size();
  if (sealed_->tile_rows == nullptr) return;
  for (const RowRef& row : rows) ++(*sealed_->tile_rows)[bound.tile_of(row.time())];
}

void RowLog::count_tiles(const TileBound& bound) {
  sealed_->tile_rows = std::make_unique<std::map<int64_t, uint64_t>>();
  for (const auto& group : sealed_->groups) {
    for (const SealedChunk& sealed : group->chunks) {
      const int64_t tile = bound.tile_of(sealed.first);
      if (tile == bound.tile_of(sealed.last)) {
        (*sealed_->tile_rows)[tile] += sealed.chunk->rows;
        continue;
      }
      for (uint32_t i = 0; i < sealed.chunk->rows; ++i) {
        ++(*sealed_->tile_rows)[bound.tile_of(sealed.chunk->time(i))];
      }
    }
  }
}

void RowLog::settle(const LogContext& context) {
  if (context.leaves == nullptr || sealed_ == nullptr) return;
  if (folded() != nullptr) fold_tail_rows(context);
  const TileBound& bound = context.leaves->bound;
  const size_t in_tail = tail_ == nullptr ? 0 : tail_->rows;
  if (sealed_->rows + in_tail <= bound.max_rows) return;
  if (sealed_->tile_rows == nullptr) count_tiles(bound);
  std::map<int64_t, uint64_t> tiles = *sealed_->tile_rows;
  for (uint32_t i = 0; i < in_tail; ++i) ++tiles[bound.tile_of(tail_->time(i))];
  for (const auto& [tile, rows] : tiles) {
    const bool kept = context.limit == kMinTime || tile >= bound.tile_of(context.limit);
    if (rows > bound.max_rows && kept) fold_tile(context, tile);
  }
}

void RowLog::fold_tile(const LogContext& context, int64_t number) {
  const TileBound& bound = context.leaves->bound;
  const TimeUs first = bound.first_time(number), last = bound.last_time(number);
  std::vector<TimeUs> times;
  const auto add_times = [&](const Chunk& chunk) {
    each_row(ChunkLayout::time_mask(chunk, first, last),
             [&](uint32_t i) { times.push_back(chunk.time(i)); });
  };
  for (const auto& group : sealed_->groups) {
    if (group->last() < first || last < group->first()) continue;
    for (const SealedChunk& sealed : group->chunks) {
      if (first <= sealed.last && sealed.first <= last) add_times(*sealed.chunk);
    }
  }
  if (tail_ != nullptr) add_times(*tail_);
  std::sort(times.begin(), times.end());
  if (sealed_->folded == nullptr) sealed_->folded = std::make_unique<FoldedTiles>();
  FoldedTile* const tile =
      sealed_->folded->add(context.leaves->shared_from_this(), number, leaf_shift_of(bound, times));
  fold_chunks(context, tile);
  if (tail_ != nullptr) tail_ = fold_rows(context, tail_, tile);
  sealed_->tile_rows->erase(number);
}

// Moves the tile's rows out of the groups.
void RowLog::fold_chunks(const LogContext& context, FoldedTile* tile) {
  StateBytes* const bytes = &context.stats->bytes;
  const TileBound& bound = context.leaves->bound;
  const TimeUs first = bound.first_time(tile->number()), last = bound.last_time(tile->number());
  auto& groups = sealed_->groups;
  *bytes -= list_bytes(*sealed_);
  for (auto& group : groups) {
    if (group->last() < first || last < group->first()) continue;
    drop_caches(*group, bytes);
    *bytes -= group_bytes(*group);
    std::vector<SealedChunk> left;
    for (SealedChunk& sealed : group->chunks) {
      const uint32_t before = sealed.chunk->rows;
      if (sealed.last < first || last < sealed.first) {
        left.push_back(std::move(sealed));
        continue;
      }
      drop_cache(&sealed.cache, bytes);
      Chunk* const rest = fold_rows(context, sealed.chunk, tile);
      sealed_->rows -= before - (rest == nullptr ? 0u : rest->rows);
      if (rest != nullptr) left.push_back(sealed_chunk(rest));
    }
    group->chunks = std::move(left);
    if (!group->chunks.empty()) *bytes += group_bytes(*group);
  }
  std::erase_if(groups, [](const auto& group) { return group->chunks.empty(); });
  *bytes += list_bytes(*sealed_);
}

// Moves the tile's rows out of a chunk. What is left of it, in canonical order unless it is all;
// null: nothing.
Chunk* RowLog::fold_rows(const LogContext& context, Chunk* chunk, FoldedTile* tile) {
  StateBytes* const bytes = &context.stats->bytes;
  const TileBound& bound = context.leaves->bound;
  const uint64_t mask = ChunkLayout::time_mask(*chunk, bound.first_time(tile->number()),
                                               bound.last_time(tile->number()));
  if (mask == 0) return chunk;
  tile->add(context.fold(), {chunk, mask});
  const auto count = static_cast<uint64_t>(std::popcount(mask));
  context.stats->rows -= count;
  context.stats->folded_rows += count;
  std::vector<RowRef> left;
  context.layout.sort(*chunk, &left);
  std::erase_if(left, [&](const RowRef& row) { return (mask >> row.row & 1) != 0; });
  Chunk* const rest = left.empty() ? nullptr : context.layout.build(left, bytes);
  ChunkLayout::free(chunk, bytes);
  return rest;
}

// Of tiles that are folded already.
void RowLog::fold_tail_rows(const LogContext& context) {
  for (FoldedTile& tile : sealed_->folded->all()) {
    if (tail_ == nullptr) return;
    tail_ = fold_rows(context, tail_, &tile);
    tile.keep_bound(context.fold());
  }
}

void RowLog::restore_folded(const LogContext& context, FoldedTiles tiles) {
  SealedChunks& list = sealed_list(context);
  ASSERT(list.groups.empty() && list.folded == nullptr && !tiles.empty());
  list.folded = std::make_unique<FoldedTiles>(std::move(tiles));
}

// Frees the tiles before the limit, and folds them into the base first if somebody still asks.
void RowLog::free_folded(const LogContext& context) {
  const int64_t kept = context.leaves->bound.tile_of(context.limit);
  for (const FoldedTile& tile : folded()->all()) {
    if (tile.number() >= kept || context.base == nullptr) break;
    BaseSummary& base = base_of(context);
    for (const auto& leaf : tile.leaves()) {
      base.merge(*context.base, context.layout, leaf->summary, tile.plan().parts,
                 &context.stats->bytes);
    }
  }
  sealed_->folded->free_before(context.fold(), kept);
  if (sealed_->folded->empty()) sealed_->folded.reset();
}

}  // namespace tidemill
