// Values of a column of decimals within chunks.
#pragma once

#include "shared/base/decimal.h"
#include "shared/window/chunk.h"

namespace tidemill {

// Bytes that are no decimal, which no process writes, count as 0.
inline Decimal decimal_at(const ChunkLayout& layout, const Chunk& chunk, uint32_t column,
                          uint32_t row) {
  return decode_decimal(layout.string_at(chunk, column, row)).value_or(Decimal{});
}

}  // namespace tidemill
