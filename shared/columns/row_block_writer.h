// Writes RowBlocks (row_block.h) by gathering chosen rows of columns.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "shared/base/bytes.h"
#include "shared/columns/column.h"
#include "shared/columns/row_block.h"

namespace tidemill {

// Rows to gather: `rows` are indexes into every array here.
struct BlockRows {
  std::span<const uint32_t> rows;
  std::span<const uint64_t> key_hashes;
  std::span<const TimeUs> event_times;
  std::span<const std::string_view> keys;
  std::span<const Column* const> columns;
  std::span<const Column* const> filters;  // booleans; null counts as false
};

// Appends one block at the next multiple of 8 of `out`. At most kMaxRowsPerBlock rows.
void write_row_block(uint16_t table, const BlockRows& rows, ByteWriter* out);

}  // namespace tidemill
