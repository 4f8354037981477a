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
  kFirst = 10,
  kLast = 11,
  kFirstN = 12,
  kLastN = 13,
  kFirstDistinctN = 14,
  kLastDistinctN = 15,
  kCountDistinct = 16,
  kTopK = 17,
  kBottomK = 18,
};

enum class Closed : uint8_t { kRight = 1, kLeft = 2, kBoth = 3, kNeither = 4 };

struct FeatureSpec {
  std::string name;
  Function function{};
  int32_t column = -1;    // of the table; -1: the row itself
  int32_t filter = -1;    // of the table; -1: every row
  DurationUs window = 0;  // 0 if lifetime
  DurationUs offset = 0;
  Closed closed = Closed::kRight;
  ColumnType type{};  // of the value, or of the list's elements
  bool list = false;
  uint32_t n = 0;         // longest list; of kCountDistinct the largest exact count
  bool lifetime = false;  // everything up to as_of - offset
  // Columns of the table that order rows of one event time (docs/semantics.md).
  std::vector<uint32_t> order;
};

// What a table keeps for one view: rows that pass one of the view's filters, or all. Such a row
// that arrives before horizon - retention is too late for the view.
struct TableView {
  uint32_t view = 0;              // number in the plan
  DurationUs retention = 0;       // its longest window + offset
  bool lifetime = false;          // it has a lifetime window: nothing is too late
  std::vector<uint32_t> filters;  // empty: every row
};

struct TableSchema {
  std::string entity;        // join keys joined by ','
  uint64_t entity_seed = 0;  // hash_bytes(entity, 0)
  std::vector<ColumnType> key_types;
  std::vector<ColumnType> columns;
  uint32_t filters = 0;
  DurationUs retention = 0;  // longest window + offset of the table's features
  // Rows before horizon - retention are folded into the key's base summary if a feature needs them:
  std::vector<FeatureSpec> lifetime;  // those with a lifetime window
  std::vector<TableView> views;
};

using TableSchemas = std::shared_ptr<const std::vector<TableSchema>>;

// What a stored state and a job that reads it must have in common: entities, columns, filters,
// lifetime functions, numbers of views.
uint64_t schema_hash(const std::vector<TableSchema>& schemas);

}  // namespace tidemill
