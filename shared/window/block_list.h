// The row blocks of one message part, checked whole before any of them is applied.
#pragma once

#include <vector>

#include "shared/base/buffer.h"
#include "shared/base/result.h"
#include "shared/columns/row_block.h"
#include "shared/window/table_schema.h"

namespace tidemill {

// Whether a block is of a table of these, with its columns and filters.
bool fits(const std::vector<TableSchema>& schemas, const RowBlockView& block);

// Appends views of the blocks that lie one after the other in `bytes`, which they point into.
// Refuses bytes that are no blocks, and blocks that do not fit the tables.
Status parse_blocks(const Buffer& bytes, const std::vector<TableSchema>& schemas,
                    std::vector<RowBlockView>* views);

}  // namespace tidemill
