// Functions of numbers: PostgreSQL's of integers and of double precision.
#include <charconv>
#include <cmath>
#include <cstdio>
#include <numbers>

#include "shared/expr/functions.h"
#include "shared/expr/kernels.h"

namespace tidemill {
namespace {

using proto::DOUBLE;
using proto::INT32;
using proto::INT64;

constexpr RowFault kRootOfNegative{"2201F", "cannot take the square root of a negative number"};
constexpr RowFault kZeroToNegative{"2201F", "zero raised to a negative power is undefined"};
constexpr RowFault kComplexPower{"2201F",
                                 "a negative number raised to a non-integer power is complex"};
constexpr RowFault kLogOfZero{"2201E", "cannot take the logarithm of zero"};
constexpr RowFault kLogOfNegative{"2201E", "cannot take the logarithm of a negative number"};
constexpr RowFault kInputRange{"22003", "the input is out of range"};
constexpr RowFault kDigitsRange{"22003", "the number of digits must be between -400 and 400"};
constexpr double kRadiansPerDegree = 0.0174532925199432957692;

template <bool k32>
const RowFault* abs_int(int64_t* out, int64_t x) {
  if (x < 0) return kernels::subtract<k32>(0, x, out);
  *out = x;
  return nullptr;
}
const RowFault* abs_double(double* out, double x) {
  *out = std::fabs(x);
  return nullptr;
}
const RowFault* sign(double* out, double x) {
  *out = x > 0 ? 1 : x < 0 ? -1 : 0;
  return nullptr;
}
const RowFault* remainder_of(int64_t* out, int64_t a, int64_t b) { return kernels::modulo(a, b, out); }

const RowFault* round(double* out, double x) {
  *out = std::rint(x);
  return nullptr;
}
const RowFault* floor(double* out, double x) {
  *out = std::floor(x);
  return nullptr;
}
const RowFault* ceil(double* out, double x) {
  *out = std::ceil(x);
  return nullptr;
}
const RowFault* trunc(double* out, double x) {
  *out = std::trunc(x);
  return nullptr;
}

// x as a decimal number of 15 digits, which is what PostgreSQL makes numeric of a double, rounded
// half away from zero, or cut, at the digit `digits` behind the point.
const RowFault* at_digit(double* out, double x, int64_t digits, bool rounds) {
  if (digits < -400 || digits > 400) return &kDigitsRange;
  *out = x == 0 ? 0.0 : x;
  if (!std::isfinite(x) || x == 0) return nullptr;
  constexpr int kDigits = 15;
  std::array<char, 40> text;
  std::snprintf(text.data(), text.size(), "%.*e", kDigits - 1, std::fabs(x));
  std::array<char, kDigits + 1> decimal{'0'};  // a digit for the carry, and all of them
  for (int i = 0; i < kDigits; ++i) decimal[1 + i] = text[i == 0 ? 0 : i + 1];
  const int exponent = std::atoi(text.data() + kDigits + 2);  // of the first digit
  const int64_t kept = exponent + 1 + digits;
  if (kept >= kDigits) digits = kDigits - 1 - exponent;
  const int keep = static_cast<int>(std::clamp<int64_t>(kept, -1, kDigits));
  bool up = rounds && keep >= 0 && keep < kDigits && decimal[1 + keep] >= '5';
  for (int i = std::max(keep, 0); i < kDigits; ++i) decimal[1 + i] = '0';
  for (int i = std::max(keep, 0); up && i >= 0; --i) {
    up = decimal[i] == '9';
    decimal[i] = up ? '0' : static_cast<char>(decimal[i] + 1);
  }
  std::array<char, 64> number;
  const int n = std::snprintf(number.data(), number.size(), "%s%.*se%d", x < 0 ? "-" : "",
                              kDigits + 1, decimal.data(), exponent - kDigits + 1);
  std::from_chars(number.data(), number.data() + n, *out);
  if (*out == 0) *out = 0;  // numeric has no negative zero
  return nullptr;
}
const RowFault* round_at(double* out, double x, int64_t digits) {
  return at_digit(out, x, digits, true);
}
const RowFault* trunc_at(double* out, double x, int64_t digits) {
  return at_digit(out, x, digits, false);
}

const RowFault* sqrt(double* out, double x) {
  if (x < 0) return &kRootOfNegative;
  *out = std::sqrt(x);
  return nullptr;
}
const RowFault* cbrt(double* out, double x) {
  *out = std::cbrt(x);
  return nullptr;
}

// Of a function whose exact result is neither zero nor infinite.
const RowFault* range_of(double result) {
  if (std::isinf(result)) return &kernels::kDoubleOverflow;
  return result == 0 ? &kernels::kDoubleUnderflow : nullptr;
}

const RowFault* exp(double* out, double x) {
  if (std::isnan(x) || std::isinf(x)) {
    *out = x < 0 ? 0 : x;
    return nullptr;
  }
  *out = std::exp(x);
  return range_of(*out);
}

double power_of_infinity(double x, double y) {
  if (y == 0) return 1;
  if (x > 0) return y > 0 ? x : 0.0;
  const bool odd = std::floor(y / 2) != y / 2;
  if (y > 0) return odd ? x : -x;
  return odd ? -0.0 : 0.0;
}
double power_to_infinity(double x, double y) {
  const double size = std::fabs(x);
  if (size == 1) return 1;
  if (y > 0) return size > 1 ? y : 0.0;
  return size > 1 ? 0.0 : -y;
}
const RowFault* power(double* out, double x, double y) {
  if (std::isnan(x) || std::isnan(y)) {
    *out = y == 0 || x == 1 ? 1.0 : std::nan("");
    return nullptr;
  }
  if (x == 0 && y < 0) return &kZeroToNegative;
  if (x < 0 && std::floor(y) != y) return &kComplexPower;
  if (std::isinf(y) || std::isinf(x)) {
    *out = std::isinf(y) ? power_to_infinity(x, y) : power_of_infinity(x, y);
    return nullptr;
  }
  *out = std::pow(x, y);
  return x == 0 ? nullptr : range_of(*out);
}

const RowFault* ln(double* out, double x) {
  if (x <= 0) return x == 0 ? &kLogOfZero : &kLogOfNegative;
  *out = std::log(x);
  return nullptr;
}
const RowFault* log10(double* out, double x) {
  if (x <= 0) return x == 0 ? &kLogOfZero : &kLogOfNegative;
  *out = std::log10(x);
  return nullptr;
}

template <double (*kFunction)(double)>
const RowFault* of_angle(double* out, double x) {
  if (std::isinf(x)) return &kInputRange;
  *out = kFunction(x);
  return nullptr;
}
template <double (*kFunction)(double)>
const RowFault* of_sine(double* out, double x) {
  if (x < -1 || x > 1) return &kInputRange;
  *out = kFunction(x);
  return nullptr;
}
const RowFault* atan(double* out, double x) {
  *out = std::atan(x);
  return nullptr;
}
const RowFault* atan2(double* out, double y, double x) {
  *out = std::atan2(y, x);
  return nullptr;
}
const RowFault* degrees(double* out, double x) {
  return kernels::divide(x, kRadiansPerDegree, out);
}
const RowFault* radians(double* out, double x) {
  return kernels::multiply(x, kRadiansPerDegree, out);
}
void pi(const Call& call) {
  call.rows.each([&](uint32_t i) {
    call.out->nulls[i] = 0;
    call.out->doubles[i] = std::numbers::pi;
  });
}

}  // namespace

std::span<const SqlFunction> math_functions() {
  static const std::vector<SqlFunction> all = {
      {"abs", {INT32}, INT32, strict<abs_int<true>>, true, "without its sign"},
      {"abs", {INT64}, INT64, strict<abs_int<false>>, true, "without its sign"},
      {"abs", {DOUBLE}, DOUBLE, strict<abs_double>, false, "without its sign"},
      {"sign", {DOUBLE}, DOUBLE, strict<sign>, false, "-1, 0 or 1; 0 of NaN"},
      {"mod", {INT32, INT32}, INT32, strict<remainder_of>, true, "what `%` gives"},
      {"mod", {INT64, INT64}, INT64, strict<remainder_of>, true, "what `%` gives"},
      {"round", {DOUBLE}, DOUBLE, strict<round>, false, "the nearest integer, halves to even"},
      {"round",
       {DOUBLE, INT32},
       DOUBLE,
       strict<round_at>,
       true,
       "to so many digits behind the point, halves away from zero: `round(x::numeric, n)::float8`"},
      {"floor", {DOUBLE}, DOUBLE, strict<floor>, false, "the integer below"},
      {"ceil", {DOUBLE}, DOUBLE, strict<ceil>, false, "the integer above"},
      {"ceiling", {DOUBLE}, DOUBLE, strict<ceil>, false, "the integer above"},
      {"trunc", {DOUBLE}, DOUBLE, strict<trunc>, false, "the integer towards zero"},
      {"trunc",
       {DOUBLE, INT32},
       DOUBLE,
       strict<trunc_at>,
       true,
       "cut behind so many digits: `trunc(x::numeric, n)::float8`"},
      {"power", {DOUBLE, DOUBLE}, DOUBLE, strict<power>, true, "also `pow`, and `x ^ y`"},
      {"pow", {DOUBLE, DOUBLE}, DOUBLE, strict<power>, true, "as power"},
      {"^", {DOUBLE, DOUBLE}, DOUBLE, strict<power>, true, "as power"},
      {"sqrt", {DOUBLE}, DOUBLE, strict<sqrt>, true, "square root"},
      {"cbrt", {DOUBLE}, DOUBLE, strict<cbrt>, false, "cube root"},
      {"exp", {DOUBLE}, DOUBLE, strict<exp>, true, "e to that power"},
      {"ln", {DOUBLE}, DOUBLE, strict<ln>, true, "natural logarithm"},
      {"log", {DOUBLE}, DOUBLE, strict<log10>, true, "logarithm to base 10"},
      {"log10", {DOUBLE}, DOUBLE, strict<log10>, true, "logarithm to base 10"},
      {"pi", {}, DOUBLE, pi, false, "3.14159..."},
      {"sin", {DOUBLE}, DOUBLE, strict<of_angle<std::sin>>, true, "of radians"},
      {"cos", {DOUBLE}, DOUBLE, strict<of_angle<std::cos>>, true, "of radians"},
      {"tan", {DOUBLE}, DOUBLE, strict<of_angle<std::tan>>, true, "of radians"},
      {"asin", {DOUBLE}, DOUBLE, strict<of_sine<std::asin>>, true, "in radians"},
      {"acos", {DOUBLE}, DOUBLE, strict<of_sine<std::acos>>, true, "in radians"},
      {"atan", {DOUBLE}, DOUBLE, strict<atan>, false, "in radians"},
      {"atan2", {DOUBLE, DOUBLE}, DOUBLE, strict<atan2>, false, "of y and x, in radians"},
      {"degrees", {DOUBLE}, DOUBLE, strict<degrees>, true, "of radians"},
      {"radians", {DOUBLE}, DOUBLE, strict<radians>, true, "of degrees"},
  };
  return all;
}

}  // namespace tidemill
