// What a function is bounded by, and where its value is not exact (docs/semantics.md).
#pragma once

#include <string>
#include <vector>

#include "proto/plan.pb.h"

namespace tidemill::costs {

struct Bound {
  std::string key;    // as in a job: "exact_up_to"
  std::string value;  // "10000"
  bool by_default = false;
};
std::vector<Bound> bounds_of(const proto::Feature& feature);

enum class Exactness { kExact, kExactUpToABound, kApproximate };

struct Approximation {
  Exactness exactness{};
  std::string beyond;  // of kExactUpToABound: "more than 10000 different values in a window"
  std::string error;   // how far off the value is then; empty of kExact
};
Approximation approximation_of(const proto::Feature& feature);

}  // namespace tidemill::costs
