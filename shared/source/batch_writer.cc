#include "shared/source/batch_writer.h"

#include <algorithm>
#include <utility>

#include "shared/base/assert.h"

namespace tidemill {
namespace {

constexpr size_t kFirstRows = 1024;

// Length of the UTF-8 character at the start of `text`; 0 if there is none. Overlong forms,
// surrogates and values above U+10FFFF are none (RFC 3629, section 4).
size_t utf8_length(std::string_view text) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](size_t i, unsigned low, unsigned high) {
    return i < text.size() && at(i) >= low && at(i) <= high;
  };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(1, 0x80, 0xBF) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = first == 0xED ? 0x9F : 0xBF;
    return tail(1, low, high) && tail(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned low = first == 0xF0 ? 0x90 : 0x80;
    const unsigned high = first == 0xF4 ? 0x8F : 0xBF;
    return tail(1, low, high) && tail(2, 0x80, 0xBF) && tail(3, 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

// Gives the column `rows` entries in the vector of its kind.
void resize_column(Column* column, size_t rows) {
  column->nulls.resize(rows);
  switch (column->type) {
    case ColumnType::kBool:
      column->bools.resize(rows);
      return;
    case ColumnType::kInt32:
    case ColumnType::kInt64:
    case ColumnType::kTimestamp:
      column->ints.resize(rows);
      return;
    case ColumnType::kDouble:
      column->doubles.resize(rows);
      return;
    case ColumnType::kString:
      column->strings.resize(rows);
      return;
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
  }
  batch->bad.clear();
  batch->begin_offset = begin_offset;
  batch->end_offset = begin_offset;
  batch->finished = false;
  batch->at_end = false;
  batch->last = {};
  batch->tombstones = 0;
  batch->record_times.clear();
  grow(std::max(kFirstRows, rows_before + 1));
}

void BatchWriter::set_null(size_t column) {
  Column& c = batch_->columns[column];
  c.nulls[rows_] = 1;
  switch (c.type) {
    case ColumnType::kBool:
      c.bools[rows_] = 0;
      return;
    case ColumnType::kInt32:
    case ColumnType::kInt64:
    case ColumnType::kTimestamp:
      c.ints[rows_] = 0;
      return;
    case ColumnType::kDouble:
      c.doubles[rows_] = 0;
      return;
    case ColumnType::kString:
      c.strings[rows_] = {};
      return;
  }
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

std::string printable(std::string_view text, size_t limit) {
  std::string out;
  out.reserve(std::min(text.size(), limit));
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    if (out.size() + std::max<size_t>(length, 1) > limit) break;
    if (length == 0) {
      out.push_back('?');
      text.remove_prefix(1);
    } else {
      out.append(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
  return out;
}

}  // namespace tidemill
