// CountedRows: which rows of one key count, in a table with deduplication: those that no other of
// the same id precedes with an event time > their own - within (docs/semantics.md).
//
// What sealed rows decide among themselves is kept with their chunks and computed again only for
// chunks that receive rows, and those up to `within` behind them. The tail's rows are few, and
// looked for anew in each read among the sealed ones around them: that costs time by the rows
// within `within` of the tail.
//
// Rows that no read may see any more (before the context's limit + within) are not told apart.
// Reused; shard-affine. What it says is true until the log changes.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "shared/window/row_log.h"

namespace tidemill {

class CountedRows {
 public:
  // `log` null: a key without rows.
  void begin(const LogContext& context, const RowLog* log);

  // Bit i: row i counts. Bits beyond the rows are undefined.
  uint64_t of_tail() const { return tail_counted_; }
  uint64_t of(const SealedChunk& sealed) const {
    if (by_ == nullptr) return ~uint64_t{0};
    return steady(sealed.first, sealed.last) ? sealed.counted
                                             : sealed.counted & ~not_counted(sealed.chunk);
  }
  // Whether what sealed rows decide of those from `first` to `last` is so: then what is cached of a
  // chunk or group from `first` to `last` is of the rows that count.
  bool steady(TimeUs first, TimeUs last) const {
    return last < first_changed_ || last_changed_ < first;
  }
  // True if every row counts.
  bool all() const { return by_ == nullptr; }

 private:
  struct Changed {
    const Chunk* chunk;
    uint64_t rows;  // of it, that a row of the tail precedes
  };
  using Chunks = std::vector<const SealedChunk*>;

  void count_sealed(std::span<const std::unique_ptr<ChunkGroup>> groups);
  void count_chunks(const Chunks& chunks) const;
  void count_tail();
  void compare_with_tail(const SealedChunk& sealed);
  void add_to_tail_index(uint32_t row);
  // The rows of the tail with the id; kNone: there is none.
  uint8_t in_tail(const RowRef& row, uint64_t hash) const;
  size_t tail_slot(const RowRef& row, uint64_t hash) const;
  uint64_t not_counted(const Chunk* chunk) const;

  static constexpr uint8_t kNone = 0xff;
  static constexpr size_t kTailSlots = 2 * kChunkRows;

  const ChunkLayout* layout_ = nullptr;
  const Deduplication* by_ = nullptr;  // null: every row counts
  const RowLog* log_ = nullptr;
  TimeUs since_ = kMinTime;  // earlier rows are not asked about

  uint64_t tail_counted_ = ~uint64_t{0};
  // Rows of the tail that have an id: by hash the first of each id, and by row the next of the
  // same.
  std::array<uint8_t, kTailSlots> tail_slots_;
  std::array<uint8_t, kChunkRows> tail_next_;
  std::array<uint64_t, kChunkRows> tail_hashes_;

  std::vector<Changed> changed_;  // sealed chunks, each once
  TimeUs first_changed_ = kMaxTime;
  TimeUs last_changed_ = kMinTime;
};

}  // namespace tidemill
