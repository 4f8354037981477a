#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "serving/feast_json.h"
#include "shared/base/decimal.h"
#include "shared/net/json_text.h"
#include "shared/window/feature_value_json.h"

namespace tidemill {
namespace {

int64_t epoch_seconds(TimeUs t) {
  const int64_t seconds = t / kMicrosPerSecond;
  return t % kMicrosPerSecond < 0 ? seconds - 1 : seconds;
}

struct ScalarWriter {
  ColumnType type{};
  std::string* out = nullptr;

  void operator()(std::monostate) const { out->append("null"); }
  void operator()(int64_t v) const {
    append_json_int(type == ColumnType::kTimestamp ? epoch_seconds(v) : v, out);
  }
  void operator()(double v) const {
    if (std::isfinite(v)) {
      append_python_double(v, out);
    } else {
      out->append("null");
    }
  }
  void operator()(bool v) const { out->append(v ? "true" : "false"); }
  void operator()(const std::string& v) const {
    if (type != ColumnType::kDecimal) return append_json_string(v, out);
    Decimal number;  // a double to the SDK
    parse_decimal(v, &number);
    (*this)(decimal_to_double(number));
  }
  void operator()(const ListValue& list) const {
    const auto unspeakable = [](const ScalarValue& v) {
      const auto* number = std::get_if<double>(&v);
      return number != nullptr && !std::isfinite(*number);
    };
    if (list.empty() || std::any_of(list.begin(), list.end(), unspeakable)) {
      out->append("null");
      return;
    }
    char before = '[';
    for (const ScalarValue& v : list) {
      out->push_back(std::exchange(before, ','));
      std::visit(*this, v);
    }
    out->push_back(']');
  }
  // The SDK has no maps here: an object as a string.
  void operator()(const MapValue& map) const {
    std::string object;
    append_feature_value(map, type, &object);
    append_json_string(object, out);
  }
};

// "name":[...] with `append` called for each row.
template <typename Append>
void append_rows(const char* name, size_t rows, std::string* out, Append append) {
  out->append("\"").append(name).append("\":[");
  for (size_t row = 0; row < rows; ++row) {
    if (row > 0) out->push_back(',');
    append(row);
  }
  out->push_back(']');
}

void append_key(const FeastKeyColumn& key, size_t row, std::string* out) {
  TimeUs time = 0;
  const FeatureKeyValue& value = key.column.values[row];
  const auto* text = std::get_if<std::string>(&value);
  if (key.type == ColumnType::kTimestamp && text != nullptr && parse_timestamp(*text, &time)) {
    append_json_int(epoch_seconds(time), out);
  } else {
    std::visit([out](const auto& v) { ScalarWriter{ColumnType::kString, out}(v); }, value);
  }
}

constexpr std::string_view kEpoch = "\"1970-01-01T00:00:00Z\"";

void append_key_column(const FeastKeyColumn& key, std::string* out) {
  const size_t rows = key.column.values.size();
  out->push_back('{');
  append_rows("values", rows, out, [&](size_t row) { append_key(key, row, out); });
  out->push_back(',');
  append_rows("statuses", rows, out, [&](size_t) { out->append("\"PRESENT\""); });
  out->push_back(',');
  append_rows("event_timestamps", rows, out, [&](size_t) { out->append(kEpoch); });
  out->push_back('}');
}

void append_feature_column(const FeatureColumn& column, const std::string& as_of,
                           std::string* out) {
  const size_t rows = column.values.size();
  const auto present = [&](size_t row) { return column.statuses[row] == FeatureStatus::kPresent; };
  // The SDK takes no value of another status than PRESENT: a feature that fills is null to it.
  const auto status = [&](size_t row) {
    const bool fills =
        row < column.complete_since_us.size() && column.complete_since_us[row].has_value();
    return !present(row) ? "\"NOT_FOUND\"" : fills ? "\"OUTSIDE_MAX_AGE\"" : "\"PRESENT\"";
  };
  const ScalarWriter writer{column.type, out};
  out->push_back('{');
  append_rows("values", rows, out, [&](size_t row) {
    if (present(row)) {
      std::visit(writer, column.values[row]);
    } else {
      out->append("null");  // what windows without rows hold would look like a known entity's
    }
  });
  out->push_back(',');
  append_rows("statuses", rows, out,
              [&](size_t row) { out->append(status(row)); });
  out->push_back(',');
  append_rows("event_timestamps", rows, out,
              [&](size_t row) { out->append(present(row) ? std::string_view(as_of) : kEpoch); });
  out->push_back('}');
}

}  // namespace

void render_feast_response(const std::vector<FeastKeyColumn>& keys,
                           const FeaturesResponse& response, std::string* out) {
  const std::string as_of = '"' + format_timestamp(response.as_of) + '"';
  std::string names;
  const auto next = [&](const std::string& name) {
    if (!names.empty()) {
      names += ',';
      *out += ',';
    }
    append_json_string(name, &names);
  };
  out->append("{\"results\":[");
  for (const FeastKeyColumn& key : keys) {
    next(key.column.name);
    append_key_column(key, out);
  }
  for (const FeatureColumn& column : response.results) {
    next(column.name);
    append_feature_column(column, as_of, out);
  }
  out->append("],\"metadata\":{\"feature_names\":[").append(names).append("]}}");
}

void append_python_double(double value, std::string* out) {
  std::array<char, 40> text{};
  const double size = std::fabs(value);
  const auto format = size == 0 || (size >= 1e-4 && size < 1e16) ? std::chars_format::fixed
                                                                 : std::chars_format::scientific;
  const auto [end, ec] = std::to_chars(text.data(), text.data() + text.size(), value, format);
  const std::string_view digits(text.data(), static_cast<size_t>(end - text.data()));
  out->append(digits);
  if (digits.find_first_of(".e") == std::string_view::npos) out->append(".0");
}

}  // namespace tidemill
