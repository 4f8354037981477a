// What lifetime windows keep of a key for ever (shared/window/base_summary.h), at the bounds of
// their functions: the most that a key can take.
#pragma once

#include <string>
#include <vector>

#include "shared/plan/plan.h"

namespace tidemill::costs {

struct BaseCost {
  std::string what;                   // "hashes of distinct values"
  std::string bound;                  // "up to 10001"; empty if its size does not grow
  std::vector<std::string> features;  // "view.feature": that need it
  double bytes = 0;                   // at the bound
};

// Of one table; empty if none of its features has a lifetime window. Texts are taken to have
// kTextBytes.
std::vector<BaseCost> base_costs(const Plan& plan, uint16_t table);

}  // namespace tidemill::costs
