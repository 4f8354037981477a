// Sketch: what counting, approximate and grouped functions keep of a set of rows, of bounded size.
// A function of the multiset of values alone: adding and merging in any order leave the same.
#pragma once

#include <variant>

#include "shared/window/collection.h"
#include "shared/window/hyper_log_log.h"
#include "shared/window/percentile_sketch.h"
#include "shared/window/value_counts.h"
#include "shared/window/value_groups.h"

namespace tidemill {

class Sketch {
 public:
  // Empty, of a collection that is_sketch().
  explicit Sketch(const CollectionSpec& spec);

  // Rows of `chunk` in `mask`, which pass the filter and are not null in the spec's key_column();
  // `column` is the spec's.
  void add_rows(const ChunkLayout& layout, const Chunk& chunk, uint64_t mask, uint32_t column);
  void merge(const Sketch& other);  // of the same collection
  void finish();                    // before anything below

  // Whether rows with times from `first` to `last` may have it, as far as it decays.
  bool decays_between(TimeUs first, TimeUs last) const;
  // The value of a feature whose collection this is of, in a window that ends at `end`.
  FeatureValue value(const FeatureSpec& feature, const ChunkLayout& layout, __int128 end) const;
  size_t size() const;  // entries, for comparison with a number of rows
  size_t heap_bytes() const;
  // `type` is that of the key_column().
  void encode(ColumnType type, ByteWriter* out) const;
  bool decode(ColumnType type, ByteReader* in);  // into an empty one

 private:
  std::variant<ValueCounts, HyperLogLog, PercentileSketch, ValueGroups> of_;
};

}  // namespace tidemill
