#include "shared/parquet/arrow_nested.h"

#include <arrow/builder.h>
#include <arrow/util/decimal.h>

#include "shared/base/decimal.h"
#include "shared/nested/nested_value.h"
#include "shared/parquet/arrow_types.h"

namespace tidemill {
namespace {

using arrow::ArrayBuilder;

template <typename Builder>
Builder& as(ArrayBuilder* builder) {
  return static_cast<Builder&>(*builder);
}

arrow::Status append_decimal(const NestedType& type, std::string_view bytes, ArrayBuilder* out) {
  Decimal value;
  const std::optional<Decimal> stored = decode_decimal(bytes);
  if (!stored.has_value() || !fit(*stored, DecimalType{type.precision, type.scale}, &value)) {
    return arrow::Status::Invalid("a decimal does not fit its type");
  }
  const auto high = static_cast<int64_t>(value.unscaled >> 64);
  const auto low = static_cast<uint64_t>(value.unscaled);
  return as<arrow::Decimal128Builder>(out).Append(arrow::Decimal128(high, low));
}

arrow::Status append(const NestedType& type, NestedInput* in, ArrayBuilder* out);

arrow::Status append_item(const NestedType& type, bool null, NestedInput* in, ArrayBuilder* out) {
  return null ? out->AppendNull() : append(type, in, out);
}

arrow::Status append_list(const NestedType& type, NestedInput* in, ArrayBuilder* out) {
  auto& builder = as<arrow::ListBuilder>(out);
  ARROW_RETURN_NOT_OK(builder.Append());
  const NestedInput::Items items = in->items();
  for (uint32_t i = 0; i < items.count; ++i) {
    ARROW_RETURN_NOT_OK(append_item(type.element(), items.is_null(i), in, builder.value_builder()));
  }
  return arrow::Status::OK();
}

arrow::Status append_map(const NestedType& type, NestedInput* in, ArrayBuilder* out) {
  auto& builder = as<arrow::MapBuilder>(out);
  ARROW_RETURN_NOT_OK(builder.Append());
  const NestedInput::Items items = in->items();
  for (uint32_t i = 0; i < items.count; ++i) {
    ARROW_RETURN_NOT_OK(append(type.key(), in, builder.key_builder()));
    ARROW_RETURN_NOT_OK(append_item(type.value(), items.is_null(i), in, builder.item_builder()));
  }
  return arrow::Status::OK();
}

arrow::Status append_struct(const NestedType& type, NestedInput* in, ArrayBuilder* out) {
  auto& builder = as<arrow::StructBuilder>(out);
  ARROW_RETURN_NOT_OK(builder.Append());
  const NestedInput::Items items = in->fields(type.fields.size());
  for (size_t i = 0; i < type.fields.size(); ++i) {
    ARROW_RETURN_NOT_OK(append_item(type.fields[i].type, items.is_null(static_cast<uint32_t>(i)),
                                    in, builder.field_builder(static_cast<int>(i))));
  }
  return arrow::Status::OK();
}

arrow::Status append(const NestedType& type, NestedInput* in, ArrayBuilder* out) {
  switch (type.kind) {
    case ColumnType::kBool:
      return as<arrow::BooleanBuilder>(out).Append(in->boolean());
    case ColumnType::kInt32:
      return as<arrow::Int32Builder>(out).Append(static_cast<int32_t>(in->whole(type.kind)));
    case ColumnType::kDate:
      return as<arrow::Date32Builder>(out).Append(static_cast<int32_t>(in->whole(type.kind)));
    case ColumnType::kInt64:
      return as<arrow::Int64Builder>(out).Append(in->whole(type.kind));
    case ColumnType::kTimestamp:
      return as<arrow::TimestampBuilder>(out).Append(in->whole(type.kind));
    case ColumnType::kDouble:
      return as<arrow::DoubleBuilder>(out).Append(in->real());
    case ColumnType::kDecimal:
      return append_decimal(type, in->text(), out);
    case ColumnType::kBytes:
      return as<arrow::BinaryBuilder>(out).Append(in->text());
    case ColumnType::kList:
      return append_list(type, in, out);
    case ColumnType::kMap:
      return append_map(type, in, out);
    case ColumnType::kStruct:
      return append_struct(type, in, out);
    default:
      return as<arrow::StringBuilder>(out).Append(in->text());
  }
}

}  // namespace

arrow::Result<std::shared_ptr<arrow::Array>> nested_array(const Column& column,
                                                          const NestedType& type) {
  std::unique_ptr<ArrayBuilder> builder;
  ARROW_RETURN_NOT_OK(
      arrow::MakeBuilder(arrow::default_memory_pool(), written_type(type), &builder));
  for (size_t row = 0; row < column.size(); ++row) {
    if (column.nulls[row] != 0) {
      ARROW_RETURN_NOT_OK(builder->AppendNull());
    } else if (type.kind == ColumnType::kDecimal) {
      ARROW_RETURN_NOT_OK(append_decimal(type, column.strings[row], builder.get()));
    } else {
      NestedInput in(column.strings[row]);
      ARROW_RETURN_NOT_OK(append(type, &in, builder.get()));
      if (!in.ok()) return arrow::Status::Invalid("the bytes of a value are not of its type");
    }
  }
  return builder->Finish();
}

}  // namespace tidemill
