// InputRegistry: numbers what reads of one table have asked for: the indexes into the caches of its
// chunks and groups. Bounded by the features of the job's plan. shard-affine
#pragma once

#include <algorithm>
#include <vector>

#include "shared/window/collection.h"
#include "shared/window/summary.h"

namespace tidemill {

class InputRegistry {
 public:
  uint32_t number_of(const SummaryInput& input) { return number(input, &inputs_); }
  uint32_t number_of(const CollectionSpec& spec) { return number(spec, &collections_); }

 private:
  template <typename T>
  static uint32_t number(const T& what, std::vector<T>* known) {
    const auto found = std::find(known->begin(), known->end(), what);
    const auto at = static_cast<uint32_t>(found - known->begin());
    if (found == known->end()) known->push_back(what);
    return at;
  }

  std::vector<SummaryInput> inputs_;
  std::vector<CollectionSpec> collections_;
};

}  // namespace tidemill
