// RowLog: the rows of one (table, key): sealed chunks in canonical order, one after another
// without overlap, and a growing tail chunk in arrival order.
//
// A full tail is sorted and becomes a sealed chunk. Its rows that lie before the end of the sealed
// chunks are merged into those they belong to, like inserts into the leaves of a B-tree: only
// chunks that receive rows are cut anew, in two if they get more than 64 rows. Sealed chunks stand
// in groups of up to 128. Chunks and groups cache summaries, computed at the first read, and in a
// table with deduplication which of their rows count (counted_rows.h).
//
// Rows before the limit go: whole chunks at a time, or the tail's. If the table has lifetime
// windows they are folded into the key's base summary, and a row before the limit may still be
// appended.
//
// If the table has a bound, tiles of more rows are folded (folded_tiles.h): when a tail is sealed,
// or settle() is called. Then the limit lies between two tiles, and a tile that is folded has no
// rows.
//
// Two pointers; all context comes with each call. clear() before it is dropped.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "shared/window/base_summary.h"
#include "shared/window/chunk.h"
#include "shared/window/folded_tiles.h"
#include "shared/window/partition_state.h"
#include "shared/window/sketch.h"
#include "shared/window/summary.h"

namespace tidemill {

struct LogContext {
  const ChunkLayout& layout;
  TimeUs limit;  // rows before it may go
  WindowStats* stats;
  const BasePlan* base = nullptr;                // null: the table has no lifetime windows
  const Deduplication* deduplication = nullptr;  // null: every row counts
  const LeafPlan* leaves = nullptr;              // null: the table has no bound
  TimeUs all_since = kMinTime;                   // of rows before it some may be missing, to a read

  FoldContext fold() const { return {layout, &stats->bytes}; }
};

// Summaries by number of the input (window_read.h); empty until the first read.
using SummaryCache = std::vector<Summary>;

// What a group as a whole contributes to a collection.
struct GroupCollection {
  bool known = false;
  bool rows_instead = false;  // it would hardly be smaller than the rows themselves
  std::vector<RowRef> rows;   // in the order of the list
  std::vector<uint64_t> hashes;
  std::unique_ptr<const Sketch> sketch;
};

// By number of the collection; null until the first read.
using CollectionCache = std::unique_ptr<std::vector<GroupCollection>>;

struct SealedChunk {
  Chunk* chunk = nullptr;
  TimeUs first = 0;
  TimeUs last = 0;
  mutable SummaryCache cache;          // of the rows that count, as far as sealed rows decide it
  mutable uint64_t counted = 0;        // bit i: row i is one of them
  mutable bool counted_known = false;  // all this is of tables with deduplication alone
};

struct ChunkGroup {
  std::vector<SealedChunk> chunks;  // never empty
  // Of all its chunks; dropped when one changes, as collections refer to their rows.
  mutable SummaryCache cache;
  mutable CollectionCache collections;
  mutable bool counted_known = false;  // of all its chunks that may still be read

  TimeUs first() const { return chunks.front().first; }
  TimeUs last() const { return chunks.back().last; }
};

struct SealedChunks {
  std::vector<std::unique_ptr<ChunkGroup>> groups;  // empty only beside one of the following
  std::unique_ptr<BaseSummary> base;                // null until a row was folded
  std::unique_ptr<FoldedTiles> folded;              // null: there are none
  uint64_t rows = 0;                                // in all groups
  // By tile the rows in all groups; null until there are more than one tile may have.
  std::unique_ptr<std::map<int64_t, uint64_t>> tile_rows;
};

class RowLog {
 public:
  RowLog() = default;
  RowLog(RowLog&& other) noexcept : tail_(other.tail_), sealed_(other.sealed_) {
    other.tail_ = nullptr;
    other.sealed_ = nullptr;
  }
  RowLog& operator=(RowLog&&) = delete;

  void append(const LogContext& context, const RowInput& row);
  // Frees whole sealed chunks before the limit (a bounded number, if they are folded), and the
  // tail's rows before it once they are half of it. False if sealed chunks before it are left.
  bool free_expired(const LogContext& context);
  void clear(const LogContext& context);

  // Folds what has more rows than the table's bound. To be called before what is in the log is
  // looked at.
  void settle(const LogContext& context);

  // Of an empty log.
  void restore_base(const LogContext& context, BaseSummary base);
  // Of a log without rows; the tiles are not empty.
  void restore_folded(const LogContext& context, FoldedTiles tiles);

  // Nothing was ever appended, or all of it is gone without a trace.
  bool empty() const { return tail_ == nullptr && sealed_ == nullptr; }
  // True if some row's time is at or after `limit`.
  bool has_row_since(TimeUs limit) const;
  // The rows at or after the limit, in canonical order.
  void collect(const LogContext& context, std::vector<RowRef>* out) const;

  // The rows before the limit, which have not been folded yet.
  void collect_expired(const LogContext& context, std::vector<ChunkRows>* out) const;

  const Chunk* tail() const { return tail_; }
  const SealedChunks* sealed() const { return sealed_; }
  const BaseSummary* base() const { return sealed_ == nullptr ? nullptr : sealed_->base.get(); }
  const FoldedTiles* folded() const { return sealed_ == nullptr ? nullptr : sealed_->folded.get(); }
  uint64_t row_count() const;

 private:
  struct Place {
    size_t group;
    size_t chunk;
  };

  void seal(const LogContext& context);
  void seal_late(const LogContext& context, std::span<const RowRef> rows);
  void keep_rest(const LogContext& context, std::span<const RowRef> rows);
  Place place_of(const ChunkLayout& layout, const RowRef& row) const;
  void recut(const LogContext& context, const Place& place, std::span<const RowRef> late);
  void push_sealed(const LogContext& context, Chunk* chunk);
  void insert_sealed(const LogContext& context, const Place& place, Chunk* chunk);
  void forget_counted(const LogContext& context, TimeUs first, TimeUs last);
  void count_sealed(const LogContext& context, std::span<const RowRef> rows);
  void count_tiles(const TileBound& bound);
  void fold_tile(const LogContext& context, int64_t number);
  void fold_chunks(const LogContext& context, FoldedTile* tile);
  Chunk* fold_rows(const LogContext& context, Chunk* chunk, FoldedTile* tile);
  void fold_tail_rows(const LogContext& context);
  void free_folded(const LogContext& context);
  bool free_sealed(const LogContext& context);
  void free_chunk(const LogContext& context, SealedChunk* sealed);
  void compact_tail(const LogContext& context, uint32_t expired);
  bool has_groups() const { return sealed_ != nullptr && !sealed_->groups.empty(); }
  SealedChunks& sealed_list(const LogContext& context);
  void drop_sealed_list(const LogContext& context);
  BaseSummary& base_of(const LogContext& context);
  void fold_tail(const LogContext& context, std::span<const RowRef> expired);
  RowRef last_sealed() const;

  Chunk* tail_ = nullptr;
  SealedChunks* sealed_ = nullptr;
};

uint64_t cache_bytes(const SummaryCache& cache);
uint64_t cache_bytes(const CollectionCache& cache);

}  // namespace tidemill
