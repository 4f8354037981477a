// Column and EventBatch: parsed events, column by column, in the types of a source's schema.
// Reused from batch to batch, so that parsing allocates nothing per event once warm.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/time.h"
#include "shared/columns/row_block.h"

namespace tidemill {

// Values of one type. Only the vector of the type's kind is filled; nulls[i] != 0 marks a null,
// whose value is 0 or empty. Strings point into bytes that outlive the batch's use.
struct Column {
  ColumnType type{};
  std::vector<uint8_t> nulls;             // one per row, always filled
  std::vector<uint8_t> bools;             // kBool: 0 or 1
  std::vector<int64_t> ints;              // kInt32, kInt64, kTimestamp
  std::vector<double> doubles;            // kDouble
  std::vector<std::string_view> strings;  // kString

  size_t size() const { return nulls.size(); }
  void clear() {
    nulls.clear();
    bools.clear();
    ints.clear();
    doubles.clear();
    strings.clear();
  }
};

// A record that cannot be an event: where, why, and how it began.
struct BadRecord {
  uint64_t offset = 0;
  std::string reason;  // says what would be right
  std::string head;    // at most 200 bytes of the record
};

// Events of one source partition in offset order. Columns are those of the source's schema; the
// event time column is never null here (such records are bad).
struct EventBatch {
  std::vector<Column> columns;
  std::vector<uint64_t> offsets;  // one per row, rising
  std::vector<BadRecord> bad;
  uint64_t begin_offset = 0;  // this batch covers records with begin <= offset < end
  uint64_t end_offset = 0;
  bool finished = false;  // the log has no record at or after end_offset, and never will
  std::string text;       // bytes the strings may point into

  size_t rows() const { return offsets.size(); }
};

}  // namespace tidemill
