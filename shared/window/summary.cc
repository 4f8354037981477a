#include "shared/window/summary.h"

#include <algorithm>
#include <bit>

#include "shared/base/assert.h"

namespace tidemill {
namespace {

constexpr uint64_t kMostFoldedRows = uint64_t{1} << 62;  // room to add any number of live ones

void accumulate_doubles(const double* values, uint64_t mask, Families families, Summary* out) {
  if ((families & kSums) != 0) each_row(mask, [&](uint32_t i) { out->sum.add(values[i]); });
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

FeatureValue sum_value(const FeatureSpec& feature, ColumnType type, const ExactSum& sum) {
  if (type == ColumnType::kDouble || feature.type == ColumnType::kDouble) return sum.rounded();
  const std::optional<int64_t> whole = sum.as_int64();
  if (!whole) return std::monostate();
  return *whole;
}

FeatureValue extreme_value(ColumnType type, int64_t extreme) {
  if (type == ColumnType::kDouble) return double_of_key(extreme);
  if (type == ColumnType::kBool) return extreme != 0;
  return extreme;
}

}  // namespace

void Summary::merge(const Summary& other, Families families) {
  if ((families & kCounts) != 0) count += other.count;
  if ((families & kSums) != 0) sum.merge(other.sum);
  if ((families & kSquares) != 0) squares.merge(other.squares);
  if ((families & kExtremes) != 0) {
    least = std::min(least, other.least);
    greatest = std::max(greatest, other.greatest);
  }
  have |= families;
}

void encode_summary(const Summary& summary, Families families, ByteWriter* out) {
  out->put(summary.count);
  if ((families & kSums) != 0) summary.sum.encode(out);
  if ((families & kSquares) != 0) summary.squares.encode(out);
  if ((families & kExtremes) != 0) {
    out->put(summary.least);
    out->put(summary.greatest);
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
  if (!in->ok()) return false;
  return (families & kSquares) == 0 || ExactSum::possible(out->sum, out->squares, out->count);
}

Families families_of(Function function) {
  switch (function) {
    case Function::kCount:
      return kCounts;
    case Function::kSum:
    case Function::kMean:
      return kCounts | kSums;
    case Function::kMin:
    case Function::kMax:
      return kCounts | kExtremes;
    case Function::kVarPop:
    case Function::kVarSamp:
    case Function::kStddevPop:
    case Function::kStddevSamp:
      return kCounts | kSums | kSquares;
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
  if (input.column < 0 || (families & ~kCounts) == 0) return;
  switch (layout.type(column)) {
    case ColumnType::kString:
      return;
    case ColumnType::kDouble:
      return accumulate_doubles(layout.doubles(chunk, column), mask, families, out);
    case ColumnType::kBool: {
      const uint64_t bits = layout.bool_bits(chunk, column);
      return accumulate_integers([&](uint32_t i) { return static_cast<int64_t>(bits >> i & 1); },
                                 mask, families, out);
    }
    default:
      return accumulate_integers([&](uint32_t i) { return layout.int_at(chunk, column, i); }, mask,
                                 families, out);
  }
}

FeatureValue feature_value(const FeatureSpec& feature, ColumnType type, const Summary& summary) {
  const uint64_t n = summary.count;
  if (feature.function == Function::kCount) return static_cast<int64_t>(n);
  if (n == 0 || feature.column < 0 || type == ColumnType::kString) return std::monostate();
  const bool sample =
      feature.function == Function::kVarSamp || feature.function == Function::kStddevSamp;
  if (sample && n == 1) return std::monostate();
  const uint64_t divisor = sample ? n - 1 : n;
  switch (feature.function) {
    case Function::kSum:
      return sum_value(feature, type, summary.sum);
    case Function::kMean:
      return summary.sum.mean(n);
    case Function::kMin:
      return extreme_value(type, summary.least);
    case Function::kMax:
      return extreme_value(type, summary.greatest);
    case Function::kVarPop:
    case Function::kVarSamp:
      return ExactSum::variance(summary.sum, summary.squares, n, divisor);
    default:
      return ExactSum::stddev(summary.sum, summary.squares, n, divisor);
  }
}

}  // namespace tidemill
