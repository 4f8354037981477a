#include "shared/parquet/arrow_text.h"

#include <arrow/array/array_dict.h>
#include <arrow/extension_type.h>
#include <arrow/util/decimal.h>
#include <arrow/util/float16.h>

#include <charconv>
#include <cmath>

#include "shared/base/assert.h"
#include "shared/base/bytes_text.h"
#include "shared/base/calendar.h"
#include "shared/base/time.h"
#include "shared/net/json_text.h"
#include "shared/parquet/arrow_types.h"
#include "shared/parquet/parquet_file.h"

namespace tidemill {
namespace {

using arrow::Type;

constexpr int64_t kMillisPerDay = 86'400'000;
// Years 0001 to 9999, as in text.
constexpr int64_t kLeastTime = -62'135'596'800'000'000;
constexpr int64_t kGreatestTime = 253'402'300'799'999'999;
constexpr int64_t kLeastDay = -719'162;
constexpr int64_t kGreatestDay = 2'932'896;

template <typename Array>
auto value_of(const arrow::Array& array, int64_t row) {
  return static_cast<const Array&>(array).Value(row);
}
template <typename Array>
std::string_view view_of(const arrow::Array& array, int64_t row) {
  return static_cast<const Array&>(array).GetView(row);
}

int64_t floor_divide(int64_t number, int64_t by) { return number / by - (number % by < 0 ? 1 : 0); }

std::string whole_number(const arrow::Array& array, int64_t row) {
  const uint8_t* const bytes = static_cast<const arrow::FixedSizeBinaryArray&>(array).GetValue(row);
  switch (array.type_id()) {
    case Type::DECIMAL32:
      return arrow::Decimal32(bytes).ToIntegerString();
    case Type::DECIMAL64:
      return arrow::Decimal64(bytes).ToIntegerString();
    case Type::DECIMAL128:
      return arrow::Decimal128(bytes).ToIntegerString();
    default:
      return arrow::Decimal256(bytes).ToIntegerString();
  }
}

void append_float(float value, std::string* out) {
  if (!std::isfinite(value)) return append_json_double(value, out);
  char text[32];
  const auto [end, ec] = std::to_chars(text, text + sizeof text, value);
  const std::string_view digits(text, static_cast<size_t>(end - text));
  out->append(digits);
  if (digits.find_first_of(".e") == std::string_view::npos) out->append(".0");
}

void append_quoted(std::string_view text, std::string* out) {
  out->push_back('"');
  out->append(text);
  out->push_back('"');
}

void append_unsigned(uint64_t value, std::string* out) { out->append(std::to_string(value)); }

void append_items(const arrow::Array& items, int64_t begin, int64_t size, JsonOf of,
                  std::string* out) {
  out->push_back('[');
  for (int64_t i = 0; i < size && out->size() <= kMaxParquetJson; ++i) {
    if (i > 0) out->push_back(',');
    append_json(items, begin + i, out, of);
  }
  out->push_back(']');
}

template <typename List>
void append_list(const arrow::Array& array, int64_t row, JsonOf of, std::string* out) {
  const auto& list = static_cast<const List&>(array);
  append_items(*list.values(), list.value_offset(row), list.value_length(row), of, out);
}

// Keys of JSON are strings: others are their text.
void append_key(const arrow::Array& keys, int64_t row, JsonOf of, std::string* out) {
  const size_t begin = out->size();
  append_json(keys, row, out, of);
  if ((*out)[begin] == '"') return;
  const std::string text = out->substr(begin);
  out->resize(begin);
  append_json_string(text, out);
}

void append_map(const arrow::Array& array, int64_t row, JsonOf of, std::string* out) {
  const auto& map = static_cast<const arrow::MapArray&>(array);
  out->push_back('{');
  const int64_t begin = map.value_offset(row);
  for (int64_t i = 0; i < map.value_length(row) && out->size() <= kMaxParquetJson; ++i) {
    if (i > 0) out->push_back(',');
    append_key(*map.keys(), begin + i, of, out);
    out->push_back(':');
    append_json(*map.items(), begin + i, out, of);
  }
  out->push_back('}');
}

void append_struct(const arrow::Array& array, int64_t row, JsonOf of, std::string* out) {
  const auto& record = static_cast<const arrow::StructArray&>(array);
  out->push_back('{');
  for (int i = 0; i < record.num_fields(); ++i) {
    if (i > 0) out->push_back(',');
    append_json_string(record.struct_type()->field(i)->name(), out);
    out->push_back(':');
    append_json(*record.field(i), row, out, of);
  }
  out->push_back('}');
}

void append_date(const arrow::Array& array, int64_t row, std::string* out) {
  int64_t days = 0;
  if (!days_at(array, row, &days)) return append_json_int(number_at(array, row), out);
  append_quoted(date_text(days), out);
}

void append_timestamp(const arrow::Array& array, int64_t row, JsonOf of, std::string* out) {
  int64_t micros = 0;
  const int64_t number = number_at(array, row);
  if (!micros_at(array, row, &micros)) return append_json_int(number, out);
  std::string text = format_timestamp(micros);
  const auto unit = static_cast<const arrow::TimestampType&>(*array.type()).unit();
  const int64_t nanos = unit == arrow::TimeUnit::NANO ? number - micros * 1000 : 0;
  if (nanos != 0 && of == JsonOf::kFile) {
    const int64_t fraction =
        (micros - floor_divide(micros, kMicrosPerSecond) * kMicrosPerSecond) * 1000 + nanos;
    const std::string digits = std::to_string(1'000'000'000 + fraction).substr(1);
    text.resize(std::string_view("2018-04-01T00:00:00").size());
    text += "." + digits + "Z";
  }
  append_quoted(text, out);
}

}  // namespace

std::string_view bytes_at(const arrow::Array& array, int64_t row) {
  switch (array.type_id()) {
    case Type::STRING:
    case Type::BINARY:
      return view_of<arrow::BinaryArray>(array, row);
    case Type::LARGE_STRING:
    case Type::LARGE_BINARY:
      return view_of<arrow::LargeBinaryArray>(array, row);
    case Type::STRING_VIEW:
    case Type::BINARY_VIEW:
      return view_of<arrow::BinaryViewArray>(array, row);
    default:
      return view_of<arrow::FixedSizeBinaryArray>(array, row);
  }
}

int64_t number_at(const arrow::Array& array, int64_t row) {
  switch (array.type_id()) {
    case Type::UINT8:
      return value_of<arrow::UInt8Array>(array, row);
    case Type::INT8:
      return value_of<arrow::Int8Array>(array, row);
    case Type::UINT16:
      return value_of<arrow::UInt16Array>(array, row);
    case Type::INT16:
      return value_of<arrow::Int16Array>(array, row);
    case Type::UINT32:
      return value_of<arrow::UInt32Array>(array, row);
    case Type::INT32:
    case Type::DATE32:
    case Type::TIME32:
      return static_cast<const arrow::PrimitiveArray&>(array).data()->GetValues<int32_t>(1)[row];
    default:
      return static_cast<const arrow::PrimitiveArray&>(array).data()->GetValues<int64_t>(1)[row];
  }
}

double real_at(const arrow::Array& array, int64_t row) {
  if (array.type_id() == Type::DOUBLE) return value_of<arrow::DoubleArray>(array, row);
  if (array.type_id() == Type::FLOAT) {
    return static_cast<double>(value_of<arrow::FloatArray>(array, row));
  }
  const auto bits = array.data()->GetValues<uint16_t>(1)[row];
  return static_cast<double>(arrow::util::Float16::FromBits(bits).ToFloat());
}

std::string decimal_at(const arrow::Array& array, int64_t row) {
  std::string text = whole_number(array, row);
  const int32_t scale = static_cast<const arrow::DecimalType&>(*array.type()).scale();
  if (scale <= 0) return text == "0" ? text : text.append(static_cast<size_t>(-scale), '0');
  const size_t sign = text.starts_with('-') ? 1 : 0;
  const auto places = static_cast<size_t>(scale);
  if (text.size() - sign <= places) text.insert(sign, places + 1 - (text.size() - sign), '0');
  text.insert(text.size() - places, 1, '.');
  return text;
}

std::string uuid_text(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out.push_back('-');
    const auto byte = static_cast<unsigned char>(bytes[i]);
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

bool micros_at(const arrow::Array& array, int64_t row, int64_t* micros) {
  const int64_t number = number_at(array, row);
  switch (static_cast<const arrow::TimestampType&>(*array.type()).unit()) {
    case arrow::TimeUnit::SECOND:
      if (__builtin_mul_overflow(number, kMicrosPerSecond, micros)) return false;
      break;
    case arrow::TimeUnit::MILLI:
      if (__builtin_mul_overflow(number, int64_t{1000}, micros)) return false;
      break;
    case arrow::TimeUnit::MICRO:
      *micros = number;
      break;
    case arrow::TimeUnit::NANO:
      *micros = floor_divide(number, 1000);
  }
  return *micros >= kLeastTime && *micros <= kGreatestTime;
}

bool days_at(const arrow::Array& array, int64_t row, int64_t* days) {
  const int64_t number = number_at(array, row);
  *days = array.type_id() == Type::DATE64 ? floor_divide(number, kMillisPerDay) : number;
  return *days >= kLeastDay && *days <= kGreatestDay;
}

Cell resolve(const arrow::Array& array, int64_t row) {
  if (array.type_id() == Type::EXTENSION) {
    return resolve(*static_cast<const arrow::ExtensionArray&>(array).storage(), row);
  }
  if (array.type_id() == Type::DICTIONARY && array.IsValid(row)) {
    const auto& coded = static_cast<const arrow::DictionaryArray&>(array);
    return resolve(*coded.dictionary(), coded.GetValueIndex(row));
  }
  return {&array, row};
}

void append_json(const arrow::Array& outer, int64_t outer_row, std::string* out, JsonOf of) {
  if (outer.IsNull(outer_row)) return void(out->append("null"));
  const auto [at, row] = resolve(outer, outer_row);
  const arrow::Array& array = *at;
  if (array.IsNull(row)) return void(out->append("null"));
  if (is_uuid(*outer.type())) return append_quoted(uuid_text(bytes_at(array, row)), out);
  if (is_text(*array.type())) return append_json_string(bytes_at(array, row), out);
  switch (array.type_id()) {
    case Type::BOOL:
      return void(out->append(value_of<arrow::BooleanArray>(array, row) ? "true" : "false"));
    case Type::UINT64:
      return append_unsigned(value_of<arrow::UInt64Array>(array, row), out);
    case Type::FLOAT:
    case Type::HALF_FLOAT:
      if (of == JsonOf::kColumns) return append_json_double(real_at(array, row), out);
      return append_float(static_cast<float>(real_at(array, row)), out);
    case Type::DOUBLE:
      return append_json_double(real_at(array, row), out);
    case Type::DECIMAL32:
    case Type::DECIMAL64:
    case Type::DECIMAL128:
    case Type::DECIMAL256:
      return void(out->append(decimal_at(array, row)));
    case Type::DATE32:
    case Type::DATE64:
      return append_date(array, row, out);
    case Type::TIMESTAMP:
      return append_timestamp(array, row, of, out);
    case Type::BINARY:
    case Type::LARGE_BINARY:
    case Type::BINARY_VIEW:
    case Type::FIXED_SIZE_BINARY:
      return append_json_string(bytes_text(bytes_at(array, row)), out);
    case Type::LIST:
      return append_list<arrow::ListArray>(array, row, of, out);
    case Type::LARGE_LIST:
      return append_list<arrow::LargeListArray>(array, row, of, out);
    case Type::FIXED_SIZE_LIST:
      return append_list<arrow::FixedSizeListArray>(array, row, of, out);
    case Type::LIST_VIEW:
      return append_list<arrow::ListViewArray>(array, row, of, out);
    case Type::LARGE_LIST_VIEW:
      return append_list<arrow::LargeListViewArray>(array, row, of, out);
    case Type::MAP:
      return append_map(array, row, of, out);
    case Type::STRUCT:
      return append_struct(array, row, of, out);
    default:
      return append_json_int(number_at(array, row), out);
  }
}

}  // namespace tidemill
