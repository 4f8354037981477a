// Independent truth for functions grouped by a column: each group by itself, straight from
// docs/semantics.md.
#pragma once

#include <vector>

#include "tests/unit/window/reference_windows.h"

namespace tidemill::testing {

// Of a feature with `by`, over the rows in the window.
FeatureValue reference_groups(const RowPointers& rows, const TableSchema& schema,
                              const FeatureSpec& feature, const ReferenceWindow& window);

// Without `by`; the window may have been found with other rows than these.
FeatureValue reference_over(const RowPointers& rows, const TableSchema& schema,
                            const FeatureSpec& feature, const ReferenceWindow& window);

}  // namespace tidemill::testing
