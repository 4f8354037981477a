// What a job costs as far as its definitions tell: what is kept of an event, for how long and
// because of what, what is kept for ever, how functions are bounded. An estimate in bytes of a
// store's memory; workers and snapshots hold the same rows on disk.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/costs/approximation.h"
#include "cli/costs/base_cost.h"
#include "shared/plan/plan.h"

namespace tidemill::costs {

struct SourceCost {
  std::string name;
  std::optional<uint32_t> partitions;  // now; none: the topic is asked when the job is submitted
  bool may_grow = false;
  double event_bytes = 0;  // of an event that passes all conditions, over all tables
};

struct ColumnCost {
  std::string text;
  ColumnType type{};
  double bytes = 0;  // per row
};

// The rows that views of one entity over the same inputs share.
struct TableCost {
  std::string entity;
  std::vector<std::string> sources;
  std::vector<std::string> views;
  std::vector<ColumnCost> columns;
  size_t conditions = 0;
  double row_bytes = 0;
  double cached_bytes = 0;  // per row, once its key was read
  double key_bytes = 0;
  DurationUs retention = 0;
  std::string longest;          // "view.feature" that looks back so far
  DurationUs within = 0;        // of that for its deduplication; 0: it has none
  std::vector<std::string> id;  // columns by which rows are deduplicated
  DurationUs behind = 0;        // how far the horizon is behind the sources, at the least
  std::vector<BaseCost> base;
  // How many rows of a key are kept (docs/semantics.md, hot keys); none: all.
  struct RowBound {
    uint64_t tile_rows = 0;  // with more in a tile it is folded
    uint64_t leaves = 0;     // of a folded tile, at most
    DurationUs tile = 0;
    uint64_t tiles = 0;  // that rows are kept of, at most
    bool by_default = false;
  };
  std::optional<RowBound> bound;

  // Of a key with so many rows that are kept.
  double bytes_of(uint64_t rows) const;
  double base_bytes() const;  // per key, for ever; 0: none
};

// Windows of one aggregation.
struct FunctionCost {
  std::string name;  // "view.name", without a window
  std::string function;
  std::vector<std::string> windows;
  std::vector<Bound> bounds;
  Approximation approximation;
};

// All rows of a key of an entity go to one key partition, whatever views are over it.
struct EntityCost {
  std::string entity;
  std::vector<std::string> views;
};

struct JobCost {
  uint32_t key_partitions = 0;
  std::vector<SourceCost> sources;
  std::vector<TableCost> tables;
  std::vector<FunctionCost> functions;
  std::vector<EntityCost> entities;
};

JobCost cost_of(const Plan& plan);

// How many events of a key within its retention are spoken of where no sample tells how many.
inline constexpr uint64_t kExampleEvents = 1000;

}  // namespace tidemill::costs
