// Functions of decimals: PostgreSQL's of numeric, and the operators of Expr over them.
#include "shared/expr/decimal_functions.h"

#include <algorithm>

#include "shared/expr/functions.h"

namespace tidemill {
namespace {

using proto::DECIMAL;
using proto::INT32;

constexpr int64_t kMostPlaces = 2000;

const RowFault* digits_of(bool good) { return good ? nullptr : &kDecimalRange; }

const RowFault* abs(Decimal* out, const Decimal& x) {
  *out = {x.unscaled < 0 ? -x.unscaled : x.unscaled, x.scale};
  return nullptr;
}
const RowFault* sign(Decimal* out, const Decimal& x) {
  *out = {x.unscaled > 0 ? 1 : x.unscaled < 0 ? -1 : 0, 0};
  return nullptr;
}
template <Rounding kRounding>
const RowFault* whole(Decimal* out, const Decimal& x) {
  return digits_of(rescale(x, 0, kRounding, out));
}
template <Rounding kRounding>
const RowFault* at_place(Decimal* out, const Decimal& x, int64_t places) {
  const int64_t within = std::clamp(places, -kMostPlaces, kMostPlaces);
  return digits_of(rescale(x, static_cast<int32_t>(within), kRounding, out));
}
const RowFault* div(Decimal* out, const Decimal& a, const Decimal& b) {
  if (b.unscaled == 0) return &kernels::kDivisionByZero;
  return digits_of(integer_quotient(a, b, out));
}
const RowFault* remainder(Decimal* out, const Decimal& a, const Decimal& b) {
  return decimal_modulo(a, b, out);
}
Decimal trimmed(Decimal x) {
  for (; x.scale > 0 && x.unscaled % 10 == 0; --x.scale) x.unscaled /= 10;
  return x;
}
const RowFault* trim_scale(Decimal* out, const Decimal& x) {
  *out = trimmed(x);
  return nullptr;
}
const RowFault* scale(int64_t* out, const Decimal& x) {
  *out = x.scale;
  return nullptr;
}
const RowFault* min_scale(int64_t* out, const Decimal& x) {
  *out = trimmed(x).scale;
  return nullptr;
}

}  // namespace

const RowFault* decimal_add(const Decimal& a, const Decimal& b, Decimal* out) {
  return digits_of(add_decimals(a, b, out));
}
const RowFault* decimal_subtract(const Decimal& a, const Decimal& b, Decimal* out) {
  return digits_of(subtract_decimals(a, b, out));
}
const RowFault* decimal_multiply(const Decimal& a, const Decimal& b, Decimal* out) {
  return digits_of(multiply_decimals(a, b, out));
}
const RowFault* decimal_divide(const Decimal& a, const Decimal& b, Decimal* out) {
  if (b.unscaled == 0) return &kernels::kDivisionByZero;
  return digits_of(divide_decimals(a, b, out));
}
const RowFault* decimal_modulo(const Decimal& a, const Decimal& b, Decimal* out) {
  if (b.unscaled == 0) return &kernels::kDivisionByZero;
  return digits_of(decimal_remainder(a, b, out));
}
const RowFault* decimal_negate(Decimal* out, const Decimal& x) {
  *out = {-x.unscaled, x.scale};
  return nullptr;
}

std::span<const SqlFunction> decimal_functions() {
  constexpr auto kHalf = Rounding::kHalfAwayFromZero;
  constexpr auto kCut = Rounding::kTowardsZero;
  static const std::vector<SqlFunction> all = {
      {"abs", {DECIMAL}, DECIMAL, strict<abs>, false, "without its sign"},
      {"sign", {DECIMAL}, DECIMAL, strict<sign>, false, "-1, 0 or 1"},
      {"mod", {DECIMAL, DECIMAL}, DECIMAL, strict<remainder>, true, "what `%` gives"},
      {"div", {DECIMAL, DECIMAL}, DECIMAL, strict<div>, true, "how often it goes into it, whole"},
      {"round",
       {DECIMAL},
       DECIMAL,
       strict<whole<kHalf>>,
       true,
       "the nearest integer, halves away from zero"},
      {"round",
       {DECIMAL, INT32},
       DECIMAL,
       strict<at_place<kHalf>>,
       true,
       "to so many digits behind the point, halves away from zero; below 0, before it"},
      {"floor", {DECIMAL}, DECIMAL, strict<whole<Rounding::kDown>>, true, "the integer below"},
      {"ceil", {DECIMAL}, DECIMAL, strict<whole<Rounding::kUp>>, true, "the integer above"},
      {"ceiling", {DECIMAL}, DECIMAL, strict<whole<Rounding::kUp>>, true, "the integer above"},
      {"trunc", {DECIMAL}, DECIMAL, strict<whole<kCut>>, false, "the integer towards zero"},
      {"trunc",
       {DECIMAL, INT32},
       DECIMAL,
       strict<at_place<kCut>>,
       true,
       "cut behind so many digits; below 0, before the point"},
      {"scale", {DECIMAL}, INT32, strict<scale>, false, "how many digits are behind the point"},
      {"min_scale",
       {DECIMAL},
       INT32,
       strict<min_scale>,
       false,
       "how many of them are needed, as those at the end are 0"},
      {"trim_scale", {DECIMAL}, DECIMAL, strict<trim_scale>, false, "without zeros at the end"},
  };
  return all;
}

}  // namespace tidemill
