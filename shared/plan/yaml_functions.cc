#include "shared/plan/yaml_functions.h"

#include <algorithm>
#include <map>

#include "shared/expr/casts.h"
#include "shared/expr/suggest.h"
#include "shared/expr/types.h"
#include "shared/plan/features.h"
#include "shared/plan/limits.h"

namespace tidemill {
namespace {

// The words other systems use for our functions.
std::string usual_name(const std::string& function) {
  static const std::map<std::string, std::string> kElsewhere = {
      {"avg", "mean"},
      {"average", "mean"},
      {"std", "stddev"},
      {"stdev", "stddev"},
      {"variance", "var"},
      {"minimum", "min"},
      {"maximum", "max"},
      {"total", "sum"},
      {"size", "count"},
      {"nunique", "count_distinct"},
      {"distinct", "count_distinct"},
      {"first_value", "first"},
      {"oldest", "first"},
      {"last_value", "last"},
      {"latest", "last"},
      {"array_agg", "last_n"},
      {"collect_list", "last_n"},
      {"collect_set", "last_distinct_n"},
      {"max_k", "top_k"},
      {"max_n", "top_k"},
      {"min_k", "bottom_k"},
      {"min_n", "bottom_k"},
      {"skewness", "skew"},
      {"kurt", "kurtosis"},
      {"percentile", "approx_percentile"},
      {"quantile", "approx_percentile"},
      {"approx_quantile", "approx_percentile"},
      {"approx_distinct", "approx_count_distinct"},
      {"approx_unique_count", "approx_count_distinct"},
      {"hll", "approx_count_distinct"},
      {"mode", "top_k_by_frequency"},
      {"approx_top_k", "top_k_by_frequency"},
      {"approx_frequent_k", "top_k_by_frequency"},
      {"approx_histogram_k", "histogram"},
      {"ewm", "decayed_sum"},
      {"decaying_sum", "decayed_sum"}};
  const auto found = kElsewhere.find(function);
  return found == kElsewhere.end() ? "" : found->second;
}

std::string range(const FunctionParameter& parameter) {
  return "from " + parameter_text(parameter, parameter.least) + " to " +
         parameter_text(parameter, parameter.most);
}

// Digits and at most one point, as millionths; nothing if there are more than six behind it.
std::optional<uint64_t> millionths(const std::string& text) {
  const size_t point = std::min(text.find('.'), text.size());
  std::string digits = text.substr(0, point);
  std::string behind = point == text.size() ? "" : text.substr(point + 1);
  while (behind.size() > 6 && behind.back() == '0') behind.pop_back();
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (digits.empty() || digits.size() > 6 || behind.size() > 6 ||
      !std::all_of(digits.begin(), digits.end(), is_digit) ||
      !std::all_of(behind.begin(), behind.end(), is_digit)) {
    return std::nullopt;
  }
  behind.resize(6, '0');
  return std::stoull(digits + behind);
}

// The number that `text` says as the parameter's kind; nothing if it says none.
std::optional<uint64_t> parsed(const FunctionParameter& parameter, const std::string& text) {
  if (parameter.kind == FunctionParameter::Kind::kShare) return millionths(text);
  const Result<DurationUs> duration = parse_duration(text);
  if (!duration.ok()) return std::nullopt;
  return static_cast<uint64_t>(*duration);
}

void compile_parameter(YamlFields* fields, const FunctionParameter& parameter,
                       proto::Feature* feature) {
  const std::string key(parameter.key);
  const YamlNode* node = fields->find(key);
  if (node == nullptr) {
    if (parameter.by_default.has_value()) {
      set_parameter(parameter.field, *parameter.by_default, feature);
      return;
    }
    fields->error("the key '" + key + "' is missing: " + std::string(parameter.what) + ", " +
                  range(parameter) + ", such as " + key + ": " + std::string(parameter.example));
    return;
  }
  if (parameter.kind == FunctionParameter::Kind::kNumber) {
    const uint64_t value = fields->integer(key, parameter.least, parameter.least, parameter.most);
    set_parameter(parameter.field, value, feature);
    return;
  }
  const std::optional<std::string> text = fields->text(key);
  if (!text.has_value()) return;
  const std::optional<uint64_t> value = parsed(parameter, *text);
  if (value.has_value() && *value >= parameter.least && *value <= parameter.most) {
    set_parameter(parameter.field, *value, feature);
    return;
  }
  const char* kind = parameter.kind == FunctionParameter::Kind::kShare
                         ? "a number of at most six decimals "
                         : "a duration ";
  fields->error(*node, key,
                "expected " + std::string(kind) + range(parameter) + ", such as " +
                    std::string(parameter.example) + ", found " + node->describe());
}

void set_key_type(const proto::Expr& key, proto::Feature* feature) {
  feature->set_key_type(key.type());
  if (key.has_details()) *feature->mutable_key_details() = key.details();
}

void compile_map(YamlFields* fields, const std::optional<proto::Expr>& column,
                 proto::Feature* feature) {
  const bool may = may_give_map(feature->function()) && !gives_map(feature->function());
  const YamlNode* counts = fields->find("counts");
  if (counts != nullptr && !may) {
    fields->error(*counts, "counts",
                  *fields->text("function") + " takes no 'counts'; leave it out");
    return;
  }
  if (!gives_map(feature->function()) && !(may && fields->boolean("counts", false))) return;
  feature->set_map(true);
  feature->set_list(false);
  feature->set_type(proto::INT64);
  feature->clear_details();
  if (column.has_value()) set_key_type(*column, feature);
}

}  // namespace

std::optional<proto::Feature::Function> compile_function(YamlFields* fields) {
  if (fields->require("function", "one of " + join_names(function_names(), "or")) == nullptr) {
    return std::nullopt;
  }
  const std::optional<std::string> name = fields->text("function");
  if (!name.has_value()) return std::nullopt;
  const auto function = function_by_name(*name);
  if (function.has_value()) return function;
  const std::string usual = usual_name(*name);
  std::string message;
  if (!usual.empty()) {
    message = "unknown function '" + *name + "'; did you mean '" + usual + "'?";
  } else {
    message = "unknown function '" + *name + "'" + suggestion(*name, function_names());
  }
  fields->error(*fields->find("function"), "function", message);
  return std::nullopt;
}

void compile_type(YamlFields* fields, const std::optional<proto::Expr>& column,
                  proto::Feature* feature) {
  const std::string function = *fields->text("function");
  if (!takes_rows(feature->function()) && fields->find("column") == nullptr) {
    fields->error("the key 'column' is missing: " + function +
                  " is over a column or an expression");
    return;
  }
  std::optional<proto::Type> type;
  if (column.has_value()) type = full_type(*column);
  const auto result = feature_type(feature->function(), type);
  if (result.has_value()) set_full_type(*result, feature);
  feature->set_list(gives_list(feature->function()));
  compile_map(fields, column, feature);
  if (result.has_value() || !column.has_value()) return;
  std::string advice;
  if (column->type() == proto::DECIMAL && feature->function() == proto::Feature::SUM) {
    const uint32_t scale = std::min(column->details().scale(), kMostSummedDigits);
    advice = "; write cast(" + column->text() + " as decimal(" + std::to_string(kMostSummedDigits) +
             ", " + std::to_string(scale) + "))";
  } else if (is_nested(column->type())) {
    advice = "; write what is in it, such as " +
             (column->type() == proto::STRUCT
                  ? "(" + column->text() + ")." + column->details().fields(0).name()
                  : "cardinality(" + column->text() + ")");
  } else if (can_cast(column->type(), proto::DOUBLE)) {
    advice = "; write cast(" + column->text() + " as double)";
  }
  fields->error(*fields->find("column"), "column",
                function + " needs " + wanted_types(feature->function()) + ", but " +
                    column->text() + " is " + type_name(full_type(*column)) + advice);
}

void compile_groups(YamlFields* fields, const std::optional<proto::Expr>& by,
                    proto::Feature* feature) {
  const YamlNode* node = fields->find("by");
  const YamlNode* most = fields->find("max_groups");
  if (node == nullptr) {
    if (most == nullptr) return;
    return fields->error(*most, "max_groups",
                         "is how many values of by: count at most; add by: or leave it out");
  }
  const std::string function = *fields->text("function");
  if (!gives_scalar(feature->function())) {
    return fields->error(*node, "by",
                         function + " gives a " + (feature->map() ? "map" : "list") +
                             ", and a map by values of a column holds single values, not " +
                             (feature->map() ? "maps" : "lists") +
                             "; leave 'by' out, or take a function that gives one value, such as " +
                             "count, sum, last or count_distinct");
  }
  feature->set_max_groups(static_cast<uint32_t>(
      fields->integer("max_groups", limits::kGroupsDefault, 1, limits::kGroupsMost)));
  feature->set_map(true);
  if (!by.has_value()) return;
  set_key_type(*by, feature);
  if (by->type() != proto::DOUBLE) return;
  fields->error(*node, "by",
                by->text() +
                    " is double, and doubles that look alike may differ; make buckets of " +
                    "it, such as cast(floor(" + by->text() + ") as int64)");
}

void compile_parameters(YamlFields* fields, proto::Feature* feature) {
  const std::string function = *fields->text("function");
  const std::vector<FunctionParameter> parameters = function_parameters(feature->function());
  std::vector<std::string> keys, quoted;
  for (const FunctionParameter& parameter : parameters) {
    keys.emplace_back(parameter.key);
    quoted.push_back("'" + keys.back() + "'");
  }
  for (const std::string& key : parameter_keys()) {
    const YamlNode* stray = fields->find(key);
    if (stray == nullptr || std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    fields->error(
        *stray, key,
        function + " takes no '" + key + "'" +
            (keys.empty() ? "; leave it out" : "; it takes " + join_names(quoted, "and")));
  }
  for (const FunctionParameter& parameter : parameters) {
    compile_parameter(fields, parameter, feature);
  }
}

}  // namespace tidemill
