#include "tests/simulation/fold.h"

#include <algorithm>
#include <array>
#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>

#include "shared/base/hash.h"
#include "shared/source/source_cursor.h"

namespace tidemill::test {

using nlohmann::json;

namespace {

using boost::multiprecision::cpp_int;

// Amounts are multiples of 2^-kScale: they lie between 2^-7 and 2^40 and have 53 bits.
constexpr int kScale = 60;

// Sums of amounts and of their squares: those of the mantissas by exponent, which fit machine
// integers, put together at the end.
class ExactSums {
 public:
  explicit ExactSums(const std::vector<double>& values) {
    for (const double x : values) add(x);
    ASSERT(values.size() <= size_t{1} << 20);  // 53 bits, squared, and 20 more
  }

  // Of amounts times 2^kScale, and of squares times 2^(2 kScale).
  cpp_int sum() const {
    cpp_int out = 0;
    for (size_t shift = 0; shift < kShifts; ++shift) {
      if (sums_[shift] != 0) out += cpp_int(sums_[shift]) << shift;
    }
    return out;
  }
  cpp_int squares() const {
    cpp_int out = 0;
    for (size_t shift = 0; shift < kShifts; ++shift) {
      if (squares_[shift] != 0) out += cpp_int(squares_[shift]) << (2 * shift);
    }
    return out;
  }

 private:
  static constexpr size_t kShifts = 64;

  void add(double x) {
    if (x == 0) return;
    int exponent = 0;
    const double mantissa = std::frexp(x, &exponent);
    const auto integer = static_cast<__int128>(std::ldexp(mantissa, 53));
    const auto shift = static_cast<size_t>(exponent - 53 + kScale);
    ASSERT(shift < kShifts);
    sums_[shift] += integer;
    squares_[shift] += static_cast<unsigned __int128>(integer * integer);
  }

  std::array<__int128, kShifts> sums_{};
  std::array<unsigned __int128, kShifts> squares_{};
};

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

Truth read_all_events(const Plan& plan) {
  Truth truth;
  for (uint32_t s = 0; s < plan.source_partitions(); ++s) {
    uint32_t index = 0;
    const proto::Source& source = plan.source_of(s, &index);
    auto cursor = SourceCursor::open(source, index, 0, {});
    ASSERT(cursor.ok());
    EventBatch batch;
    while (!batch.finished) {
      ASSERT((*cursor)->read(1000, 1 << 20, &batch).ok());
      for (size_t i = 0; i < batch.rows(); ++i) {
        truth.events.push_back({s, batch.offsets[i], batch.columns[1].ints[i],
                                batch.columns[0].ints[i], std::string(batch.columns[2].strings[i]),
                                std::string(batch.columns[3].strings[i]),
                                batch.columns[4].doubles[i], batch.columns[5].bools[i] != 0});
      }
      for (const BadRecord& bad : batch.bad) truth.malformed.emplace_back(s, bad.offset);
    }
  }
  return truth;
}

bool continues(const Truth& grown, const Truth& before) {
  const auto starts_with = [](const auto& all, const auto& part) {
    return all.size() >= part.size() && std::equal(part.begin(), part.end(), all.begin());
  };
  return grown.events.size() > before.events.size() && starts_with(grown.events, before.events) &&
         starts_with(grown.malformed, before.malformed) &&
         grown.events[before.events.size()].source_partition >
             before.events.back().source_partition;
}

FoldRows rows_until(const FoldRows& rows, const std::vector<uint64_t>& below) {
  FoldRows out;
  for (const FoldEvent* e : rows) {
    if (e->offset < below[e->source_partition]) out.push_back(e);
  }
  return out;
}

FoldRows rows_of_window(const FoldRows& rows, TimeUs end, std::optional<DurationUs> window) {
  FoldRows out;
  for (const FoldEvent* e : rows) {
    if (e->time <= end && (!window || e->time > end - *window)) out.push_back(e);
  }
  return out;
}

json fold_sum(const std::vector<double>& values) {
  if (values.empty()) return nullptr;
  return round_ratio(ExactSums(values).sum(), 1, -kScale);
}

json fold_mean(const std::vector<double>& values) {
  if (values.empty()) return nullptr;
  return round_ratio(ExactSums(values).sum(), values.size(), -kScale);
}

json fold_stddev(const std::vector<double>& values) {
  if (values.size() < 2) return nullptr;
  const cpp_int n = values.size();
  const ExactSums sums(values);
  const cpp_int sum = sums.sum();
  return round_sqrt(n * sums.squares() - sum * sum, (n * (n - 1)) << (2 * kScale));
}

json fold_last_n(const FoldTexts& values, size_t n) {
  if (values.empty()) return nullptr;
  return FoldTexts(values.end() - static_cast<ptrdiff_t>(std::min(n, values.size())), values.end());
}

json fold_first_distinct_n(const FoldTexts& values, size_t n) {
  FoldTexts out;
  for (const std::string_view value : values) {
    if (out.size() == n) break;
    if (std::find(out.begin(), out.end(), value) == out.end()) out.push_back(value);
  }
  return out.empty() ? json() : json(out);
}

json fold_last_distinct_n(const FoldTexts& values, size_t n) {
  json out = fold_first_distinct_n({values.rbegin(), values.rend()}, n);
  std::reverse(out.begin(), out.end());
  return out;
}

json fold_top_k(std::vector<double> values, size_t k) {
  if (values.empty()) return nullptr;
  const size_t n = std::min(k, values.size());
  std::partial_sort(values.begin(), values.begin() + static_cast<ptrdiff_t>(n), values.end(),
                    std::greater<>());
  values.resize(n);
  return values;
}

json fold_count_distinct(const FoldTexts& values, size_t exact_up_to) {
  std::vector<uint64_t> hashes;  // those that differ, in order
  for (const std::string_view value : values) {
    const uint64_t hash = hash_bytes(value, 0);
    const auto at = std::lower_bound(hashes.begin(), hashes.end(), hash);
    if (at == hashes.end() || *at != hash) hashes.insert(at, hash);
  }
  if (hashes.size() <= exact_up_to) return hashes.size();
  const cpp_int estimate = (cpp_int(exact_up_to - 1) << 64) / hashes[exact_up_to - 1];
  return static_cast<uint64_t>(estimate);
}

}  // namespace tidemill::test
