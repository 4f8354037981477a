#include "shared/plan/features.h"

#include <algorithm>

#include "shared/base/decimal.h"
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
};
constexpr Rule kFunctions[] = {
    {"count", Feature::COUNT, Takes::kAnything},
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
    {"skew", Feature::SKEW, Takes::kNumbers},
    {"skew_pop", Feature::SKEW_POP, Takes::kNumbers},
    {"kurtosis", Feature::KURTOSIS, Takes::kNumbers},
    {"kurtosis_pop", Feature::KURTOSIS_POP, Takes::kNumbers},
    {"decayed_sum", Feature::DECAYED_SUM, Takes::kNumbers},
    {"decayed_count", Feature::DECAYED_COUNT, Takes::kAnything},
    {"first", Feature::FIRST, Takes::kAnything},
    {"last", Feature::LAST, Takes::kAnything},
    {"first_n", Feature::FIRST_N, Takes::kAnything},
    {"last_n", Feature::LAST_N, Takes::kAnything},
    {"first_distinct_n", Feature::FIRST_DISTINCT_N, Takes::kAnything},
    {"last_distinct_n", Feature::LAST_DISTINCT_N, Takes::kAnything},
    {"count_distinct", Feature::COUNT_DISTINCT, Takes::kAnything},
    {"approx_count_distinct", Feature::APPROX_COUNT_DISTINCT, Takes::kAnything},
    {"approx_percentile", Feature::APPROX_PERCENTILE, Takes::kNumbers},
    {"top_k", Feature::TOP_K, Takes::kOrdered},
    {"bottom_k", Feature::BOTTOM_K, Takes::kOrdered},
    {"histogram", Feature::HISTOGRAM, Takes::kAnything},
    {"top_k_by_frequency", Feature::TOP_K_BY_FREQUENCY, Takes::kAnything},
    {"bottom_k_by_frequency", Feature::BOTTOM_K_BY_FREQUENCY, Takes::kAnything}};

using Field = FunctionParameter::Field;
using Kind = FunctionParameter::Kind;

constexpr uint64_t kMillion = 1'000'000;

constexpr FunctionParameter kListN{
    "n", Field::kN, Kind::kNumber, 1, limits::kListLength, {}, "how many values it gives at most",
    "10"};
constexpr FunctionParameter kListK{
    "k", Field::kN, Kind::kNumber, 1, limits::kListLength, {}, "how many values it gives at most",
    "10"};
constexpr FunctionParameter kExactUpTo{"exact_up_to",
                                       Field::kN,
                                       Kind::kNumber,
                                       limits::kExactDistinctLeast,
                                       limits::kExactDistinctMost,
                                       limits::kExactDistinctDefault,
                                       "up to how many values it is exact",
                                       "10000"};
constexpr FunctionParameter kPrecision{"precision",
                                       Field::kN,
                                       Kind::kNumber,
                                       limits::kPrecisionLeast,
                                       limits::kPrecisionMost,
                                       limits::kPrecisionDefault,
                                       "the logarithm of how many registers it has",
                                       "12"};
constexpr FunctionParameter kMaxBuckets{"max_buckets",
                                        Field::kBound,
                                        Kind::kNumber,
                                        limits::kSketchBucketsLeast,
                                        limits::kSketchBucketsMost,
                                        limits::kSketchBucketsDefault,
                                        "the most buckets it keeps",
                                        "1024"};
constexpr FunctionParameter kPercentile{
    "percentile", Field::kPercentile,          Kind::kShare, 0, kMillion,
    {},           "which percentile it gives", "0.99"};
constexpr FunctionParameter kRelativeAccuracy{"relative_accuracy",
                                              Field::kRelativeAccuracy,
                                              Kind::kShare,
                                              limits::kAccuracyLeast,
                                              limits::kAccuracyMost,
                                              limits::kAccuracyDefault,
                                              "how far off it may be",
                                              "0.01"};
constexpr FunctionParameter kHalfLife{"half_life",
                                      Field::kHalfLife,
                                      Kind::kDuration,
                                      kMicrosPerSecond,
                                      static_cast<uint64_t>(limits::kLongestTime),
                                      {},
                                      "the age at which a row counts half",
                                      "7d"};

constexpr FunctionParameter max_values(uint64_t by_default) {
  return {"max_values",
          Field::kBound,
          Kind::kNumber,
          limits::kCountedValuesLeast,
          limits::kCountedValuesMost,
          by_default,
          "how many different values it counts at most",
          "1000"};
}

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
  if (column == proto::TIMESTAMP || column == proto::DATE) return true;
  return what == Takes::kOrdered && (column == proto::STRING || column == proto::BYTES);
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

std::optional<proto::Type> feature_type(Feature::Function function,
                                        const std::optional<proto::Type>& column) {
  proto::Type out;
  out.set_kind(proto::INT64);
  if (function == Feature::COUNT) return out;
  if (function == Feature::DECAYED_COUNT) {
    out.set_kind(proto::DOUBLE);
    return out;
  }
  const Rule* rule = rule_of(function);
  if (rule == nullptr || !column.has_value() || !is_column_type(column->kind()) ||
      !takes(rule->takes, column->kind())) {
    return std::nullopt;
  }
  if (function == Feature::COUNT_DISTINCT || function == Feature::APPROX_COUNT_DISTINCT ||
      function == Feature::HISTOGRAM) {
    return out;
  }
  if (rule->takes != Takes::kNumbers) return *column;
  if (function == Feature::SUM && column->kind() == proto::DECIMAL) {
    if (column->precision() > kMostSummedDigits) return std::nullopt;
    out = *column;
    out.set_precision(kMaxDecimalDigits);
    return out;
  }
  // Sums of int32 fit; those of int64 may not, so they are doubles, as the means are.
  if (function == Feature::SUM && column->kind() == proto::INT32) return out;
  out.set_kind(proto::DOUBLE);
  return out;
}

bool takes_rows(Feature::Function function) {
  return function == Feature::COUNT || function == Feature::DECAYED_COUNT;
}

std::string wanted_types(Feature::Function function) {
  const Rule* rule = rule_of(function);
  if (rule == nullptr || rule->takes == Takes::kAnything) return "a column of any type";
  if (rule->takes == Takes::kOrdered) return "numbers, timestamps, dates, strings or bytes";
  if (rule->takes == Takes::kNumbersOrTimes) return "numbers, timestamps or dates";
  if (function == Feature::SUM) {
    return "numbers (int32, int64, double, or decimal of up to " +
           std::to_string(kMostSummedDigits) + " digits)";
  }
  return "numbers (int32, int64, double or decimal)";
}

bool is_never_null(Feature::Function function) {
  return function == Feature::COUNT || function == Feature::COUNT_DISTINCT ||
         function == Feature::APPROX_COUNT_DISTINCT || function == Feature::DECAYED_COUNT;
}

bool gives_list(Feature::Function function) {
  switch (function) {
    case Feature::FIRST_N:
    case Feature::LAST_N:
    case Feature::FIRST_DISTINCT_N:
    case Feature::LAST_DISTINCT_N:
    case Feature::TOP_K:
    case Feature::BOTTOM_K:
    case Feature::TOP_K_BY_FREQUENCY:
    case Feature::BOTTOM_K_BY_FREQUENCY:
      return true;
    default:
      return false;
  }
}

bool gives_map(Feature::Function function) { return function == Feature::HISTOGRAM; }

bool may_give_map(Feature::Function function) {
  return function == Feature::HISTOGRAM || function == Feature::TOP_K_BY_FREQUENCY ||
         function == Feature::BOTTOM_K_BY_FREQUENCY;
}

bool gives_scalar(Feature::Function function) {
  return !gives_list(function) && !gives_map(function);
}

uint64_t largest_group_bytes(const Feature& feature) {
  switch (feature.function()) {
    case Feature::COUNT_DISTINCT:
      return sizeof(uint64_t) * uint64_t{feature.n()};
    case Feature::APPROX_COUNT_DISTINCT:
      return uint64_t{1} << feature.n();
    case Feature::APPROX_PERCENTILE:
      return 2 * sizeof(uint64_t) * uint64_t{feature.bound()};
    default:
      return 0;
  }
}

uint64_t most_lifetime_groups(const Feature& feature) {
  const uint64_t bytes = largest_group_bytes(feature);
  if (bytes == 0) return limits::kGroupsMost;
  return std::min<uint64_t>(limits::kGroupsMost, limits::kLifetimeGroupsBytes / bytes);
}

std::vector<FunctionParameter> function_parameters(Feature::Function function) {
  switch (function) {
    case Feature::FIRST_N:
    case Feature::LAST_N:
    case Feature::FIRST_DISTINCT_N:
    case Feature::LAST_DISTINCT_N:
      return {kListN};
    case Feature::TOP_K:
    case Feature::BOTTOM_K:
      return {kListK};
    case Feature::COUNT_DISTINCT:
      return {kExactUpTo};
    case Feature::APPROX_COUNT_DISTINCT:
      return {kPrecision};
    case Feature::APPROX_PERCENTILE:
      return {kPercentile, kRelativeAccuracy, kMaxBuckets};
    case Feature::TOP_K_BY_FREQUENCY:
    case Feature::BOTTOM_K_BY_FREQUENCY:
      return {kListK, max_values(limits::kRankedValuesDefault)};
    case Feature::HISTOGRAM:
      return {max_values(limits::kHistogramValuesDefault)};
    case Feature::DECAYED_SUM:
    case Feature::DECAYED_COUNT:
      return {kHalfLife};
    default:
      return {};
  }
}

uint64_t parameter_of(const Feature& feature, Field field) {
  switch (field) {
    case Field::kN:
      return feature.n();
    case Field::kBound:
      return feature.bound();
    case Field::kPercentile:
      return feature.percentile();
    case Field::kRelativeAccuracy:
      return feature.relative_accuracy();
    case Field::kHalfLife:
      return static_cast<uint64_t>(feature.half_life_us());
  }
  return 0;
}

void set_parameter(Field field, uint64_t value, Feature* feature) {
  const auto number = static_cast<uint32_t>(value);
  switch (field) {
    case Field::kN:
      return feature->set_n(number);
    case Field::kBound:
      return feature->set_bound(number);
    case Field::kPercentile:
      return feature->set_percentile(number);
    case Field::kRelativeAccuracy:
      return feature->set_relative_accuracy(number);
    case Field::kHalfLife:
      return feature->set_half_life_us(static_cast<int64_t>(value));
  }
}

std::string parameter_text(const FunctionParameter& parameter, uint64_t value) {
  if (parameter.kind == Kind::kDuration) return format_duration(static_cast<DurationUs>(value));
  if (parameter.kind == Kind::kNumber) return std::to_string(value);
  std::string digits = std::to_string(kMillion + value % kMillion).substr(1);
  digits.erase(digits.find_last_not_of('0') + 1);
  return std::to_string(value / kMillion) + (digits.empty() ? "" : "." + digits);
}

const std::vector<std::string>& parameter_keys() {
  static const std::vector<std::string> keys = {
      "n",           "k",          "exact_up_to",       "precision", "max_values",
      "max_buckets", "percentile", "relative_accuracy", "half_life"};
  return keys;
}

}  // namespace tidemill
