#include "cli/costs/row_cost.h"

#include <algorithm>

#include "shared/window/chunk.h"
#include "shared/window/collection.h"
#include "shared/window/key_table.h"
#include "shared/window/summary.h"

namespace tidemill::costs {
namespace {

constexpr double kBit = 1.0 / 8;
constexpr double kTimeBytes = 4;
constexpr double kTextLengthBytes = 4;
constexpr double kTextRoom = 1.25;  // room for texts grows by half when it is full
// Of the index a key has a cell of 8 bytes, and the index is between 3/8 and 3/4 full.
constexpr double kIndexBytes = 8 / 0.5625;

}  // namespace

double value_bytes(ColumnType type) {
  switch (storage_of(type)) {
    case Storage::kBits:
      return 2 * kBit;
    case Storage::kStrings:
      return 4 + kTextRoom * (kTextLengthBytes + kTextBytes) + kBit;
    default:
      return (type == ColumnType::kInt32 ? 4 : 8) + kBit;
  }
}

double row_bytes(const TableSchema& schema) {
  double out = kTimeBytes + schema.filters * kBit;
  bool texts = false;
  for (const ColumnType type : schema.columns) {
    out += value_bytes(type);
    texts |= storage_of(type) == Storage::kStrings;
  }
  // Headers of the chunk and of its texts, and its place among the sealed ones.
  const size_t around = sizeof(Chunk) + sizeof(SealedChunk) + (texts ? 8 : 0);
  return out + static_cast<double>(around) / kChunkRows;
}

double key_bytes() { return sizeof(KeyEntry) + kIndexBytes; }

double cached_bytes(const std::vector<const FeatureSpec*>& features) {
  std::vector<SummaryInput> inputs;
  for (const FeatureSpec* feature : features) {
    if (reads_collection(*feature)) continue;
    const SummaryInput input = summary_input_of(*feature);
    if (std::find(inputs.begin(), inputs.end(), input) == inputs.end()) inputs.push_back(input);
  }
  return static_cast<double>(inputs.size() * sizeof(Summary)) / kChunkRows;
}

}  // namespace tidemill::costs
