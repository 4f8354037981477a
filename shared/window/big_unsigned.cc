#include "shared/window/big_unsigned.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "shared/base/assert.h"

namespace tidemill {
namespace {

using uint128 = unsigned __int128;

int bits_of(uint64_t x) { return 64 - std::countl_zero(x); }

// Shifts `value` up until its quotient by a × b has at least `least_bits` bits, and divides.
// Whether something remained goes to `sticky`.
void divide_for_bits(BigUnsigned* value, int* exponent, uint64_t a, uint64_t b, int least_bits,
                     bool* sticky) {
  const int shift = std::max(0, least_bits + bits_of(a) + bits_of(b) - value->bits());
  value->shift_left(shift);
  *exponent -= shift;
  *sticky = value->divide(a) != 0;
  if (b != 1) *sticky |= value->divide(b) != 0;
}

void divide_for_bits(BigUnsigned* value, int* exponent, const BigUnsigned& divisor, int least_bits,
                     bool* sticky) {
  const int shift = std::max(0, least_bits + divisor.bits() - value->bits());
  value->shift_left(shift);
  *exponent -= shift;
  *sticky = value->divide(divisor);
}

// floor(sqrt(q)) for q >= 2^126: a floating-point estimate, one Newton step, then exact steps.
uint64_t integer_sqrt(uint128 q) {
  const double estimate = std::sqrt(static_cast<double>(q));
  uint128 root = estimate >= 0x1p64 ? ~uint64_t{0} : static_cast<uint64_t>(estimate);
  root = (root + q / root) / 2;
  root = std::min<uint128>(root, ~uint64_t{0});
  while (root * root > q) --root;
  while (root < ~uint64_t{0} && (root + 1) * (root + 1) <= q) ++root;
  return static_cast<uint64_t>(root);
}

// The double nearest to the root of a number of at least 130 bits, and a little more if `sticky`.
double round_root(const BigUnsigned& value, int exponent, bool sticky, bool negative) {
  // Keep 127 or 128 bits over an even exponent: the root then has 64 bits.
  int drop = value.bits() - 128;
  if ((exponent + drop) % 2 != 0) ++drop;
  sticky |= value.any_bit_below(drop);
  const uint128 square = static_cast<uint128>(value.word_at(drop + 64)) << 64 | value.word_at(drop);
  const uint64_t root = integer_sqrt(square);
  sticky |= static_cast<uint128>(root) * root != square;
  return round_to_double(BigUnsigned({&root, 1}), sticky, (exponent + drop) / 2, negative);
}

}  // namespace

BigUnsigned::BigUnsigned(std::span<const uint64_t> limbs) : size_(static_cast<int>(limbs.size())) {
  ASSERT(size_ <= kLimbs);
  std::copy(limbs.begin(), limbs.end(), limbs_);
  trim();
}

void BigUnsigned::trim() {
  while (size_ > 0 && limbs_[size_ - 1] == 0) --size_;
}

BigUnsigned BigUnsigned::product(const BigUnsigned& a, const BigUnsigned& b) {
  BigUnsigned out;
  out.size_ = a.size_ + b.size_;
  ASSERT(out.size_ <= kLimbs);
  std::fill_n(out.limbs_, out.size_, 0);
  for (int i = 0; i < a.size_; ++i) {
    uint64_t carry = 0;
    for (int j = 0; j < b.size_; ++j) {
      const uint128 t = static_cast<uint128>(a.limbs_[i]) * b.limbs_[j] + out.limbs_[i + j] + carry;
      out.limbs_[i + j] = static_cast<uint64_t>(t);
      carry = static_cast<uint64_t>(t >> 64);
    }
    out.limbs_[i + b.size_] = carry;
  }
  out.trim();
  return out;
}

int BigUnsigned::bits() const {
  return size_ == 0 ? 0 : (size_ - 1) * 64 + bits_of(limbs_[size_ - 1]);
}

bool BigUnsigned::bit(int at) const {
  return at >= 0 && at < size_ * 64 && (limbs_[at / 64] >> (at % 64) & 1) != 0;
}

bool BigUnsigned::any_bit_below(int at) const {
  if (at <= 0) return false;
  const int whole = std::min(at / 64, size_);
  for (int i = 0; i < whole; ++i) {
    if (limbs_[i] != 0) return true;
  }
  return whole < size_ && at % 64 != 0 && (limbs_[whole] << (64 - at % 64)) != 0;
}

uint64_t BigUnsigned::word_at(int at) const {
  const int limb = at / 64;
  const int shift = at % 64;
  const uint64_t low = limb < size_ ? limbs_[limb] : 0;
  const uint64_t high = limb + 1 < size_ ? limbs_[limb + 1] : 0;
  return shift == 0 ? low : (low >> shift) | (high << (64 - shift));
}

bool BigUnsigned::less_than(const BigUnsigned& other) const {
  if (size_ != other.size_) return size_ < other.size_;
  for (int i = size_ - 1; i >= 0; --i) {
    if (limbs_[i] != other.limbs_[i]) return limbs_[i] < other.limbs_[i];
  }
  return false;
}

void BigUnsigned::shift_left(int by) {
  if (by == 0 || size_ == 0) return;
  const int limbs = by / 64;
  const int shift = by % 64;
  const int old_size = size_;
  ASSERT(old_size + limbs + 1 <= kLimbs);
  size_ = old_size + limbs + 1;
  limbs_[size_ - 1] = shift == 0 ? 0 : limbs_[old_size - 1] >> (64 - shift);
  for (int i = old_size - 1; i >= 0; --i) {
    const uint64_t below = i == 0 || shift == 0 ? 0 : limbs_[i - 1] >> (64 - shift);
    limbs_[i + limbs] = (limbs_[i] << shift) | below;
  }
  std::fill_n(limbs_, limbs, 0);
  trim();
}

void BigUnsigned::multiply(uint64_t factor) {
  uint64_t carry = 0;
  for (int i = 0; i < size_; ++i) {
    const uint128 t = static_cast<uint128>(limbs_[i]) * factor + carry;
    limbs_[i] = static_cast<uint64_t>(t);
    carry = static_cast<uint64_t>(t >> 64);
  }
  if (carry != 0) {
    ASSERT(size_ < kLimbs);
    limbs_[size_++] = carry;
  }
  trim();
}

void BigUnsigned::subtract(const BigUnsigned& other) {
  ASSERT(other.size_ <= size_);
  uint64_t borrow = 0;
  for (int i = 0; i < size_; ++i) {
    const uint64_t b = i < other.size_ ? other.limbs_[i] : 0;
    const uint128 t = static_cast<uint128>(limbs_[i]) - b - borrow;
    limbs_[i] = static_cast<uint64_t>(t);
    borrow = static_cast<uint64_t>(t >> 64) & 1;
  }
  ASSERT(borrow == 0);
  trim();
}

uint64_t BigUnsigned::divide(uint64_t divisor) {
  uint64_t remainder = 0;
  for (int i = size_ - 1; i >= 0; --i) {
    const uint128 t = static_cast<uint128>(remainder) << 64 | limbs_[i];
    limbs_[i] = static_cast<uint64_t>(t / divisor);
    remainder = static_cast<uint64_t>(t % divisor);
  }
  trim();
  return remainder;
}

int BigUnsigned::strip() {
  if (size_ == 0) return 0;
  int limb = 0;
  while (limbs_[limb] == 0) ++limb;
  const int zeros = 64 * limb + std::countr_zero(limbs_[limb]);
  const int words = (bits() - zeros + 63) / 64;
  for (int i = 0; i < words; ++i) limbs_[i] = word_at(zeros + 64 * i);
  size_ = words;
  return zeros;
}

void BigUnsigned::add(const BigUnsigned& other) {
  const int longest = std::max(size_, other.size_);
  ASSERT(longest < kLimbs);
  uint64_t carry = 0;
  for (int i = 0; i < longest; ++i) {
    const uint128 t = static_cast<uint128>(i < size_ ? limbs_[i] : 0) +
                      (i < other.size_ ? other.limbs_[i] : 0) + carry;
    limbs_[i] = static_cast<uint64_t>(t);
    carry = static_cast<uint64_t>(t >> 64);
  }
  limbs_[longest] = carry;
  size_ = longest + 1;
  trim();
}

// Knuth, The Art of Computer Programming, volume 2, algorithm D.
bool BigUnsigned::divide(BigUnsigned divisor) {
  ASSERT(!divisor.is_zero());
  if (divisor.size_ == 1) return divide(divisor.limbs_[0]) != 0;
  if (less_than(divisor)) {
    const bool rest = !is_zero();
    size_ = 0;
    return rest;
  }
  const int shift = std::countl_zero(divisor.limbs_[divisor.size_ - 1]);
  divisor.shift_left(shift);
  shift_left(shift);
  ASSERT(size_ < kLimbs);
  limbs_[size_] = 0;
  BigUnsigned quotient;
  quotient.size_ = size_ - divisor.size_ + 1;
  for (int at = quotient.size_ - 1; at >= 0; --at) quotient.limbs_[at] = next_digit(divisor, at);
  const bool rest = std::any_of(limbs_, limbs_ + divisor.size_, [](uint64_t l) { return l != 0; });
  quotient.trim();
  *this = quotient;
  return rest;
}

// The digit of the quotient with weight 2^(64 × at); takes it times the divisor away.
uint64_t BigUnsigned::next_digit(const BigUnsigned& divisor, int at) {
  const int n = divisor.size_;
  uint64_t* const part = limbs_ + at;
  const uint64_t first = divisor.limbs_[n - 1];
  const uint128 top = static_cast<uint128>(part[n]) << 64 | part[n - 1];
  uint128 digit = top / first;
  uint128 rest = top % first;
  while (digit >> 64 != 0 || digit * divisor.limbs_[n - 2] > (rest << 64 | part[n - 2])) {
    --digit;
    rest += first;
    if (rest >> 64 != 0) break;
  }
  uint64_t carry = 0, borrow = 0;
  for (int i = 0; i <= n; ++i) {
    const uint128 product = digit * (i < n ? divisor.limbs_[i] : 0) + carry;
    carry = static_cast<uint64_t>(product >> 64);
    const uint128 t = static_cast<uint128>(part[i]) - static_cast<uint64_t>(product) - borrow;
    part[i] = static_cast<uint64_t>(t);
    borrow = static_cast<uint64_t>(t >> 64) & 1;
  }
  if (borrow == 0) return static_cast<uint64_t>(digit);
  carry = 0;  // one too many
  for (int i = 0; i <= n; ++i) {
    const uint128 t = static_cast<uint128>(part[i]) + (i < n ? divisor.limbs_[i] : 0) + carry;
    part[i] = static_cast<uint64_t>(t);
    carry = static_cast<uint64_t>(t >> 64);
  }
  return static_cast<uint64_t>(digit) - 1;
}

double round_to_double(const BigUnsigned& value, bool sticky, int exponent, bool negative) {
  const int bits = value.bits();
  // The weight of the last bit kept: 53 bits, fewer among the subnormals.
  const int lowest = std::max(exponent + bits - 53, -1074);
  const int drop = lowest - exponent;
  ASSERT(!sticky || drop > 1);
  double out = 0;
  if (drop <= 0) {
    out = std::ldexp(static_cast<double>(value.word_at(0)), exponent);
  } else {
    uint64_t kept = value.word_at(drop);
    const bool rest = sticky || value.any_bit_below(drop - 1);
    if (value.bit(drop - 1) && (rest || (kept & 1) != 0)) ++kept;
    out = std::ldexp(static_cast<double>(kept), lowest);
  }
  return negative ? -out : out;
}

double round_quotient(BigUnsigned value, int exponent, uint64_t a, uint64_t b, bool negative) {
  bool sticky = false;
  divide_for_bits(&value, &exponent, a, b, 66, &sticky);
  return round_to_double(value, sticky, exponent, negative);
}

double round_sqrt_quotient(BigUnsigned value, int exponent, uint64_t a, uint64_t b) {
  if (value.is_zero()) return 0.0;
  bool sticky = false;
  divide_for_bits(&value, &exponent, a, b, 130, &sticky);
  return round_root(value, exponent, sticky, false);
}

double round_ratio(BigUnsigned value, const BigUnsigned& divisor, int exponent, bool negative) {
  bool sticky = false;
  divide_for_bits(&value, &exponent, divisor, 66, &sticky);
  return round_to_double(value, sticky, exponent, negative);
}

double round_sqrt_ratio(BigUnsigned value, const BigUnsigned& divisor, int exponent,
                        bool negative) {
  if (value.is_zero()) return 0.0;
  bool sticky = false;
  divide_for_bits(&value, &exponent, divisor, 130, &sticky);
  return round_root(value, exponent, sticky, negative);
}

}  // namespace tidemill
