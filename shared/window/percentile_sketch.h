// PercentileSketch: numbers counted in buckets of a bounded relative width, for percentiles with a
// bounded relative error. DDSketch (Masson, Rim and Lee, VLDB 2019) with buckets of equal width
// within each power of two, and the uniform collapse of UDDSketch (Epicoco et al., IEEE Access
// 2020): whenever there are more than `most` buckets, each two neighbours become one.
//
// With M buckets to a power of two, the number 2^e (1 + f), 0 <= f < 1, lies in bucket e M +
// floor(f M); c times collapsed in floor of that / 2^c. c is the least number at which the buckets
// in use are no more than `most`, so all is a function of the multiset of numbers. Negative numbers
// have buckets of their own, which count among the `most`; 0, the infinities and NaN are counted
// apart.
#pragma once

#include <cstdint>
#include <vector>

#include "shared/base/bytes.h"
#include "shared/window/chunk.h"

namespace tidemill {

// Buckets to a power of two for a relative accuracy in millionths: the least with 1 / (2 M + 1) at
// or below it.
uint32_t buckets_per_octave(uint32_t accuracy_millionths);

class PercentileSketch {
 public:
  PercentileSketch(uint32_t per_octave, uint32_t most) : per_octave_(per_octave), most_(most) {}

  void add(double x);
  void add(int64_t x);
  // Rows of `chunk` in `mask`, which are not null in the column.
  void add_rows(const ChunkLayout& layout, const Chunk& chunk, uint64_t mask, uint32_t column);
  void merge(const PercentileSketch& other);
  void finish();

  // After finish().
  uint64_t count() const;
  // The number of rank floor(percentile / 10^6 × (count - 1)), from 0, NaN the greatest of all: the
  // number 2 l u / (l + u) for a bucket from l to u, rounded once. The count is not 0.
  double at(uint32_t percentile_millionths) const;
  int collapses() const { return level_; }
  size_t size() const { return buckets_[0].size() + buckets_[1].size(); }
  size_t heap_bytes() const;

  // As bytes (docs/formats/image.md), after finish(). False for bytes that encode() does not write.
  void encode(ByteWriter* out) const;
  bool decode(ByteReader* in);

 private:
  struct Bucket {
    int32_t index;
    uint64_t count;
  };
  using Buckets = std::vector<Bucket>;
  enum Apart { kMinusInfinity, kZero, kPlusInfinity, kNan, kAparts };

  void push(bool negative, int32_t index);
  void take_pending();
  void collapse_to(int level);
  static void gather(Buckets* buckets);
  double middle(int32_t index) const;
  bool decode_buckets(ByteReader* in, Buckets* out) const;

  uint32_t per_octave_;
  uint32_t most_;
  int level_ = 0;  // times collapsed
  uint64_t apart_[kAparts] = {};
  Buckets buckets_[2];               // positive, negative; by rising index
  std::vector<int32_t> pending_[2];  // indexes at level 0
};

}  // namespace tidemill
