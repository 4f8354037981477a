#include "tests/unit/window/reference.h"

#include <bit>
#include <boost/multiprecision/cpp_bin_float.hpp>
#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "shared/base/hash.h"
#include "tests/unit/window/reference_groups.h"
#include "tests/unit/window/reference_sketches.h"
#include "tests/unit/window/reference_windows.h"

namespace tidemill::testing {
namespace {

using Big = boost::multiprecision::cpp_int;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int kScale = 1074;  // every double is an integer × 2^-1074

Big scaled(double x) {
  int exponent = 0;
  const double fraction = std::frexp(x, &exponent);
  const Big mantissa = static_cast<int64_t>(std::ldexp(fraction, 53));
  const int shift = exponent - 53 + kScale;
  if (shift >= 0) return mantissa << shift;
  return mantissa / (Big(1) << -shift);  // exact: the bits below are 0
}

// x is about the result times 2^exponent.
long double rough(const Big& x, int* exponent) {
  *exponent = 0;
  if (x == 0) return 0;
  *exponent = static_cast<int>(msb(x)) - 62;
  const Big top = *exponent > 0 ? Big(x >> *exponent) : Big(x << -*exponent);
  return static_cast<long double>(static_cast<int64_t>(top));
}

// About numerator / denominator × 2^shift.
double rough_ratio(const Big& numerator, const Big& denominator, int shift) {
  int a = 0, b = 0;
  const long double ratio = rough(numerator, &a) / rough(denominator, &b);
  return static_cast<double>(std::ldexp(ratio, a - b + shift));
}

// About the root of numerator / denominator, × 2^shift.
double rough_root(const Big& numerator, const Big& denominator, int shift) {
  int a = 0, b = 0;
  long double ratio = rough(numerator, &a) / rough(denominator, &b);
  const int odd = (a - b) & 1;
  if (odd != 0) ratio *= 2;
  return static_cast<double>(std::ldexp(std::sqrt(ratio), (a - b - odd) / 2 + shift));
}

// The double nearest to a target >= 0, given the sign of (target - x) for x in units of 2^-1075.
// A guess says where to look first, and nothing else.
template <typename Compare>
double nearest(double guess, Compare&& compare) {
  uint64_t low = 0;                               // <= target
  uint64_t high = std::bit_cast<uint64_t>(kInf);  // > target
  const auto split = [&](uint64_t at) {
    const bool reached = compare(scaled(std::bit_cast<double>(at)) * 2) >= 0;
    (reached ? low : high) = at;
    return reached;
  };
  const bool above = split(std::min(std::bit_cast<uint64_t>(guess), high - 1));
  for (uint64_t step = 1; high - low > step; step *= 2) {
    if (split(above ? low + step : high - step) != above) break;
  }
  while (high - low > 1) split(low + (high - low) / 2);
  const Big least = scaled(std::bit_cast<double>(low));
  const Big most = high == std::bit_cast<uint64_t>(kInf) ? Big(1) << (1024 + kScale)
                                                         : scaled(std::bit_cast<double>(high));
  const int side = compare(least + most);
  const bool up = side > 0 || (side == 0 && (low & 1) != 0);
  return std::bit_cast<double>(up ? high : low);
}

int sign(const Big& x) { return x.sign(); }

// numerator / denominator × 2^-1074
double round_ratio(const Big& numerator, const Big& denominator) {
  const Big magnitude = abs(numerator);
  const double out = nearest(rough_ratio(magnitude, denominator, -kScale), [&](const Big& x) {
    return sign(Big(2 * magnitude - x * denominator));
  });
  return numerator < 0 ? -out : out;
}

// numerator / denominator × 2^-2148; neither is negative
double round_square_ratio(const Big& numerator, const Big& denominator) {
  return nearest(rough_ratio(numerator, denominator, -2 * kScale), [&](const Big& x) {
    return sign(Big(2 * numerator - ((x * denominator) << kScale)));
  });
}

// The root of numerator / denominator, × 2^-1074
double round_root(const Big& numerator, const Big& denominator) {
  return nearest(rough_root(numerator, denominator, -kScale),
                 [&](const Big& x) { return sign(Big(4 * numerator - x * x * denominator)); });
}

// Divides all by the largest power of two that divides all, and returns its exponent: numbers of
// 2000 bits whose squares are added are most of the work.
unsigned cut_zeros(std::vector<Big>* values) {
  unsigned zeros = std::numeric_limits<unsigned>::max();
  for (const Big& x : *values) {
    if (x != 0) zeros = std::min(zeros, static_cast<unsigned>(lsb(abs(x))));
  }
  if (zeros == std::numeric_limits<unsigned>::max()) return 0;
  for (Big& x : *values) x = x < 0 ? Big(-(Big(-x) >> zeros)) : Big(x >> zeros);
  return zeros;
}

Big sum_of(const std::vector<Big>& values) {
  Big sum = 0;
  for (const Big& x : values) sum += x;
  return sum;
}

// Sum of the squared deviations from the mean, times count².
Big deviations(const std::vector<Big>& values) {
  const Big n = values.size();
  const Big sum = sum_of(values);
  Big out = 0;
  for (const Big& x : values) {
    const Big d = n * x - sum;
    out += d * d;
  }
  return out;
}

double variance_of(std::vector<Big> values, bool sample, bool root) {
  const unsigned zeros = cut_zeros(&values);
  const Big n = values.size();
  const Big denominator = n * n * (sample ? Big(n - 1) : n);
  const Big numerator = deviations(values) << (2 * zeros);
  return root ? round_root(numerator, denominator) : round_square_ratio(numerator, denominator);
}

// Skewness and excess kurtosis from sums of powers of count × (x - mean).
double shape_of(std::vector<Big> values, Function function) {
  cut_zeros(&values);  // they have no scale
  const Big n = values.size();
  const Big sum = sum_of(values);
  Big second = 0, third = 0, fourth = 0;
  for (const Big& x : values) {
    const Big d = n * x - sum;
    const Big square = d * d;
    second += square;
    third += square * d;
    fourth += square * square;
  }
  if (second == 0) return 0.0;
  if (function == Function::kSkew || function == Function::kSkewPop) {
    Big numerator = n * third * third, denominator = second * second * second;
    if (function == Function::kSkew) {
      numerator *= n * (n - 1);
      denominator *= (n - 2) * (n - 2);
    }
    if (numerator == 0) return 0.0;
    const double root = round_root(numerator << (2 * kScale), denominator);
    return third < 0 ? -root : root;
  }
  Big denominator = second * second;
  Big numerator = n * fourth - 3 * denominator;
  if (function == Function::kKurtosis) {
    numerator = (n - 1) * ((n + 1) * numerator + 6 * denominator);
    denominator *= (n - 2) * (n - 3);
  }
  return numerator == 0 ? 0.0 : round_ratio(numerator << kScale, denominator);
}

// 2^(r / length) in units of 2^-63, to the nearest. Kept: it takes long, and the same rows are
// folded over many windows.
const Big& growth_of(int64_t r, int64_t length) {
  using Float = boost::multiprecision::number<boost::multiprecision::cpp_bin_float<50>>;
  static std::map<std::pair<int64_t, int64_t>, Big> found;
  if (found.size() > 100'000) found.clear();
  Big& out = found[{r, length}];
  if (out != 0) return out;
  const Float factor = pow(Float(2), Float(r) / Float(length));
  out = Big(floor(factor * pow(Float(2), 63) + Float(0.5)));
  return out;
}

// The sum of values, each in units of 2^-kScale, that have decayed from their times to `end`.
double decayed_of(const std::vector<std::pair<TimeUs, Big>>& values, __int128 end, int64_t length) {
  const auto split = [&](__int128 time, Big* factor) {
    __int128 r = time % length;
    if (r < 0) r += length;
    *factor = growth_of(static_cast<int64_t>(r), length);
    return static_cast<int64_t>((time - r) / length);
  };
  Big back;
  const int64_t shrink = split(-end, &back);
  Big sum = 0;
  constexpr int kRoom = 200;  // beyond the most half-lives
  for (const auto& [time, x] : values) {
    Big factor;
    const int64_t whole = split(time, &factor) + shrink;
    sum += (x * factor) << (kRoom + static_cast<int>(whole));
  }
  return round_ratio(sum * back, Big(1) << (kRoom + 126));
}

// NaN or an infinity, if addition of the values gives one; 0 if not.
double special_sum(const std::vector<double>& values) {
  double out = 0;
  for (const double x : values) {
    if (!std::isfinite(x)) out += x;
  }
  return out;
}

std::vector<Big> scaled_all(const std::vector<double>& values) {
  std::vector<Big> out;
  for (const double x : values) out.push_back(scaled(x));
  return out;
}

bool all_minus_zero(const std::vector<double>& values) {
  for (const double x : values) {
    if (x != 0 || !std::signbit(x)) return false;
  }
  return !values.empty();
}

bool below(double a, double b) {  // NaN greatest, -0.0 below 0.0
  if (std::isnan(a)) return false;
  if (std::isnan(b)) return true;
  if (a == b) return std::signbit(a) && !std::signbit(b);
  return a < b;
}

FeatureValue fold_doubles(const std::vector<double>& values, Function function) {
  switch (function) {
    case Function::kSum:
      return reference_sum(values);
    case Function::kMean:
      return reference_mean(values);
    case Function::kMin:
      return *std::min_element(values.begin(), values.end(), below);
    case Function::kMax:
      return *std::max_element(values.begin(), values.end(), below);
    case Function::kVarPop:
      return reference_variance(values, false);
    case Function::kVarSamp:
      return reference_variance(values, true);
    case Function::kStddevPop:
      return reference_stddev(values, false);
    case Function::kSkew:
    case Function::kSkewPop:
    case Function::kKurtosis:
    case Function::kKurtosisPop:
      for (const double x : values) {
        if (!std::isfinite(x)) return kNan;
      }
      return shape_of(scaled_all(values), function);
    default:
      return reference_stddev(values, true);
  }
}

FeatureValue fold_integers(const std::vector<int64_t>& values, const FeatureSpec& feature,
                           bool is_bool) {
  std::vector<Big> scaled_values;
  Big sum = 0;
  for (const int64_t x : values) {
    scaled_values.push_back(Big(x) << kScale);
    sum += x;
  }
  switch (feature.function) {
    case Function::kSum:
      if (feature.type == ColumnType::kDouble) return round_ratio(sum_of(scaled_values), 1);
      if (sum > std::numeric_limits<int64_t>::max() || sum < std::numeric_limits<int64_t>::min()) {
        return std::monostate();
      }
      return static_cast<int64_t>(sum);
    case Function::kMean:
      return round_ratio(sum_of(scaled_values), values.size());
    case Function::kMin:
    case Function::kMax: {
      const int64_t extreme = feature.function == Function::kMin
                                  ? *std::min_element(values.begin(), values.end())
                                  : *std::max_element(values.begin(), values.end());
      if (is_bool) return extreme != 0;
      return extreme;
    }
    case Function::kSkew:
    case Function::kSkewPop:
    case Function::kKurtosis:
    case Function::kKurtosisPop:
      return shape_of(scaled_values, feature.function);
    default: {
      const bool sample =
          feature.function == Function::kVarSamp || feature.function == Function::kStddevSamp;
      const bool root =
          feature.function == Function::kStddevPop || feature.function == Function::kStddevSamp;
      return variance_of(scaled_values, sample, root);
    }
  }
}

}  // namespace

bool cell_below(const Cell& a, const Cell& b) {  // nulls last
  if (std::holds_alternative<std::monostate>(a)) return false;
  if (std::holds_alternative<std::monostate>(b)) return true;
  if (const auto* x = std::get_if<double>(&a)) return below(*x, std::get<double>(b));
  return a < b;
}

namespace {

// The cells of a column that count, in the order of their rows: time, then the view's columns.
std::vector<Cell> ordered_cells(const RowPointers& rows, const FeatureSpec& feature,
                                const ReferenceWindow& window) {
  RowPointers kept;
  const auto column = static_cast<size_t>(feature.column);
  for (const Row* row : rows) {
    if (!window.holds(row->time)) continue;
    if (feature.filter >= 0 && !row->filters[static_cast<size_t>(feature.filter)]) continue;
    if (!std::holds_alternative<std::monostate>(row->cells[column])) kept.push_back(row);
  }
  std::stable_sort(kept.begin(), kept.end(), [&](const Row* a, const Row* b) {
    if (a->time != b->time) return a->time < b->time;
    for (const uint32_t c : feature.order) {
      if (cell_below(a->cells[c], b->cells[c])) return true;
      if (cell_below(b->cells[c], a->cells[c])) return false;
    }
    return false;
  });
  std::vector<Cell> out;
  for (const Row* row : kept) out.push_back(row->cells[column]);
  return out;
}

// The first n that differ from all before them.
std::vector<Cell> distinct_cells(const std::vector<Cell>& cells, size_t n) {
  std::vector<Cell> out;
  for (const Cell& cell : cells) {
    if (out.size() == n) break;
    const auto same = [&](const Cell& c) { return !cell_below(c, cell) && !cell_below(cell, c); };
    if (std::none_of(out.begin(), out.end(), same)) out.push_back(cell);
  }
  return out;
}

}  // namespace

// MurmurHash3's finalizer over the bits of a number, in the order of doubles where it is one.
uint64_t hash_of_cell(const Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return hash_bytes(*text, 0);
  uint64_t x = 0;
  if (const auto* d = std::get_if<double>(&cell)) {
    x = std::bit_cast<uint64_t>(*d);
    if ((x >> 63) != 0) x ^= 0x7fff'ffff'ffff'ffff;
    if (std::isnan(*d)) x = 0x7fff'ffff'ffff'ffff;
  } else if (const auto* b = std::get_if<bool>(&cell)) {
    x = *b ? 1 : 0;
  } else {
    x = static_cast<uint64_t>(std::get<int64_t>(cell));
  }
  x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdu;
  x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53u;
  return x ^ (x >> 33);
}

namespace {

int64_t distinct_count(const std::vector<Cell>& cells, uint32_t n) {
  std::set<uint64_t> hashes;
  for (const Cell& cell : cells) hashes.insert(hash_of_cell(cell));
  if (hashes.size() <= n) return static_cast<int64_t>(hashes.size());
  const uint64_t nth = *std::next(hashes.begin(), n - 1);
  const Big most = std::numeric_limits<int64_t>::max();
  const Big estimate = nth == 0 ? Big(n) : Big((Big(n - 1) << 64) / nth);
  return static_cast<int64_t>(std::max(Big(n), std::min(most, estimate)));
}

}  // namespace

ScalarValue scalar_of(const Cell& cell) {
  if (const auto* d = std::get_if<double>(&cell)) return *d;
  if (const auto* i = std::get_if<int64_t>(&cell)) return *i;
  if (const auto* b = std::get_if<bool>(&cell)) return *b;
  return std::get<std::string>(cell);
}

namespace {

FeatureValue scalar_value(const Cell& cell) {
  return std::visit([](const auto& x) { return FeatureValue(x); }, scalar_of(cell));
}

FeatureValue fold_ordered(std::vector<Cell> cells, const FeatureSpec& feature) {
  switch (feature.function) {
    case Function::kCountDistinct:
      return distinct_count(cells, feature.n);
    case Function::kApproxCountDistinct:
      return reference_approx_distinct(cells, feature.n);
    case Function::kApproxPercentile:
      return reference_approx_percentile(cells, feature);
    case Function::kHistogram:
    case Function::kTopKByFrequency:
    case Function::kBottomKByFrequency:
      return reference_frequencies(cells, feature);
    default:
      break;
  }
  if (cells.empty()) return std::monostate();
  const size_t n = std::min<size_t>(feature.n, cells.size());
  bool backwards = false;
  switch (feature.function) {
    case Function::kFirst:
      return scalar_value(cells.front());
    case Function::kLast:
      return scalar_value(cells.back());
    case Function::kFirstN:
      cells.resize(n);
      break;
    case Function::kLastN:
      cells.erase(cells.begin(), cells.end() - static_cast<ptrdiff_t>(n));
      break;
    case Function::kFirstDistinctN:
      cells = distinct_cells(cells, feature.n);
      break;
    case Function::kLastDistinctN:
      std::reverse(cells.begin(), cells.end());
      cells = distinct_cells(cells, feature.n);
      backwards = true;
      break;
    default: {
      const bool top = feature.function == Function::kTopK;
      std::sort(cells.begin(), cells.end(), [&](const Cell& a, const Cell& b) {
        return top ? cell_below(b, a) : cell_below(a, b);
      });
      cells.resize(n);
    }
  }
  if (backwards) std::reverse(cells.begin(), cells.end());
  ListValue out;
  for (const Cell& cell : cells) out.push_back(scalar_of(cell));
  return out;
}

// Whether the function is of values in an order, and not of numbers.
bool is_chosen(Function function) {
  switch (function) {
    case Function::kSkew:
    case Function::kSkewPop:
    case Function::kKurtosis:
    case Function::kKurtosisPop:
    case Function::kDecayedSum:
    case Function::kDecayedCount:
      return false;
    default:
      return function >= Function::kFirst;
  }
}

}  // namespace

double reference_sum(const std::vector<double>& values) {
  const double special = special_sum(values);
  if (special != 0) return special;
  if (all_minus_zero(values)) return -0.0;
  return round_ratio(sum_of(scaled_all(values)), 1);
}

double reference_mean(const std::vector<double>& values) {
  const double special = special_sum(values);
  if (special != 0) return special;
  if (all_minus_zero(values)) return -0.0;
  return round_ratio(sum_of(scaled_all(values)), values.size());
}

double reference_variance(const std::vector<double>& values, bool sample) {
  for (const double x : values) {
    if (!std::isfinite(x)) return kNan;
  }
  return variance_of(scaled_all(values), sample, false);
}

double reference_stddev(const std::vector<double>& values, bool sample) {
  for (const double x : values) {
    if (!std::isfinite(x)) return kNan;
  }
  return variance_of(scaled_all(values), sample, true);
}

RowPointers pointers_to(const std::vector<Row>& rows) {
  RowPointers out;
  for (const Row& row : rows) out.push_back(&row);
  return out;
}

FeatureValue reference_value(const std::vector<Row>& rows, const TableSchema& schema,
                             const FeatureSpec& feature, TimeUs as_of) {
  return reference_value(pointers_to(rows), schema, feature, as_of);
}

FeatureValue reference_value(const RowPointers& rows, const TableSchema& schema,
                             const FeatureSpec& feature, TimeUs as_of) {
  const ReferenceWindow window(rows, feature, as_of);
  if (feature.by >= 0) return reference_groups(rows, schema, feature, window);
  return reference_over(rows, schema, feature, window);
}

FeatureValue reference_over(const RowPointers& rows, const TableSchema& schema,
                            const FeatureSpec& feature, const ReferenceWindow& window) {
  if (is_chosen(feature.function)) {
    return fold_ordered(ordered_cells(rows, feature, window), feature);
  }
  int64_t count = 0;
  std::vector<double> doubles;
  std::vector<int64_t> ints;
  std::vector<std::pair<TimeUs, Big>> timed;
  for (const Row* row : rows) {
    if (!window.holds(row->time)) continue;
    if (feature.half_life > 0 &&
        window.end() - row->time > static_cast<__int128>(64) * feature.half_life) {
      continue;
    }
    if (feature.filter >= 0 && !row->filters[static_cast<size_t>(feature.filter)]) continue;
    if (feature.column >= 0) {
      const Cell& cell = row->cells[static_cast<size_t>(feature.column)];
      if (std::holds_alternative<std::monostate>(cell)) continue;
      if (const auto* d = std::get_if<double>(&cell)) doubles.push_back(*d);
      if (const auto* i = std::get_if<int64_t>(&cell)) ints.push_back(*i);
      if (const auto* b = std::get_if<bool>(&cell)) ints.push_back(*b ? 1 : 0);
    }
    ++count;
    if (feature.half_life == 0) continue;
    Big x = Big(1) << kScale;
    if (feature.function == Function::kDecayedSum && !doubles.empty()) {
      x = std::isfinite(doubles.back()) ? scaled(doubles.back()) : Big(0);
    } else if (feature.function == Function::kDecayedSum && !ints.empty()) {
      x = Big(ints.back()) << kScale;
    }
    timed.emplace_back(row->time, x);
  }
  if (feature.function == Function::kCount) return count;
  if (feature.function == Function::kDecayedCount) {
    return decayed_of(timed, window.end(), feature.half_life);
  }
  if (count < (feature.function == Function::kSkew       ? 3
               : feature.function == Function::kKurtosis ? 4
                                                         : 1)) {
    return std::monostate();
  }
  const bool sample =
      feature.function == Function::kVarSamp || feature.function == Function::kStddevSamp;
  if (count == 0 || (sample && count == 1)) return std::monostate();
  const ColumnType type = schema.columns[static_cast<size_t>(feature.column)];
  if (type == ColumnType::kString) return std::monostate();
  if (feature.function == Function::kDecayedSum) {
    const double special = special_sum(doubles);
    if (special != 0) return special;
    if (all_minus_zero(doubles)) return -0.0;
    return decayed_of(timed, window.end(), feature.half_life);
  }
  if (type == ColumnType::kDouble) return fold_doubles(doubles, feature.function);
  return fold_integers(ints, feature, type == ColumnType::kBool);
}

}  // namespace tidemill::testing
