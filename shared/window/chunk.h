// Chunk: up to 64 rows of one table, column by column, in one allocation; and ChunkLayout, which
// knows where a table's columns lie in it. docs/formats/partition_state.md draws it.
//
//   header (16 bytes) | times: 4, 6 or 8 bytes per row, padded to 8 | columns: 8 bytes, or 4 for
//   INT32 and STRING, per row | bitmaps: filters, BOOL columns, nulls of every column if any row
//   has a null | string heap, if the table has strings: u32 used, u32 capacity, entries of u32
//   length and bytes
//
// Times are u32 multiples of 1 s, 1 ms or 1 us from a base, the largest unit that divides them all;
// microseconds of 48 bits, the low 32 of all rows and then the high 16, where that does not reach;
// and plain int64 where that does not either. A STRING cell is the heap offset of its entry; equal
// strings of one column share an entry. Values under a null are 0 or empty.
//
// A chunk is owned by its row log; every function that allocates or frees keeps `*bytes` exact.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "shared/window/state_bytes.h"
#include "shared/window/table_schema.h"

namespace tidemill {

inline constexpr uint32_t kChunkRows = 64;

// The first four are also in images (row_codec.cc).
enum class TimeCode : uint8_t { kMicros = 0, kMillis = 1, kSeconds = 2, kRaw = 3, kMicros48 = 4 };

inline constexpr int64_t kTimeUnitUs[] = {1, 1000, 1'000'000, 0, 1};

struct Chunk {
  static constexpr uint8_t kSorted = 1;  // rows are in canonical order
  static constexpr uint8_t kNulls = 2;   // null bitmaps exist

  int64_t base = 0;
  uint32_t bytes = 0;  // of the whole allocation
  uint8_t rows = 0;
  uint8_t capacity = 0;
  TimeCode code{};
  uint8_t flags = 0;

  bool sorted() const { return (flags & kSorted) != 0; }
  bool has_nulls() const { return (flags & kNulls) != 0; }
  uint8_t* at(size_t offset) { return reinterpret_cast<uint8_t*>(this) + offset; }
  const uint8_t* at(size_t offset) const { return reinterpret_cast<const uint8_t*>(this) + offset; }
  TimeUs time(uint32_t row) const {
    if (code == TimeCode::kRaw) return load<int64_t>(sizeof(Chunk) + 8 * row);
    const auto delta = static_cast<int64_t>(load<uint32_t>(sizeof(Chunk) + 4 * row));
    if (code == TimeCode::kMicros48) {
      return base + (delta | static_cast<int64_t>(load<uint16_t>(high_offset(row))) << 32);
    }
    return base + delta * kTimeUnitUs[static_cast<int>(code)];
  }
  // Of the high 16 bits of a time of 48.
  size_t high_offset(uint32_t row) const {
    return sizeof(Chunk) + size_t{4} * capacity + size_t{2} * row;
  }
  template <typename T>
  T load(size_t offset) const {
    T value;
    std::memcpy(&value, at(offset), sizeof(T));
    return value;
  }
  template <typename T>
  void store(size_t offset, T value) {
    std::memcpy(at(offset), &value, sizeof(T));
  }
};
static_assert(sizeof(Chunk) == 16);

// One row to be appended: row `row` of a block's columns.
struct RowInput {
  TimeUs time = 0;
  const RowBlockColumn* columns = nullptr;
  uint32_t row = 0;
  const uint64_t* filters = nullptr;  // bit f: passes filter f; (filters + 63) / 64 words
};

struct RowRef {
  const Chunk* chunk;
  uint32_t row;

  TimeUs time() const { return chunk->time(row); }
};

// Some rows of a chunk.
struct ChunkRows {
  const Chunk* chunk;
  uint64_t mask;  // bit i: row i
};

// Calls visit(row number) for every bit, rising.
template <typename Visit>
void each_row(uint64_t mask, Visit&& visit) {
  for (; mask != 0; mask &= mask - 1) visit(static_cast<uint32_t>(std::countr_zero(mask)));
}

inline uint64_t all_rows(const Chunk& chunk) { return ~uint64_t{0} >> (kChunkRows - chunk.rows); }

// immutable, one per table
class ChunkLayout {
 public:
  explicit ChunkLayout(const TableSchema& schema);

  size_t columns() const { return types_.size(); }
  ColumnType type(size_t column) const { return types_[column]; }
  uint32_t filters() const { return filters_; }

  // Appends to *chunk, which must have fewer than kChunkRows rows; null: a new one. May move it.
  void push(Chunk** chunk, const RowInput& row, StateBytes* bytes) const;
  // A sorted chunk of these rows, which are in canonical order and at most kChunkRows.
  Chunk* build(std::span<const RowRef> rows, StateBytes* bytes) const;
  static void free(Chunk* chunk, StateBytes* bytes);

  // Row numbers of `chunk` in canonical order.
  void sort(const Chunk& chunk, std::vector<RowRef>* out) const;
  // The canonical order: event time, columns in declared order (nulls last, NaN greatest, -0.0
  // below 0.0), filters. Negative, zero, positive.
  int compare(const RowRef& a, const RowRef& b) const;
  // By one column alone: nulls last, NaNs all equal.
  int compare_values(const RowRef& a, const RowRef& b, uint32_t column) const;
  // Bit i: the time of row i lies in [first, last].
  static uint64_t time_mask(const Chunk& chunk, TimeUs first, TimeUs last);
  static TimeUs max_time(const Chunk& chunk);

  // Bit i: row i passes the filter; row i is not null in the column. Bits beyond the rows are
  // undefined.
  uint64_t filter_bits(const Chunk& chunk, uint32_t filter) const;
  uint64_t valid_bits(const Chunk& chunk, uint32_t column) const;
  uint64_t bool_bits(const Chunk& chunk, uint32_t column) const;
  const double* doubles(const Chunk& chunk, uint32_t column) const {
    return reinterpret_cast<const double*>(chunk.at(value_offset(chunk, column)));
  }
  // Any type but STRING, as a number in the order of its values (order_key() for doubles).
  int64_t number_at(const Chunk& chunk, uint32_t column, uint32_t row) const;
  int64_t int_at(const Chunk& chunk, uint32_t column, uint32_t row) const {
    const size_t offset = value_offset(chunk, column);
    return types_[column] == ColumnType::kInt32 ? chunk.load<int32_t>(offset + 4 * row)
                                                : chunk.load<int64_t>(offset + 8 * row);
  }
  std::string_view string_at(const Chunk& chunk, uint32_t column, uint32_t row) const;
  // True if so much text is held that the chunk should be closed before it has 64 rows.
  bool heavy(const Chunk& chunk) const;
  // Brings the cache lines that the next push() writes.
  void prefetch_push(const Chunk& chunk) const;

 private:
  struct Shape {  // what decides the size of an allocation
    uint8_t capacity = 0;
    uint8_t flags = 0;
    TimeCode code{};
    uint32_t heap = 0;
  };

  // Capacities are even, so all of these are multiples of 8.
  static size_t times_bytes(TimeCode code, size_t capacity) {
    if (code == TimeCode::kMicros48) return (6 * capacity + 7) & ~size_t{7};
    return capacity * (code == TimeCode::kRaw ? 8 : 4);
  }
  static size_t bitmap_bytes(size_t capacity) { return (capacity + 7) / 8; }
  size_t value_offset(const Chunk& chunk, uint32_t column) const {
    return sizeof(Chunk) + times_bytes(chunk.code, chunk.capacity) +
           size_t{chunk.capacity} * prefix_[column];
  }
  size_t bitmap_offset(const Chunk& chunk, uint32_t bitmap) const {
    return sizeof(Chunk) + times_bytes(chunk.code, chunk.capacity) +
           size_t{chunk.capacity} * row_bytes_ + bitmap * bitmap_bytes(chunk.capacity);
  }
  size_t heap_offset(const Chunk& chunk) const;
  size_t bitmaps(uint8_t flags) const;
  uint32_t null_bitmap(uint32_t column) const { return plain_bitmaps_ + column; }
  uint64_t load_bitmap(const Chunk& chunk, uint32_t bitmap) const;
  void set_bit(Chunk* chunk, uint32_t bitmap, uint32_t row) const;

  Chunk* allocate(const Shape& shape, StateBytes* bytes) const;
  Chunk* reshape(Chunk* old, const Shape& shape, StateBytes* bytes) const;
  void make_room(Chunk** chunk, const RowInput& row, StateBytes* bytes) const;
  void push_time(Chunk** chunk, TimeUs time, StateBytes* bytes) const;
  void recode_times(Chunk** chunk, TimeUs time, StateBytes* bytes) const;
  static void copy_times(const Chunk& from, Chunk* to);
  uint32_t intern(Chunk* chunk, uint32_t column, std::string_view text, uint32_t look_back) const;
  void build_column(std::span<const RowRef> rows, uint32_t column, Chunk* out) const;
  static int compare_ints(int64_t a, int64_t b) { return a < b ? -1 : a > b ? 1 : 0; }
  int compare_column(const RowRef& a, const RowRef& b, uint32_t column) const;

  std::vector<ColumnType> types_;
  std::vector<uint32_t> prefix_;       // bytes per row of the columns before this one
  std::vector<uint32_t> bool_bitmap_;  // bitmap of a BOOL column
  uint32_t row_bytes_ = 0;             // of all columns, without the time
  uint32_t filters_ = 0;
  uint32_t plain_bitmaps_ = 0;  // filters and BOOL columns
  bool has_strings_ = false;
};

// An order-preserving image of a double: NaN greatest whatever its sign, -0.0 below 0.0.
inline int64_t order_key(double x) {
  int64_t bits;
  if (x != x) return INT64_MAX;
  std::memcpy(&bits, &x, sizeof bits);
  return bits ^ static_cast<int64_t>(static_cast<uint64_t>(bits >> 63) >> 1);
}

// The double that order_key() made `key` of, with one NaN for all.
inline double double_of_key(int64_t key) {
  double out;
  const int64_t bits = key == INT64_MAX
                           ? 0x7ff8'0000'0000'0000
                           : key ^ static_cast<int64_t>(static_cast<uint64_t>(key >> 63) >> 1);
  std::memcpy(&out, &bits, sizeof out);
  return out;
}

}  // namespace tidemill
