#include "shared/plan/features.h"

#include <algorithm>
#include <array>

#include "shared/expr/types.h"
#include "shared/plan/limits.h"

namespace tidemill {
namespace {

using proto::Feature;

enum class Takes { kAnything, kNumbers, kNumbersOrTimes, kOrdered };

struct Rule {
  const char* name;
  Feature::Function function;
  Takes takes;
  const char* parameter = "";
};
constexpr std::array<Rule, 20> kFunctions{
    {{"count", Feature::COUNT, Takes::kAnything},
     {"sum", Feature::SUM, Takes::kNumbers},
     {"mean", Feature::MEAN, Takes::kNumbers},
     {"min", Feature::MIN, Takes::kNumbersOrTimes},
     {"max", Feature::MAX, Takes::kNumbersOrTimes},
     {"var", Feature::VAR_SAMP, Takes::kNumbers},
     {"var_pop", Feature::VAR_POP, Takes::kNumbers},
     {"var_samp", Feature::VAR_SAMP, Takes::kNumbers},
     {"stddev", Feature::STDDEV_SAMP, Takes::kNumbers},
     {"stddev_pop", Feature::STDDEV_POP, Takes::kNumbers},
     {"stddev_samp", Feature::STDDEV_SAMP, Takes::kNumbers},
     {"first", Feature::FIRST, Takes::kAnything},
     {"last", Feature::LAST, Takes::kAnything},
     {"first_n", Feature::FIRST_N, Takes::kAnything, "n"},
     {"last_n", Feature::LAST_N, Takes::kAnything, "n"},
     {"first_distinct_n", Feature::FIRST_DISTINCT_N, Takes::kAnything, "n"},
     {"last_distinct_n", Feature::LAST_DISTINCT_N, Takes::kAnything, "n"},
     {"count_distinct", Feature::COUNT_DISTINCT, Takes::kAnything, "exact_up_to"},
     {"top_k", Feature::TOP_K, Takes::kOrdered, "k"},
     {"bottom_k", Feature::BOTTOM_K, Takes::kOrdered, "k"}}};

constexpr std::array<std::string_view, 9> kLater{
    "skew",         "kurtosis",  "approx_count_distinct", "percentile", "approx_percentile",
    "approx_top_k", "histogram", "decayed_sum",           "mode"};

// The last rule of a function is the one of its full name.
const Rule* rule_of(Feature::Function function) {
  const Rule* found = nullptr;
  for (const Rule& each : kFunctions) {
    if (each.function == function) found = &each;
  }
  return found;
}

bool takes(Takes what, proto::ColumnType column) {
  if (what == Takes::kAnything || is_numeric(column)) return true;
  if (what == Takes::kNumbers) return false;
  return column == proto::TIMESTAMP || (what == Takes::kOrdered && column == proto::STRING);
}

}  // namespace

std::optional<Feature::Function> function_by_name(std::string_view name) {
  for (const Rule& each : kFunctions) {
    if (each.name == name) return each.function;
  }
  return std::nullopt;
}

const std::vector<std::string>& function_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const Rule& each : kFunctions) out.emplace_back(each.name);
    return out;
  }();
  return names;
}

std::string function_name(Feature::Function function) {
  const Rule* rule = rule_of(function);
  return rule == nullptr ? "" : rule->name;
}

bool is_later_function(std::string_view name) {
  return std::find(kLater.begin(), kLater.end(), name) != kLater.end();
}

std::optional<proto::ColumnType> feature_type(Feature::Function function,
                                              std::optional<proto::ColumnType> column) {
  if (function == Feature::COUNT) return proto::INT64;
  const Rule* rule = rule_of(function);
  if (rule == nullptr || !column.has_value() || !is_known_type(*column) ||
      !takes(rule->takes, *column)) {
    return std::nullopt;
  }
  if (function == Feature::COUNT_DISTINCT) return proto::INT64;
  if (rule->takes != Takes::kNumbers) return *column;
  // Sums of int32 fit; those of int64 may not, so they are doubles, as the means are.
  if (function == Feature::SUM && column == proto::INT32) return proto::INT64;
  return proto::DOUBLE;
}

std::string wanted_types(Feature::Function function) {
  const Rule* rule = rule_of(function);
  if (rule == nullptr || rule->takes == Takes::kAnything) return "a column of any type";
  if (rule->takes == Takes::kOrdered) return "numbers, timestamps or strings";
  if (rule->takes == Takes::kNumbersOrTimes) return "numbers or timestamps";
  return "numbers (int32, int64 or double)";
}

bool gives_list(Feature::Function function) {
  switch (function) {
    case Feature::FIRST_N:
    case Feature::LAST_N:
    case Feature::FIRST_DISTINCT_N:
    case Feature::LAST_DISTINCT_N:
    case Feature::TOP_K:
    case Feature::BOTTOM_K:
      return true;
    default:
      return false;
  }
}

std::optional<FunctionParameter> function_parameter(Feature::Function function) {
  const Rule* rule = rule_of(function);
  if (rule == nullptr || *rule->parameter == '\0') return std::nullopt;
  if (function == Feature::COUNT_DISTINCT) {
    return FunctionParameter{rule->parameter, limits::kExactDistinctLeast,
                             limits::kExactDistinctMost, limits::kExactDistinctDefault};
  }
  return FunctionParameter{rule->parameter, 1, limits::kListLength, std::nullopt};
}

const std::vector<std::string>& parameter_keys() {
  static const std::vector<std::string> keys = {"n", "k", "exact_up_to"};
  return keys;
}

}  // namespace tidemill
