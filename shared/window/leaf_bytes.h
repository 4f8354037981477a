// How large the leaves of folded tiles (folded_tiles.h) may be, which decides how many of them a
// tile may have.
#pragma once

#include <vector>

#include "shared/window/table_schema.h"

namespace tidemill {

// Of one leaf, at the bounds of the features' functions; texts are taken to have 16 bytes.
// docs/semantics.md, "Hot keys", has the formula.
uint64_t largest_leaf_bytes(const std::vector<ColumnType>& columns,
                            const std::vector<FeatureSpec>& features);

}  // namespace tidemill
