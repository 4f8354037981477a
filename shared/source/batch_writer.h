// BatchWriter: fills an EventBatch row by row in the types of a schema. A row is written cell by
// cell and counts only once it is committed, so a record found bad half way leaves nothing
// behind. Every cell of a row must be set before commit(); the vectors grow ahead of the rows and
// are cut in finish(), so that a warm batch allocates nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/base/utf8.h"
#include "shared/columns/column.h"

namespace tidemill {

class BatchWriter {
 public:
  // Empties `batch` and gives it the columns of `schema`; at most `max_records` rows.
  BatchWriter(const google::protobuf::RepeatedPtrField<proto::Field>& schema, uint64_t begin_offset,
              size_t max_records, EventBatch* batch);

  size_t rows() const { return rows_; }
  // Records so far, bad ones included, and whether another one may be added.
  size_t records() const { return rows_ + batch_->bad.size(); }
  bool full() const { return records() >= max_records_; }
  ColumnType type(size_t column) const { return batch_->columns[column].type; }
  bool is_null(size_t column) const { return batch_->columns[column].nulls[rows_] != 0; }
  // Of a cell that was set.
  int64_t int_at(size_t column) const { return batch_->columns[column].ints[rows_]; }

  void set_null(size_t column);
  void set_bool(size_t column, bool value) { cell(column).bools[rows_] = value ? 1 : 0; }
  void set_int(size_t column, int64_t value) { cell(column).ints[rows_] = value; }
  void set_double(size_t column, double value) { cell(column).doubles[rows_] = value; }
  void set_string(size_t column, std::string_view value) { cell(column).strings[rows_] = value; }
  void set_decimal(size_t column, const Decimal& value);  // of the column's scale
  const DecimalType& decimal_type(size_t column) const { return batch_->columns[column].decimal; }
  // A copy that lives as long as the batch's strings do.
  std::string_view keep(std::string_view text) { return batch_->made.copy(text); }

  // The row is an event of the record at `offset`.
  void commit(uint64_t offset) {
    batch_->offsets[rows_] = offset;
    if (++rows_ == capacity_) grow(2 * capacity_);
  }
  // The record at `offset` is none; `record` is its text as it is in the log, of which the head is
  // kept.
  void bad(uint64_t offset, BadReason reason, std::string message, std::string_view record) {
    bad(offset, reason, std::move(message), record, record.size());
  }
  // The same of a record of `size` bytes that begins with `head`.
  void bad(uint64_t offset, BadReason reason, std::string message, std::string_view head,
           uint64_t size);

  // Cuts the columns to the rows. Nothing may be added afterwards.
  void finish(uint64_t end_offset, bool finished);

 private:
  Column& cell(size_t column) {
    Column& c = batch_->columns[column];
    c.nulls[rows_] = 0;
    return c;
  }
  void grow(size_t rows);
  void resize(size_t rows);

  EventBatch* batch_;
  size_t max_records_;
  size_t capacity_ = 0;  // always more than rows_
  size_t rows_ = 0;
};

}  // namespace tidemill
