// The aggregation functions: their names, and what each takes and gives. Front ends and the check
// of a plan from the wire use the same rules.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/plan.pb.h"

namespace tidemill {

// count, sum, mean, min, max, var_pop, var_samp, stddev_pop, stddev_samp, first, last, first_n,
// last_n, first_distinct_n, last_distinct_n, count_distinct, top_k, bottom_k; var and stddev are
// the samp ones.
std::optional<proto::Feature::Function> function_by_name(std::string_view name);

const std::vector<std::string>& function_names();

// The name of a function in a job; of var_samp that, not var.
std::string function_name(proto::Feature::Function function);

// Functions of the design that this version cannot compute.
bool is_later_function(std::string_view name);

// The type of a feature's value, or of the elements if it gives a list; nothing if the function
// does not take such a column. No column: count of rows, the only function that takes none.
std::optional<proto::ColumnType> feature_type(proto::Feature::Function function,
                                              std::optional<proto::ColumnType> column);

// What feature_type() wants: "numbers (int32, int64 or double)".
std::string wanted_types(proto::Feature::Function function);

// Whether the value is a list.
bool gives_list(proto::Feature::Function function);

// The number that a function takes beside its column: Feature.n.
struct FunctionParameter {
  std::string_view key;  // in a job: n, k, exact_up_to
  uint32_t least = 0;
  uint32_t most = 0;
  std::optional<uint32_t> by_default;  // none: it must be given
};
std::optional<FunctionParameter> function_parameter(proto::Feature::Function function);

// The keys of all parameters.
const std::vector<std::string>& parameter_keys();

}  // namespace tidemill
