#include "shared/base/decimal_math.h"

#include <algorithm>

#include "shared/base/assert.h"

namespace tidemill {
namespace {

using decimal_math::kPowers;
using decimal_math::magnitude_of;
using decimal_math::U128;

constexpr U128 kLimit = kPowers[kMaxDecimalDigits];

bool fits(__int128 value) { return magnitude_of(value) < kLimit; }

bool set(bool negative, U128 magnitude, uint32_t scale, Decimal* out) {
  if (magnitude >= kLimit || scale > kMaxDecimalDigits) return false;
  const auto value = static_cast<__int128>(magnitude);
  *out = {negative ? -value : value, static_cast<uint8_t>(scale)};
  return true;
}

// value × 10^power; false if that is not within 38 digits.
bool scale_up(U128 value, uint32_t power, U128* out) {
  if (value == 0) {
    *out = 0;
    return true;
  }
  if (power > kMaxDecimalDigits) return false;
  return !__builtin_mul_overflow(value, kPowers[power], out) && *out < kLimit;
}

uint32_t digits_of(U128 value) {
  uint32_t out = 0;
  while (out < kPowers.size() && kPowers[out] <= value) ++out;
  return out;
}

struct U256 {
  U128 high = 0;
  U128 low = 0;
};

U256 product(U128 a, U128 b) {
  const auto half = [](U128 x) { return static_cast<uint64_t>(x); };
  const U128 low = U128{half(a)} * half(b);
  const U128 middle = U128{half(a >> 64)} * half(b);
  const U128 other = U128{half(a)} * half(b >> 64);
  const U128 sum = (low >> 64) + half(middle) + half(other);
  return {U128{half(a >> 64)} * half(b >> 64) + (middle >> 64) + (other >> 64) + (sum >> 64),
          sum << 64 | half(low)};
}

// value / by and what remains; false if the quotient has more than 128 bits. `by` is below 2^127.
bool divided(const U256& value, U128 by, U128* quotient, U128* rest) {
  if (value.high >= by) return false;
  if (value.high == 0) {
    *quotient = value.low / by;
    *rest = value.low % by;
    return true;
  }
  U128 left = value.high;
  U128 out = 0;
  for (int bit = 127; bit >= 0; --bit) {
    left = left << 1 | (value.low >> bit & 1);
    out <<= 1;
    if (left >= by) {
      left -= by;
      out |= 1;
    }
  }
  *quotient = out;
  *rest = left;
  return true;
}

// a × 10^power / b; false if the quotient has more than 38 digits.
bool scaled_quotient(U128 a, uint32_t power, U128 b, U128* quotient, U128* rest) {
  if (a == 0) {
    *quotient = *rest = 0;
    return true;
  }
  // 10^77 and more over less than 10^38.
  if (digits_of(a) + power > 77) return false;
  U256 numerator = product(a, kPowers[std::min(power, kMaxDecimalDigits)]);
  for (uint32_t more = power; more > kMaxDecimalDigits; --more) {
    const U256 low = product(numerator.low, 10);
    numerator = {numerator.high * 10 + low.high, low.low};
  }
  return divided(numerator, b, quotient, rest) && *quotient < kLimit;
}

// What PostgreSQL takes for a number's size: its first digit of those of base 10000, and that one's
// power.
struct Leading {
  int32_t weight = 0;
  uint32_t digit = 0;
};
Leading leading_of(const Decimal& value) {
  const U128 magnitude = magnitude_of(value.unscaled);
  if (magnitude == 0) return {};
  const auto power = static_cast<int32_t>(digits_of(magnitude)) - 1 - value.scale;
  const int32_t weight = power >= 0 ? power / 4 : -((3 - power) / 4);
  const int32_t cut = value.scale + 4 * weight;
  const U128 digit = cut >= 0 ? magnitude / kPowers[static_cast<size_t>(cut)]
                              : magnitude * kPowers[static_cast<size_t>(-cut)];
  return {weight, static_cast<uint32_t>(digit)};
}

// numeric.c, select_div_scale().
uint32_t quotient_scale(const Decimal& a, const Decimal& b) {
  constexpr int32_t kLeastSignificantDigits = 16;
  const Leading of_a = leading_of(a);
  const Leading of_b = leading_of(b);
  const int32_t weight = of_a.weight - of_b.weight - (of_a.digit <= of_b.digit ? 1 : 0);
  return static_cast<uint32_t>(
      std::max<int32_t>({kLeastSignificantDigits - 4 * weight, a.scale, b.scale, 0}));
}

using Sum = bool (*)(__int128, __int128, __int128*);

bool combined(const Decimal& a, const Decimal& b, Sum sum, Decimal* out) {
  const uint8_t scale = std::max(a.scale, b.scale);
  Decimal x, y;
  if (!rescale(a, scale, Rounding::kTowardsZero, &x)) return false;
  if (!rescale(b, scale, Rounding::kTowardsZero, &y)) return false;
  out->scale = scale;
  return sum(x.unscaled, y.unscaled, &out->unscaled) && fits(out->unscaled);
}

bool rounds_up(Rounding rounding, bool negative, U128 rest, U128 by) {
  switch (rounding) {
    case Rounding::kHalfAwayFromZero:
      return rest >= by - rest;
    case Rounding::kDown:
      return negative && rest != 0;
    case Rounding::kUp:
      return !negative && rest != 0;
    case Rounding::kTowardsZero:
      break;
  }
  return false;
}

}  // namespace

bool add_decimals(const Decimal& a, const Decimal& b, Decimal* out) {
  return combined(
      a, b, [](__int128 x, __int128 y, __int128* z) { return !__builtin_add_overflow(x, y, z); },
      out);
}

bool subtract_decimals(const Decimal& a, const Decimal& b, Decimal* out) {
  return add_decimals(a, {-b.unscaled, b.scale}, out);
}

bool multiply_decimals(const Decimal& a, const Decimal& b, Decimal* out) {
  const uint32_t scale = uint32_t{a.scale} + b.scale;
  U128 magnitude = 0;
  return !__builtin_mul_overflow(magnitude_of(a.unscaled), magnitude_of(b.unscaled), &magnitude) &&
         set((a.unscaled < 0) != (b.unscaled < 0), magnitude, scale, out);
}

bool divide_decimals(const Decimal& a, const Decimal& b, Decimal* out) {
  ASSERT(b.unscaled != 0);
  const uint32_t scale = quotient_scale(a, b);
  U128 quotient = 0;
  U128 rest = 0;
  const U128 by = magnitude_of(b.unscaled);
  if (scale > kMaxDecimalDigits ||
      !scaled_quotient(magnitude_of(a.unscaled), scale + b.scale - a.scale, by, &quotient, &rest)) {
    return false;
  }
  if (rounds_up(Rounding::kHalfAwayFromZero, false, rest, by)) ++quotient;
  return set((a.unscaled < 0) != (b.unscaled < 0), quotient, scale, out);
}

bool decimal_remainder(const Decimal& a, const Decimal& b, Decimal* out) {
  ASSERT(b.unscaled != 0);
  const U128 x = magnitude_of(a.unscaled);
  const U128 y = magnitude_of(b.unscaled);
  const bool negative = a.unscaled < 0;
  if (a.scale >= b.scale) {
    U128 by = 0;
    // What does not fit is more than `a`, which remains.
    const bool fits = scale_up(y, a.scale - b.scale, &by);
    return set(negative, fits ? x % by : x, a.scale, out);
  }
  U128 rest = x % y;
  const auto doubled = [y](U128 v) { return 2 * v >= y ? 2 * v - y : 2 * v; };
  for (uint32_t i = a.scale; i < b.scale; ++i) {
    const U128 two = doubled(rest);
    rest = doubled(doubled(two)) + two;
    if (rest >= y) rest -= y;
  }
  return set(negative, rest, b.scale, out);
}

bool integer_quotient(const Decimal& a, const Decimal& b, Decimal* out) {
  ASSERT(b.unscaled != 0);
  const bool negative = (a.unscaled < 0) != (b.unscaled < 0);
  U128 quotient = 0;
  U128 rest = 0;
  U128 by = magnitude_of(b.unscaled);
  if (a.scale > b.scale) {
    if (!scale_up(by, a.scale - b.scale, &by)) return set(false, 0, 0, out);
    return set(negative, magnitude_of(a.unscaled) / by, 0, out);
  }
  return scaled_quotient(magnitude_of(a.unscaled), b.scale - a.scale, by, &quotient, &rest) &&
         set(negative, quotient, 0, out);
}

bool rescale(const Decimal& value, int32_t scale, Rounding rounding, Decimal* out) {
  const bool negative = value.unscaled < 0;
  U128 magnitude = magnitude_of(value.unscaled);
  const auto shown = static_cast<uint32_t>(std::max(scale, 0));
  if (scale >= value.scale) {
    return shown <= kMaxDecimalDigits && scale_up(magnitude, shown - value.scale, &magnitude) &&
           set(negative, magnitude, shown, out);
  }
  const int64_t drop = int64_t{value.scale} - scale;
  U128 quotient = 0;
  if (drop <= kMaxDecimalDigits) {
    const U128 by = kPowers[static_cast<size_t>(drop)];
    quotient = magnitude / by;
    if (rounds_up(rounding, negative, magnitude % by, by)) ++quotient;
  } else if (magnitude != 0 && rounds_up(rounding, negative, 1, 4)) {
    quotient = 1;
  }
  const auto zeros = static_cast<uint32_t>(std::max<int64_t>(-int64_t{scale}, 0));
  return scale_up(quotient, zeros, &magnitude) && set(negative, magnitude, shown, out);
}

bool fit(const Decimal& value, const DecimalType& type, Decimal* out) {
  return rescale(value, type.scale, Rounding::kHalfAwayFromZero, out) &&
         magnitude_of(out->unscaled) < kPowers[type.precision];
}

int compare_decimals(const Decimal& a, const Decimal& b) {
  const bool negative = a.unscaled < 0;
  if (negative != (b.unscaled < 0)) return negative ? -1 : 1;
  U128 x = magnitude_of(a.unscaled);
  U128 y = magnitude_of(b.unscaled);
  int order = 0;
  if (a.scale < b.scale && !scale_up(x, b.scale - a.scale, &x)) {
    order = 1;
  } else if (b.scale < a.scale && !scale_up(y, a.scale - b.scale, &y)) {
    order = -1;
  } else {
    order = x < y ? -1 : x > y ? 1 : 0;
  }
  return negative ? -order : order;
}

}  // namespace tidemill
