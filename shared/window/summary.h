// Summary: what the aggregate functions need to know of a set of rows for one input: a (column,
// filter) pair, and a half-life for values that decay. Merging is exact and commutative. Kept of
// full chunks and groups of chunks, and computed on the fly at the edges of a window.
#pragma once

#include <cstdint>
#include <memory>

#include "shared/window/chunk.h"
#include "shared/window/exact_sum.h"
#include "shared/window/partition_state.h"
#include "shared/window/wide_sum.h"

namespace tidemill {

// Families of numbers; a summary holds those that were asked of it.
using Families = uint8_t;
inline constexpr Families kCounts = 1;
inline constexpr Families kSums = 2;
inline constexpr Families kSquares = 4;
inline constexpr Families kExtremes = 8;
inline constexpr Families kCubes = 16;
inline constexpr Families kFourths = 32;
inline constexpr Families kDecayed = 64;
inline constexpr Families kDecimalExtremes = 128;
inline constexpr Families kWide = kCubes | kFourths | kDecayed | kDecimalExtremes;

struct SummaryInput {
  int32_t column = -1;       // -1: the row itself
  int32_t filter = -1;       // -1: every row
  DurationUs half_life = 0;  // over 0: only counts and decayed sums are asked for
  bool ones = false;         // every value counts 1
  friend bool operator==(const SummaryInput&, const SummaryInput&) = default;
};

SummaryInput summary_input_of(const FeatureSpec& feature);

// More than any decimal without its scale.
inline constexpr __int128 kMostDecimal = ~(__int128{1} << 127);

// Sums that few ask for, and extremes.
struct WideSums {
  WideSum cubes;
  WideSum fourths;
  WideSum decayed;  // to time 0 (decay.h)
  // Of decimals, without their scale.
  __int128 least = kMostDecimal;
  __int128 greatest = -kMostDecimal;

  size_t heap_bytes() const {
    return sizeof(WideSums) + cubes.heap_bytes() + fourths.heap_bytes() + decayed.heap_bytes();
  }
};

struct Summary {
  uint64_t count = 0;         // rows that pass the filter and are not null in the column
  int64_t least = INT64_MAX;  // by order_key() for doubles
  int64_t greatest = INT64_MIN;
  ExactSum sum;
  ExactSum squares;
  std::unique_ptr<WideSums> wide;  // null: all of them are 0
  Families have = 0;

  void merge(const Summary& other, Families families);
  size_t heap_bytes() const {
    return sum.heap_bytes() + squares.heap_bytes() + (wide == nullptr ? 0 : wide->heap_bytes());
  }
};

// The asked families as bytes, and back (docs/formats/image.md). A summary of outside bytes is
// refused if no rows have it, as arithmetic relies on that.
void encode_summary(const Summary& summary, Families families, ByteWriter* out);
bool decode_summary(ByteReader* in, Families families, Summary* out);

// Whether rows with times from `first` to `last` may have the decayed sum; of rows that decay_apart
// there is no summary at all.
bool decays_between(const Summary& summary, DurationUs half_life, TimeUs first, TimeUs last);

Families families_of(const FeatureSpec& feature);

// Adds the rows of `chunk` in `mask` to the asked families of `out`. Columns without arithmetic
// (strings) have counts only.
void accumulate(const ChunkLayout& layout, const Chunk& chunk, uint64_t mask,
                const SummaryInput& input, Families families, Summary* out);

// The value of `feature` over the rows summarised, whose input column has type `type`, in a window
// that ends at `end`.
FeatureValue feature_value(const FeatureSpec& feature, ColumnType type, const Summary& summary,
                           __int128 end);

}  // namespace tidemill
