// ValueCounts: how often each value of a column occurs, for up to `bound` different values
// (value_table.h).
#pragma once

#include "shared/window/value_table.h"

namespace tidemill {

class ValueCounts {
 public:
  using Entry = ValueTable<uint64_t>::Entry;

  explicit ValueCounts(uint32_t bound) : values_(bound) {}

  // Rows of `chunk` in `mask`, which are not null in the column.
  void add_rows(const ChunkLayout& layout, const Chunk& chunk, uint64_t mask, uint32_t column);
  void merge(const ValueCounts& other);
  void finish() { values_.finish(); }

  // After finish(), by rising hash.
  const std::vector<Entry>& entries() const { return values_.entries(); }
  bool truncated() const { return values_.truncated(); }
  size_t size() const { return entries().size(); }
  size_t heap_bytes() const { return values_.heap_bytes(); }

  // As bytes (docs/formats/image.md), after finish(). False for bytes that encode() does not write.
  void encode(ColumnType type, ByteWriter* out) const;
  bool decode(ColumnType type, ByteReader* in);

 private:
  ValueTable<uint64_t> values_;
};

}  // namespace tidemill
