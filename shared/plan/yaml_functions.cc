#include "shared/plan/yaml_functions.h"

#include <map>

#include "shared/expr/suggest.h"
#include "shared/expr/types.h"
#include "shared/plan/features.h"

namespace tidemill {
namespace {

// The words other systems use for our functions.
std::string usual_name(const std::string& function) {
  static const std::map<std::string, std::string> kElsewhere = {{"avg", "mean"},
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
                                                                {"min_n", "bottom_k"}};
  const auto found = kElsewhere.find(function);
  return found == kElsewhere.end() ? "" : found->second;
}

std::string range(const FunctionParameter& parameter) {
  return "from " + std::to_string(parameter.least) + " to " + std::to_string(parameter.most);
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
  if (is_later_function(*name)) {
    message = "the function '" + *name + "' is not in this version, which has " +
              join_names(function_names(), "and");
  } else if (!usual.empty()) {
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
  if (feature->function() != proto::Feature::COUNT && fields->find("column") == nullptr) {
    fields->error("the key 'column' is missing: " + function +
                  " is over a column or an expression");
    return;
  }
  std::optional<proto::ColumnType> type;
  if (column.has_value()) type = column->type();
  const auto result = feature_type(feature->function(), type);
  if (result.has_value()) feature->set_type(*result);
  feature->set_list(gives_list(feature->function()));
  if (result.has_value() || !column.has_value()) return;
  std::string advice;
  if (can_cast(column->type(), proto::DOUBLE)) {
    advice = "; write cast(" + column->text() + " as double)";
  }
  fields->error(*fields->find("column"), "column",
                function + " needs " + wanted_types(feature->function()) + ", but " +
                    column->text() + " is " + type_name(column->type()) + advice);
}

void compile_parameter(YamlFields* fields, proto::Feature* feature) {
  const std::string function = *fields->text("function");
  const std::optional<FunctionParameter> parameter = function_parameter(feature->function());
  for (const std::string& key : parameter_keys()) {
    const YamlNode* stray = fields->find(key);
    if (stray == nullptr || (parameter.has_value() && parameter->key == key)) continue;
    fields->error(*stray, key,
                  function + " takes no '" + key + "'" +
                      (parameter.has_value() ? ", but '" + std::string(parameter->key) + "'"
                                             : std::string("; leave it out")));
  }
  if (!parameter.has_value()) return;
  const std::string key(parameter->key);
  if (!parameter->by_default.has_value() && fields->find(key) == nullptr) {
    fields->error("the key '" + key + "' is missing: how many values " + function +
                  " gives at most, " + range(*parameter) + ", such as " + key + ": 10");
    return;
  }
  feature->set_n(static_cast<uint32_t>(fields->integer(
      key, parameter->by_default.value_or(parameter->least), parameter->least, parameter->most)));
}

}  // namespace tidemill
