#include "serving/entity_keys.h"

#include <limits>

#include "shared/net/json_text.h"
#include "shared/plan/entity_key.h"

namespace tidemill {
namespace {

Error wrong_type(const EntityColumn& column, size_t row, const char* right) {
  return user_error("entities." + column.name + "[" + std::to_string(row) + "]: this key is " +
                    right);
}

Result<int64_t> key_as_int(const EntityColumn& column, size_t row, ColumnType type) {
  const FeatureKeyValue& value = column.values[row];
  switch (type) {
    case ColumnType::kBool:
      if (const bool* b = std::get_if<bool>(&value)) return static_cast<int64_t>(*b);
      return wrong_type(column, row, "a boolean: write true or false");
    case ColumnType::kTimestamp: {
      TimeUs t = 0;
      const auto* text = std::get_if<std::string>(&value);
      if (text != nullptr && parse_timestamp(*text, &t)) return t;
      return wrong_type(column, row, "a timestamp: write \"2018-04-01T00:00:00Z\"");
    }
    default: {
      const auto* i = std::get_if<int64_t>(&value);
      const bool narrow = type == ColumnType::kInt32;
      if (i != nullptr && (!narrow || (*i >= std::numeric_limits<int32_t>::min() &&
                                       *i <= std::numeric_limits<int32_t>::max()))) {
        return *i;
      }
      return wrong_type(column, row,
                        narrow ? "an int32: write a whole number in its range"
                               : "an int64: write a whole number, without quotes");
    }
  }
}

}  // namespace

Result<std::string> encode_entity_key(const ViewSpec& view, const std::vector<ColumnType>& types,
                                      const std::vector<const EntityColumn*>& columns, size_t row) {
  std::string out;
  for (size_t i = 0; i < types.size(); ++i) {
    if (types[i] == ColumnType::kString) {
      const auto* text = std::get_if<std::string>(&columns[i]->values[row]);
      if (text == nullptr) {
        return wrong_type(*columns[i], row, "a string: write it in quotes, such as \"596\"");
      }
      if (is_plain_string_key(types)) return *text;
      append_key_string(*text, &out);
      continue;
    }
    auto value = key_as_int(*columns[i], row, types[i]);
    if (!value) return value.error();
    append_key_int(*value, &out);
  }
  return out;
}

std::string entity_key_json(const ViewSpec& view, const std::vector<ColumnType>& types,
                            std::string_view key) {
  std::string out = "{";
  const std::vector<KeyPart> parts = split_key(key, types);
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += ',';
    append_json_string(view.entity[i], &out);
    out += ':';
    switch (parts[i].type) {
      case ColumnType::kString:
        append_json_string(parts[i].string_value, &out);
        break;
      case ColumnType::kBool:
        out += parts[i].int_value != 0 ? "true" : "false";
        break;
      case ColumnType::kTimestamp:
        append_json_string(format_timestamp(parts[i].int_value), &out);
        break;
      default:
        out += std::to_string(parts[i].int_value);
    }
  }
  return out + '}';
}

}  // namespace tidemill
