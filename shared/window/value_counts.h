// ValueCounts: how often each value of a column occurs, for up to `bound` different values. Of
// more, those with the smallest hashes stay (value_hash(); ties by value), which do not depend on
// the order in which values came: a value that is left out of a part would be left out of the
// whole.
#pragma once

#include <string>
#include <vector>

#include "shared/base/bytes.h"
#include "shared/window/chunk.h"

namespace tidemill {

class ValueCounts {
 public:
  struct Entry {
    uint64_t hash = 0;
    uint64_t count = 0;
    int64_t number = 0;  // ChunkLayout::number_at(); 0 of texts
    std::string text;
  };

  explicit ValueCounts(uint32_t bound) : bound_(bound) {}

  // Rows of `chunk` in `mask`, which are not null in the column.
  void add_rows(const ChunkLayout& layout, const Chunk& chunk, uint64_t mask, uint32_t column);
  void merge(const ValueCounts& other);
  // Leaves what is kept by hash, and nothing else allocated.
  void finish();

  // After finish(), by rising hash.
  const std::vector<Entry>& entries() const { return entries_; }
  bool truncated() const { return truncated_; }  // there were more than `bound` different values
  size_t size() const { return entries_.size(); }
  size_t heap_bytes() const;

  // As bytes (docs/formats/image.md), after finish(). False for bytes that encode() does not write.
  void encode(ColumnType type, ByteWriter* out) const;
  bool decode(ColumnType type, ByteReader* in);

 private:
  struct Value {
    uint64_t hash;
    int64_t number;
    std::string_view text;
  };
  void add(const Value& value, uint64_t count);
  void index_all(size_t slots);
  void trim();
  void count_text_bytes();

  uint32_t bound_;
  bool truncated_ = false;
  std::vector<Entry> entries_;
  size_t text_bytes_ = 0;        // that texts have allocated
  std::vector<uint32_t> index_;  // by hash; size is a power of two; entry + 1, or 0
};

// By value: numbers as they are, texts by bytes.
inline bool value_below(const ValueCounts::Entry& a, const ValueCounts::Entry& b) {
  return a.number != b.number ? a.number < b.number : a.text < b.text;
}

}  // namespace tidemill
