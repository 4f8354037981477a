// RowBlock: rows of one table for one key partition, as bytes that are used in place. A reader
// scatters into it, a key partition applies it, and the same bytes go on in a frame to the store.
// Format: docs/formats/row_block.md. Little-endian, every array starts at a multiple of 8 from the
// block's start (blocks themselves start at a multiple of 8 in a message):
//
//   u32 bytes | u16 table | u16 columns | u32 rows | u16 filters | u16 version (1)
//   u64 key_hash[rows] | i64 event_time_us[rows] | u32 key_end[rows] | key bytes
//   per column:  u8 type, u8 has_nulls, u8 pad[6], then [u64 null_bits[(rows+63)/64] if has_nulls],
//                then values: i64 / f64 [rows]; BOOL: u64 bits[(rows+63)/64];
//                STRING, BYTES, JSON, DECIMAL, LIST, STRUCT, MAP: u32 end[rows], bytes
//   per filter:  u64 true_bits[(rows+63)/64]
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/buffer.h"
#include "shared/base/result.h"
#include "shared/base/time.h"

namespace tidemill {

enum class ColumnType : uint8_t {  // numbers as in proto/plan.proto
  kBool = 1,
  kInt32 = 2,
  kInt64 = 3,
  kDouble = 4,
  kString = 5,
  kTimestamp = 6,
  kDate = 7,
  kBytes = 8,
  kJson = 9,
  kInterval = 10,        // within expressions only, never in a block
  kLocalTimestamp = 11,  // likewise
  kDecimal = 12,         // docs/formats/decimal.md
  kList = 13,            // these three: docs/formats/nested.md
  kStruct = 14,
  kMap = 15,
};

// How the values of a type are held: everywhere that keeps, sends or compares them.
enum class Storage : uint8_t { kBits, kInts, kDoubles, kStrings, kIntervals };

constexpr Storage storage_of(ColumnType type) {
  switch (type) {
    case ColumnType::kBool:
      return Storage::kBits;
    case ColumnType::kDouble:
      return Storage::kDoubles;
    case ColumnType::kString:
    case ColumnType::kBytes:
    case ColumnType::kJson:
    case ColumnType::kDecimal:
    case ColumnType::kList:
    case ColumnType::kStruct:
    case ColumnType::kMap:
      return Storage::kStrings;
    case ColumnType::kInterval:
      return Storage::kIntervals;
    case ColumnType::kInt32:
    case ColumnType::kInt64:
    case ColumnType::kTimestamp:
    case ColumnType::kDate:
    case ColumnType::kLocalTimestamp:
      break;
  }
  return Storage::kInts;
}

// Whether columns of events and rows of windows have this type.
constexpr bool is_stored_type(ColumnType type) {
  return (type >= ColumnType::kBool && type <= ColumnType::kJson) ||
         (type >= ColumnType::kDecimal && type <= ColumnType::kMap);
}

inline constexpr uint32_t kMaxRowsPerBlock = 1u << 20;
inline constexpr uint16_t kRowBlockVersion = 1;

// One column of a block. `values` is i64 (INT32, INT64, TIMESTAMP, DATE) or f64 (DOUBLE) by type.
struct RowBlockColumn {
  ColumnType type{};
  const uint64_t* null_bits = nullptr;  // null: no nulls
  const int64_t* ints = nullptr;
  const double* doubles = nullptr;
  const uint64_t* bool_bits = nullptr;
  const uint32_t* string_ends = nullptr;
  const char* string_bytes = nullptr;

  bool is_null(uint32_t row) const {
    return null_bits != nullptr && (null_bits[row / 64] >> (row % 64) & 1) != 0;
  }
  bool bool_at(uint32_t row) const { return (bool_bits[row / 64] >> (row % 64) & 1) != 0; }
  std::string_view string_at(uint32_t row) const {
    const uint32_t begin = row == 0 ? 0 : string_ends[row - 1];
    return {string_bytes + begin, string_ends[row] - begin};
  }
};

// A checked view of a block; valid as long as its bytes are.
class RowBlockView {
 public:
  // Refuses bytes whose lengths, ends or types do not agree. `bytes` must be 8-byte aligned.
  static Result<RowBlockView> parse(std::span<const uint8_t> bytes);

  uint16_t table() const { return table_; }
  uint32_t rows() const { return rows_; }
  size_t byte_size() const { return byte_size_; }
  std::span<const uint64_t> key_hashes() const { return {key_hashes_, rows_}; }
  std::span<const TimeUs> event_times() const { return {event_times_, rows_}; }
  std::string_view key(uint32_t row) const {
    const uint32_t begin = row == 0 ? 0 : key_ends_[row - 1];
    return {key_bytes_ + begin, key_ends_[row] - begin};
  }
  // Rows that are read soon, but not one behind the other: begins to bring what has a fixed place
  // into the cache, and, once that is there, the key and the strings.
  void fetch_fixed(uint32_t row) const;
  void fetch_strings(uint32_t row) const;
  const std::vector<RowBlockColumn>& columns() const { return columns_; }
  size_t filter_count() const { return filters_.size(); }
  bool passes(size_t filter, uint32_t row) const {
    return (filters_[filter][row / 64] >> (row % 64) & 1) != 0;
  }

 private:
  uint16_t table_ = 0;
  uint32_t rows_ = 0;
  size_t byte_size_ = 0;
  const uint64_t* key_hashes_ = nullptr;
  const int64_t* event_times_ = nullptr;
  const uint32_t* key_ends_ = nullptr;
  const char* key_bytes_ = nullptr;
  std::vector<RowBlockColumn> columns_;
  std::vector<const uint64_t*> filters_;
};

}  // namespace tidemill
