#include "shared/window/exact_sum.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "shared/base/mutation.h"
#include "shared/window/double_parts.h"

namespace tidemill {
namespace {

using uint128 = unsigned __int128;

constexpr int kRoomBits = 190;  // a magnitude of so many bits fits 192 signed bits with room to add

int bits_of(uint64_t l0, uint64_t l1, uint64_t l2) {
  if (l2 != 0) return 192 - std::countl_zero(l2);
  if (l1 != 0) return 128 - std::countl_zero(l1);
  return 64 - std::countl_zero(l0);
}

void negate(uint64_t* limbs, int count) {
  uint64_t carry = 1;
  for (int i = 0; i < count; ++i) {
    limbs[i] = ~limbs[i] + carry;
    carry = carry != 0 && limbs[i] == 0 ? 1 : 0;
  }
}

// Shifts three limbs up; bits beyond the third are lost.
void shift_up(uint64_t* l, int by) {
  for (; by >= 64; by -= 64) {
    l[2] = l[1];
    l[1] = l[0];
    l[0] = 0;
  }
  if (by == 0) return;
  l[2] = l[2] << by | l[1] >> (64 - by);
  l[1] = l[1] << by | l[0] >> (64 - by);
  l[0] <<= by;
}

// a × b × 10^power
BigUnsigned product_of(uint64_t a, uint64_t b, uint32_t power) {
  BigUnsigned out({&a, 1});
  out.multiply(b);
  for (; power > 0; --power) out.multiply(10);
  return out;
}

// a += ±b over three limbs.
void add_signed(uint64_t* a, const uint64_t* b, bool negative) {
  uint64_t carry = negative ? 1 : 0;
  for (int i = 0; i < 3; ++i) {
    const uint128 t = static_cast<uint128>(a[i]) + (negative ? ~b[i] : b[i]) + carry;
    a[i] = static_cast<uint64_t>(t);
    carry = static_cast<uint64_t>(t >> 64);
  }
}

}  // namespace

ExactSum::ExactSum(const ExactSum& other) { *this = other; }

ExactSum::ExactSum(ExactSum&& other) noexcept { *this = std::move(other); }

ExactSum& ExactSum::operator=(const ExactSum& other) {
  if (this == &other) return *this;
  if (wide()) delete[] wide_limbs();
  std::memcpy(limbs_, other.limbs_, sizeof limbs_);
  exponent_ = other.exponent_;
  flags_ = other.flags_;
  if (other.wide()) {
    auto* limbs = new uint64_t[kWideLimbs];
    std::copy_n(other.wide_limbs(), kWideLimbs, limbs);
    limbs_[0] = reinterpret_cast<uint64_t>(limbs);
  }
  return *this;
}

ExactSum& ExactSum::operator=(ExactSum&& other) noexcept {
  if (this == &other) return *this;
  if (wide()) delete[] wide_limbs();
  std::memcpy(limbs_, other.limbs_, sizeof limbs_);
  exponent_ = other.exponent_;
  flags_ = other.flags_;
  std::memset(other.limbs_, 0, sizeof other.limbs_);
  other.exponent_ = 0;
  other.flags_ = 0;
  return *this;
}

ExactSum::~ExactSum() {
  if (wide()) delete[] wide_limbs();
}

void ExactSum::add(double x) {
  if (mutated(Mutation::kOrderDependentSum)) return add_plain(x);
  const DoubleParts p = parts_of(x);
  flags_ |= kAnyAddend;
  if (!p.finite) {
    flags_ |= std::isnan(x) ? kNan : p.negative ? kMinusInfinity : kPlusInfinity;
    return;
  }
  if (p.mantissa != 0 || !p.negative) flags_ |= kNotMinusZero;
  if (p.mantissa != 0) add_limbs(p.negative, p.mantissa, 0, 0, p.exponent);
}

// Values of about the same size, as most are, are added up in 128 bits first.
void ExactSum::add(const double* values, uint64_t mask) {
  constexpr int kMostApart = 64;  // 53 bits, shifted by less than so many, 64 times, fit 127
  int least = std::numeric_limits<int>::max();
  int greatest = std::numeric_limits<int>::min();
  bool finite = !mutated(Mutation::kOrderDependentSum);
  for (uint64_t m = mask; m != 0; m &= m - 1) {
    const DoubleParts p = parts_of(values[std::countr_zero(m)]);
    finite &= p.finite;
    if (p.mantissa == 0) continue;
    least = std::min(least, p.exponent);
    greatest = std::max(greatest, p.exponent);
  }
  if (!finite || least > greatest || greatest - least >= kMostApart) {
    for (uint64_t m = mask; m != 0; m &= m - 1) add(values[std::countr_zero(m)]);
    return;
  }
  __int128 sum = 0;
  for (uint64_t m = mask; m != 0; m &= m - 1) {
    const DoubleParts p = parts_of(values[std::countr_zero(m)]);
    if (p.mantissa == 0) continue;
    const __int128 scaled = static_cast<__int128>(p.mantissa) << (p.exponent - least);
    sum += p.negative ? -scaled : scaled;
  }
  flags_ |= kAnyAddend | kNotMinusZero;
  const uint128 magnitude = sum < 0 ? -static_cast<uint128>(sum) : static_cast<uint128>(sum);
  if (magnitude == 0) return;
  add_limbs(sum < 0, static_cast<uint64_t>(magnitude), static_cast<uint64_t>(magnitude >> 64), 0,
            least);
}

void ExactSum::add_square(double x) {
  if (mutated(Mutation::kOrderDependentSum)) return add_plain(x * x);
  const DoubleParts p = parts_of(x);
  flags_ |= kAnyAddend | kNotMinusZero;
  if (!p.finite) {
    flags_ |= std::isnan(x) ? kNan : kPlusInfinity;
    return;
  }
  if (p.mantissa == 0) return;
  const uint128 square = static_cast<uint128>(p.mantissa) * p.mantissa;
  add_limbs(false, static_cast<uint64_t>(square), static_cast<uint64_t>(square >> 64), 0,
            2 * p.exponent);
}

void ExactSum::add_integer(int64_t x) {
  flags_ |= kAnyAddend | kNotMinusZero;
  const uint64_t magnitude = x < 0 ? -static_cast<uint64_t>(x) : static_cast<uint64_t>(x);
  if (x != 0) add_limbs(x < 0, magnitude, 0, 0, 0);
}

void ExactSum::add_integer_square(int64_t x) {
  flags_ |= kAnyAddend | kNotMinusZero;
  const uint64_t magnitude = x < 0 ? -static_cast<uint64_t>(x) : static_cast<uint64_t>(x);
  const uint128 square = static_cast<uint128>(magnitude) * magnitude;
  if (x != 0) {
    add_limbs(false, static_cast<uint64_t>(square), static_cast<uint64_t>(square >> 64), 0, 0);
  }
}

void ExactSum::add_wide_integer(__int128 x) {
  flags_ |= kAnyAddend | kNotMinusZero;
  const uint128 magnitude = x < 0 ? -static_cast<uint128>(x) : static_cast<uint128>(x);
  if (x == 0) return;
  add_limbs(x < 0, static_cast<uint64_t>(magnitude), static_cast<uint64_t>(magnitude >> 64), 0, 0);
}

void ExactSum::add_wide_integer_square(__int128 x) {
  flags_ |= kAnyAddend | kNotMinusZero;
  if (x == 0) return;
  const uint128 magnitude = x < 0 ? -static_cast<uint128>(x) : static_cast<uint128>(x);
  const uint64_t words[] = {static_cast<uint64_t>(magnitude),
                            static_cast<uint64_t>(magnitude >> 64)};
  const BigUnsigned value(words);
  const BigUnsigned square = BigUnsigned::product(value, value);
  add_limbs(false, square.word_at(0), square.word_at(64), 0, 0);
  if (square.bits() > 128) add_limbs(false, square.word_at(128), square.word_at(192), 0, 128);
}

void ExactSum::merge(const ExactSum& other) {
  if (mutated(Mutation::kOrderDependentSum) && (other.flags_ & kWide) == 0 &&
      ((flags_ | other.flags_) & kNotMinusZero) == 0) {
    if ((other.flags_ & kAnyAddend) != 0) add_plain(other.plain());
    return;
  }
  if (other.wide()) {
    if (!wide()) widen();
    uint64_t carry = 0;
    for (int i = 0; i < kWideLimbs; ++i) {
      const uint128 t = static_cast<uint128>(wide_limbs()[i]) + other.wide_limbs()[i] + carry;
      wide_limbs()[i] = static_cast<uint64_t>(t);
      carry = static_cast<uint64_t>(t >> 64);
    }
  } else if (!other.is_zero()) {
    uint64_t l[3] = {other.limbs_[0], other.limbs_[1], other.limbs_[2]};
    const bool negative = (l[2] >> 63) != 0;
    if (negative) negate(l, 3);
    add_limbs(negative, l[0], l[1], l[2], other.exponent_);
  }
  flags_ |= other.flags_ & ~kWide;
}

void ExactSum::add_limbs(bool negative, uint64_t l0, uint64_t l1, uint64_t l2, int exponent) {
  if (!wide()) {
    if (add_in_place(negative, l0, l1, l2, exponent)) return;
    widen();
  }
  add_wide(negative, l0, l1, l2, exponent);
}

// False, and nothing changed in value, if the result might not fit 192 bits.
bool ExactSum::add_in_place(bool negative, uint64_t l0, uint64_t l1, uint64_t l2, int exponent) {
  if (is_zero()) exponent_ = static_cast<int16_t>(exponent);
  if (exponent < exponent_ && !rescale(exponent)) return false;
  const int shift = exponent - exponent_;
  if (bits_of(l0, l1, l2) + shift > kRoomBits) return false;
  uint64_t addend[3] = {l0, l1, l2};
  shift_up(addend, shift);
  uint64_t sum[3] = {limbs_[0], limbs_[1], limbs_[2]};
  const bool was_negative = (sum[2] >> 63) != 0;
  add_signed(sum, addend, negative);
  if (was_negative == negative && ((sum[2] >> 63) != 0) != negative) return false;
  std::memcpy(limbs_, sum, sizeof limbs_);
  return true;
}

// Lowers the exponent if the number still fits.
bool ExactSum::rescale(int exponent) {
  const int shift = exponent_ - exponent;
  uint64_t l[3] = {limbs_[0], limbs_[1], limbs_[2]};
  const bool negative = (l[2] >> 63) != 0;
  if (negative) negate(l, 3);
  if (bits_of(l[0], l[1], l[2]) + shift > kRoomBits) return false;
  shift_up(limbs_, shift);
  exponent_ = static_cast<int16_t>(exponent);
  return true;
}

void ExactSum::widen() {
  uint64_t l[3] = {limbs_[0], limbs_[1], limbs_[2]};
  const bool negative = (l[2] >> 63) != 0;
  if (negative) negate(l, 3);
  auto* limbs = new uint64_t[kWideLimbs]();
  limbs_[0] = reinterpret_cast<uint64_t>(limbs);
  limbs_[1] = limbs_[2] = 0;
  flags_ |= kWide;
  add_wide(negative, l[0], l[1], l[2], exponent_);
}

void ExactSum::add_wide(bool negative, uint64_t l0, uint64_t l1, uint64_t l2, int exponent) {
  const int position = exponent - kWideUnit;
  const int shift = position % 64;
  uint64_t addend[4] = {l0 << shift, l1 << shift, l2 << shift, 0};
  if (shift != 0) {
    addend[1] |= l0 >> (64 - shift);
    addend[2] |= l1 >> (64 - shift);
    addend[3] |= l2 >> (64 - shift);
  }
  uint64_t* limbs = wide_limbs();
  uint64_t carry = 0;
  for (int i = 0, at = position / 64; at < kWideLimbs; ++i, ++at) {
    if (i >= 4 && carry == 0) break;
    const uint64_t b = i < 4 ? addend[i] : 0;
    const uint128 t = negative ? static_cast<uint128>(limbs[at]) - b - carry
                               : static_cast<uint128>(limbs[at]) + b + carry;
    limbs[at] = static_cast<uint64_t>(t);
    carry = static_cast<uint64_t>(t >> 64) & 1;
  }
}

ExactSum::Magnitude ExactSum::magnitude() const {
  uint64_t l[kWideLimbs];
  const int count = wide() ? kWideLimbs : 3;
  std::copy_n(wide() ? wide_limbs() : limbs_, count, l);
  Magnitude out;
  out.negative = (l[count - 1] >> 63) != 0;
  if (out.negative) negate(l, count);
  int first = 0;
  while (first < count && l[first] == 0) ++first;
  out.value = BigUnsigned({l + first, static_cast<size_t>(count - first)});
  out.exponent = (wide() ? kWideUnit : exponent_) + 64 * first;
  return out;
}

double ExactSum::non_finite() const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const bool both = (flags_ & kPlusInfinity) != 0 && (flags_ & kMinusInfinity) != 0;
  if ((flags_ & kNan) != 0 || both) return std::numeric_limits<double>::quiet_NaN();
  return (flags_ & kPlusInfinity) != 0 ? kInfinity : -kInfinity;
}

double ExactSum::zero() const {
  return (flags_ & kAnyAddend) != 0 && (flags_ & kNotMinusZero) == 0 ? -0.0 : 0.0;
}

double ExactSum::rounded() const {
  if (mutated(Mutation::kOrderDependentSum) && (flags_ & kNotMinusZero) == 0) return plain();
  if (!is_finite()) return non_finite();
  const Magnitude m = magnitude();
  if (m.value.is_zero()) return zero();
  return round_to_double(m.value, false, m.exponent, m.negative);
}

double ExactSum::mean(uint64_t count, uint32_t scale) const {
  if (mutated(Mutation::kOrderDependentSum) && (flags_ & kNotMinusZero) == 0) {
    return plain() / static_cast<double>(count);
  }
  if (!is_finite()) return non_finite();
  const Magnitude m = magnitude();
  if (m.value.is_zero()) return zero();
  if (scale != 0) return round_ratio(m.value, product_of(count, 1, scale), m.exponent, m.negative);
  return round_quotient(m.value, m.exponent, count, 1, m.negative);
}

std::optional<__int128> ExactSum::as_int128() const {
  Magnitude m = magnitude();
  if (m.value.is_zero()) return 0;
  if (m.exponent < 0 || m.value.bits() + m.exponent > 127) return std::nullopt;
  m.value.shift_left(m.exponent);
  const auto value =
      static_cast<__int128>(static_cast<uint128>(m.value.word_at(64)) << 64 | m.value.word_at(0));
  return m.negative ? -value : value;
}

std::optional<int64_t> ExactSum::as_int64() const {
  Magnitude m = magnitude();
  if (m.value.is_zero()) return 0;
  if (m.exponent < 0 || m.value.bits() + m.exponent > 64) return std::nullopt;
  m.value.shift_left(m.exponent);
  const uint64_t magnitude = m.value.word_at(0);
  const uint64_t limit = (uint64_t{1} << 63) - (m.negative ? 0 : 1);
  if (magnitude > limit) return std::nullopt;
  return static_cast<int64_t>(m.negative ? -magnitude : magnitude);
}

// count × squares - sum²; false if it is zero. Never negative (Cauchy and Schwarz).
bool ExactSum::spread(const ExactSum& sum, const ExactSum& squares, uint64_t count,
                      Magnitude* numerator) {
  *numerator = squares.magnitude();
  if (numerator->value.is_zero()) return false;
  numerator->value.multiply(count);
  const Magnitude s = sum.magnitude();
  if (s.value.is_zero()) return true;
  BigUnsigned square;
  align(numerator, s, &square);
  numerator->value.subtract(square);
  return !numerator->value.is_zero();
}

// The square of `sum`, and `scaled_squares` brought to the same exponent.
void ExactSum::align(Magnitude* scaled_squares, const Magnitude& sum, BigUnsigned* square) {
  *square = BigUnsigned::product(sum.value, sum.value);
  const int exponent = std::min(scaled_squares->exponent, 2 * sum.exponent);
  scaled_squares->value.shift_left(scaled_squares->exponent - exponent);
  square->shift_left(2 * sum.exponent - exponent);
  scaled_squares->exponent = exponent;
}

bool ExactSum::possible(const ExactSum& sum, const ExactSum& squares, uint64_t count) {
  if (sum.is_finite() != squares.is_finite()) return false;
  if (!sum.is_finite()) return true;
  const Magnitude s = sum.magnitude();
  if (s.value.is_zero()) return true;
  Magnitude scaled = squares.magnitude();
  if (scaled.value.is_zero()) return false;
  scaled.value.multiply(count);
  BigUnsigned square;
  align(&scaled, s, &square);
  return !scaled.value.less_than(square);
}

void ExactSum::encode(ByteWriter* out) const {
  const Magnitude m = magnitude();
  int low = 0;
  while (!m.value.is_zero() && !m.value.bit(low)) ++low;
  const int words = m.value.is_zero() ? 0 : (m.value.bits() - low + 63) / 64;
  const uint8_t sign = words != 0 && m.negative ? kEncodedNegative : 0;
  out->put(static_cast<uint8_t>((flags_ & ~kWide) | sign));
  out->put(static_cast<int16_t>(words == 0 ? 0 : m.exponent + low));
  out->put(static_cast<uint8_t>(words));
  for (int i = 0; i < words; ++i) out->put(m.value.word_at(low + 64 * i));
}

bool ExactSum::decode(ByteReader* in, bool squares, ExactSum* out) {
  const auto flags = in->get<uint8_t>();
  const auto exponent = in->get<int16_t>();
  const auto words = in->get<uint8_t>();
  *out = ExactSum();
  const bool negative = (flags & kEncodedNegative) != 0;
  if ((flags & ~(kEncodedNegative | kEncodedFlags)) != 0 || words > kWideLimbs) return false;
  if (words == 0 && (negative || exponent != 0)) return false;
  if (words != 0 && exponent < (squares ? kWideUnit : kWideUnit / 2)) return false;
  uint64_t word = 0;
  for (int i = 0; i < words; ++i) {
    word = in->get<uint64_t>();
    if (i == 0 && (word & 1) == 0) return false;
    if (exponent + 64 * i + bits_of(word, 0, 0) > (squares ? kMostSquareBits : kMostBits)) {
      return false;
    }
    if (word != 0) out->add_limbs(negative, word, 0, 0, exponent + 64 * i);
  }
  if (words != 0 && (word == 0 || (negative && squares))) return false;
  out->flags_ |= flags & kEncodedFlags;
  return in->ok();
}

double ExactSum::variance(const ExactSum& sum, const ExactSum& squares, uint64_t count,
                          uint64_t divisor, uint32_t scale) {
  if (mutated(Mutation::kOrderDependentSum) && (sum.flags_ & kNotMinusZero) == 0) {
    const auto n = static_cast<double>(count);
    const double centred = squares.plain() - sum.plain() * sum.plain() / n;
    return std::max(0.0, centred) / static_cast<double>(divisor);
  }
  if (!sum.is_finite()) return std::numeric_limits<double>::quiet_NaN();
  Magnitude numerator;
  if (!spread(sum, squares, count, &numerator)) return 0.0;
  if (scale != 0) {
    const BigUnsigned by = product_of(count, divisor, 2 * scale);
    return round_ratio(numerator.value, by, numerator.exponent, false);
  }
  return round_quotient(numerator.value, numerator.exponent, count, divisor, false);
}

double ExactSum::stddev(const ExactSum& sum, const ExactSum& squares, uint64_t count,
                        uint64_t divisor, uint32_t scale) {
  if (mutated(Mutation::kOrderDependentSum) && (sum.flags_ & kNotMinusZero) == 0) {
    return std::sqrt(variance(sum, squares, count, divisor));
  }
  if (!sum.is_finite()) return std::numeric_limits<double>::quiet_NaN();
  Magnitude numerator;
  if (!spread(sum, squares, count, &numerator)) return 0.0;
  if (scale != 0) {
    const BigUnsigned by = product_of(count, divisor, 2 * scale);
    return round_sqrt_ratio(numerator.value, by, numerator.exponent, false);
  }
  return round_sqrt_quotient(numerator.value, numerator.exponent, count, divisor);
}

// Under the mutation the first limb is a plain double.
double ExactSum::plain() const { return std::bit_cast<double>(limbs_[0]); }

void ExactSum::add_plain(double x) {
  limbs_[0] = std::bit_cast<uint64_t>(plain() + x);
  flags_ |= kAnyAddend;
}

}  // namespace tidemill
