// DistinctHashes: the smallest distinct hashes of a set of values, one more than the largest count
// that is exact. While all of them fit, their number is the number of values; beyond it the values
// are estimated from the n smallest (KMV: Bar-Yossef, Jayram, Kumar, Sivakumar and Trevisan,
// "Counting distinct elements in a data stream", 2002). Which hashes stay depends on the set alone.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "shared/base/bytes.h"
#include "shared/window/chunk.h"

namespace tidemill {

// 64 bits of a value that is not null: of a number (ChunkLayout::number_at()) or of a text. Numbers
// are mixed bijectively, so only texts can collide.
uint64_t hash_of_number(int64_t number);
uint64_t hash_of_text(std::string_view text);
uint64_t value_hash(const ChunkLayout& layout, const RowRef& row, uint32_t column);

// Rising hashes as bytes (docs/formats/image.md), and back: at most n + 1 of them. False for bytes
// that encode_hashes() does not write.
void encode_hashes(std::span<const uint64_t> hashes, ByteWriter* out);
bool decode_hashes(ByteReader* in, uint32_t n, std::vector<uint64_t>* out);

class DistinctHashes {
 public:
  DistinctHashes() = default;
  explicit DistinctHashes(uint32_t n) { reset(n); }
  // Forgets all and keeps the n + 1 smallest from now on; n is not 0.
  void reset(uint32_t n);
  void add(uint64_t hash);
  // Rows of `chunk` in `mask`, which are not null in the column.
  void add_rows(const ChunkLayout& layout, const Chunk& chunk, uint64_t mask, uint32_t column);
  // Distinct values: exact up to n, then floor((n - 1) × 2^64 / h) with h the n-th smallest hash,
  // at least n and at most INT64_MAX.
  int64_t count() const;
  // The n + 1 smallest, rising.
  void finish(std::vector<uint64_t>* out) const;
  // Leaves those, and nothing else allocated.
  void compact();
  // All that are held, in no order; after compact() the n + 1 smallest, rising.
  const std::vector<uint64_t>& held() const { return hashes_; }
  size_t heap_bytes() const {
    return (hashes_.capacity() + slots_.capacity() + bucket_.capacity()) * sizeof(uint64_t);
  }

 private:
  void index_all();
  void fill_slots();
  void trim();
  uint64_t nth_smallest(size_t n) const;

  size_t limit_ = 0;                // n + 1
  uint64_t greatest_ = UINT64_MAX;  // what is above cannot be among the smallest
  std::vector<uint64_t> hashes_;    // all that are held, in no order
  std::vector<uint64_t> slots_;  // those but 0 by open addressing; size is a power of two; 0: free
  bool zero_ = false;
  mutable std::vector<uint64_t> bucket_;  // scratch
};

}  // namespace tidemill
