#include "shared/window/summary.h"

#include <algorithm>
#include <array>
#include <bit>

#include "shared/base/assert.h"
#include "shared/base/decimal_math.h"
#include "shared/window/decay.h"
#include "shared/window/decimal_column.h"
#include "shared/window/double_parts.h"
#include "shared/window/moments.h"
#include "shared/window/scalar_values.h"

namespace tidemill {
namespace {

constexpr uint64_t kMostFoldedRows = uint64_t{1} << 62;  // room to add any number of live ones

using uint128 = unsigned __int128;

bool is_number(ColumnType type) {
  return storage_of(type) != Storage::kStrings || type == ColumnType::kDecimal;
}

// Adds the third and fourth power of ±magnitude × 2^exponent.
void add_powers(bool negative, uint64_t magnitude, int exponent, Families families, WideSums* out) {
  const uint128 square = static_cast<uint128>(magnitude) * magnitude;
  const auto low = static_cast<uint64_t>(square);
  const auto high = static_cast<uint64_t>(square >> 64);
  if ((families & kCubes) != 0) {
    const uint128 first = static_cast<uint128>(low) * magnitude;
    const uint128 second = static_cast<uint128>(high) * magnitude + (first >> 64);
    const uint64_t cube[] = {static_cast<uint64_t>(first), static_cast<uint64_t>(second),
                             static_cast<uint64_t>(second >> 64)};
    out->cubes.add(negative, cube, int64_t{3} * exponent);
  }
  if ((families & kFourths) == 0) return;
  const uint128 mixed = static_cast<uint128>(low) * high;
  const uint128 lowest = static_cast<uint128>(low) * low;
  const uint128 middle = (lowest >> 64) + 2 * static_cast<uint128>(static_cast<uint64_t>(mixed));
  const uint128 top = static_cast<uint128>(high) * high + 2 * (mixed >> 64) + (middle >> 64);
  const uint64_t fourth[] = {static_cast<uint64_t>(lowest), static_cast<uint64_t>(middle),
                             static_cast<uint64_t>(top), static_cast<uint64_t>(top >> 64)};
  out->fourths.add(false, fourth, int64_t{4} * exponent);
}

// Adds ±magnitude × 2^exponent × growth.
void add_decayed(bool negative, uint64_t magnitude, int exponent, const Growth& growth,
                 WideSum* out) {
  const uint128 product = static_cast<uint128>(magnitude) * growth.factor;
  const uint64_t words[] = {static_cast<uint64_t>(product), static_cast<uint64_t>(product >> 64)};
  out->add(negative, words, exponent + growth.exponent);
}

// Of the row's value in the families of wide sums; `time` is the row's.
void add_wide(double x, TimeUs time, DurationUs half_life, Families families, WideSums* out) {
  const DoubleParts p = parts_of(x);
  if ((families & kDecayed) != 0) out->decayed.note(x);
  if (!p.finite || p.mantissa == 0) return;
  if ((families & (kCubes | kFourths)) != 0) {
    add_powers(p.negative, p.mantissa, p.exponent, families, out);
  }
  if ((families & kDecayed) != 0) {
    add_decayed(p.negative, p.mantissa, p.exponent, growth_at(time, half_life), &out->decayed);
  }
}

void add_wide(int64_t x, TimeUs time, DurationUs half_life, Families families, WideSums* out) {
  const uint64_t magnitude = x < 0 ? -static_cast<uint64_t>(x) : static_cast<uint64_t>(x);
  if ((families & kDecayed) != 0) out->decayed.note_integer();
  if (x == 0) return;
  if ((families & (kCubes | kFourths)) != 0) add_powers(x < 0, magnitude, 0, families, out);
  if ((families & kDecayed) != 0) {
    add_decayed(x < 0, magnitude, 0, growth_at(time, half_life), &out->decayed);
  }
}

// The product of two numbers, least significant word first.
template <size_t kA, size_t kB>
std::array<uint64_t, kA + kB> product(const std::array<uint64_t, kA>& a,
                                      const std::array<uint64_t, kB>& b) {
  std::array<uint64_t, kA + kB> out{};
  for (size_t i = 0; i < kA; ++i) {
    uint64_t carry = 0;
    for (size_t j = 0; j < kB; ++j) {
      const uint128 t = static_cast<uint128>(a[i]) * b[j] + out[i + j] + carry;
      out[i + j] = static_cast<uint64_t>(t);
      carry = static_cast<uint64_t>(t >> 64);
    }
    out[i + kB] = carry;
  }
  return out;
}

// Of a decimal without its scale.
void add_wide(__int128 x, TimeUs time, DurationUs half_life, Families families, WideSums* out) {
  out->least = std::min(out->least, x);
  out->greatest = std::max(out->greatest, x);
  if ((families & kDecayed) != 0) out->decayed.note_integer();
  if (x == 0) return;
  const uint128 magnitude = x < 0 ? -static_cast<uint128>(x) : static_cast<uint128>(x);
  const std::array<uint64_t, 2> words{static_cast<uint64_t>(magnitude),
                                      static_cast<uint64_t>(magnitude >> 64)};
  if ((families & (kCubes | kFourths)) != 0) {
    const auto square = product(words, words);
    if ((families & kCubes) != 0) out->cubes.add(x < 0, product(square, words), 0);
    if ((families & kFourths) != 0) out->fourths.add(false, product(square, square), 0);
  }
  if ((families & kDecayed) != 0) {
    const Growth growth = growth_at(time, half_life);
    out->decayed.add(x < 0, product(words, std::array<uint64_t, 1>{growth.factor}),
                     growth.exponent);
  }
}

WideSums& wide_of(Summary* summary) {
  if (summary->wide == nullptr) summary->wide = std::make_unique<WideSums>();
  return *summary->wide;
}

const WideSums& wide_of(const Summary& summary) {
  static const WideSums kZero;
  return summary.wide == nullptr ? kZero : *summary.wide;
}

// Calls add(row number, value) for rows in `mask`; without a column, or with one that is not for
// arithmetic, the value is 1.
template <typename Add>
void each_number(const ChunkLayout& layout, const Chunk& chunk, uint64_t mask, int32_t column,
                 bool ones, Add&& add) {
  const auto at = static_cast<uint32_t>(column);
  if (ones) {
    each_row(mask, [&](uint32_t i) { add(i, int64_t{1}); });
  } else if (layout.type(at) == ColumnType::kDouble) {
    const double* values = layout.doubles(chunk, at);
    each_row(mask, [&](uint32_t i) { add(i, values[i]); });
  } else if (layout.type(at) == ColumnType::kDecimal) {
    each_row(mask, [&](uint32_t i) { add(i, decimal_at(layout, chunk, at, i).unscaled); });
  } else {
    each_row(mask, [&](uint32_t i) { add(i, layout.number_at(chunk, at, i)); });
  }
}

void accumulate_wide(const ChunkLayout& layout, const Chunk& chunk, uint64_t mask,
                     const SummaryInput& input, Families families, Summary* out) {
  if (mask == 0) return;
  WideSums& wide = wide_of(out);
  each_number(layout, chunk, mask, input.column, input.ones, [&](uint32_t i, auto x) {
    add_wide(x, chunk.time(i), input.half_life, families, &wide);
  });
}

void accumulate_doubles(const double* values, uint64_t mask, Families families, Summary* out) {
  if ((families & kSums) != 0) out->sum.add(values, mask);
  if ((families & kSquares) != 0) {
    each_row(mask, [&](uint32_t i) { out->squares.add_square(values[i]); });
  }
  if ((families & kExtremes) != 0) {
    each_row(mask, [&](uint32_t i) {
      const int64_t key = order_key(values[i]);
      out->least = std::min(out->least, key);
      out->greatest = std::max(out->greatest, key);
    });
  }
}

template <typename ValueAt>
void accumulate_integers(ValueAt&& value_at, uint64_t mask, Families families, Summary* out) {
  each_row(mask, [&](uint32_t i) {
    const int64_t x = value_at(i);
    if ((families & kSums) != 0) out->sum.add_integer(x);
    if ((families & kSquares) != 0) out->squares.add_integer_square(x);
    if ((families & kExtremes) != 0) {
      out->least = std::min(out->least, x);
      out->greatest = std::max(out->greatest, x);
    }
  });
}

void accumulate_decimals(const ChunkLayout& layout, const Chunk& chunk, uint64_t mask,
                         uint32_t column, Families families, Summary* out) {
  if ((families & (kSums | kSquares)) == 0) return;
  each_row(mask, [&](uint32_t i) {
    const __int128 x = decimal_at(layout, chunk, column, i).unscaled;
    if ((families & kSums) != 0) out->sum.add_wide_integer(x);
    if ((families & kSquares) != 0) out->squares.add_wide_integer_square(x);
  });
}

FeatureValue decimal_value(__int128 unscaled, const FeatureSpec& feature) {
  const auto most = static_cast<__int128>(decimal_math::kPowers[kMaxDecimalDigits]);
  if (unscaled <= -most || unscaled >= most) return std::monostate();
  return decimal_to_string({unscaled, feature.column_scale});
}

FeatureValue sum_value(const FeatureSpec& feature, ColumnType type, const ExactSum& sum) {
  if (type == ColumnType::kDecimal) {
    const std::optional<__int128> unscaled = sum.as_int128();
    if (!unscaled) return std::monostate();
    return decimal_value(*unscaled, feature);
  }
  if (type == ColumnType::kDouble || feature.type == ColumnType::kDouble) return sum.rounded();
  const std::optional<int64_t> whole = sum.as_int64();
  if (!whole) return std::monostate();
  return *whole;
}

FeatureValue shape_value(const FeatureSpec& feature, const Summary& summary) {
  const Function function = feature.function;
  const uint64_t n = summary.count;
  const bool sample = function == Function::kSkew || function == Function::kKurtosis;
  const PowerSums sums{n, summary.sum, summary.squares, wide_of(summary).cubes};
  if (function == Function::kSkew || function == Function::kSkewPop) {
    if (sample && n < 3) return std::monostate();
    return skewness(sums, sample);
  }
  if (sample && n < 4) return std::monostate();
  return kurtosis(sums, wide_of(summary).fourths, sample);
}

FeatureValue decayed_value(const FeatureSpec& feature, const Summary& summary, __int128 end) {
  const Growth back = shrinking_at(end, feature.half_life);
  return wide_of(summary).decayed.scaled(back.factor, -back.exponent, feature.column_scale);
}

}  // namespace

SummaryInput summary_input_of(const FeatureSpec& feature) {
  SummaryInput out{std::max(feature.column, -1), std::max(feature.filter, -1)};
  if (feature.function == Function::kDecayedSum) out.half_life = feature.half_life;
  if (feature.function == Function::kDecayedCount) {
    out.half_life = feature.half_life;
    out.ones = true;
  }
  return out;
}

void Summary::merge(const Summary& other, Families families) {
  if ((families & kCounts) != 0) count += other.count;
  if ((families & kSums) != 0) sum.merge(other.sum);
  if ((families & kSquares) != 0) squares.merge(other.squares);
  if ((families & kExtremes) != 0) {
    least = std::min(least, other.least);
    greatest = std::max(greatest, other.greatest);
  }
  have |= families;
  if ((families & kWide) == 0 || other.wide == nullptr) return;
  WideSums& sums = wide_of(this);
  if ((families & kCubes) != 0) sums.cubes.merge(other.wide->cubes);
  if ((families & kFourths) != 0) sums.fourths.merge(other.wide->fourths);
  if ((families & kDecayed) != 0) sums.decayed.merge(other.wide->decayed);
  sums.least = std::min(sums.least, other.wide->least);
  sums.greatest = std::max(sums.greatest, other.wide->greatest);
}

// In two words, the lower one first.
static void put_wide(__int128 number, ByteWriter* out) {
  out->put(static_cast<uint64_t>(number));
  out->put(static_cast<uint64_t>(static_cast<uint128>(number) >> 64));
}
static __int128 get_wide(ByteReader* in) {
  const auto low = in->get<uint64_t>();
  const auto high = in->get<uint64_t>();
  return static_cast<__int128>(static_cast<uint128>(high) << 64 | low);
}

void encode_summary(const Summary& summary, Families families, ByteWriter* out) {
  out->put(summary.count);
  if ((families & kSums) != 0) summary.sum.encode(out);
  if ((families & kSquares) != 0) summary.squares.encode(out);
  if ((families & kExtremes) != 0) {
    out->put(summary.least);
    out->put(summary.greatest);
  }
  if ((families & kCubes) != 0) wide_of(summary).cubes.encode(out);
  if ((families & kFourths) != 0) wide_of(summary).fourths.encode(out);
  if ((families & kDecayed) != 0) wide_of(summary).decayed.encode_limbs(out);
  if ((families & kDecimalExtremes) != 0) {
    put_wide(wide_of(summary).least, out);
    put_wide(wide_of(summary).greatest, out);
  }
}

bool decode_summary(ByteReader* in, Families families, Summary* out) {
  *out = Summary();
  out->have = families;
  out->count = in->get<uint64_t>();
  if (out->count > kMostFoldedRows) return false;
  if ((families & kSums) != 0 && !ExactSum::decode(in, false, &out->sum)) return false;
  if ((families & kSquares) != 0 && !ExactSum::decode(in, true, &out->squares)) return false;
  if ((families & kExtremes) != 0) {
    out->least = in->get<int64_t>();
    out->greatest = in->get<int64_t>();
  }
  if ((families & kCubes) != 0 && !WideSum::decode(in, 3, &wide_of(out).cubes)) return false;
  if ((families & kFourths) != 0 && !WideSum::decode(in, 4, &wide_of(out).fourths)) return false;
  if ((families & kDecayed) != 0 && !WideSum::decode_limbs(in, &wide_of(out).decayed)) return false;
  if ((families & kDecimalExtremes) != 0) {
    wide_of(out).least = get_wide(in);
    wide_of(out).greatest = get_wide(in);
  }
  if (!in->ok()) return false;
  return (families & kSquares) == 0 || ExactSum::possible(out->sum, out->squares, out->count);
}

bool decays_between(const Summary& summary, DurationUs half_life, TimeUs first, TimeUs last) {
  if (half_life <= 0) return true;
  if (decay_apart(half_life, last - first)) {
    return summary.count == 0 && wide_of(summary).decayed.lies_within(0, -128);
  }
  // From the least bit of the smallest double to 2^62 of the greatest, and the growth's 64 bits.
  constexpr int64_t kLowest = -1074 - 64;
  constexpr int64_t kHighest = 1024 + 64 + 62;
  return wide_of(summary).decayed.lies_within(growth_at(first, half_life).exponent + kLowest,
                                              growth_at(last, half_life).exponent + kHighest);
}

Families families_of(const FeatureSpec& feature) {
  switch (feature.function) {
    case Function::kCount:
      return kCounts;
    case Function::kSum:
    case Function::kMean:
      return kCounts | kSums;
    case Function::kMin:
    case Function::kMax:
      return kCounts | (feature.type == ColumnType::kDecimal ? kDecimalExtremes : kExtremes);
    case Function::kVarPop:
    case Function::kVarSamp:
    case Function::kStddevPop:
    case Function::kStddevSamp:
      return kCounts | kSums | kSquares;
    case Function::kSkew:
    case Function::kSkewPop:
      return kCounts | kSums | kSquares | kCubes;
    case Function::kKurtosis:
    case Function::kKurtosisPop:
      return kCounts | kSums | kSquares | kCubes | kFourths;
    case Function::kDecayedSum:
    case Function::kDecayedCount:
      return kCounts | kDecayed;
    default:  // collections (collection.h)
      ASSERT(false);
  }
}

void accumulate(const ChunkLayout& layout, const Chunk& chunk, uint64_t mask,
                const SummaryInput& input, Families families, Summary* out) {
  out->have |= families;
  if (input.filter >= 0) mask &= layout.filter_bits(chunk, static_cast<uint32_t>(input.filter));
  const auto column = static_cast<uint32_t>(input.column);
  if (input.column >= 0) mask &= layout.valid_bits(chunk, column);
  if ((families & kCounts) != 0) out->count += static_cast<uint64_t>(std::popcount(mask));
  if ((families & ~kCounts) == 0) return;
  const bool numbers = input.column >= 0 && is_number(layout.type(column));
  if ((families & kWide) != 0 && (numbers || input.ones)) {
    accumulate_wide(layout, chunk, mask, input, families, out);
  }
  if (!numbers || (families & ~(kCounts | kWide)) == 0) return;
  switch (layout.type(column)) {
    case ColumnType::kDouble:
      return accumulate_doubles(layout.doubles(chunk, column), mask, families, out);
    case ColumnType::kBool: {
      const uint64_t bits = layout.bool_bits(chunk, column);
      return accumulate_integers([&](uint32_t i) { return static_cast<int64_t>(bits >> i & 1); },
                                 mask, families, out);
    }
    case ColumnType::kDecimal:
      return accumulate_decimals(layout, chunk, mask, column, families, out);
    default:
      return accumulate_integers([&](uint32_t i) { return layout.int_at(chunk, column, i); }, mask,
                                 families, out);
  }
}

FeatureValue feature_value(const FeatureSpec& feature, ColumnType type, const Summary& summary,
                           __int128 end) {
  const uint64_t n = summary.count;
  if (feature.function == Function::kCount) return static_cast<int64_t>(n);
  if (feature.function == Function::kDecayedCount) {
    if (n == 0) return 0.0;
    return decayed_value(feature, summary, end);
  }
  if (n == 0 || feature.column < 0 || !is_number(type)) return std::monostate();
  const bool sample =
      feature.function == Function::kVarSamp || feature.function == Function::kStddevSamp;
  if (sample && n == 1) return std::monostate();
  const uint64_t divisor = sample ? n - 1 : n;
  switch (feature.function) {
    case Function::kSum:
      return sum_value(feature, type, summary.sum);
    case Function::kMean:
      return summary.sum.mean(n, feature.column_scale);
    case Function::kMin:
      if (type == ColumnType::kDecimal) return decimal_value(wide_of(summary).least, feature);
      return as_feature(scalar_of_number(type, summary.least));
    case Function::kMax:
      if (type == ColumnType::kDecimal) return decimal_value(wide_of(summary).greatest, feature);
      return as_feature(scalar_of_number(type, summary.greatest));
    case Function::kVarPop:
    case Function::kVarSamp:
      return ExactSum::variance(summary.sum, summary.squares, n, divisor, feature.column_scale);
    case Function::kSkew:
    case Function::kSkewPop:
    case Function::kKurtosis:
    case Function::kKurtosisPop:
      return shape_value(feature, summary);
    case Function::kDecayedSum:
      return decayed_value(feature, summary, end);
    default:
      return ExactSum::stddev(summary.sum, summary.squares, n, divisor, feature.column_scale);
  }
}

}  // namespace tidemill
