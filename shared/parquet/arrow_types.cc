#include "shared/parquet/arrow_types.h"

#include <arrow/extension/json.h>
#include <arrow/extension/uuid.h>
#include <arrow/extension_type.h>

#include "shared/base/assert.h"

namespace tidemill {
namespace {

using arrow::Type;

constexpr std::string_view kUuid = "arrow.uuid";

const char* unit_name(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND:
      return "seconds";
    case arrow::TimeUnit::MILLI:
      return "milliseconds";
    case arrow::TimeUnit::MICRO:
      return "microseconds";
    case arrow::TimeUnit::NANO:
      break;
  }
  return "nanoseconds";
}

bool is_integer(Type::type id) { return id >= Type::UINT8 && id <= Type::INT64; }
bool is_decimal(Type::type id) {
  return id == Type::DECIMAL32 || id == Type::DECIMAL64 || id == Type::DECIMAL128 ||
         id == Type::DECIMAL256;
}
bool is_binary(Type::type id) {
  return id == Type::BINARY || id == Type::LARGE_BINARY || id == Type::BINARY_VIEW;
}
bool is_list(Type::type id) {
  return id == Type::LIST || id == Type::LARGE_LIST || id == Type::FIXED_SIZE_LIST ||
         id == Type::LIST_VIEW || id == Type::LARGE_LIST_VIEW;
}

}  // namespace

const arrow::DataType& stored_type(const arrow::DataType& type) {
  if (type.id() == Type::EXTENSION) {
    return stored_type(*static_cast<const arrow::ExtensionType&>(type).storage_type());
  }
  if (type.id() == Type::DICTIONARY) {
    return stored_type(*static_cast<const arrow::DictionaryType&>(type).value_type());
  }
  return type;
}

bool is_uuid(const arrow::DataType& type) {
  return type.id() == Type::EXTENSION &&
         static_cast<const arrow::ExtensionType&>(type).extension_name() == kUuid;
}

bool is_text(const arrow::DataType& type) {
  const Type::type id = stored_type(type).id();
  return id == Type::STRING || id == Type::LARGE_STRING || id == Type::STRING_VIEW;
}

std::string describe(const arrow::DataType& outer) {
  if (is_uuid(outer)) return "a UUID";
  const arrow::DataType& type = stored_type(outer);
  if (is_text(type)) return "a string";
  if (is_binary(type.id())) return "binary";
  if (is_list(type.id())) return "a list";
  if (is_integer(type.id())) return (type.name().starts_with('i') ? "an " : "a ") + type.name();
  switch (type.id()) {
    case Type::TIMESTAMP:
      return std::string("a timestamp in ") +
             unit_name(static_cast<const arrow::TimestampType&>(type).unit());
    case Type::TIME32:
    case Type::TIME64:
      return "a time of day";
    case Type::DATE32:
    case Type::DATE64:
      return "a date";
    case Type::STRUCT:
      return "a struct";
    case Type::MAP:
      return "a map";
    case Type::NA:
      return "always null";
    case Type::FIXED_SIZE_BINARY:
      return "binary of " +
             std::to_string(static_cast<const arrow::FixedSizeBinaryType&>(type).byte_width()) +
             " bytes";
    default:
      break;
  }
  if (is_decimal(type.id())) {
    const auto& decimal = static_cast<const arrow::DecimalType&>(type);
    return "a decimal(" + std::to_string(decimal.precision()) + ", " +
           std::to_string(decimal.scale()) + ")";
  }
  return "a " + type.name();
}

std::vector<ColumnType> readable_as(const arrow::DataType& outer) {
  using T = ColumnType;
  if (is_uuid(outer)) return {T::kString, T::kBytes, T::kJson};
  const arrow::DataType& type = stored_type(outer);
  const Type::type id = type.id();
  if (is_text(type)) {
    return {T::kString, T::kTimestamp, T::kDate, T::kDecimal,
            T::kJson,   T::kList,      T::kMap,  T::kStruct};
  }
  if (is_binary(id)) return {T::kBytes, T::kString, T::kJson};
  if (is_integer(id)) return {T::kInt64, T::kInt32, T::kDouble, T::kDecimal, T::kJson};
  if (is_list(id)) return {T::kList, T::kJson};
  if (is_decimal(id)) {
    if (static_cast<const arrow::DecimalType&>(type).scale() != 0) {
      return {T::kDecimal, T::kDouble, T::kString, T::kJson};
    }
    return {T::kDecimal, T::kInt64, T::kInt32, T::kDouble, T::kString, T::kJson};
  }
  switch (id) {
    case Type::BOOL:
      return {T::kBool, T::kJson};
    case Type::HALF_FLOAT:
    case Type::FLOAT:
    case Type::DOUBLE:
      return {T::kDouble, T::kJson};
    case Type::FIXED_SIZE_BINARY:
      return {T::kBytes, T::kJson};
    case Type::DATE32:
    case Type::DATE64:
      return {T::kDate, T::kInt64, T::kInt32, T::kJson};
    case Type::TIMESTAMP:
      return {T::kTimestamp, T::kInt64, T::kJson};
    case Type::TIME32:
    case Type::TIME64:
    case Type::DURATION:
      return {T::kInt64, T::kJson};
    case Type::STRUCT:
      return {T::kStruct, T::kJson};
    case Type::MAP:
      return {T::kMap, T::kJson};
    case Type::NA:
      return {T::kBool,  T::kInt32, T::kInt64,   T::kDouble, T::kString, T::kTimestamp, T::kDate,
              T::kBytes, T::kJson,  T::kDecimal, T::kList,   T::kMap,    T::kStruct};
    default:
      return {T::kJson};
  }
}

std::string column_type_name(ColumnType type) {
  switch (type) {
    case ColumnType::kBool:
      return "bool";
    case ColumnType::kInt32:
      return "int32";
    case ColumnType::kInt64:
      return "int64";
    case ColumnType::kDouble:
      return "double";
    case ColumnType::kString:
      return "string";
    case ColumnType::kTimestamp:
      return "timestamp";
    case ColumnType::kDate:
      return "date";
    case ColumnType::kBytes:
      return "bytes";
    case ColumnType::kDecimal:
      return "decimal";
    case ColumnType::kList:
      return "list";
    case ColumnType::kStruct:
      return "struct";
    case ColumnType::kMap:
      return "map";
    default:
      return "json";
  }
}

std::shared_ptr<arrow::DataType> written_type(ColumnType type) {
  switch (type) {
    case ColumnType::kBool:
      return arrow::boolean();
    case ColumnType::kInt32:
      return arrow::int32();
    case ColumnType::kInt64:
      return arrow::int64();
    case ColumnType::kDouble:
      return arrow::float64();
    case ColumnType::kString:
      return arrow::utf8();
    case ColumnType::kTimestamp:
      return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
    case ColumnType::kDate:
      return arrow::date32();
    case ColumnType::kBytes:
      return arrow::binary();
    case ColumnType::kJson:
      return arrow::extension::json();
    default:
      break;
  }
  ASSERT(false);  // no feature has it
  return nullptr;
}

std::shared_ptr<arrow::DataType> written_type(const NestedType& type) {
  switch (type.kind) {
    case ColumnType::kDecimal:
      return arrow::decimal128(type.precision, type.scale);
    case ColumnType::kList:
      return arrow::list(written_type(type.element()));
    case ColumnType::kMap:
      return arrow::map(written_type(type.key()), written_type(type.value()));
    case ColumnType::kStruct: {
      arrow::FieldVector fields;
      for (const NestedType::Field& each : type.fields) {
        fields.push_back(arrow::field(each.name, written_type(each.type)));
      }
      return arrow::struct_(std::move(fields));
    }
    case ColumnType::kJson:
      return arrow::utf8();
    default:
      return written_type(type.kind);
  }
}

}  // namespace tidemill
