#include "cli/costs/approximation.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "shared/plan/features.h"
#include "shared/plan/limits.h"
#include "shared/window/percentile_sketch.h"

namespace tidemill::costs {
namespace {

using proto::Feature;

// Two significant digits: "1.6 %".
std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2g %%", share * 100);
  return text;
}

std::string more_values_than(uint32_t bound) {
  return "more than " + std::to_string(bound) + " different values in a window";
}

Approximation distinct_hashes(const Feature& feature) {
  return {Exactness::kExactUpToABound, more_values_than(feature.n()),
          "a standard error of " + percent(1 / std::sqrt(feature.n()))};
}

// HyperLogLog's standard error (Flajolet et al., 2007).
Approximation registers(const Feature& feature) {
  const double count = std::ldexp(1.0, static_cast<int>(feature.n()));
  return {Exactness::kApproximate, "", "a standard error of " + percent(1.04 / std::sqrt(count))};
}

// Buckets of one sign cover so many powers of two before each two of them become one.
Approximation buckets(const Feature& feature) {
  const uint32_t octaves =
      std::max(1u, feature.bound() / buckets_per_octave(feature.relative_accuracy()));
  return {Exactness::kApproximate, "",
          "off by at most " + percent(feature.relative_accuracy() / 1e6) +
              " of the value while the greatest number is up to 2^" + std::to_string(octaves) +
              " times the least; about twice that up to 2^" + std::to_string(2 * octaves) +
              " times, and so on"};
}

Approximation counts(const Feature& feature) {
  return {Exactness::kExactUpToABound, more_values_than(feature.bound()),
          "only " + std::to_string(feature.bound()) +
              " of the values, a random sample, are looked at; their counts are right, and the "
              "answer says truncated"};
}

Approximation of_function(const Feature& feature) {
  switch (feature.function()) {
    case Feature::COUNT_DISTINCT:
      return distinct_hashes(feature);
    case Feature::APPROX_COUNT_DISTINCT:
      return registers(feature);
    case Feature::APPROX_PERCENTILE:
      return buckets(feature);
    case Feature::HISTOGRAM:
    case Feature::TOP_K_BY_FREQUENCY:
    case Feature::BOTTOM_K_BY_FREQUENCY:
      return counts(feature);
    default:
      return {};
  }
}

}  // namespace

std::vector<Bound> bounds_of(const Feature& feature) {
  std::vector<Bound> out;
  for (const FunctionParameter& parameter : function_parameters(feature.function())) {
    const uint64_t value = parameter_of(feature, parameter.field);
    out.push_back({std::string(parameter.key), parameter_text(parameter, value),
                   parameter.by_default == value});
  }
  if (feature.by() > 0) {
    out.push_back({"max_groups", std::to_string(feature.max_groups()),
                   feature.max_groups() == limits::kGroupsDefault});
  }
  return out;
}

// With `by` entries may be missing, and each that is there is as exact as its function.
Approximation approximation_of(const Feature& feature) {
  Approximation out = of_function(feature);
  if (feature.by() == 0) return out;
  const std::string groups =
      "more than " + std::to_string(feature.max_groups()) + " different values of by in a window";
  const std::string missing = "only " + std::to_string(feature.max_groups()) +
                              " entries, a random sample, are there, and the answer says truncated";
  if (out.exactness == Exactness::kApproximate) {
    out.error += "; with " + groups + " " + missing;
    return out;
  }
  const bool exact = out.exactness == Exactness::kExact;
  out.beyond = exact ? groups : groups + ", or " + out.beyond;
  out.error = exact ? missing : missing + "; or " + out.error;
  out.exactness = Exactness::kExactUpToABound;
  return out;
}

}  // namespace tidemill::costs
