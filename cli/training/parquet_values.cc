#include "cli/training/parquet_values.h"

#include <cstring>

#include "shared/base/assert.h"
#include "shared/base/bytes_text.h"
#include "shared/nested/proto_type.h"

namespace tidemill::training {
namespace {

template <typename T>
void put(T value, std::string* out) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out->append(bytes, sizeof(T));
}

template <typename T>
T take(std::string_view* bytes) {
  ASSERT(bytes->size() >= sizeof(T));
  T value;
  std::memcpy(&value, bytes->data(), sizeof(T));
  bytes->remove_prefix(sizeof(T));
  return value;
}

// What follows the byte that says that there is a value.
struct BytesWriter {
  std::string* out;

  void operator()(std::monostate) const {}
  void operator()(int64_t value) const { put(value, out); }
  void operator()(double value) const { put(value, out); }
  void operator()(bool value) const { put<uint8_t>(value ? 1 : 0, out); }
  void operator()(const std::string& value) const {
    put(static_cast<uint32_t>(value.size()), out);
    out->append(value);
  }
  void operator()(const ListValue& list) const {
    put(static_cast<uint32_t>(list.size()), out);
    for (const ScalarValue& item : list) std::visit(*this, item);
  }
  void operator()(const MapValue& map) const {
    put(static_cast<uint32_t>(map.entries.size()), out);
    for (const auto& [key, value] : map.entries) {
      std::visit(*this, key);
      put<uint8_t>(std::holds_alternative<std::monostate>(value) ? 0 : 1, out);
      std::visit(*this, value);
    }
  }
};

void add_null(Column* column) {
  column->nulls.push_back(1);
  switch (storage_of(column->type)) {
    case Storage::kBits:
      return column->bools.push_back(0);
    case Storage::kInts:
      return column->ints.push_back(0);
    case Storage::kDoubles:
      return column->doubles.push_back(0);
    case Storage::kStrings:
      return column->strings.push_back({});
    case Storage::kIntervals:
      break;
  }
  ASSERT(false);  // no feature and no key has them
}

}  // namespace

void append_bytes(const FeatureValue& value, std::string* out) {
  put<uint8_t>(is_null(value) ? 0 : 1, out);
  std::visit(BytesWriter{out}, value);
}

ParquetField parquet_field(const std::string& name, const proto::Feature& feature) {
  ParquetField field;
  field.name = name;
  field.type = static_cast<ColumnType>(feature.type());
  if (feature.has_details()) field.details = nested_type(feature.details());
  if (feature.has_key_details()) field.key_details = nested_type(feature.key_details());
  if (feature.list()) field.shape = ParquetField::Shape::kLists;
  if (feature.map()) {
    field.shape = ParquetField::Shape::kMaps;
    field.key_type = static_cast<ColumnType>(feature.key_type());
    if (field.key_type == ColumnType::kJson) field.key_type = ColumnType::kString;
  }
  return field;
}

ParquetColumn::ParquetColumn(ParquetField field) : field_(std::move(field)) {
  values_.items.type = field_.type;
  values_.keys.type = field_.key_type;
}

// Values of type bytes are text in features: "\\x0aff".
std::string_view ParquetColumn::keep_bytes(std::string_view text) {
  char* const to = made_.take(text.size());
  const std::optional<size_t> size = text_to_bytes(text, to);
  ASSERT(size.has_value());
  made_.give_back(text.size() - *size);
  return {to, *size};
}

// What features have as text, as rows keep it. Of a list, struct or map empty: it cannot be.
std::string_view ParquetColumn::keep_value(std::string_view text, const Column& column) {
  const NestedType& type = &column == &values_.keys ? field_.key_details : field_.details;
  if (column.type == ColumnType::kBytes) return keep_bytes(text);
  if (column.type == ColumnType::kDecimal) {
    Decimal value;
    ASSERT(parse_decimal(text, DecimalType{type.precision, type.scale}, &value) ==
           DecimalText::kGood);
    std::array<char, kMaxDecimalEncoding> bytes;
    return keep({bytes.data(), encode_decimal(value, bytes.data())});
  }
  if (!is_nested(column.type)) return keep(text);
  std::string_view value;
  // Dates and times beyond the year 9999 have no text that is read.
  if (parser_.parse(type, text, &value).has_value()) return {};
  return keep(value);
}

void ParquetColumn::add_item(std::string_view* bytes, Column* column) {
  column->nulls.push_back(0);
  switch (storage_of(column->type)) {
    case Storage::kBits:
      return column->bools.push_back(take<uint8_t>(bytes));
    case Storage::kInts:
      return column->ints.push_back(take<int64_t>(bytes));
    case Storage::kDoubles:
      return column->doubles.push_back(take<double>(bytes));
    case Storage::kStrings: {
      const auto size = take<uint32_t>(bytes);
      ASSERT(bytes->size() >= size);
      const std::string_view text = bytes->substr(0, size);
      column->strings.push_back(keep_value(text, *column));
      // A key cannot be null: the writer refuses it.
      if (is_nested(column->type) && column->strings.back().empty() && column != &values_.keys) {
        column->nulls.back() = 1;
      }
      return bytes->remove_prefix(size);
    }
    case Storage::kIntervals:
      break;
  }
  ASSERT(false);  // no feature and no key has them
}

void ParquetColumn::add_nullable(std::string_view* bytes, Column* column) {
  if (take<uint8_t>(bytes) == 0) {
    add_null(column);
  } else {
    add_item(bytes, column);
  }
}

void ParquetColumn::add_bytes(std::string_view* bytes) {
  if (field_.shape == ParquetField::Shape::kValues) return add_nullable(bytes, &values_.items);
  const bool is_null = take<uint8_t>(bytes) == 0;
  const uint32_t count = is_null ? 0 : take<uint32_t>(bytes);
  for (uint32_t i = 0; i < count; ++i) {
    if (field_.shape == ParquetField::Shape::kMaps) {
      add_item(bytes, &values_.keys);
      add_nullable(bytes, &values_.items);
    } else {
      add_item(bytes, &values_.items);
    }
  }
  values_.nulls.push_back(is_null ? 1 : 0);
  values_.ends.push_back(static_cast<uint32_t>(values_.items.size()));
}

void ParquetColumn::add(const Column& from, size_t row) {
  Column* const to = &values_.items;
  if (from.nulls[row] != 0) return add_null(to);
  to->nulls.push_back(0);
  if (!from.bools.empty()) to->bools.push_back(from.bools[row]);
  if (!from.ints.empty()) to->ints.push_back(from.ints[row]);
  if (!from.doubles.empty()) to->doubles.push_back(from.doubles[row]);
  if (!from.strings.empty()) to->strings.push_back(keep(from.strings[row]));
}

void ParquetColumn::add_text(std::string_view text, bool is_null) {
  if (is_null) return add_null(&values_.items);
  values_.items.nulls.push_back(0);
  values_.items.strings.push_back(keep(text));
}

void ParquetColumn::clear() {
  values_.items.clear();
  values_.keys.clear();
  values_.nulls.clear();
  values_.ends.clear();
  made_.reset();
}

}  // namespace tidemill::training
