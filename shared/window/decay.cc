#include "shared/window/decay.h"

#include <algorithm>

#include "shared/base/assert.h"
#include "shared/window/big_unsigned.h"

namespace tidemill {
namespace {

using uint128 = unsigned __int128;

// e^z is computed as (e^(z / 2^kHalvings))^(2^kHalvings).
constexpr int kHalvings = 8;
constexpr int kTerms = 12;  // of the series of e^w - 1, w < 2^-8: what is left out is below 2^-128
// By how much the result may be off, in units of 2^-128: some ten roundings, and each squaring
// doubles what is there.
constexpr uint128 kSlack = 1 << 14;

constexpr int kLongBits = 320;
constexpr int kLongTerms = 30;
constexpr uint64_t kLn2[] = {0xe7b876206debac98, 0x8a0d175b8baafa2b, 0x40f343267298b62d,
                             0xc9e3b39803f2f6af,
                             0xb17217f7d1cf79ab};  // × 2^-320, least significant first

constexpr uint128 wide(uint64_t high, uint64_t low) {
  return static_cast<uint128>(high) << 64 | low;
}

// The upper half of a × b: the product of two fractions.
uint128 multiply(uint128 a, uint128 b) {
  const auto a1 = static_cast<uint64_t>(a >> 64), a0 = static_cast<uint64_t>(a);
  const auto b1 = static_cast<uint64_t>(b >> 64), b0 = static_cast<uint64_t>(b);
  const uint128 low = static_cast<uint128>(a0) * b0;
  const uint128 mixed = static_cast<uint128>(a1) * b0 + static_cast<uint64_t>(low >> 64);
  const uint128 other = static_cast<uint128>(a0) * b1 + static_cast<uint64_t>(mixed);
  return static_cast<uint128>(a1) * b1 + (mixed >> 64) + (other >> 64);
}

// [k]: 1 / k! as a fraction of 2^128, from k = 2.
struct InverseFactorials {
  uint128 of[kTerms + 1] = {};
  constexpr InverseFactorials() {
    of[2] = wide(uint64_t{1} << 63, 0);
    for (int k = 3; k <= kTerms; ++k) of[k] = of[k - 1] / static_cast<uint128>(k);
  }
};
constexpr InverseFactorials kInverse;

// A fraction of kLongBits bits.
BigUnsigned long_multiply(const BigUnsigned& a, const BigUnsigned& b) {
  const BigUnsigned product = BigUnsigned::product(a, b);
  uint64_t words[kLongBits / 64 + 1];
  for (int i = 0; i <= kLongBits / 64; ++i) words[i] = product.word_at(kLongBits + 64 * i);
  return BigUnsigned(words);
}

}  // namespace

bool growth_factor(uint64_t r, uint64_t half_life, uint64_t* factor) {
  const auto high = static_cast<uint64_t>(wide(r, 0) / half_life);
  const auto rest = static_cast<uint64_t>(wide(r, 0) % half_life);
  const auto low = static_cast<uint64_t>(wide(rest, 0) / half_life);
  const uint128 w = multiply(wide(high, low), wide(kLn2[4], kLn2[3])) >> kHalvings;
  uint128 p = kInverse.of[kTerms];
  for (int k = kTerms - 1; k >= 2; --k) p = kInverse.of[k] + multiply(w, p);
  p = w + multiply(w, multiply(w, p));
  for (int i = 0; i < kHalvings; ++i) p = 2 * p + multiply(p, p);
  // 1 + p, of which 63 bits behind the point stay.
  constexpr uint128 kHalf = wide(1, 0);
  const uint128 cut = p & (2 * kHalf - 1);
  const bool decided = cut + kSlack < kHalf || cut > kHalf + kSlack;
  *factor = (uint64_t{1} << 63) + static_cast<uint64_t>(p >> 65) + (cut > kHalf ? 1 : 0);
  return decided;
}

uint64_t growth_factor_slowly(uint64_t r, uint64_t half_life) {
  BigUnsigned w({&r, 1});
  w.shift_left(kLongBits);
  w.divide(half_life);
  w = long_multiply(w, BigUnsigned(kLn2));
  w.divide(uint64_t{1} << kHalvings);
  BigUnsigned term = w, p = w;
  for (uint64_t k = 2; k <= kLongTerms; ++k) {
    term = long_multiply(term, w);
    term.divide(k);
    p.add(term);
  }
  for (int i = 0; i < kHalvings; ++i) {
    const BigUnsigned square = long_multiply(p, p);
    p.add(p);
    p.add(square);
  }
  const int cut = kLongBits - 63;
  return (uint64_t{1} << 63) + p.word_at(cut) + (p.bit(cut - 1) ? 1 : 0);
}

Growth growth_at(__int128 time, DurationUs half_life) {
  ASSERT(half_life > 0);
  __int128 r = time % half_life;
  if (r < 0) r += half_life;
  const auto whole = static_cast<int64_t>((time - r) / half_life);
  constexpr uint64_t kOne = uint64_t{1} << 63;
  if (r == 0) return {kOne, whole - 63};
  const auto rest = static_cast<uint64_t>(r);
  const auto length = static_cast<uint64_t>(half_life);
  uint64_t factor = 0;
  if (!growth_factor(rest, length, &factor)) factor = growth_factor_slowly(rest, length);
  // Just below 2 it may have been rounded to 2, which is 0 here.
  return factor == 0 ? Growth{kOne, whole - 62} : Growth{factor, whole - 63};
}

}  // namespace tidemill
