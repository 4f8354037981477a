#include "tests/simulation/fold.h"

#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>
#include <set>

#include "shared/base/hash.h"
#include "shared/source/source_cursor.h"

namespace tidemill::test {

using nlohmann::json;

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
  cpp_int sum = 0;
  for (const double x : values) sum += scaled(x);
  return round_ratio(sum, 1, -kScale);
}

json fold_mean(const std::vector<double>& values) {
  if (values.empty()) return nullptr;
  cpp_int sum = 0;
  for (const double x : values) sum += scaled(x);
  return round_ratio(sum, values.size(), -kScale);
}

json fold_stddev(const std::vector<double>& values) {
  if (values.size() < 2) return nullptr;
  const cpp_int n = values.size();
  cpp_int sum = 0;
  cpp_int squares = 0;
  for (const double value : values) {
    const cpp_int x = scaled(value);
    sum += x;
    squares += x * x;
  }
  return round_sqrt(n * squares - sum * sum, (n * (n - 1)) << (2 * kScale));
}

json fold_last_n(const std::vector<json>& values, size_t n) {
  if (values.empty()) return nullptr;
  return std::vector<json>(values.end() - static_cast<ptrdiff_t>(std::min(n, values.size())),
                           values.end());
}

json fold_first_distinct_n(const std::vector<json>& values, size_t n) {
  json out;
  for (const json& value : values) {
    if (out.size() < n && std::find(out.begin(), out.end(), value) == out.end()) {
      out.push_back(value);
    }
  }
  return out;
}

json fold_last_distinct_n(const std::vector<json>& values, size_t n) {
  std::vector<json> backward(values.rbegin(), values.rend());
  json out = fold_first_distinct_n(backward, n);
  std::reverse(out.begin(), out.end());
  return out;
}

json fold_top_k(std::vector<double> values, size_t k) {
  if (values.empty()) return nullptr;
  std::sort(values.begin(), values.end(), std::greater<>());
  values.resize(std::min(k, values.size()));
  return values;
}

json fold_count_distinct(const std::vector<json>& values, size_t exact_up_to) {
  std::set<uint64_t> hashes;
  for (const json& value : values) hashes.insert(hash_bytes(value.get<std::string>(), 0));
  if (hashes.size() <= exact_up_to) return hashes.size();
  const uint64_t nth = *std::next(hashes.begin(), static_cast<ptrdiff_t>(exact_up_to) - 1);
  const cpp_int estimate = (cpp_int(exact_up_to - 1) << 64) / nth;
  return static_cast<uint64_t>(estimate);
}

}  // namespace tidemill::test
