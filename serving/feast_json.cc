#include "serving/feast_json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "serving/json_body.h"
#include "shared/net/json_text.h"

namespace tidemill {
namespace {

namespace dom = simdjson::dom;

// --- refusals ------------------------------------------------------------------------------------

// FastAPI's 422: `location` is JSON, the members and indexes on the way from the body. The input is
// repeated while it is short.
FeastFault shape_fault(std::string_view type, std::string_view location, std::string_view message,
                       const std::optional<dom::element>& input) {
  constexpr size_t kInputBytes = 1'000;
  FeastFault out{422, R"({"detail":[{"type":)"};
  append_json_string(type, &out.body);
  out.body.append(",\"loc\":[\"body\"").append(location).append("],\"msg\":");
  append_json_string(message, &out.body);
  const std::string text = input ? simdjson::minify(*input) : "null";
  out.body.append(",\"input\":").append(text.size() <= kInputBytes ? text : "null");
  out.body.append("}]}");
  return out;
}

FeastFault syntax_fault(const JsonBody& json) {
  FeastFault out{422, R"({"detail":[{"type":"json_invalid","loc":["body",)"};
  // The first byte is 1 to JsonBody, 0 to FastAPI.
  append_json_int(static_cast<int64_t>(json.error_position().value_or(1)) - 1, &out.body);
  out.body.append(R"(],"msg":"JSON decode error","input":{},"ctx":{"error":)");
  append_json_string(json.error_message(), &out.body);
  out.body.append("}}]}");
  return out;
}

std::string member_location(std::string_view member) {
  std::string out = ",";
  append_json_string(member, &out);
  return out;
}

std::string item_location(std::string_view member, size_t index) {
  return member_location(member) + "," + std::to_string(index);
}

// --- requests ------------------------------------------------------------------------------------

// Why a part of a request is refused, if it is.
using Fault = std::optional<FeastFault>;

Fault parse_reference(std::string_view text, FeastReference* out) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) {
    return feast_fault(400, "FeastError",
                       "Invalid feature reference '" + std::string(text) +
                           "'. Expected format: '<feature_view>:<feature>'");
  }
  std::string_view view = text.substr(0, colon);
  constexpr std::string_view kLatest = "@latest";
  if (view.ends_with(kLatest)) view.remove_suffix(kLatest.size());
  if (view.find('@') != std::string_view::npos) {
    return feast_fault(400, "VersionedOnlineReadNotSupported",
                       "Invalid feature reference '" + std::string(text) +
                           "': a view of a job has one version; write '<feature_view>:<feature>'");
  }
  out->view = view;
  out->feature = text.substr(colon + 1);
  return {};
}

Fault parse_references(const dom::element& value, FeastRequest* out) {
  if (value.is_null()) return {};
  dom::array list;
  if (value.get(list) != simdjson::SUCCESS) {
    return shape_fault("list_type", member_location("features"), "Input should be a valid list",
                       value);
  }
  out->features.clear();
  for (const dom::element item : list) {
    if (out->features.size() == kMaxFeatureNames) {
      return feast_fault(
          400, "FeastError",
          "features: more than " + std::to_string(kMaxFeatureNames) + " in one request; split it");
    }
    std::string_view text;
    if (item.get(text) != simdjson::SUCCESS) {
      return shape_fault("string_type", item_location("features", out->features.size()),
                         "Input should be a valid string", item);
    }
    if (auto fault = parse_reference(text, &out->features.emplace_back())) return fault;
  }
  return {};
}

Fault parse_service(const dom::element& value, FeastRequest* out) {
  std::string_view text;
  if (!value.is_null() && value.get(text) != simdjson::SUCCESS) {
    return shape_fault("string_type", member_location("feature_service"),
                       "Input should be a valid string", value);
  }
  out->service = text;
  return {};
}

FeastValue parse_value(const dom::element& value) {
  switch (value.type()) {
    case dom::element_type::INT64:
      return int64_t(value);
    case dom::element_type::DOUBLE:
      return double(value);
    case dom::element_type::BOOL:
      return bool(value);
    case dom::element_type::STRING:
      return std::string(std::string_view(value));
    default:
      return {};
  }
}

Fault parse_column(std::string_view name, const dom::element& value, const ReadLimits& limits,
                   FeastColumn* out) {
  dom::array list;
  if (value.get(list) != simdjson::SUCCESS) {
    return shape_fault("list_type", member_location("entities") + member_location(name),
                       "Input should be a valid list", value);
  }
  out->name = name;
  out->values.clear();
  out->values.reserve(std::min(list.size(), limits.rows));
  for (const dom::element item : list) {
    if (out->values.size() == limits.rows) {
      return feast_fault(400, "FeastError",
                         "entities." + out->name + ": more than " + std::to_string(limits.rows) +
                             " rows; split the request");
    }
    out->values.push_back(parse_value(item));
  }
  return {};
}

Fault parse_entities(const dom::element& value, const ReadLimits& limits, FeastRequest* out) {
  dom::object columns;
  if (value.get(columns) != simdjson::SUCCESS) {
    return shape_fault("dict_type", member_location("entities"),
                       "Input should be a valid dictionary", value);
  }
  out->entities.clear();
  for (const auto& [name, list] : columns) {
    auto column = std::find_if(out->entities.begin(), out->entities.end(),
                               [&wanted = name](const auto& c) { return c.name == wanted; });
    if (column == out->entities.end()) {
      if (out->entities.size() == kMaxEntityColumns) {
        return feast_fault(400, "FeastError",
                           "entities: more than " + std::to_string(kMaxEntityColumns) +
                               " columns; name only the join keys of the views asked for");
      }
      column = out->entities.emplace(column);
    }
    if (auto fault = parse_column(name, list, limits, &*column)) return fault;
  }
  return {};
}

// As lenient as Feast's own server.
Fault parse_flag(std::string_view name, const dom::element& value, bool* out) {
  std::string text;
  if (value.is_string()) {
    text = std::string_view(value);
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  } else if (value.is_bool()) {
    text = bool(value) ? "true" : "false";
  } else if (value.is_number()) {
    const double number = double(value);
    text = number == 1 ? "true" : number == 0 ? "false" : "";
  }
  for (const char* yes : {"1", "on", "t", "true", "y", "yes"}) {
    if (text == yes) return *out = true, Fault();
  }
  for (const char* no : {"0", "off", "f", "false", "n", "no"}) {
    if (text == no) return *out = false, Fault();
  }
  return shape_fault("bool_parsing", member_location(name),
                     "Input should be a valid boolean, unable to interpret input", value);
}

Fault parse_member(std::string_view name, const dom::element& value, const ReadLimits& limits,
                   FeastRequest* out) {
  if (name == "features") return parse_references(value, out);
  if (name == "feature_service") return parse_service(value, out);
  if (name == "entities") return parse_entities(value, limits, out);
  if (name == "full_feature_names") return parse_flag(name, value, &out->full_feature_names);
  bool ignored = false;  // views have one version, of which there is nothing to say
  if (name == "include_feature_view_version_metadata") return parse_flag(name, value, &ignored);
  return {};
}

Fault check_rows(const FeastRequest& request) {
  for (const FeastColumn& column : request.entities) {
    if (column.values.empty()) {
      return feast_fault(400, "FeastError",
                         "entities." + column.name + ": is empty; ask for at least one row");
    }
    if (column.values.size() != request.rows()) {
      return feast_fault(400, "FeastError",
                         "All entity rows must have the same columns: entities." + column.name +
                             " has " + std::to_string(column.values.size()) + " values, entities." +
                             request.entities.front().name + " has " +
                             std::to_string(request.rows()));
    }
  }
  return {};
}

Fault parse_object(const dom::object& object, const ReadLimits& limits, FeastRequest* out) {
  for (const auto& [name, value] : object) {
    if (auto fault = parse_member(name, value, limits, out)) return fault;
  }
  if (!out->service.empty()) out->features.clear();
  if (out->service.empty() && out->features.empty()) {
    return feast_fault(400, "FeastError", "No features specified for retrieval");
  }
  return check_rows(*out);
}

Fault parse_body(std::string_view body, const ReadLimits& limits, FeastRequest* out) {
  if (body.empty()) return shape_fault("missing", "", "Field required", {});
  JsonBody json;
  if (!json.parse(body)) return syntax_fault(json);
  dom::object object;
  if (json.root().get(object) != simdjson::SUCCESS) {
    return shape_fault("model_attributes_type", "",
                       "Input should be a valid dictionary or object to extract fields from",
                       json.root());
  }
  if (object["entities"].error() != simdjson::SUCCESS) {
    return shape_fault("missing", member_location("entities"), "Field required", json.root());
  }
  return parse_object(object, limits, out);
}

// --- answers -------------------------------------------------------------------------------------

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
  void operator()(const std::string& v) const { append_json_string(v, out); }
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
              [&](size_t row) { out->append(present(row) ? "\"PRESENT\"" : "\"NOT_FOUND\""); });
  out->push_back(',');
  append_rows("event_timestamps", rows, out,
              [&](size_t row) { out->append(present(row) ? std::string_view(as_of) : kEpoch); });
  out->push_back('}');
}

}  // namespace

std::variant<FeastRequest, FeastFault> parse_feast_request(std::string_view body,
                                                           const ReadLimits& limits) {
  try {
    FeastRequest out;
    if (auto fault = parse_body(body, limits, &out)) return *std::move(fault);
    return out;
  } catch (const std::exception& e) {
    return feast_fault(400, "FeastError", std::string("the body cannot be read: ") + e.what());
  }
}

FeastFault feast_fault(int status, std::string_view error_class, std::string_view message) {
  std::string detail = R"({"module": "feast.errors", "class": )";
  append_json_string(error_class, &detail);
  detail += ", \"message\": ";
  append_json_string(message, &detail);
  detail += '}';
  FeastFault out{status, {}};
  append_json_string(detail, &out.body);
  return out;
}

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
