#include "serving/feast_keys.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "serving/feast_json.h"

namespace tidemill {
namespace {

// As Python's str() writes it.
std::optional<FeatureKeyValue> to_string_key(const FeastValue& value) {
  if (const auto* v = std::get_if<std::string>(&value)) return *v;
  if (const auto* v = std::get_if<int64_t>(&value)) return std::to_string(*v);
  if (const auto* v = std::get_if<bool>(&value)) return std::string(*v ? "True" : "False");
  const auto* v = std::get_if<double>(&value);
  if (v == nullptr) return {};
  std::string text;
  append_python_double(*v, &text);
  return text;
}

std::optional<int64_t> to_int(const FeastValue& value) {
  if (const auto* v = std::get_if<int64_t>(&value)) return *v;
  if (const auto* v = std::get_if<bool>(&value)) return *v ? 1 : 0;
  if (const auto* v = std::get_if<double>(&value)) {
    constexpr double kLimit = 9223372036854775808.0;  // 2^63
    if (*v != std::trunc(*v) || *v < -kLimit || *v >= kLimit) return {};
    return static_cast<int64_t>(*v);
  }
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return {};
  int64_t out = 0;
  const auto [end, ec] = std::from_chars(text->data(), text->data() + text->size(), out);
  if (ec != std::errc() || end != text->data() + text->size()) return {};
  return out;
}

std::optional<FeatureKeyValue> to_int_key(const FeastValue& value, int64_t least, int64_t most) {
  const auto v = to_int(value);
  if (!v || *v < least || *v > most) return {};
  return *v;
}

std::optional<FeatureKeyValue> to_bool_key(const FeastValue& value) {
  if (const auto* v = std::get_if<std::string>(&value)) {
    if (*v == "true" || *v == "True") return true;
    if (*v == "false" || *v == "False") return false;
  }
  const auto v = to_int(value);
  if (!v || *v < 0 || *v > 1) return {};
  return *v == 1;
}

std::optional<FeatureKeyValue> to_time_key(const FeastValue& value) {
  TimeUs time = 0;
  const auto* text = std::get_if<std::string>(&value);
  if (text != nullptr && parse_timestamp(*text, &time)) return *text;
  const auto seconds = std::holds_alternative<bool>(value) ? std::nullopt : to_int(value);
  constexpr int64_t kYear1 = -62'135'596'800;
  constexpr int64_t kYear10000 = 253'402'300'800;
  if (!seconds || *seconds < kYear1 || *seconds >= kYear10000) return {};
  return format_timestamp(*seconds * kMicrosPerSecond);
}

std::optional<FeatureKeyValue> convert(const FeastValue& value, ColumnType type) {
  switch (type) {
    case ColumnType::kString:
      return to_string_key(value);
    case ColumnType::kBool:
      return to_bool_key(value);
    case ColumnType::kTimestamp:
      return to_time_key(value);
    case ColumnType::kInt32:
      return to_int_key(value, std::numeric_limits<int32_t>::min(),
                        std::numeric_limits<int32_t>::max());
    default:
      return to_int_key(value, std::numeric_limits<int64_t>::min(),
                        std::numeric_limits<int64_t>::max());
  }
}

const char* right(ColumnType type) {
  switch (type) {
    case ColumnType::kString:
      return "a string: send a string, a number or a boolean, and no null";
    case ColumnType::kBool:
      return "a boolean: send true or false";
    case ColumnType::kTimestamp:
      return "a timestamp: send seconds since 1970 or \"2018-04-01T00:00:00Z\"";
    case ColumnType::kInt32:
      return "an int32: send a whole number in its range";
    default:
      return "an int64: send a whole number in its range";
  }
}

}  // namespace

Result<EntityColumn> convert_feast_column(const FeastColumn& column, ColumnType type) {
  EntityColumn out;
  out.name = column.name;
  out.values.reserve(column.values.size());
  for (size_t row = 0; row < column.values.size(); ++row) {
    auto value = convert(column.values[row], type);
    if (!value) {
      return user_error("entities." + column.name + "[" + std::to_string(row) +
                        "]: this join key is " + right(type));
    }
    out.values.push_back(*std::move(value));
  }
  return out;
}

}  // namespace tidemill
