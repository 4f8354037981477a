// TableSchema and FeatureSpec: what window state needs to know of a plan, free of Protobuf.
// immutable
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "shared/base/time.h"
#include "shared/columns/row_block.h"

namespace tidemill {

enum class Function : uint8_t {  // numbers as in proto/plan.proto
  kCount = 1,
  kSum = 2,
  kMean = 3,
  kMin = 4,
  kMax = 5,
  kVarPop = 6,
  kVarSamp = 7,
  kStddevPop = 8,
  kStddevSamp = 9,
};

enum class Closed : uint8_t { kRight = 1, kLeft = 2, kBoth = 3, kNeither = 4 };

struct FeatureSpec {
  std::string name;
  Function function{};
  int32_t column = -1;  // of the table; -1: the row itself
  int32_t filter = -1;  // of the table; -1: every row
  DurationUs window = 0;
  DurationUs offset = 0;
  Closed closed = Closed::kRight;
  ColumnType type{};  // of the value
};

struct TableSchema {
  std::string entity;        // join keys joined by ','
  uint64_t entity_seed = 0;  // hash_bytes(entity, 0)
  std::vector<ColumnType> key_types;
  std::vector<ColumnType> columns;
  uint32_t filters = 0;
  DurationUs retention = 0;  // longest window + offset of the table's features
};

using TableSchemas = std::shared_ptr<const std::vector<TableSchema>>;

}  // namespace tidemill
