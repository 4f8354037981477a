// ValueGroups: of each value of a bucket column what a function needs to know of the rows with it,
// for up to `max_groups` values (value_table.h). Of functions but first and last, whose rows are
// held by GroupedRows.
//
// A function of the multiset of rows: adding and merging in any order leave the same.
#pragma once

#include <variant>

#include "shared/window/collection.h"
#include "shared/window/hyper_log_log.h"
#include "shared/window/percentile_sketch.h"
#include "shared/window/summary.h"
#include "shared/window/value_table.h"

namespace tidemill {

class ValueGroups {
 public:
  // Empty, of a collection that is grouped() and is_sketch().
  explicit ValueGroups(const CollectionSpec& spec) : spec_(spec), groups_(spec.max_groups) {}

  // Rows of `chunk` in `mask`, which pass the filter and are not null in the bucket column;
  // `column` is the spec's.
  void add_rows(const ChunkLayout& layout, const Chunk& chunk, uint64_t mask, uint32_t column);
  // Of the same collection, or one that has more families of numbers.
  void merge(const ValueGroups& other);
  void finish();  // before anything below
  // Whether rows with times from `first` to `last` may have the groups, as far as these decay.
  bool decays_between(TimeUs first, TimeUs last) const;

  // A map in the order of the bucket column's values; null if it is empty. `type` is that of the
  // feature's column, `key_type` that of the bucket column; the window ends at `end`.
  FeatureValue value(const FeatureSpec& feature, ColumnType type, ColumnType key_type,
                     __int128 end) const;
  size_t size() const;  // entries, for comparison with a number of rows
  size_t heap_bytes() const { return groups_.heap_bytes() + state_bytes_; }

  // As bytes (docs/formats/image.md). False for bytes that encode() does not write.
  void encode(ColumnType key_type, ByteWriter* out) const;
  bool decode(ColumnType key_type, ByteReader* in);

 private:
  using State = std::variant<Summary, DistinctHashes, HyperLogLog, PercentileSketch>;
  using Entry = ValueTable<State>::Entry;

  State fresh() const;
  void add_to(State* state, const ChunkLayout& layout, const ChunkRows& rows,
              uint32_t column) const;
  void merge_into(State* state, const State& other) const;
  void encode_state(const State& state, ByteWriter* out) const;
  bool decode_state(ByteReader* in, State* out) const;
  FeatureValue state_value(const FeatureSpec& feature, ColumnType type, const State& state,
                           __int128 end) const;
  void make_room();
  void count_state_bytes();

  CollectionSpec spec_;
  ValueTable<State> groups_;
  size_t state_bytes_ = 0;  // that states have allocated
};

}  // namespace tidemill
