// Independent truth for functions of a set of values that are not sums: histograms, frequencies,
// approximate counts and percentiles. Straight from docs/semantics.md, from all values at once.
#pragma once

#include <vector>

#include "tests/unit/window/reference.h"

namespace tidemill::testing {

// `cells` are those of the window that are not null.
FeatureValue reference_frequencies(const std::vector<Cell>& cells, const FeatureSpec& feature);
int64_t reference_approx_distinct(const std::vector<Cell>& cells, uint32_t precision);
FeatureValue reference_approx_percentile(const std::vector<Cell>& cells,
                                         const FeatureSpec& feature);

// What order and hashes of cells are, as for all functions.
bool cell_below(const Cell& a, const Cell& b);  // nulls last, NaN greatest, -0.0 below 0.0
uint64_t hash_of_cell(const Cell& cell);
ScalarValue scalar_of(const Cell& cell);

}  // namespace tidemill::testing
