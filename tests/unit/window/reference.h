// Independent truth for the window tests: features folded over plain rows in exact integer
// arithmetic (boost::multiprecision), straight from the definitions, and rounded by bisection over
// all doubles. Shares no code with the library.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "shared/window/partition_state.h"

namespace tidemill::testing {

using Cell = std::variant<std::monostate, bool, int64_t, double, std::string>;

struct Row {
  TimeUs time = 0;
  std::vector<Cell> cells;
  std::vector<bool> filters;
};

FeatureValue reference_value(const std::vector<Row>& rows, const TableSchema& schema,
                             const FeatureSpec& feature, TimeUs as_of);

// Sum, mean, variance and standard deviation of doubles.
double reference_sum(const std::vector<double>& values);
double reference_mean(const std::vector<double>& values);
double reference_variance(const std::vector<double>& values, bool sample);
double reference_stddev(const std::vector<double>& values, bool sample);

bool same_scalar(const ScalarValue& a, const ScalarValue& b);
// Equal in kind and bits; any NaN equals any other.
bool same_value(const FeatureValue& a, const FeatureValue& b);
std::string show(const FeatureValue& value);

}  // namespace tidemill::testing
