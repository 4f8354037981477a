// GroupedRows: of each value of a bucket column the first or the last row that is not null in
// another column, or any row if all are; for one value more than the map of them has at most, which
// tells whether there were more. Those with the smallest hashes stay (value_table.h). Rows must
// stay where they are.
#pragma once

#include <vector>

#include "shared/window/collection.h"
#include "shared/window/value_table.h"

namespace tidemill {

class GroupedRows {
 public:
  // Of a collection that is grouped() and by_time().
  GroupedRows(const ChunkLayout* layout, const CollectionSpec* spec)
      : layout_(layout), spec_(spec), groups_(spec->max_groups + 1) {}

  // Rows of `chunk` in `mask`, which pass the filter and are not null in the bucket column.
  void add(const Chunk& chunk, uint64_t mask);
  void finish();  // before anything below

  // By the hash of their values.
  std::vector<RowRef> rows() const;
  // A map in the order of the bucket column's values; null if it is empty.
  FeatureValue value() const;

 private:
  bool lacks_value(const RowRef& row) const;
  bool better(const RowRef& a, const RowRef& b) const;

  const ChunkLayout* layout_;
  const CollectionSpec* spec_;
  ValueTable<RowRef> groups_;
};

}  // namespace tidemill
