// What first, last, the lists, distinct counts, histograms, the approximate functions and all that
// are grouped by a column ask of a set of rows; and the parts they are answered with: rows in an
// order, the greatest or least values, the smallest distinct hashes.
//
// Every answer is a function of the multiset of rows. Rows that are equal in event time and in all
// columns of `order` are told apart by the table's own order (ChunkLayout::compare), so which of
// them is kept does not depend on where they lie.
#pragma once

#include <span>
#include <vector>

#include "shared/window/chunk.h"
#include "shared/window/partition_state.h"
#include "shared/window/summary.h"

namespace tidemill {

enum class CollectionKind : uint8_t {
  kFirst,          // rows, earliest first
  kLast,           // rows, latest first
  kFirstDistinct,  // the first row of each value, earliest first
  kLastDistinct,   // the last row of each value, latest first
  kGreatest,       // rows by value, greatest first
  kLeast,          // rows by value, least first
  kHashes,         // of distinct values
  kCounts,         // of each value: ValueCounts
  kRegisters,      // HyperLogLog
  kBuckets,        // PercentileSketch
  kNumbers,        // Summary; only grouped
};

struct CollectionSpec {
  CollectionKind kind{};
  int32_t column = -1;
  int32_t filter = -1;  // -1: every row
  // The most rows; of kHashes the largest exact count, of kCounts the most values, of kRegisters
  // the precision, of kBuckets the most of them.
  uint32_t n = 1;
  uint32_t per_octave = 0;  // of kBuckets
  std::vector<uint32_t> order;
  // Of each value of this column; rows without one do not count, but those without one in `column`
  // do. -1: of all rows together.
  int32_t by = -1;
  uint32_t max_groups = 0;
  Families families = 0;     // of kNumbers
  DurationUs half_life = 0;  // of kNumbers, as of a SummaryInput
  bool ones = false;         // of kNumbers, as of a SummaryInput

  bool grouped() const { return by >= 0; }
  // Whose nulls do not count.
  int32_t key_column() const { return grouped() ? by : column; }
  bool is_sketch() const {
    return kind >= CollectionKind::kCounts || (grouped() && kind == CollectionKind::kHashes);
  }
  bool by_time() const { return kind <= CollectionKind::kLastDistinct; }
  bool latest_first() const {
    return kind == CollectionKind::kLast || kind == CollectionKind::kLastDistinct;
  }
  bool distinct() const {
    return kind == CollectionKind::kFirstDistinct || kind == CollectionKind::kLastDistinct;
  }
  friend bool operator==(const CollectionSpec&, const CollectionSpec&) = default;
};

bool is_collection(Function function);
// Whether a feature is of a collection: by its function, or as it is grouped.
inline bool reads_collection(const FeatureSpec& feature) {
  return feature.by >= 0 || is_collection(feature.function);
}
// Of a feature that reads_collection(); what does not matter to it is left out of `order`.
CollectionSpec collection_of(const FeatureSpec& feature);

// Bit i: row i passes the filter and is not null in the column.
uint64_t input_rows(const ChunkLayout& layout, const Chunk& chunk, int32_t column, int32_t filter);
inline uint64_t input_rows(const ChunkLayout& layout, const Chunk& chunk,
                           const CollectionSpec& spec) {
  return input_rows(layout, chunk, spec.key_column(), spec.filter);
}

// By event time, the columns in `order`, and then the table's own order: negative, zero, positive.
int compare_in_order(const ChunkLayout& layout, const RowRef& a, const RowRef& b,
                     std::span<const uint32_t> order);

ScalarValue scalar_at(const ChunkLayout& layout, const RowRef& row, uint32_t column);

// Distinct values of one column, each with a row that holds it. Reused; shard-affine.
class ValueSet {
 public:
  void reset(const ChunkLayout* layout, uint32_t column);
  bool insert(const RowRef& row);  // false if the value is there
  size_t size() const { return rows_.size(); }
  const std::vector<RowRef>& rows() const { return rows_; }  // in order of insertion

 private:
  void grow();

  const ChunkLayout* layout_ = nullptr;
  uint32_t column_ = 0;
  std::vector<RowRef> rows_;
  std::vector<uint64_t> hashes_;  // by row
  std::vector<uint32_t> index_;   // size is a power of two; row + 1, or 0
};

// The k greatest or least rows by value, with duplicates. Among equal values any rows. Reused.
class ExtremeRows {
 public:
  void reset(const ChunkLayout* layout, const CollectionSpec& spec);
  // Rows of `chunk` in `mask`, which pass the filter and are not null.
  void add(const Chunk& chunk, uint64_t mask);
  // Leaves the rows in the order of the list.
  void finish(std::vector<RowRef>* out);

 private:
  struct Number {
    int64_t key;  // negated for the least
    RowRef row;
  };
  struct Text {
    std::string_view key;
    RowRef row;
  };

  void add_numbers(const Chunk& chunk, uint64_t mask);
  void add_texts(const Chunk& chunk, uint64_t mask);

  const ChunkLayout* layout_ = nullptr;
  uint32_t column_ = 0;
  size_t limit_ = 0;
  bool least_ = false;
  std::vector<Number> numbers_;  // heaps: the first is the next to go
  std::vector<Text> texts_;
};

}  // namespace tidemill
