// The aggregation functions: their names, and what each takes and gives. Front ends and the check
// of a plan from the wire use the same rules.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/plan.pb.h"

namespace tidemill {

// count, sum, mean, min, max, var_pop, var_samp, stddev_pop, stddev_samp; var and stddev are the
// samp ones.
std::optional<proto::Feature::Function> function_by_name(std::string_view name);

const std::vector<std::string>& function_names();

// Functions of the design that this version cannot compute.
bool is_later_function(std::string_view name);

// The type of a feature's value, or nothing if the function does not take such a column. No
// column: count of rows, the only function that takes none.
std::optional<proto::ColumnType> feature_type(proto::Feature::Function function,
                                              std::optional<proto::ColumnType> column);

// What feature_type() wants: "numbers (int32, int64 or double)".
std::string wanted_types(proto::Feature::Function function);

}  // namespace tidemill
