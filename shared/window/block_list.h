// The row blocks of one message part, checked whole before any of them is applied.
#pragma once

#include <vector>

#include "shared/base/buffer.h"
#include "shared/base/result.h"
#include "shared/columns/row_block.h"
#include "shared/window/partition_state.h"

namespace tidemill {

// Appends views of the blocks that lie one after the other in `bytes`, which they point into.
// Refuses bytes that are no blocks, and blocks that `state` does not accept.
Status parse_blocks(const Buffer& bytes, const PartitionState& state,
                    std::vector<RowBlockView>* views);

}  // namespace tidemill
