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
// last_n, first_distinct_n, last_distinct_n, count_distinct, top_k, bottom_k, skew, skew_pop,
// kurtosis, kurtosis_pop, histogram, top_k_by_frequency, bottom_k_by_frequency,
// approx_count_distinct, approx_percentile, decayed_sum, decayed_count; var and stddev are the samp
// ones.
std::optional<proto::Feature::Function> function_by_name(std::string_view name);

const std::vector<std::string>& function_names();

// The name of a function in a job; of var_samp that, not var.
std::string function_name(proto::Feature::Function function);

// The type of a feature's value, or of the elements if it gives a list; nothing if the function
// does not take such a column. No column: the rows themselves, which only some
// functions take.
std::optional<proto::Type> feature_type(proto::Feature::Function function,
                                        const std::optional<proto::Type>& column);

// Sums of decimals have 38 digits: what is added up has at most so many, so that no sum of fewer than
// 10^10 rows has more.
inline constexpr uint32_t kMostSummedDigits = 28;

// Whether it may be without a column, of rows.
bool takes_rows(proto::Feature::Function function);

// What feature_type() wants: "numbers (int32, int64 or double)".
std::string wanted_types(proto::Feature::Function function);

// Whether the value is 0 where others are null.
bool is_never_null(proto::Feature::Function function);

// Whether the value is a list.
bool gives_list(proto::Feature::Function function);

// Whether the value is a map, by its function alone: HISTOGRAM. *_BY_FREQUENCY may give one.
bool gives_map(proto::Feature::Function function);
bool may_give_map(proto::Feature::Function function);

// Whether the value is a single one, so that `by` may make a map of them.
bool gives_scalar(proto::Feature::Function function);

// What a feature keeps of the rows with one value of its `by`, at most, beside a hundred bytes or
// so; of an ordinary sum a few hundred bytes more.
uint64_t largest_group_bytes(const proto::Feature& feature);
// The largest max_groups that it may have with a lifetime window.
uint64_t most_lifetime_groups(const proto::Feature& feature);

// What a function takes beside its column: a whole number, or a share of one in millionths.
struct FunctionParameter {
  enum class Field { kN, kBound, kPercentile, kRelativeAccuracy, kHalfLife };  // of Feature
  enum class Kind { kNumber, kShare, kDuration };

  std::string_view key;  // in a job: n, k, exact_up_to, ...
  Field field{};
  Kind kind{};
  uint64_t least = 0;
  uint64_t most = 0;
  std::optional<uint64_t> by_default;  // none: it must be given
  std::string_view what;               // it is, in an error
  std::string_view example;
};
std::vector<FunctionParameter> function_parameters(proto::Feature::Function function);

uint64_t parameter_of(const proto::Feature& feature, FunctionParameter::Field field);
void set_parameter(FunctionParameter::Field field, uint64_t value, proto::Feature* feature);
// As a job would say it: 10, 0.99, 7d.
std::string parameter_text(const FunctionParameter& parameter, uint64_t value);

// The keys of all parameters.
const std::vector<std::string>& parameter_keys();

}  // namespace tidemill
