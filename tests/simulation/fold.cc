#include "tests/simulation/fold.h"

#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>

#include "shared/source/source_cursor.h"

namespace tidemill::test {
namespace {

using boost::multiprecision::cpp_int;

// Amounts are multiples of 2^-kScale: they lie between 2^-7 and 2^40 and have 53 bits.
constexpr int kScale = 60;

cpp_int scaled(double x) {
  int exponent = 0;
  const double mantissa = std::frexp(x, &exponent);
  const auto integer = static_cast<int64_t>(std::ldexp(mantissa, 53));
  const int shift = exponent - 53 + kScale;
  ASSERT(shift >= 0 || integer == 0);
  return cpp_int(integer) << std::max(shift, 0);
}

// num / den * 2^exponent, rounded once to the nearest double, ties to even. den > 0.
double round_ratio(cpp_int num, cpp_int den, int exponent) {
  if (num == 0) return 0;
  const bool negative = num < 0;
  if (negative) num = -num;
  const int want = 66 - static_cast<int>(msb(num)) + static_cast<int>(msb(den));
  if (want > 0) num <<= want;
  if (want < 0) den <<= -want;
  cpp_int quotient = num / den;
  const bool sticky = quotient * den != num;
  const int excess = static_cast<int>(msb(quotient)) - 54;  // keep 55 bits: 53, round, sticky
  const cpp_int low_mask = (cpp_int(1) << excess) - 1;
  const bool low = (quotient & low_mask) != 0;
  auto bits = static_cast<uint64_t>(quotient >> excess);
  if (sticky || low) bits |= 1;
  const uint64_t round = bits & 3;
  bits >>= 2;
  if (round == 3 || (round == 2 && (bits & 1) != 0)) ++bits;
  const double value = std::ldexp(static_cast<double>(bits), excess + 2 - want + exponent);
  return negative ? -value : value;
}

// sqrt(num / den), rounded once to the nearest double. num >= 0, den > 0.
double round_sqrt(const cpp_int& num, const cpp_int& den) {
  if (num == 0) return 0;
  // floor(sqrt(num / den * 4^shift)) has at least 64 bits, and says whether it is exact.
  int shift = 70 - (static_cast<int>(msb(num)) - static_cast<int>(msb(den))) / 2;
  if (shift < 0) shift = 0;
  const cpp_int scaled_num = num << (2 * shift);
  const cpp_int quotient = scaled_num / den;
  const cpp_int root = sqrt(quotient);
  const bool exact = root * root == quotient && quotient * den == scaled_num;
  return round_ratio(root * 2 + (exact ? 0 : 1), 1, -shift - 1);
}

}  // namespace

std::vector<FoldEvent> read_all_events(const Plan& plan) {
  std::vector<FoldEvent> events;
  for (uint32_t s = 0; s < plan.source_partitions(); ++s) {
    uint32_t index = 0;
    const proto::Source& source = plan.source_of(s, &index);
    auto cursor = SourceCursor::open(source, index, 0);
    ASSERT(cursor.ok());
    EventBatch batch;
    while (!batch.finished) {
      ASSERT((*cursor)->read(1000, 1 << 20, &batch).ok());
      for (size_t i = 0; i < batch.rows(); ++i) {
        events.push_back({s, batch.offsets[i], batch.columns[1].ints[i],
                          std::string(batch.columns[2].strings[i]),
                          std::string(batch.columns[3].strings[i]), batch.columns[4].doubles[i],
                          batch.columns[5].bools[i] != 0});
      }
    }
  }
  return events;
}

FoldValues fold(const std::vector<const FoldEvent*>& events_of_key, const FoldQuery& query) {
  FoldValues out;
  cpp_int sum = 0;
  cpp_int squares = 0;
  int64_t frauds = 0;
  const TimeUs end = query.as_of - query.offset;
  for (const FoldEvent* e : events_of_key) {
    if (e->offset >= query.below[e->source_partition]) continue;
    ++out.rows_of_key;
    if (e->time > end || e->time <= end - query.window) continue;
    ++out.count;
    const cpp_int x = scaled(e->amount);
    sum += x;
    squares += x * x;
    frauds += e->is_fraud;
    out.min = std::min(out.min.value_or(e->amount), e->amount);
    out.max = std::max(out.max.value_or(e->amount), e->amount);
  }
  if (out.count == 0) return out;
  const cpp_int n = out.count;
  out.sum = round_ratio(sum, 1, -kScale);
  out.mean = round_ratio(sum, n, -kScale);
  out.mean_fraud = round_ratio(frauds, n, 0);
  if (out.count > 1) {
    const cpp_int numerator = n * squares - sum * sum;
    out.stddev = round_sqrt(numerator, (n * (n - 1)) << (2 * kScale));
  }
  return out;
}

}  // namespace tidemill::test
