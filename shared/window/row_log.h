// RowLog: the rows of one (table, key): sealed chunks in canonical order, one after another
// without overlap, and a growing tail chunk in arrival order.
//
// A full tail is sorted and becomes a sealed chunk. Its rows that lie before the end of the sealed
// chunks are merged into those they belong to, like inserts into the leaves of a B-tree: only
// chunks that receive rows are cut anew, in two if they get more than 64 rows. Sealed chunks stand
// in groups of up to 128. Chunks and groups cache summaries, computed at the first read.
//
// Two pointers; all context comes with each call. clear() before it is dropped.
#pragma once

#include <memory>
#include <vector>

#include "shared/window/chunk.h"
#include "shared/window/partition_state.h"
#include "shared/window/summary.h"

namespace tidemill {

struct LogContext {
  const ChunkLayout& layout;
  TimeUs limit;  // rows before it may go
  WindowStats* stats;
};

// Summaries by number of the input (window_read.h); empty until the first read.
using SummaryCache = std::vector<Summary>;

struct SealedChunk {
  Chunk* chunk = nullptr;
  TimeUs first = 0;
  TimeUs last = 0;
  mutable SummaryCache cache;
};

struct ChunkGroup {
  std::vector<SealedChunk> chunks;  // never empty
  mutable SummaryCache cache;       // of all its chunks; dropped when one changes

  TimeUs first() const { return chunks.front().first; }
  TimeUs last() const { return chunks.back().last; }
};

struct SealedChunks {
  std::vector<std::unique_ptr<ChunkGroup>> groups;  // never empty
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
  // Frees whole sealed chunks before the limit, and the tail's rows before it once they are half
  // of it.
  void free_expired(const LogContext& context);
  void clear(const LogContext& context);

  bool empty() const { return tail_ == nullptr && sealed_ == nullptr; }
  // True if some row's time is at or after `limit`.
  bool has_row_since(TimeUs limit) const;
  // The rows at or after the limit, in canonical order.
  void collect(const LogContext& context, std::vector<RowRef>* out) const;

  const Chunk* tail() const { return tail_; }
  const SealedChunks* sealed() const { return sealed_; }
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
  void free_sealed(const LogContext& context);
  void compact_tail(const LogContext& context, uint32_t expired);
  RowRef last_sealed() const;

  Chunk* tail_ = nullptr;
  SealedChunks* sealed_ = nullptr;
};

uint64_t cache_bytes(const SummaryCache& cache);

}  // namespace tidemill
