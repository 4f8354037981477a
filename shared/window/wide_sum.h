// WideSum: an exact sum of numbers ±integer × 2^exponent of any exponents, as long as their span
// needs. For sums whose addends have too many bits for ExactSum: third and fourth powers, and
// values that decay. Merging is exact, so the answer does not depend on the order of addition.
//
// NaN and infinities are flags beside it, as in ExactSum.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "shared/base/bytes.h"
#include "shared/window/exact_sum.h"

namespace tidemill {

class WideSum {
 public:
  // ±magnitude × 2^exponent; least significant word first, at most eight.
  void add(bool negative, std::span<const uint64_t> magnitude, int64_t exponent);
  // What is to be known of an addend x beside its size: whether it is finite, or -0.0.
  void note(double x);
  void note_integer() { flags_ |= kAnyAddend | kNotMinusZero; }
  void merge(const WideSum& other);

  // ±value × 2^exponent; the value odd, or 0.
  struct Magnitude {
    BigUnsigned value;
    int64_t exponent = 0;
    bool negative = false;
  };
  Magnitude magnitude() const;  // at most BigUnsigned's limbs
  // The sum × factor × 2^-exponent, rounded once; what IEEE 754 says of NaN and infinities.
  double scaled(uint64_t factor, int64_t exponent) const { return scaled(factor, exponent, 0); }
  // The same × 10^-scale.
  double scaled(uint64_t factor, int64_t exponent, uint32_t scale) const;
  // Whether it is 0, or no bit of it lies beyond 2^low and 2^high, but for a limb or two.
  bool lies_within(int64_t low, int64_t high) const;
  size_t heap_bytes() const { return limbs_.capacity() * sizeof(uint64_t); }

  // A finite sum of `power`-th powers of doubles as bytes, and back (docs/formats/image.md); false
  // for bytes that encode() does not write, or a sum that no 2^62 such powers have.
  void encode(ByteWriter* out) const;
  static bool decode(ByteReader* in, int power, WideSum* out);
  // Any sum, of whatever exponents and flags, likewise.
  void encode_limbs(ByteWriter* out) const;
  static bool decode_limbs(ByteReader* in, WideSum* out);

 private:
  enum Flag : uint8_t {
    kNan = 1,
    kPlusInfinity = 2,
    kMinusInfinity = 4,
    kNotMinusZero = 8,  // an addend was something else than -0.0
    kAnyAddend = 16,
    kEncodedNegative = 64,
  };

  bool negative() const { return !limbs_.empty() && limbs_.back() >> 63 != 0; }
  void make_room(int64_t first, size_t count);
  void add_words(bool negative, std::span<const uint64_t> words, int64_t first);

  // Two's complement, least significant first; the last is nothing but sign.
  std::vector<uint64_t> limbs_;
  int64_t first_ = 0;  // the first limb counts 2^(64 × first_)
  uint8_t flags_ = 0;
};

}  // namespace tidemill
