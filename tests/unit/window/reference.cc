#include "tests/unit/window/reference.h"

#include <bit>
#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>
#include <limits>

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

// The double nearest to a target >= 0, given the sign of (target - x) for x in units of 2^-1075.
template <typename Compare>
double nearest(Compare&& compare) {
  uint64_t low = 0;                               // <= target
  uint64_t high = std::bit_cast<uint64_t>(kInf);  // > target
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    (compare(scaled(std::bit_cast<double>(middle)) * 2) >= 0 ? low : high) = middle;
  }
  const Big below = scaled(std::bit_cast<double>(low));
  const Big above = high == std::bit_cast<uint64_t>(kInf) ? Big(1) << (1024 + kScale)
                                                          : scaled(std::bit_cast<double>(high));
  const int side = compare(below + above);
  const bool up = side > 0 || (side == 0 && (low & 1) != 0);
  return std::bit_cast<double>(up ? high : low);
}

int sign(const Big& x) { return x.sign(); }

// numerator / denominator × 2^-1074
double round_ratio(const Big& numerator, const Big& denominator) {
  const Big magnitude = abs(numerator);
  const double out =
      nearest([&](const Big& x) { return sign(Big(2 * magnitude - x * denominator)); });
  return numerator < 0 ? -out : out;
}

// numerator / denominator × 2^-2148
double round_square_ratio(const Big& numerator, const Big& denominator) {
  return nearest(
      [&](const Big& x) { return sign(Big(2 * numerator - ((x * denominator) << kScale))); });
}

double round_root(const Big& numerator, const Big& denominator) {
  return nearest([&](const Big& x) { return sign(Big(4 * numerator - x * x * denominator)); });
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
  for (const Big& x : values) out += (n * x - sum) * (n * x - sum);
  return out;
}

double variance_of(const std::vector<Big>& values, bool sample, bool root) {
  const Big n = values.size();
  const Big denominator = n * n * (sample ? Big(n - 1) : n);
  const Big numerator = deviations(values);
  return root ? round_root(numerator, denominator) : round_square_ratio(numerator, denominator);
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
    default: {
      const bool sample =
          feature.function == Function::kVarSamp || feature.function == Function::kStddevSamp;
      const bool root =
          feature.function == Function::kStddevPop || feature.function == Function::kStddevSamp;
      return variance_of(scaled_values, sample, root);
    }
  }
}

bool in_window(TimeUs time, const FeatureSpec& feature, TimeUs as_of) {
  const __int128 right = static_cast<__int128>(as_of) - feature.offset;
  const __int128 left = right - feature.window;
  switch (feature.closed) {
    case Closed::kRight:
      return left < time && time <= right;
    case Closed::kLeft:
      return left <= time && time < right;
    case Closed::kBoth:
      return left <= time && time <= right;
    default:
      return left < time && time < right;
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

FeatureValue reference_value(const std::vector<Row>& rows, const TableSchema& schema,
                             const FeatureSpec& feature, TimeUs as_of) {
  int64_t count = 0;
  std::vector<double> doubles;
  std::vector<int64_t> ints;
  for (const Row& row : rows) {
    if (!in_window(row.time, feature, as_of)) continue;
    if (feature.filter >= 0 && !row.filters[static_cast<size_t>(feature.filter)]) continue;
    if (feature.column >= 0) {
      const Cell& cell = row.cells[static_cast<size_t>(feature.column)];
      if (std::holds_alternative<std::monostate>(cell)) continue;
      if (const auto* d = std::get_if<double>(&cell)) doubles.push_back(*d);
      if (const auto* i = std::get_if<int64_t>(&cell)) ints.push_back(*i);
      if (const auto* b = std::get_if<bool>(&cell)) ints.push_back(*b ? 1 : 0);
    }
    ++count;
  }
  if (feature.function == Function::kCount) return count;
  const bool sample =
      feature.function == Function::kVarSamp || feature.function == Function::kStddevSamp;
  if (count == 0 || (sample && count == 1)) return std::monostate();
  const ColumnType type = schema.columns[static_cast<size_t>(feature.column)];
  if (type == ColumnType::kString) return std::monostate();
  if (type == ColumnType::kDouble) return fold_doubles(doubles, feature.function);
  return fold_integers(ints, feature, type == ColumnType::kBool);
}

bool same_value(const FeatureValue& a, const FeatureValue& b) {
  if (a.index() != b.index()) return false;
  const auto* x = std::get_if<double>(&a);
  if (x == nullptr) return a == b;
  const double y = std::get<double>(b);
  if (std::isnan(*x) || std::isnan(y)) return std::isnan(*x) && std::isnan(y);
  return std::bit_cast<uint64_t>(*x) == std::bit_cast<uint64_t>(y);
}

std::string show(const FeatureValue& value) {
  if (const auto* d = std::get_if<double>(&value)) {
    char text[64];
    std::snprintf(text, sizeof text, "%.17g (%a)", *d, *d);
    return text;
  }
  if (const auto* i = std::get_if<int64_t>(&value)) return std::to_string(*i);
  if (const auto* b = std::get_if<bool>(&value)) return *b ? "true" : "false";
  if (const auto* s = std::get_if<std::string>(&value)) return *s;
  return "null";
}

}  // namespace tidemill::testing
