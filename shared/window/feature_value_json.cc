#include "shared/window/feature_value_json.h"

#include <cmath>

#include "shared/net/json_text.h"

namespace tidemill {
namespace {

void append_scalar(int64_t value, std::string* out) { append_json_int(value, out); }
void append_scalar(double value, std::string* out) { append_json_double(value, out); }
void append_scalar(bool value, std::string* out) { out->append(value ? "true" : "false"); }
void append_scalar(const std::string& value, std::string* out) { append_json_string(value, out); }

// A key is a string in JSON: a text itself, another value as it would be written.
void append_key(const ScalarValue& key, std::string* out) {
  if (const auto* text = std::get_if<std::string>(&key)) return append_json_string(*text, out);
  const auto* number = std::get_if<double>(&key);
  const bool quoted = number != nullptr && !std::isfinite(*number);  // as it is a string already
  if (!quoted) out->push_back('"');
  std::visit([out](const auto& v) { append_scalar(v, out); }, key);
  if (!quoted) out->push_back('"');
}

struct ValueWriter {
  ColumnType type{};
  std::string* out = nullptr;

  void operator()(std::monostate) const { out->append("null"); }
  void operator()(const std::string& value) const {
    // Decimals have all their digits; what is in lists, structs and maps is JSON already.
    if (type == ColumnType::kJson || type == ColumnType::kDecimal || is_nested(type)) {
      out->append(value);
    } else {
      append_scalar(value, out);
    }
  }
  template <typename T>
  void operator()(const T& value) const {
    append_scalar(value, out);
  }
  void operator()(const ListValue& list) const {
    out->push_back('[');
    bool first = true;
    for (const ScalarValue& element : list) {
      if (!first) out->push_back(',');
      first = false;
      std::visit(*this, element);
    }
    out->push_back(']');
  }
  void operator()(const MapValue& map) const {
    out->push_back('{');
    bool first = true;
    for (const auto& [key, value] : map.entries) {
      if (!first) out->push_back(',');
      first = false;
      append_key(key, out);
      out->push_back(':');
      std::visit(*this, value);
    }
    out->push_back('}');
  }
};

}  // namespace

void append_feature_value(const FeatureValue& value, ColumnType type, std::string* out) {
  std::visit(ValueWriter{type, out}, value);
}

}  // namespace tidemill
