// What a row takes in a store's memory, as the types of its columns tell: an estimate, by the
// layout of chunks (docs/formats/partition_state.md), without looking at an event.
#pragma once

#include <cstdint>

#include "shared/window/table_schema.h"

namespace tidemill::costs {

// What the estimate takes a text (string, bytes, json) to be: so many bytes, another one in each
// row. Equal texts of 64 rows of a key that follow one another are kept once.
inline constexpr uint32_t kTextBytes = 16;

// Bytes of a value, with its share of the bitmap of nulls.
double value_bytes(ColumnType type);

// Bytes of a row in a full chunk: its time, which takes 4 bytes, its values, a bit for each
// condition, and its share of what stands around 64 rows. Times take 8 bytes where those of 64
// neighbouring rows of a key span more than 2^32 of the largest of 1 s, 1 ms and 1 us that divides
// them all: some 49 days of milliseconds, 71 minutes of microseconds.
double row_bytes(const TableSchema& schema);

// Bytes of a key beside its rows: its slot and its place in the index. A key of more than 24 bytes
// takes its own size too.
double key_bytes();

// Bytes that reading adds to a row: the summaries that chunks cache, one for each pair of a column
// and a condition that numbers are asked of.
double cached_bytes(const std::vector<const FeatureSpec*>& features);

}  // namespace tidemill::costs
