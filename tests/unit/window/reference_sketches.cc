#include "tests/unit/window/reference_sketches.h"

#include <algorithm>
#include <boost/multiprecision/cpp_bin_float.hpp>
#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>
#include <map>
#include <set>

namespace tidemill::testing {
namespace {

using Big = boost::multiprecision::cpp_int;
using Ratio = boost::multiprecision::cpp_rational;

struct Counted {
  uint64_t hash;
  Cell cell;
  int64_t count;
};

std::vector<Counted> counted(std::vector<Cell> cells) {
  std::stable_sort(cells.begin(), cells.end(), cell_below);
  std::vector<Counted> out;
  for (const Cell& cell : cells) {
    if (out.empty() || cell_below(out.back().cell, cell))
      out.push_back({hash_of_cell(cell), cell, 0});
    ++out.back().count;
  }
  return out;
}

Ratio power_of_two(int64_t exponent) {
  const Big one = 1;
  return exponent >= 0 ? Ratio(one << exponent) : Ratio(one, one << -exponent);
}

Ratio exact(const Cell& cell) {
  if (const auto* i = std::get_if<int64_t>(&cell)) return Ratio(Big(*i));
  int exponent = 0;
  const double fraction = std::frexp(std::get<double>(cell), &exponent);
  return Ratio(Big(static_cast<int64_t>(std::ldexp(fraction, 53)))) * power_of_two(exponent - 53);
}

Big floor_of(const Ratio& x) {
  const Big n = numerator(x), d = denominator(x);
  Big q = n / d;
  if (n < 0 && q * d != n) --q;
  return q;
}

// The bucket of a magnitude by its definition: 2^e (1 + f) lies in floor((e + f) M).
int64_t bucket_of(const Ratio& magnitude, int64_t m) {
  int64_t e = static_cast<int64_t>(msb(numerator(magnitude))) -
              static_cast<int64_t>(msb(denominator(magnitude)));
  while (power_of_two(e) > magnitude) --e;
  while (power_of_two(e + 1) <= magnitude) ++e;
  const Ratio f = magnitude / power_of_two(e) - 1;
  return static_cast<int64_t>(floor_of((Ratio(e) + f) * m));
}

Ratio end_of(int64_t number, int64_t m) {
  const auto e = static_cast<int64_t>(floor_of(Ratio(Big(number), Big(m))));
  return power_of_two(e) * (1 + Ratio(Big(number - e * m), Big(m)));
}

double nearest_double(const Ratio& x) {  // x > 0
  double low = 0, high = std::numeric_limits<double>::max();
  const auto value = [](double d) { return exact(Cell(d)); };
  if (x >= value(high)) return high;
  uint64_t l = std::bit_cast<uint64_t>(low), h = std::bit_cast<uint64_t>(high);
  while (h - l > 1) {
    const uint64_t middle = l + (h - l) / 2;
    (value(std::bit_cast<double>(middle)) <= x ? l : h) = middle;
  }
  low = std::bit_cast<double>(l);
  high = std::bit_cast<double>(h);
  const Ratio below = x - value(low), above = value(high) - x;
  if (below != above) return below < above ? low : high;
  return (l & 1) == 0 ? low : high;
}

}  // namespace

FeatureValue reference_frequencies(const std::vector<Cell>& cells, const FeatureSpec& feature) {
  std::vector<Counted> all = counted(cells);
  if (all.empty()) return std::monostate();
  const bool truncated = all.size() > feature.bound;
  if (truncated) {
    std::stable_sort(all.begin(), all.end(),
                     [](const Counted& a, const Counted& b) { return a.hash < b.hash; });
    all.resize(feature.bound);
    std::stable_sort(all.begin(), all.end(),
                     [](const Counted& a, const Counted& b) { return cell_below(a.cell, b.cell); });
  }
  if (feature.function != Function::kHistogram) {
    const bool top = feature.function == Function::kTopKByFrequency;
    std::stable_sort(all.begin(), all.end(), [&](const Counted& a, const Counted& b) {
      return top ? a.count > b.count : a.count < b.count;
    });
    if (all.size() > feature.n) all.resize(feature.n);
  }
  MapValue map;
  ListValue list;
  map.truncated = list.truncated = truncated;
  for (const Counted& entry : all) {
    map.entries.emplace_back(scalar_of(entry.cell), entry.count);
    list.push_back(scalar_of(entry.cell));
  }
  if (feature.map) return map;
  return list;
}

int64_t reference_approx_distinct(const std::vector<Cell>& cells, uint32_t precision) {
  std::map<uint64_t, int> registers;
  for (const Cell& cell : cells) {
    const uint64_t hash = hash_of_cell(cell);
    int rank = 1;
    for (uint32_t bit = precision; bit < 64 && (hash >> (63 - bit) & 1) == 0; ++bit) ++rank;
    int& kept = registers[hash >> (64 - precision)];
    kept = std::max(kept, rank);
  }
  if (registers.empty()) return 0;
  std::map<int, double> ranks;
  for (const auto& [at, rank] : registers) ++ranks[rank];
  const double m = std::ldexp(1.0, static_cast<int>(precision));
  const int last = 65 - static_cast<int>(precision);
  const auto sigma = [](double x) {
    double z = x;
    for (double y = 1, before = -1; z != before; y *= 2) {
      before = z;
      x = x * x;
      z = z + x * y;
    }
    return z;
  };
  const auto tau = [](double x) {
    if (x == 0 || x == 1) return 0.0;
    double z = 1 - x;
    for (double y = 0.5, before = -1; z != before; y /= 2) {
      before = z;
      x = std::sqrt(x);
      z = z - (1 - x) * (1 - x) * y;
    }
    return z / 3;
  };
  double z = m * tau(1 - ranks[last] / m);
  for (int k = last - 1; k >= 1; --k) z = (z + ranks[k]) / 2;
  z = z + m * sigma((m - static_cast<double>(registers.size())) / m);
  return static_cast<int64_t>(std::floor(0.72134752044448170 * m * m / z + 0.5));
}

FeatureValue reference_approx_percentile(const std::vector<Cell>& cells,
                                         const FeatureSpec& feature) {
  if (cells.empty()) return std::monostate();
  const int64_t a = feature.relative_accuracy;
  int64_t m = 1;
  while (1'000'000 > a * (2 * m + 1)) ++m;
  std::vector<Cell> sorted = cells;
  std::stable_sort(sorted.begin(), sorted.end(), cell_below);
  std::vector<std::pair<int, int64_t>> buckets;  // sign and number, of every cell
  std::set<std::pair<int, int64_t>> used;
  for (const Cell& cell : sorted) {
    const auto* d = std::get_if<double>(&cell);
    if (d != nullptr && !std::isfinite(*d)) {
      buckets.emplace_back(2, 0);
      continue;
    }
    const Ratio x = exact(cell);
    buckets.emplace_back(x < 0 ? -1 : x > 0 ? 1 : 0, x == 0 ? 0 : bucket_of(abs(x), m));
    if (x != 0) used.insert(buckets.back());
  }
  const auto halved = [](int64_t number) { return (number - (number % 2 != 0 && number < 0)) / 2; };
  int64_t width = 1;
  while (used.size() > feature.bound) {
    std::set<std::pair<int, int64_t>> fewer;
    for (const auto& [sign, number] : used) fewer.insert({sign, halved(number)});
    used = fewer;
    for (auto& [sign, number] : buckets) number = halved(number);
    width *= 2;
  }
  const auto rank =
      static_cast<size_t>(Big(Big(sorted.size() - 1) * feature.percentile / 1'000'000));
  const auto [sign, number] = buckets[rank];
  if (sign == 2) return std::get<double>(sorted[rank]);
  if (sign == 0) return 0.0;
  const Ratio l = end_of(number * width, m), u = end_of((number + 1) * width, m);
  return sign * nearest_double(2 * l * u / (l + u));
}

}  // namespace tidemill::testing
