#include "shared/parquet/arrow_writer.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/extension_type.h>
#include <arrow/table.h>
#include <parquet/properties.h>

#include "shared/base/assert.h"
#include "shared/parquet/arrow_nested.h"
#include "shared/parquet/arrow_types.h"

namespace tidemill {
namespace {

using ArrayResult = arrow::Result<std::shared_ptr<arrow::Array>>;

constexpr int64_t kRowsPerGroup = 128 << 10;

std::vector<uint8_t> valid_of(const std::vector<uint8_t>& nulls) {
  std::vector<uint8_t> valid(nulls.size());
  for (size_t i = 0; i < nulls.size(); ++i) valid[i] = nulls[i] == 0 ? 1 : 0;
  return valid;
}

template <typename Builder, typename Value>
ArrayResult flat_array(Builder builder, const std::vector<Value>& values,
                       const std::vector<uint8_t>& nulls) {
  const std::vector<uint8_t> valid = valid_of(nulls);
  ARROW_RETURN_NOT_OK(
      builder.AppendValues(values.data(), static_cast<int64_t>(values.size()), valid.data()));
  return builder.Finish();
}

template <typename Builder>
ArrayResult text_array(const Column& column) {
  Builder builder;
  for (size_t i = 0; i < column.size(); ++i) {
    ARROW_RETURN_NOT_OK(column.nulls[i] != 0 ? builder.AppendNull()
                                             : builder.Append(column.strings[i]));
  }
  return builder.Finish();
}

template <typename Builder>
ArrayResult narrow_array(const Column& column) {
  const std::vector<int32_t> values(column.ints.begin(), column.ints.end());
  return flat_array(Builder(), values, column.nulls);
}

bool has_parts(ColumnType type) { return type == ColumnType::kDecimal || is_nested(type); }

ArrayResult array_of(const Column& column, const NestedType& details) {
  if (has_parts(column.type)) return nested_array(column, details);
  const auto type = written_type(column.type);
  switch (column.type) {
    case ColumnType::kBool:
      return flat_array(arrow::BooleanBuilder(), column.bools, column.nulls);
    case ColumnType::kInt32:
      return narrow_array<arrow::Int32Builder>(column);
    case ColumnType::kDate:
      return narrow_array<arrow::Date32Builder>(column);
    case ColumnType::kTimestamp:
      return flat_array(arrow::TimestampBuilder(type, arrow::default_memory_pool()), column.ints,
                        column.nulls);
    case ColumnType::kDouble:
      return flat_array(arrow::DoubleBuilder(), column.doubles, column.nulls);
    case ColumnType::kString:
      return text_array<arrow::StringBuilder>(column);
    case ColumnType::kBytes:
      return text_array<arrow::BinaryBuilder>(column);
    case ColumnType::kJson: {
      ARROW_ASSIGN_OR_RAISE(auto text, text_array<arrow::StringBuilder>(column));
      return arrow::ExtensionType::WrapArray(type, text);
    }
    default:
      return flat_array(arrow::Int64Builder(), column.ints, column.nulls);
  }
}

std::shared_ptr<arrow::DataType> type_of(const ParquetField& field) {
  const auto written = [](ColumnType type, const NestedType& details) {
    return has_parts(type) ? written_type(details) : written_type(type);
  };
  const auto type = written(field.type, field.details);
  if (field.shape == ParquetField::Shape::kLists) return arrow::list(type);
  if (field.shape == ParquetField::Shape::kMaps) {
    return arrow::map(written(field.key_type, field.key_details), type);
  }
  return type;
}

ArrayResult array_of(const ParquetField& field, const ParquetValues& values) {
  ARROW_ASSIGN_OR_RAISE(auto items, array_of(values.items, field.details));
  if (field.shape == ParquetField::Shape::kValues) return items;
  arrow::Int32Builder ends;
  ARROW_RETURN_NOT_OK(ends.Append(0));
  for (const uint32_t end : values.ends) {
    ARROW_RETURN_NOT_OK(ends.Append(static_cast<int32_t>(end)));
  }
  ARROW_ASSIGN_OR_RAISE(auto offsets, ends.Finish());
  ARROW_ASSIGN_OR_RAISE(auto valid, flat_array(arrow::BooleanBuilder(), valid_of(values.nulls),
                                               std::vector<uint8_t>(values.nulls.size(), 0)));
  const auto rows = static_cast<int64_t>(values.nulls.size());
  // The bits of a column of bools are those of a validity bitmap.
  const auto& bitmap = valid->data()->buffers[1];
  const auto& begins = offsets->data()->buffers[1];
  if (field.shape == ParquetField::Shape::kLists) {
    return std::make_shared<arrow::ListArray>(type_of(field), rows, begins, items, bitmap);
  }
  ARROW_ASSIGN_OR_RAISE(auto keys, array_of(values.keys, field.key_details));
  return std::make_shared<arrow::MapArray>(type_of(field), rows, begins, keys, items, bitmap);
}

}  // namespace

Result<std::unique_ptr<ParquetWriter>> ArrowWriter::open(ParquetOutput* out,
                                                         const ArrowReader* kept,
                                                         const std::vector<ParquetField>& fields) {
  std::unique_ptr<ArrowWriter> writer(new ArrowWriter(out, fields));
  const arrow::Status opened = guarded([&] { return writer->open_file(kept); });
  if (Status told = writer->told(opened); !told) return told.error();
  return std::unique_ptr<ParquetWriter>(std::move(writer));
}

arrow::Status ArrowWriter::open_file(const ArrowReader* kept) {
  arrow::FieldVector fields;
  std::shared_ptr<const arrow::KeyValueMetadata> metadata;
  if (kept != nullptr) {
    fields = kept->schema()->fields();
    metadata = kept->schema()->metadata();
  }
  for (const ParquetField& field : fields_) {
    fields.push_back(arrow::field(field.name, type_of(field)));
  }
  schema_ = arrow::schema(std::move(fields), std::move(metadata));
  const auto properties = parquet::WriterProperties::Builder()
                              .compression(arrow::Compression::SNAPPY)
                              ->max_row_group_length(kRowsPerGroup)
                              ->enable_page_checksum()
                              ->enable_store_decimal_as_integer()
                              ->build();
  const auto arrow_properties = parquet::ArrowWriterProperties::Builder().store_schema()->build();
  ARROW_ASSIGN_OR_RAISE(
      writer_, parquet::arrow::FileWriter::Open(*schema_, arrow::default_memory_pool(), out_,
                                                properties, arrow_properties));
  return arrow::Status::OK();
}

arrow::Status ArrowWriter::append(size_t rows, const ArrowRows* kept,
                                  std::span<const ParquetValues* const> values) {
  arrow::ArrayVector columns;
  if (kept != nullptr) {
    ASSERT(kept->batch().num_rows() == static_cast<int64_t>(rows));
    columns = kept->batch().columns();
  }
  for (size_t i = 0; i < values.size(); ++i) {
    ARROW_ASSIGN_OR_RAISE(auto array, array_of(fields_[i], *values[i]));
    ASSERT(array->length() == static_cast<int64_t>(rows));
    columns.push_back(std::move(array));
  }
  const auto batch =
      arrow::RecordBatch::Make(schema_, static_cast<int64_t>(rows), std::move(columns));
  return writer_->WriteRecordBatch(*batch);
}

Status ArrowWriter::told(const arrow::Status& status) const {
  if (status.ok()) return {};
  if (out_->failure()) return *out_->failure();
  return user_error("Parquet cannot be written: " + words_of(status));
}

Status ArrowWriter::write(size_t rows, const ParquetRows* kept,
                          std::span<const ParquetValues* const> values) {
  return told(guarded([&] { return append(rows, static_cast<const ArrowRows*>(kept), values); }));
}

Status ArrowWriter::finish() {
  return told(guarded([&] { return writer_->Close(); }));
}

}  // namespace tidemill
