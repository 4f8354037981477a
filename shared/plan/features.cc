#include "shared/plan/features.h"

#include <algorithm>
#include <array>

#include "shared/expr/types.h"

namespace tidemill {
namespace {

using proto::Feature;

struct NamedFunction {
  const char* name;
  Feature::Function function;
};
constexpr std::array<NamedFunction, 11> kFunctions{{{"count", Feature::COUNT},
                                                    {"sum", Feature::SUM},
                                                    {"mean", Feature::MEAN},
                                                    {"min", Feature::MIN},
                                                    {"max", Feature::MAX},
                                                    {"var", Feature::VAR_SAMP},
                                                    {"var_pop", Feature::VAR_POP},
                                                    {"var_samp", Feature::VAR_SAMP},
                                                    {"stddev", Feature::STDDEV_SAMP},
                                                    {"stddev_pop", Feature::STDDEV_POP},
                                                    {"stddev_samp", Feature::STDDEV_SAMP}}};

constexpr std::array<std::string_view, 18> kLater{"skew",
                                                  "kurtosis",
                                                  "first",
                                                  "last",
                                                  "first_n",
                                                  "last_n",
                                                  "first_distinct_n",
                                                  "last_distinct_n",
                                                  "count_distinct",
                                                  "approx_count_distinct",
                                                  "percentile",
                                                  "approx_percentile",
                                                  "top_k",
                                                  "bottom_k",
                                                  "approx_top_k",
                                                  "histogram",
                                                  "decayed_sum",
                                                  "mode"};

}  // namespace

std::optional<Feature::Function> function_by_name(std::string_view name) {
  for (const NamedFunction& each : kFunctions) {
    if (each.name == name) return each.function;
  }
  return std::nullopt;
}

const std::vector<std::string>& function_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const NamedFunction& each : kFunctions) out.emplace_back(each.name);
    return out;
  }();
  return names;
}

bool is_later_function(std::string_view name) {
  return std::find(kLater.begin(), kLater.end(), name) != kLater.end();
}

std::optional<proto::ColumnType> feature_type(Feature::Function function,
                                              std::optional<proto::ColumnType> column) {
  if (function == Feature::COUNT) return proto::INT64;
  if (!column.has_value()) return std::nullopt;
  if (function == Feature::MIN || function == Feature::MAX) {
    if (is_numeric(*column) || column == proto::TIMESTAMP) return *column;
    return std::nullopt;
  }
  if (!is_numeric(*column)) return std::nullopt;
  // Sums of int32 fit; those of int64 may not, so they are doubles, as the means are.
  if (function == Feature::SUM && column == proto::INT32) return proto::INT64;
  return proto::DOUBLE;
}

std::string wanted_types(Feature::Function function) {
  if (function == Feature::MIN || function == Feature::MAX) {
    return "numbers or timestamps";
  }
  return "numbers (int32, int64 or double)";
}

}  // namespace tidemill
