// Column and EventBatch: parsed events, column by column, in the types of a source's schema.
// Reused from batch to batch, so that parsing allocates nothing per event once warm.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/arena.h"
#include "shared/base/decimal.h"
#include "shared/base/time.h"
#include "shared/columns/row_block.h"

namespace tidemill {

// PostgreSQL's: three parts that do not convert into one another, as months and days differ in
// length.
struct Interval {
  int64_t micros = 0;
  int32_t days = 0;
  int32_t months = 0;
};

// Values of one type. Only the vector of the type's kind is filled; nulls[i] != 0 marks a null,
// whose value is 0 or empty. Strings point into bytes that outlive the batch's use.
struct Column {
  ColumnType type{};
  DecimalType decimal;          // kDecimal of a source: its digits
  std::vector<uint8_t> nulls;   // one per row, always filled
  std::vector<uint8_t> bools;   // kBool: 0 or 1
  std::vector<int64_t> ints;    // kInt32, kInt64, kTimestamp, kDate (days), kLocalTimestamp
  std::vector<double> doubles;  // kDouble
  // kString, kBytes, kJson, kDecimal, kList, kStruct, kMap: as rows keep them
  std::vector<std::string_view> strings;
  std::vector<Decimal> decimals;          // kDecimal within an expression, in place of strings
  std::vector<Interval> intervals;        // kInterval

  size_t size() const { return nulls.size(); }
  void clear() {
    nulls.clear();
    bools.clear();
    ints.clear();
    doubles.clear();
    strings.clear();
    decimals.clear();
    intervals.clear();
  }
};

// Why a record is a dead letter.
enum class BadReason : uint8_t {
  kUnparsable = 1,  // not an event of the source's schema
  kOversized = 2,
  kFuture = 3,      // dated later than the source allows
  kExpression = 4,  // an expression of a view failed; it counts in the other views
};

inline constexpr size_t kBadRecordBytes = 64 << 10;

// A record that cannot be an event: where, why, and what it was.
struct BadRecord {
  uint64_t offset = 0;
  BadReason reason{};
  std::string message;  // for people: says what would be right
  std::string bytes;    // of the record as it is in the log; the first kBadRecordBytes
  uint64_t size = 0;    // of the whole record; 0: not known
  int32_t table = -1;   // kExpression: in which table's expressions
};

// The last record at or before an offset: where it begins, and a hash of what it is. {} if there is
// none. A function of the log's prefix alone; shows that a log is not the one read before.
struct RecordIdentity {
  uint64_t offset = 0;
  uint64_t hash = 0;
  friend bool operator==(const RecordIdentity&, const RecordIdentity&) = default;
};

// Events of one source partition in offset order. Columns are those of the source's schema; the
// event time column is never null here (such records are bad).
struct EventBatch {
  std::vector<Column> columns;
  std::vector<uint64_t> offsets;  // one per row, rising
  // The log's own timestamps, one per row; empty for logs that have none. What holds the horizon
  // is the lesser of these and the event times.
  std::vector<TimeUs> record_times;
  std::vector<BadRecord> bad;
  uint64_t begin_offset = 0;  // this batch covers records with begin <= offset < end
  uint64_t end_offset = 0;
  bool finished = false;    // the log has no record at or after end_offset, and never will
  bool at_end = false;      // no record at or after end_offset now, confirmed by the log itself
  RecordIdentity last;      // the last record before end_offset
  uint64_t tombstones = 0;  // records without a value, which are no events and not bad either
  // What the strings may point into: bytes as they were read, strings that were made of them, and
  // what several batches are cut from.
  std::string text;
  Arena made;
  std::vector<std::shared_ptr<const std::string>> blocks;

  size_t rows() const { return offsets.size(); }
};

}  // namespace tidemill
