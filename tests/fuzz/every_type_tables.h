// Two small tables with columns of every type, and a use of window state that has them: features
// of all functions, images.
#pragma once

#include "shared/window/partition_state.h"

namespace tidemill::fuzz {

// Table 0: a column of every type, two filters. Table 1: no columns, one filter.
const TableSchemas& every_type_tables();

// Reads features of some keys, and takes all images to another state, which must then be equal.
void use(const PartitionState& state);

// A state with a few rows and keys in both tables.
PartitionState small_state();

}  // namespace tidemill::fuzz
