#include "shared/parquet/arrow_reader.h"

#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/extension_type.h>
#include <parquet/arrow/schema.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/schema.h>

#include <algorithm>

#include "shared/net/json_text.h"
#include "shared/parquet/arrow_columns.h"
#include "shared/parquet/arrow_text.h"
#include "shared/parquet/arrow_types.h"

namespace tidemill {
namespace {

constexpr int64_t kBufferBytes = 64 << 10;  // of a column that is being read
constexpr uint64_t kMaxRows = uint64_t{1} << 62;
constexpr int64_t kMaxRowsAtOnce = 64 << 10;
constexpr int64_t kFewerRows = 16;  // so many times, where a batch takes too much memory

std::string joined(const std::vector<std::string>& names) {
  constexpr size_t kMostShown = 20;
  std::string out;
  for (size_t i = 0; i < names.size() && i < kMostShown; ++i)
    out += (i == 0 ? "" : ", ") + names[i];
  return names.size() > kMostShown ? out + " and others" : out;
}

std::string offered(const arrow::DataType& type) {
  std::string out;
  const auto types = readable_as(type);
  for (size_t i = 0; i < types.size(); ++i) {
    out += (i == 0 ? "" : i + 1 == types.size() ? " or " : ", ") + column_type_name(types[i]);
  }
  return out;
}

bool has_dictionary(const arrow::DataType& type) {
  if (type.id() == arrow::Type::DICTIONARY) return true;
  if (type.id() == arrow::Type::EXTENSION) {
    return has_dictionary(*static_cast<const arrow::ExtensionType&>(type).storage_type());
  }
  return std::any_of(type.fields().begin(), type.fields().end(),
                     [](const auto& field) { return has_dictionary(*field->type()); });
}

// That dictionaries, at any depth, have what their indexes say is not checked by whoever decodes
// them. What is in them is: it may be text that is no UTF-8, which is a fault of its rows alone.
arrow::Status check_indexes(const arrow::Array& array) {
  if (!has_dictionary(*array.type())) return arrow::Status::OK();
  if (array.type_id() == arrow::Type::EXTENSION) {
    return check_indexes(*static_cast<const arrow::ExtensionArray&>(array).storage());
  }
  if (array.type_id() != arrow::Type::DICTIONARY) {
    for (const auto& child : array.data()->child_data) {
      ARROW_RETURN_NOT_OK(check_indexes(*arrow::MakeArray(child)));
    }
    return arrow::Status::OK();
  }
  const auto& coded = static_cast<const arrow::DictionaryArray&>(array);
  const int64_t size = coded.dictionary()->length();
  for (int64_t i = 0; i < coded.length(); ++i) {
    if (coded.IsNull(i)) continue;
    const int64_t index = coded.GetValueIndex(i);
    if (index < 0 || index >= size) {
      return arrow::Status::IOError("a dictionary of ", size, " values has no value ", index);
    }
  }
  return arrow::Status::OK();
}

// A group without fields has no values to be read, and no place among those that are.
bool has_values(const parquet::arrow::SchemaField& field) {
  if (field.is_leaf()) return true;
  return !field.children.empty() &&
         std::all_of(field.children.begin(), field.children.end(), has_values);
}

Error no_values(const std::string& column) {
  return user_error("column '" + column +
                    "' is, or has in it, a group without fields; write the file without that");
}

}  // namespace

void ArrowRows::append_json(size_t row, std::string* out) const {
  out->push_back('{');
  for (int i = 0; i < batch_->num_columns() && out->size() <= kMaxParquetJson; ++i) {
    if (i > 0) out->push_back(',');
    append_json_string(batch_->column_name(i), out);
    out->push_back(':');
    tidemill::append_json(*batch_->column(i), static_cast<int64_t>(row), out);
  }
  out->push_back('}');
}

bool ArrowRows::append_text(size_t column, size_t row, std::string* out) const {
  const arrow::Array& outer = *batch_->column(static_cast<int>(column));
  const auto outer_row = static_cast<int64_t>(row);
  if (outer.IsNull(outer_row)) return false;
  const auto [array, at] = resolve(outer, outer_row);
  if (array->IsNull(at)) return false;
  if (is_text(*array->type())) {
    out->append(bytes_at(*array, at));
    return true;
  }
  std::string json;
  tidemill::append_json(outer, outer_row, &json);
  // The backslash of bytes, as in \\x0aff, is there twice in JSON only.
  if (json.starts_with("\"\\\\x")) json.erase(1, 1);
  const bool quoted = json.starts_with('"');
  out->append(quoted ? std::string_view(json).substr(1, json.size() - 2) : json);
  return true;
}

Result<std::unique_ptr<ParquetReader>> ArrowReader::open(std::unique_ptr<ParquetInput> file) {
  std::unique_ptr<ArrowReader> reader(new ArrowReader(std::move(file)));
  const arrow::Status opened = guarded([&] { return reader->open_file(); });
  if (!opened.ok()) {
    if (auto failure = reader->file_->take_failure()) return *failure;
    if (opened.IsNotImplemented()) {
      return user_error("it cannot be read: " + words_of(opened) + "; write it without that");
    }
    return corrupt_error("its footer is damaged: " + words_of(opened));
  }
  return std::unique_ptr<ParquetReader>(std::move(reader));
}

arrow::Status ArrowReader::open_file() {
  parquet::ReaderProperties properties(pool_.get());
  properties.enable_buffered_stream();
  properties.set_buffer_size(kBufferBytes);
  properties.set_page_checksum_verification(true);
  parquet::ArrowReaderProperties arrow_properties(false);
  arrow_properties.set_pre_buffer(false);
  arrow_properties.set_arrow_extensions_enabled(true);
  // Of nanoseconds they would overflow outside of the years 1677 to 2262.
  arrow_properties.set_coerce_int96_timestamp_unit(arrow::TimeUnit::MICRO);
  parquet::arrow::FileReaderBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Open(file_, properties));
  ARROW_ASSIGN_OR_RAISE(reader_,
                        builder.memory_pool(pool_.get())->properties(arrow_properties)->Build());
  ARROW_RETURN_NOT_OK(reader_->GetSchema(&schema_));
  columns_ = schema_->field_names();
  return count_rows();
}

arrow::Status ArrowReader::count_rows() {
  const auto metadata = reader_->parquet_reader()->metadata();
  for (int group = 0; group < metadata->num_row_groups(); ++group) {
    const int64_t rows = metadata->RowGroup(group)->num_rows();
    if (rows < 0 || group_begin_.back() + static_cast<uint64_t>(rows) > kMaxRows) {
      return arrow::Status::Invalid("row group ", group, " has ", rows, " rows");
    }
    group_begin_.push_back(group_begin_.back() + static_cast<uint64_t>(rows));
  }
  return arrow::Status::OK();
}

void ArrowReader::add_leaves(const parquet::arrow::SchemaField& field) {
  if (field.is_leaf()) leaves_.push_back(field.column_index);
  for (const auto& child : field.children) add_leaves(child);
}

Status ArrowReader::select(const std::vector<ParquetWanted>& wanted, bool all) {
  const auto& fields = reader_->manifest().schema_fields;
  leaves_.clear();
  for (const ParquetWanted& each : wanted) {
    const std::vector<int> found = schema_->GetAllFieldIndices(each.name);
    if (found.empty()) {
      return user_error("the file has no column '" + each.name + "'; it has " + joined(columns_));
    }
    if (found.size() > 1) {
      return user_error("the file has " + std::to_string(found.size()) + " columns '" + each.name +
                        "'; write it with one");
    }
    const arrow::DataType& type = *schema_->field(found[0])->type();
    const auto types = readable_as(type);
    if (std::find(types.begin(), types.end(), each.type) == types.end()) {
      return user_error("column '" + each.name + "' is " + describe(type) + " in the file, and " +
                        column_type_name(each.type) + " is wanted; it can be read as " +
                        offered(type));
    }
    const auto& field = fields[static_cast<size_t>(found[0])];
    if (!has_values(field)) return no_values(each.name);
    if (!all) add_leaves(field);
  }
  for (size_t i = 0; all && i < fields.size(); ++i) {
    if (!has_values(fields[i])) return no_values(columns_[i]);
    add_leaves(fields[i]);
  }
  std::sort(leaves_.begin(), leaves_.end());
  wanted_ = wanted;
  stream_.reset();
  held_.reset();
  return {};
}

size_t ArrowReader::group_of(uint64_t row) const {
  const auto behind = std::upper_bound(group_begin_.begin(), group_begin_.end(), row);
  return static_cast<size_t>(behind - group_begin_.begin()) - 1;
}

int64_t ArrowReader::rows_at_once(size_t group, size_t max_bytes) const {
  const auto metadata = reader_->parquet_reader()->metadata()->RowGroup(static_cast<int>(group));
  double bytes = 0;
  for (const int leaf : leaves_) {
    bytes += static_cast<double>(metadata->ColumnChunk(leaf)->total_uncompressed_size());
  }
  const double row_bytes = std::max(1.0, bytes / static_cast<double>(metadata->num_rows()));
  const double fit = static_cast<double>(max_bytes) / row_bytes;
  return std::max<int64_t>(1, static_cast<int64_t>(std::min(fit, double{kMaxRowsAtOnce})));
}

arrow::Status ArrowReader::open_group(size_t group, int64_t rows) {
  reader_->set_batch_size(rows);
  ARROW_ASSIGN_OR_RAISE(stream_, reader_->GetRecordBatchReader({static_cast<int>(group)}, leaves_));
  stream_group_ = group;
  stream_at_ = group_begin_[group];
  return arrow::Status::OK();
}

arrow::Status ArrowReader::next_batch() {
  ARROW_RETURN_NOT_OK(stream_->ReadNext(&held_));
  if (held_ == nullptr || held_->num_rows() == 0) {
    return arrow::Status::IOError("its columns have fewer rows than it says");
  }
  for (const auto& column : held_->columns()) ARROW_RETURN_NOT_OK(check_indexes(*column));
  // What the group says it has is what it has.
  const uint64_t left = group_begin_[stream_group_ + 1] - stream_at_;
  if (static_cast<uint64_t>(held_->num_rows()) > left) {
    held_ = held_->Slice(0, static_cast<int64_t>(left));
  }
  held_begin_ = stream_at_;
  stream_at_ += static_cast<uint64_t>(held_->num_rows());
  return arrow::Status::OK();
}

Error ArrowReader::failed(size_t group, const arrow::Status& status) {
  const std::string rows = "rows " + std::to_string(group_begin_[group]) + " to " +
                           std::to_string(group_begin_[group + 1] - 1);
  const std::string where = "row group " + std::to_string(group) + " (" + rows + ") ";
  if (auto failure = file_->take_failure()) return *failure;
  if (status.IsOutOfMemory()) {
    return user_error(where + "has a row or a page that takes more than " +
                      std::to_string(kMaxParquetBytes >> 20) +
                      " MB of memory; write smaller pages and values");
  }
  if (status.IsNotImplemented()) {
    return user_error(where + "cannot be read: " + words_of(status) + "; write it without that");
  }
  return corrupt_error(where + "is damaged: " + words_of(status));
}

Status ArrowReader::go_to(uint64_t row, size_t max_bytes) {
  const auto holds = [&] {
    return held_ != nullptr && row >= held_begin_ &&
           row < held_begin_ + static_cast<uint64_t>(held_->num_rows());
  };
  if (holds()) return {};
  const size_t group = group_of(row);
  int64_t at_once = 0;
  for (;;) {
    held_.reset();
    const arrow::Status read = guarded([&] {
      if (at_once == 0) at_once = rows_at_once(group, max_bytes);
      if (stream_ == nullptr || stream_group_ != group || stream_at_ > row) {
        ARROW_RETURN_NOT_OK(open_group(group, at_once));
      }
      while (!holds()) ARROW_RETURN_NOT_OK(next_batch());
      return arrow::Status::OK();
    });
    if (read.ok()) return {};
    stream_.reset();
    held_.reset();
    if (!read.IsOutOfMemory() || at_once <= 1) return failed(group, read);
    at_once = std::max<int64_t>(1, at_once / kFewerRows);
  }
}

Status ArrowReader::read(uint64_t row, size_t max_rows, size_t max_bytes, ParquetBatch* batch) {
  if (Status there = go_to(row, max_bytes); !there) return there;
  const auto begin = static_cast<int64_t>(row - held_begin_);
  const int64_t rows = std::min<int64_t>(
      held_->num_rows() - begin, static_cast<int64_t>(std::min<size_t>(max_rows, kMaxRows)));
  const auto slice = held_->Slice(begin, rows);
  batch->rows = static_cast<size_t>(rows);
  batch->columns.resize(wanted_.size());
  batch->faults.clear();
  batch->made.reset();
  for (size_t i = 0; i < wanted_.size(); ++i) {
    read_column(*slice->GetColumnByName(wanted_[i].name), wanted_[i].type, i, batch);
  }
  batch->whole = std::make_shared<ArrowRows>(slice, pool_);
  // Its buffers and pages are of no more use.
  if (stream_at_ == group_begin_[stream_group_ + 1]) stream_.reset();
  return {};
}

}  // namespace tidemill
