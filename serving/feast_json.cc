#include "serving/feast_json.h"

#include <algorithm>
#include <optional>

#include "serving/json_body.h"
#include "shared/net/json_text.h"

namespace tidemill {
namespace {

namespace dom = simdjson::dom;

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

}  // namespace tidemill
