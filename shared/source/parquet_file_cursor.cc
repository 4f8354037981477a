#include "shared/source/parquet_file_cursor.h"

#ifndef NDEBUG
#define NDEBUG
#endif
#include <simdjson.h>

#include <algorithm>
#include <utility>

#include "shared/base/calendar.h"
#include "shared/base/json_text.h"
#include "shared/source/record_parser.h"

namespace tidemill {
namespace {

constexpr char kTooLongTexts[] =
    "the texts of the row's columns are larger than 1 MB; leave such columns out of the schema";

class TextInput : public ParquetInput {
 public:
  explicit TextInput(std::shared_ptr<FileText> text) : text_(std::move(text)) {}

  uint64_t size() const override { return text_->end(); }
  Status read(uint64_t offset, char* to, size_t bytes) override {
    while (bytes > 0) {
      const auto got = text_->read(offset, to, bytes);
      if (!got.ok()) return got.error();
      if (*got == 0) {
        return source_changed_error(text_->file().name() + ": the file shrank while it was read");
      }
      offset += *got;
      to += *got;
      bytes -= *got;
    }
    return {};
  }

 private:
  std::shared_ptr<FileText> text_;
};

}  // namespace

std::unique_ptr<ParquetInput> parquet_input(std::shared_ptr<FileText> text) {
  return std::make_unique<TextInput>(std::move(text));
}

Result<std::unique_ptr<ParquetFileCursor>> ParquetFileCursor::make(const proto::Source& source,
                                                                   uint32_t index, uint64_t offset,
                                                                   const RecordIdentity& last,
                                                                   bool all) {
  auto found = find_file(source.files(), index);
  if (!found.ok()) return found.error();
  std::unique_ptr<ParquetFileCursor> cursor(
      new ParquetFileCursor(source, source.files().paths(static_cast<int>(index)), all));
  if (Status started = cursor->start(std::move(*found), offset, last); !started.ok()) {
    return started.error();
  }
  return cursor;
}

Result<std::unique_ptr<SourceCursor>> ParquetFileCursor::open(const proto::Source& source,
                                                              uint32_t index, uint64_t offset,
                                                              const RecordIdentity& last) {
  auto cursor = make(source, index, offset, last, false);
  if (!cursor.ok()) return cursor.error();
  return std::unique_ptr<SourceCursor>(std::move(*cursor));
}

Result<std::unique_ptr<ParquetFileCursor>> ParquetFileCursor::open_all(
    const proto::Source& source) {
  return make(source, 0, 0, {}, true);
}

Result<std::unique_ptr<ParquetFileCursor>> ParquetFileCursor::open_first(
    const proto::Source& source) {
  return make(source, 0, 0, {}, false);
}

Error ParquetFileCursor::changed(const std::string& what) const {
  return source_changed_error(path_ + ": " + what +
                              "; the file is not the one that was read before: put it back, or "
                              "submit the job anew");
}

Status ParquetFileCursor::start(FoundFile file, uint64_t offset, const RecordIdentity& last) {
  text_ = std::move(file.text);
  if (Status refreshed = text_->refresh(); !refreshed.ok()) return refreshed;
  if (!text_->end_known()) {
    return user_error(path_ + ": Parquet files compress their own pages; decompress it first");
  }
  size_ = text_->end();
  auto input = parquet_input(text_);
  const auto fingerprint = check_parquet(input.get());
  if (!fingerprint.ok()) return fingerprint.error().within(path_);
  fingerprint_ = *fingerprint;
  if (last != RecordIdentity{} && last.offset < offset && last.hash != fingerprint_) {
    return changed("its footer is another one");
  }
  auto reader = open_parquet_reader(std::move(input));
  if (!reader.ok()) return reader.error().within(path_);
  reader_ = std::move(*reader);
  std::vector<ParquetWanted> wanted;
  for (const proto::Field& field : source_.schema()) {
    wanted.push_back({field.name(), static_cast<ColumnType>(field.type())});
  }
  if (Status selected = reader_->select(wanted, all_); !selected.ok()) {
    return selected.error().within(path_);
  }
  if (source_.not_after_us() != 0) latest_event_time_ = source_.not_after_us();
  if (offset > reader_->rows()) return changed("it has no row " + std::to_string(offset));
  offset_ = offset;
  return {};
}

Status ParquetFileCursor::look() {
  if (Status refreshed = text_->refresh(); !refreshed.ok()) return refreshed;
  if (text_->end() == size_) return {};
  return changed("it has " + std::to_string(text_->end()) + " bytes, and had " +
                 std::to_string(size_));
}

Status ParquetFileCursor::look_at_footer() const {
  const auto now = check_parquet(parquet_input(text_).get());
  if (!now.ok()) return now.error().within(path_);  // it may be whole again
  if (*now == fingerprint_) return {};
  return changed("its footer became another one while it was read");
}

bool ParquetFileCursor::set_text(std::string_view text, size_t column, BatchWriter* writer) {
  int64_t number = 0;
  switch (writer->type(column)) {
    case ColumnType::kTimestamp:
      if (!timestamps_.parse(text, &number)) return false;
      writer->set_int(column, number);
      return true;
    case ColumnType::kDate:
      if (!parse_date(text, &number)) return false;
      writer->set_int(column, number);
      return true;
    case ColumnType::kDecimal:
      return set_decimal(column, text, writer);
    case ColumnType::kList:
    case ColumnType::kStruct:
    case ColumnType::kMap:
      if (text == "null") {
        writer->set_null(column);
        return true;
      }
      nested_fault_ = nested_.set(column, text, writer);
      return nested_fault_.empty();
    case ColumnType::kJson:
      if (!is_valid_json(text)) return false;
      break;
    default:
      if (!simdjson::validate_utf8(text.data(), text.size())) return false;
  }
  writer->set_string(column, writer->keep(text));
  return true;
}

bool ParquetFileCursor::set_cell(const Column& from, size_t row, size_t column,
                                 BatchWriter* writer) {
  switch (storage_of(from.type)) {
    case Storage::kBits:
      writer->set_bool(column, from.bools[row] != 0);
      return true;
    case Storage::kInts:
      writer->set_int(column, from.ints[row]);
      return true;
    case Storage::kDoubles:
      writer->set_double(column, from.doubles[row]);
      return true;
    default:
      break;
  }
  if (from.type == ColumnType::kString) return set_text(from.strings[row], column, writer);
  writer->set_string(column, writer->keep(from.strings[row]));
  return true;
}

std::string ParquetFileCursor::set_row(size_t row, BatchWriter* writer, BadReason* reason) {
  size_t text_bytes = 0;
  for (size_t c = 0; c < rows_.columns.size(); ++c) {
    const Column& from = rows_.columns[c];
    if (from.nulls[row] != 0) {
      writer->set_null(c);
      continue;
    }
    if (!from.strings.empty()) text_bytes += from.strings[row].size();
    if (text_bytes > kMaxRecordBytes) {
      *reason = BadReason::kOversized;
      return kTooLongTexts;
    }
    if (!set_cell(from, row, c, writer)) {
      if (!nested_fault_.empty()) return std::exchange(nested_fault_, {});
      return bad_value(source_.schema(static_cast<int>(c)), from.strings[row]);
    }
  }
  const auto time = static_cast<size_t>(source_.event_time_field());
  if (writer->is_null(time)) return missing_event_time(source_.schema(static_cast<int>(time)));
  std::string why = refuse_event_time(source_, writer->int_at(time), latest_event_time_);
  if (!why.empty()) *reason = BadReason::kFuture;
  return why;
}

void ParquetFileCursor::add_rows(BatchWriter* writer) {
  // The first of a row is the one that is told.
  std::stable_sort(rows_.faults.begin(), rows_.faults.end(),
                   [](const ParquetFault& a, const ParquetFault& b) { return a.row < b.row; });
  auto fault = rows_.faults.begin();
  for (size_t row = 0; row < rows_.rows; ++row) {
    std::string why;
    BadReason reason = BadReason::kUnparsable;
    if (fault != rows_.faults.end() && fault->row == row) {
      why = bad_value(source_.schema(static_cast<int>(fault->column)), fault->value);
      while (fault != rows_.faults.end() && fault->row == row) ++fault;
    } else {
      why = set_row(row, writer, &reason);
    }
    if (why.empty()) {
      writer->commit(begin_ + row);
      continue;
    }
    uint64_t size = 0;
    const std::string text = row_text(row, &size);
    writer->bad(begin_ + row, reason, std::move(why), text, size);
  }
}

Status ParquetFileCursor::read(size_t max_records, size_t max_bytes, EventBatch* batch) {
  BatchWriter writer(source_.schema(), offset_, max_records, batch);
  if (Status looked = look(); !looked.ok()) return looked;
  const uint64_t end = std::min(reader_->rows(), limit_at(offset_));
  begin_ = offset_;
  rows_.rows = 0;
  rows_.whole.reset();
  if (offset_ < end && max_records > 0) {
    const size_t most = std::min<uint64_t>(max_records, end - offset_);
    if (Status read = reader_->read(offset_, most, max_bytes, &rows_); !read.ok()) {
      return read.error().within(path_);
    }
    if (offset_ + rows_.rows == reader_->rows()) {
      if (Status same = look_at_footer(); !same.ok()) return same;
    }
    add_rows(&writer);
    offset_ += rows_.rows;
  }
  writer.finish(offset_, offset_ == reader_->rows());
  if (offset_ > 0) batch->last = {offset_ - 1, fingerprint_};
  return {};
}

std::string ParquetFileCursor::row_text(size_t row, uint64_t* size) const {
  std::string text;
  rows_.whole->append_json(row, &text);
  *size = text.size();
  if (text.size() > kBadRecordBytes) text.resize(kBadRecordBytes);
  return text;
}

std::string ParquetFileCursor::record_bytes(const EventBatch& batch, size_t row, uint64_t* size) {
  *size = 0;
  const uint64_t offset = batch.offsets[row];
  if (rows_.whole == nullptr || offset < begin_ || offset - begin_ >= rows_.rows) return {};
  return row_text(offset - begin_, size);
}

SourceCursor::LogInfo ParquetFileCursor::info() const {
  LogInfo info;
  info.end_offset = reader_->rows();
  return info;
}

uint64_t ParquetFileCursor::bytes_before(uint64_t offset) const {
  const auto rows = static_cast<double>(std::max<uint64_t>(reader_->rows(), 1));
  return static_cast<uint64_t>(static_cast<double>(size_) * (static_cast<double>(offset) / rows));
}

}  // namespace tidemill
