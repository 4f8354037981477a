// HyperLogLog: about how many different values there are. 2^precision registers; a value's hash
// chooses one by its first bits, which keeps the largest rank seen: one more than the zeros that
// the other bits start with. So registers depend on the set of values alone. While few are set they
// are a list, else an array of bytes.
//
// Flajolet, Fusy, Gandouet and Meunier, "HyperLogLog: the analysis of a near-optimal cardinality
// estimation algorithm", 2007. The estimator is that of Ertl, "New cardinality estimation
// algorithms for HyperLogLog sketches", 2017, algorithm 6: without tables, unbiased from 0 on.
#pragma once

#include <cstdint>
#include <vector>

#include "shared/base/bytes.h"
#include "shared/window/chunk.h"

namespace tidemill {

class HyperLogLog {
 public:
  explicit HyperLogLog(uint32_t precision) : precision_(precision) {}

  void add(uint64_t hash);
  // Rows of `chunk` in `mask`, which are not null in the column.
  void add_rows(const ChunkLayout& layout, const Chunk& chunk, uint64_t mask, uint32_t column);
  void merge(const HyperLogLog& other);
  void finish();

  // After finish(): the estimate, to the nearest integer.
  int64_t count() const;
  size_t size() const { return (dense_.size() + 3) / 4 + sparse_.size(); }  // in words of 32 bits
  size_t heap_bytes() const { return sparse_.capacity() * sizeof(uint32_t) + dense_.capacity(); }

  // As bytes (docs/formats/image.md), after finish(). False for bytes that encode() does not write.
  void encode(ByteWriter* out) const;
  bool decode(ByteReader* in);

 private:
  size_t registers() const { return size_t{1} << precision_; }
  uint32_t most_rank() const { return 65 - precision_; }
  void set(uint32_t at, uint8_t rank);
  void sort_sparse();

  uint32_t precision_;
  size_t sorted_ = 0;             // of sparse_
  std::vector<uint32_t> sparse_;  // register << 8 | rank
  std::vector<uint8_t> dense_;    // empty while sparse
};

}  // namespace tidemill
