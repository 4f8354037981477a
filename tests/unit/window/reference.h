// Independent truth for the window tests: features folded over plain rows in exact integer
// arithmetic (boost::multiprecision), straight from the definitions, and rounded by bisection over
// the doubles. Shares no code with the library.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "shared/window/partition_state.h"
#include "tests/unit/window/same_value.h"

namespace tidemill::testing {

using Cell = std::variant<std::monostate, bool, int64_t, double, std::string>;

struct Row {
  TimeUs time = 0;
  std::vector<Cell> cells;
  std::vector<bool> filters;
};

using RowPointers = std::vector<const Row*>;
RowPointers pointers_to(const std::vector<Row>& rows);

FeatureValue reference_value(const std::vector<Row>& rows, const TableSchema& schema,
                             const FeatureSpec& feature, TimeUs as_of);
FeatureValue reference_value(const RowPointers& rows, const TableSchema& schema,
                             const FeatureSpec& feature, TimeUs as_of);

// Sum, mean, variance and standard deviation of doubles.
double reference_sum(const std::vector<double>& values);
double reference_mean(const std::vector<double>& values);
double reference_variance(const std::vector<double>& values, bool sample);
double reference_stddev(const std::vector<double>& values, bool sample);

}  // namespace tidemill::testing
