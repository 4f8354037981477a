#include "shared/source/batch_writer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "shared/base/assert.h"

namespace tidemill {
namespace {

constexpr size_t kFirstRows = 1024;

// Gives the column `rows` entries in the vector of its kind.
void resize_column(Column* column, size_t rows) {
  column->nulls.resize(rows);
  switch (storage_of(column->type)) {
    case Storage::kBits:
      column->bools.resize(rows);
      return;
    case Storage::kInts:
      column->ints.resize(rows);
      return;
    case Storage::kDoubles:
      column->doubles.resize(rows);
      return;
    case Storage::kStrings:
      column->strings.resize(rows);
      return;
    case Storage::kIntervals:
      ASSERT(false);  // no schema has them
  }
}

}  // namespace

BatchWriter::BatchWriter(const google::protobuf::RepeatedPtrField<proto::Field>& schema,
                         uint64_t begin_offset, size_t max_records, EventBatch* batch)
    : batch_(batch), max_records_(max_records) {
  const size_t rows_before = batch->offsets.size();
  batch->columns.resize(static_cast<size_t>(schema.size()));
  for (int i = 0; i < schema.size(); ++i) {
    Column& column = batch->columns[static_cast<size_t>(i)];
    const auto type = static_cast<ColumnType>(schema[i].type());
    if (column.type != type) column.clear();
    column.type = type;
    const proto::Type& details = schema[i].details();
    column.decimal = {static_cast<uint8_t>(details.precision()),
                      static_cast<uint8_t>(details.scale())};
  }
  batch->bad.clear();
  batch->begin_offset = begin_offset;
  batch->end_offset = begin_offset;
  batch->finished = false;
  batch->at_end = false;
  batch->last = {};
  batch->tombstones = 0;
  batch->record_times.clear();
  batch->made.reset();
  batch->blocks.clear();
  grow(std::max(kFirstRows, rows_before + 1));
}

void BatchWriter::set_null(size_t column) {
  Column& c = batch_->columns[column];
  c.nulls[rows_] = 1;
  switch (storage_of(c.type)) {
    case Storage::kBits:
      c.bools[rows_] = 0;
      return;
    case Storage::kInts:
      c.ints[rows_] = 0;
      return;
    case Storage::kDoubles:
      c.doubles[rows_] = 0;
      return;
    case Storage::kStrings:
      c.strings[rows_] = {};
      return;
    case Storage::kIntervals:
      ASSERT(false);  // no schema has them
  }
}

void BatchWriter::set_decimal(size_t column, const Decimal& value) {
  std::array<char, kMaxDecimalEncoding> bytes;
  set_string(column, keep({bytes.data(), encode_decimal(value, bytes.data())}));
}

void BatchWriter::bad(uint64_t offset, BadReason reason, std::string message, std::string_view head,
                      uint64_t size) {
  batch_->bad.push_back(
      {offset, reason, std::move(message), std::string(head.substr(0, kBadRecordBytes)), size});
}

void BatchWriter::finish(uint64_t end_offset, bool finished) {
  resize(rows_);
  batch_->end_offset = end_offset;
  batch_->finished = finished;
  batch_->at_end = finished;
}

void BatchWriter::grow(size_t rows) {
  // A row is begun before it is known whether it will be committed: one more than may be.
  capacity_ = max_records_ < rows ? max_records_ + 1 : rows;
  ASSERT(capacity_ > rows_);
  resize(capacity_);
}

void BatchWriter::resize(size_t rows) {
  batch_->offsets.resize(rows);
  for (Column& column : batch_->columns) resize_column(&column, rows);
}

}  // namespace tidemill
