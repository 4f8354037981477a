#include "serving/features_json.h"

#include <algorithm>

#include "serving/json_body.h"
#include "shared/net/json_text.h"
#include "shared/window/feature_value_json.h"

namespace tidemill {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kExample =
    R"({"job":"card_fraud","features":["customer.*"],"entities":{"customer_id":["596"]}})";

std::string in_quotes(std::string_view text) {
  constexpr size_t kShown = 80;
  if (text.size() > kShown) return "'" + std::string(text.substr(0, kShown)) + "...'";
  return "'" + std::string(text) + "'";
}

// What a value is, in a reader's words.
std::string described(const dom::element& value) {
  switch (value.type()) {
    case dom::element_type::ARRAY:
      return "an array";
    case dom::element_type::OBJECT:
      return "an object";
    case dom::element_type::INT64:
      return "the number " + std::to_string(int64_t(value));
    case dom::element_type::UINT64:
      return "the number " + std::to_string(uint64_t(value));
    case dom::element_type::DOUBLE: {
      std::string text = "the number ";
      append_json_double(double(value), &text);
      return text;
    }
    case dom::element_type::STRING:
      return "the string " + in_quotes(std::string_view(value));
    case dom::element_type::BOOL:
      return bool(value) ? "true" : "false";
    case dom::element_type::NULL_VALUE:
      return "null";
  }
  return "something else";
}

Error wrong(std::string_view where, const dom::element& got, std::string_view right) {
  return user_error(std::string(where) + ": is " + described(got) + "; " + std::string(right));
}

std::string item(const std::string& list, size_t index) {
  return list + "[" + std::to_string(index) + "]";
}

Error syntax_error(const JsonBody& body) {
  std::string message = "the body is not JSON";
  if (body.error_position()) {
    message += " from byte " + std::to_string(*body.error_position()) + " on";
  } else {
    message += " as it should be (" + body.error_message() + ")";
  }
  return user_error(message + "; write an object such as " + std::string(kExample));
}

Result<std::string> parse_name(std::string_view where, const dom::element& value,
                               std::string_view right) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS || text.empty()) return wrong(where, value, right);
  return std::string(text);
}

Result<std::vector<std::string>> parse_features(const dom::element& value) {
  constexpr std::string_view kRight =
      R"(write a list of names such as ["customer.*","customer.count_1h"])";
  dom::array list;
  if (value.get(list) != simdjson::SUCCESS) return wrong("features", value, kRight);
  if (list.size() == 0) return user_error("features: is empty; " + std::string(kRight));
  // simdjson's size() saturates, so names are counted as they come.
  std::vector<std::string> out;
  out.reserve(std::min(list.size(), kMaxFeatureNames));
  for (const dom::element name : list) {
    if (out.size() == kMaxFeatureNames) {
      return user_error("features: has more than " + std::to_string(kMaxFeatureNames) +
                        " names; ask for whole views (\"customer.*\") or split the request");
    }
    std::string_view text;
    if (name.get(text) != simdjson::SUCCESS || text.empty()) {
      return wrong(item("features", out.size()), name,
                   "write a name such as \"customer.count_1h\"");
    }
    const size_t dot = text.find('.');
    if (dot == std::string::npos || dot == 0 || dot + 1 == text.size()) {
      return user_error(item("features", out.size()) + ": " + in_quotes(text) +
                        " names no view; write <view>.<feature> or <view>.*");
    }
    out.emplace_back(text);
  }
  return out;
}

Result<FeatureKeyValue> parse_key(std::string_view column, size_t row, const dom::element& value) {
  switch (value.type()) {
    case dom::element_type::STRING:
      return FeatureKeyValue(std::string(std::string_view(value)));
    case dom::element_type::INT64:
      return FeatureKeyValue(int64_t(value));
    case dom::element_type::BOOL:
      return FeatureKeyValue(bool(value));
    default:
      return wrong(item("entities." + std::string(column), row), value,
                   "a key is a string, a 64-bit integer, true or false");
  }
}

Result<EntityColumn> parse_column(std::string_view name, const dom::element& value,
                                  const ReadLimits& limits) {
  const auto where = [&] { return "entities." + std::string(name); };
  dom::array list;
  if (value.get(list) != simdjson::SUCCESS) {
    return wrong(where(), value, "write a list with one key for each row");
  }
  EntityColumn out;
  out.name = name;
  out.values.reserve(std::min(list.size(), limits.rows));
  for (const dom::element key : list) {
    if (out.values.size() == limits.rows) {
      return user_error(where() + ": has more than " + std::to_string(limits.rows) +
                        " rows; split the request");
    }
    auto parsed = parse_key(name, out.values.size(), key);
    if (!parsed.ok()) return parsed.error();
    out.values.push_back(std::move(*parsed));
  }
  if (out.values.empty()) return user_error(where() + ": is empty; ask for at least one row");
  return out;
}

Result<std::vector<EntityColumn>> parse_entities(const dom::element& value,
                                                 const ReadLimits& limits) {
  constexpr std::string_view kRight =
      R"(write an object of columns such as {"customer_id":["596","4961"]})";
  dom::object columns;
  if (value.get(columns) != simdjson::SUCCESS) return wrong("entities", value, kRight);
  std::vector<EntityColumn> out;
  for (const auto& [name, keys] : columns) {
    if (name.empty()) return user_error("entities: a column has no name; " + std::string(kRight));
    if (out.size() == kMaxEntityColumns) {
      return user_error("entities: has more than " + std::to_string(kMaxEntityColumns) +
                        " columns; name only the join keys of the views asked for");
    }
    const auto same = [&wanted = name](const EntityColumn& c) { return c.name == wanted; };
    if (std::any_of(out.begin(), out.end(), same)) {
      return user_error("entities." + std::string(name) + ": is given twice; write it once");
    }
    auto column = parse_column(name, keys, limits);
    if (!column.ok()) return column.error();
    if (!out.empty() && column->values.size() != out.front().values.size()) {
      return user_error("entities." + column->name + ": has " +
                        std::to_string(column->values.size()) + " rows, but entities." +
                        out.front().name + " has " + std::to_string(out.front().values.size()) +
                        "; all columns must be equally long, as row i is the i-th of each");
    }
    out.push_back(std::move(*column));
  }
  if (out.empty()) return user_error("entities: is empty; " + std::string(kRight));
  return out;
}

Result<TimeUs> parse_as_of(const dom::element& value) {
  std::string_view text;
  TimeUs time = 0;
  if (value.get(text) != simdjson::SUCCESS || !parse_timestamp(text, &time)) {
    return wrong("as_of", value, "write a time as in RFC 3339, such as \"2018-04-10T00:00:00Z\"");
  }
  return time;
}

enum Member : unsigned { kJob, kFeatures, kService, kEntities, kAsOf, kOffsets, kUnknown };
constexpr std::string_view kMembers[] = {"job",      "features", "service",
                                         "entities", "as_of",    "offsets"};

template <typename T, typename To>
Status assign(Result<T> from, To* to) {
  if (!from.ok()) return from.error();
  *to = std::move(*from);
  return {};
}

Status parse_member(unsigned member, const dom::element& value, const ReadLimits& limits,
                    FeaturesRequest* out) {
  switch (member) {
    case kJob:
      return assign(parse_name("job", value, "write the job's name, such as \"card_fraud\""),
                    &out->job);
    case kFeatures:
      return assign(parse_features(value), &out->features);
    case kService:
      return assign(parse_name("service", value, "write a service's name as in the job"),
                    &out->service);
    case kEntities:
      return assign(parse_entities(value, limits), &out->entities);
    case kAsOf:
      return assign(parse_as_of(value), &out->as_of);
    default:
      if (value.get(out->offsets) != simdjson::SUCCESS) {
        return wrong("offsets", value, "write true or false");
      }
      return {};
  }
}

Status check_complete(unsigned seen) {
  const auto has = [&](Member m) { return (seen & (1u << m)) != 0; };
  if (!has(kJob)) {
    return user_error("job: is missing; write the job's name, as in " + std::string(kExample));
  }
  if (!has(kFeatures) && !has(kService)) {
    return user_error(
        R"(features: is missing; write "features":["customer.*"], or "service" with its name)");
  }
  if (has(kFeatures) && has(kService)) {
    return user_error("service: is given together with features; write one of the two");
  }
  if (!has(kEntities)) {
    return user_error(
        R"(entities: is missing; write the keys to look up, as in {"customer_id":["596"]})");
  }
  return {};
}

Result<FeaturesRequest> parse_object(const dom::object& object, const ReadLimits& limits) {
  FeaturesRequest out;
  unsigned seen = 0;
  for (const auto& [name, value] : object) {
    const auto* found = std::find(std::begin(kMembers), std::end(kMembers), name);
    const auto member = static_cast<unsigned>(found - std::begin(kMembers));
    if (member == kUnknown) {
      return user_error(in_quotes(name) +
                        " is not known; members are job, features or service, entities, as_of "
                        "and offsets");
    }
    if ((seen & (1u << member)) != 0) {
      return user_error(std::string(name) + ": is given twice; write it once");
    }
    seen |= 1u << member;
    if (const Status status = parse_member(member, value, limits, &out); !status.ok()) {
      return status.error();
    }
  }
  if (const Status status = check_complete(seen); !status.ok()) return status.error();
  return out;
}

std::string_view status_name(FeatureStatus status) {
  switch (status) {
    case FeatureStatus::kPresent:
      return "\"PRESENT\"";
    case FeatureStatus::kNotFound:
      return "\"NOT_FOUND\"";
    case FeatureStatus::kNotReady:
      return "\"NOT_READY\"";
  }
  return "null";
}

template <typename List, typename Append>
void append_list(const List& list, std::string* out, Append append) {
  out->push_back('[');
  bool first = true;
  for (const auto& element : list) {
    if (!first) out->push_back(',');
    first = false;
    append(element);
  }
  out->push_back(']');
}

void append_optional_ints(const std::vector<std::optional<int64_t>>& list, std::string* out) {
  append_list(list, out, [out](const std::optional<int64_t>& value) {
    if (value) {
      append_json_int(*value, out);
    } else {
      out->append("null");
    }
  });
}

void append_unsigned(uint64_t value, std::string* out) { out->append(std::to_string(value)); }

void append_column(const FeatureColumn& column, std::string* out) {
  out->append("{\"feature\":");
  append_json_string(column.name, out);
  out->append(",\"values\":");
  append_list(column.values, out,
              [&](const FeatureValue& v) { append_feature_value(v, column.type, out); });
  out->append(",\"statuses\":");
  append_list(column.statuses, out, [out](FeatureStatus s) { out->append(status_name(s)); });
  out->append(",\"freshness_ms\":");
  append_optional_ints(column.freshness_ms, out);
  out->append(",\"resolution_us\":");
  append_optional_ints(column.resolution_us, out);
  const auto is_set = [](const std::optional<int64_t>& since) { return since.has_value(); };
  if (std::any_of(column.complete_since_us.begin(), column.complete_since_us.end(), is_set)) {
    out->append(",\"complete_since_us\":");
    append_optional_ints(column.complete_since_us, out);
  }
  if (std::any_of(column.values.begin(), column.values.end(), is_truncated)) {
    out->append(",\"truncated\":");
    append_list(column.values, out,
                [out](const FeatureValue& v) { out->append(is_truncated(v) ? "true" : "false"); });
  }
  out->push_back('}');
}

void append_row_offsets(const std::optional<RowOffsets>& row, std::string* out) {
  if (!row) {
    out->append("null");
    return;
  }
  out->append("{\"key_partition\":");
  append_unsigned(row->key_partition, out);
  out->append(",\"version\":[");
  append_unsigned(row->epoch, out);
  out->push_back(',');
  append_unsigned(row->version, out);
  out->append("],\"offset_vector\":");
  append_list(row->offset_vector, out, [out](const SourceOffset& source) {
    out->push_back('[');
    append_unsigned(source.offset, out);
    out->append(",\"").append(format_timestamp(source.max_event_time)).append("\"]");
  });
  out->push_back('}');
}

// About how long a response will be, or less.
size_t expected_bytes(const FeaturesResponse& response) {
  constexpr size_t kOfColumn = 80;  // names of members and brackets
  constexpr size_t kOfRow = 32;
  size_t out = 128 + response.job.size();
  for (const FeatureColumn& column : response.results) {
    out += kOfColumn + column.name.size() + kOfRow * column.values.size();
  }
  return out;
}

}  // namespace

Result<FeaturesRequest> parse_features_request(std::string_view body, const ReadLimits& limits) {
  try {
    JsonBody json;
    if (!json.parse(body)) return syntax_error(json);
    dom::object object;
    if (json.root().get(object) != simdjson::SUCCESS) {
      return wrong("the body", json.root(), "write an object such as " + std::string(kExample));
    }
    return parse_object(object, limits);
  } catch (const std::exception& e) {
    return user_error(std::string("the body cannot be read: ") + e.what());
  }
}

void render_features_response(const FeaturesResponse& response, std::string* out) {
  out->reserve(out->size() + expected_bytes(response));
  out->append("{\"job\":");
  append_json_string(response.job, out);
  out->append(",\"as_of\":\"").append(format_timestamp(response.as_of));
  out->append("\",\"results\":");
  append_list(response.results, out, [out](const FeatureColumn& c) { append_column(c, out); });
  if (response.offsets) {
    out->append(",\"offsets\":{");
    bool first = true;
    for (const ViewOffsets& view : *response.offsets) {
      if (!first) out->push_back(',');
      first = false;
      append_json_string(view.view, out);
      out->push_back(':');
      append_list(view.rows, out,
                  [out](const std::optional<RowOffsets>& row) { append_row_offsets(row, out); });
    }
    out->push_back('}');
  }
  out->push_back('}');
}

}  // namespace tidemill
