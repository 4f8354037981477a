// TableSchema and FeatureSpec: what window state needs to know of a plan, free of Protobuf.
// immutable
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/time.h"
#include "shared/base/time_zone.h"
#include "shared/columns/row_block.h"
#include "shared/nested/nested_type.h"
#include "shared/window/feature_value.h"

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
  kSkew = 19,
  kKurtosis = 20,
  kApproxCountDistinct = 21,
  kApproxPercentile = 22,
  kTopKByFrequency = 23,
  kBottomKByFrequency = 24,
  kHistogram = 25,
  kDecayedSum = 26,
  kSkewPop = 27,
  kKurtosisPop = 28,
  kDecayedCount = 29,
};

enum class Closed : uint8_t { kRight = 1, kLeft = 2, kBoth = 3, kNeither = 4 };

// Where tumbling and hopping windows end: at multiples of `every`.
struct WindowSteps {
  enum class Unit : uint8_t {  // numbers as in proto/plan.proto
    kMicros = 1,               // since the epoch
    kDays = 2,                 // from midnight in the zone, counted from 1970-01-01
    kWeeks = 3,                // from Monday, counted from 1970-01-05
    kMonths = 4,               // from the first, counted from 1970-01
  };
  Unit unit{};
  int64_t every = 0;   // units
  int64_t window = 0;  // units; of kWeeks days; 0 if lifetime
  TimeZone zone;
};

struct FeatureSpec {
  std::string name;
  Function function{};
  int32_t column = -1;    // of the table; -1: the row itself
  int32_t filter = -1;    // of the table; -1: every row
  DurationUs window = 0;  // 0 if lifetime; of steps by days and months the longest
  DurationUs offset = 0;
  Closed closed = Closed::kRight;
  ColumnType type{};  // of the value, or of the list's elements
  uint8_t column_scale = 0;  // of a column of decimals: digits behind the point
  // Of a `type`, or keys of a map, that are lists, structs or maps themselves: what is in them.
  std::shared_ptr<const NestedType> nested;
  std::shared_ptr<const NestedType> nested_key;
  bool list = false;
  bool map = false;  // a map of values of `type`
  // Longest list; of kCountDistinct the largest exact count, of kApproxCountDistinct its precision.
  uint32_t n = 0;
  // Of kHistogram and k*ByFrequency the most values that are counted, of kApproxPercentile the most
  // buckets.
  uint32_t bound = 0;
  // A map: of each value of this column of the table the function over the rows with it; -1: no.
  int32_t by = -1;
  uint32_t max_groups = 0;         // with `by`: the most values
  uint32_t percentile = 0;         // of kApproxPercentile: in millionths
  uint32_t relative_accuracy = 0;  // of kApproxPercentile: in millionths
  DurationUs half_life = 0;        // of kDecayed*
  bool lifetime = false;           // everything up to as_of - offset
  DurationUs gap = 0;              // over 0: a session, of `window` at most
  // Null: a window ends at as_of - offset. If not, at the last of these at or before that.
  std::shared_ptr<const WindowSteps> steps;
  FeatureValue otherwise;  // what it is instead of null
  // Columns of the table that order rows of one event time (docs/semantics.md).
  std::vector<uint32_t> order;
  DurationUs reach = 0;  // how far before as_of it looks, at most
  uint16_t table = 0;    // that it is over
};

// What a table keeps for one view: rows that pass one of the view's filters, or all. Such a row
// that arrives before horizon - retention is too late for the view.
struct TableView {
  uint32_t view = 0;              // number in the plan
  DurationUs retention = 0;       // how far before as_of its features look, at most
  bool lifetime = false;          // it has a lifetime window: nothing is too late
  std::vector<uint32_t> filters;  // empty: every row
};

// Which rows count: those that no other of the same id precedes with an event time > their own -
// within (docs/semantics.md).
struct Deduplication {
  std::vector<uint32_t>
      by;                 // columns that make the id; a row with a null in one has none, and counts
  DurationUs within = 0;  // over 0
  int32_t filter = -1;    // rows that do not pass it are no rows; -1: every row is one
  // Of one event time rows are ordered by these columns, then by these filters: one that passes
  // comes after one that does not.
  std::vector<uint32_t> order;
  std::vector<uint32_t> filters;
};

// How many rows of a key are kept of one tile of event time: of the times [n, n + 1) × 2^tile_shift
// us. A tile with more is folded into leaves (folded_tiles.h).
struct TileBound {
  uint64_t max_rows = 0;  // at least kChunkRows
  int tile_shift = 0;
  int leaf_shift = 0;       // leaves are at least 2^leaf_shift us wide; up to tile_shift
  uint64_t max_leaves = 0;  // of a tile; at least 1

  int64_t tile_of(TimeUs time) const { return time >> tile_shift; }
  TimeUs first_time(int64_t tile) const { return tile << tile_shift; }
  TimeUs last_time(int64_t tile) const {
    return first_time(tile) + ((int64_t{1} << tile_shift) - 1);
  }
};

struct TableSchema {
  std::string entity;        // join keys joined by ','
  uint64_t entity_seed = 0;  // hash_bytes(entity, 0)
  std::vector<ColumnType> key_types;
  std::vector<ColumnType> columns;
  // One per column, if any of them is of decimals: their digits behind the point.
  std::vector<uint8_t> scales;
  uint32_t filters = 0;
  // How far before as_of the table's features look, at most, and the deduplication before that.
  DurationUs retention = 0;
  // What it was when the table was first made, if it has grown since. Not set: it has not.
  std::optional<DurationUs> first_retention;
  // It came with an update: states from before have no rows of it.
  bool further = false;
  DurationUs max_future = 0;  // how far an event time may be past M_s (docs/kafka.md), at most
  // Rows before horizon - retention are folded into the key's base summary if a feature needs them:
  std::vector<FeatureSpec> lifetime;  // those with a lifetime window
  std::vector<TableView> views;
  std::shared_ptr<const Deduplication> deduplication;  // null: every row counts
  std::shared_ptr<const TileBound> bound;              // null: every row is kept
  std::vector<FeatureSpec> features;  // all of them, if it has a bound: leaves are for them
};

// The earliest time of which rows are kept at a horizon; with a bound, whole tiles.
TimeUs kept_since(const TableSchema& schema, TimeUs horizon);

// Likewise, if rows are kept for `retention`.
TimeUs kept_since(const TableSchema& schema, DurationUs retention, TimeUs horizon);

// The first time at or after `time` before which no tile ends; without a bound `time` itself.
TimeUs tile_end_from(const TableSchema& schema, TimeUs time);

// How far before as_of its features look, at most.
DurationUs features_reach(const TableSchema& schema);

using TableSchemas = std::shared_ptr<const std::vector<TableSchema>>;

// What a stored state and a job that reads it must have in common: entities, columns, filters,
// lifetime functions, lengths of tiles. (Folded tiles say themselves which
// features they are for.)
uint64_t schema_hash(const std::vector<TableSchema>& schemas);

// Whether a state of that hash is one of these tables, or of those that there were before some came
// with an update.
bool reads_states_of(const std::vector<TableSchema>& schemas, uint64_t hash);

}  // namespace tidemill
