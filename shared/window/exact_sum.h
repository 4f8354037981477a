// ExactSum: the sum of doubles, of squares of doubles, or of 64-bit integers and their squares,
// without any rounding. Rounded once, when read; merging is exact, so the answer does not depend
// on the order of addition.
//
// The sum is an integer × 2^exponent: 192 bits in place for ordinary data, 4288 bits on the heap
// once the data spread wider. NaN and infinities are flags beside it and give IEEE's result. A sum
// of zero is +0.0 unless every addend was -0.0.
#pragma once

#include <cstdint>
#include <optional>

#include "shared/base/bytes.h"
#include "shared/window/big_unsigned.h"

namespace tidemill {

class ExactSum {
 public:
  ExactSum() = default;
  ExactSum(const ExactSum& other);
  ExactSum(ExactSum&& other) noexcept;
  ExactSum& operator=(const ExactSum& other);
  ExactSum& operator=(ExactSum&& other) noexcept;
  ~ExactSum();

  void add(double x);
  void add(const double* values, uint64_t mask);  // those whose bit is set
  void add_square(double x);
  void add_integer(int64_t x);
  void add_integer_square(int64_t x);
  void add_wide_integer(__int128 x);         // |x| < 10^38
  void add_wide_integer_square(__int128 x);  // likewise
  void merge(const ExactSum& other);

  bool is_finite() const { return (flags_ & (kNan | kPlusInfinity | kMinusInfinity)) == 0; }
  double rounded() const;
  // sum / (count × 10^scale), rounded once; count is not 0.
  double mean(uint64_t count, uint32_t scale = 0) const;
  std::optional<int64_t> as_int64() const;  // of a sum of integers; none if out of range
  std::optional<__int128> as_int128() const;  // likewise, of less than 2^127
  // ±value × 2^exponent, of a finite sum.
  struct Magnitude {
    BigUnsigned value;
    int exponent = 0;
    bool negative = false;
  };
  Magnitude magnitude() const;
  size_t heap_bytes() const { return wide() ? kWideLimbs * sizeof(uint64_t) : 0; }

  // As bytes (docs/formats/image.md): equal sums make equal bytes, however they were added up.
  void encode(ByteWriter* out) const;
  // Of values, or of their squares. False for bytes that encode() does not write, or a sum that no
  // 2^62 doubles have.
  static bool decode(ByteReader* in, bool squares, ExactSum* out);
  // Whether any `count` numbers have this sum and these squares (Cauchy and Schwarz).
  static bool possible(const ExactSum& sum, const ExactSum& squares, uint64_t count);

  // Variance and its root from a sum and the sum of squares of the same `count` numbers:
  // (count × squares - sum²) / (count × divisor), rounded once. `divisor` is count, or count - 1
  // for a sample. NaN if any number was not finite. The numbers are in units of 10^-scale.
  static double variance(const ExactSum& sum, const ExactSum& squares, uint64_t count,
                         uint64_t divisor, uint32_t scale = 0);
  static double stddev(const ExactSum& sum, const ExactSum& squares, uint64_t count,
                       uint64_t divisor, uint32_t scale = 0);

 private:
  // The wide form is a two's complement number in units of 2^kWideUnit, which is the square of the
  // smallest double; the top holds 2^64 squares of the largest.
  static constexpr int kWideUnit = -2148;
  static constexpr int kWideLimbs = 67;
  enum Flag : uint8_t {
    kNan = 1,
    kPlusInfinity = 2,
    kMinusInfinity = 4,
    kNotMinusZero = 8,  // an addend was something else than -0.0
    kAnyAddend = 16,
    kWide = 32,
    kEncodedNegative = 64,
    kEncodedFlags = kNan | kPlusInfinity | kMinusInfinity | kNotMinusZero | kAnyAddend,
  };
  // 2^62 doubles, or squares of doubles, are below 2 to this power.
  static constexpr int kMostBits = 1024 + 62;
  static constexpr int kMostSquareBits = 2048 + 62;
  bool wide() const { return (flags_ & kWide) != 0; }
  uint64_t* wide_limbs() const { return reinterpret_cast<uint64_t*>(limbs_[0]); }
  bool is_zero() const { return (limbs_[0] | limbs_[1] | limbs_[2]) == 0; }
  double non_finite() const;
  double zero() const;
  void add_limbs(bool negative, uint64_t l0, uint64_t l1, uint64_t l2, int exponent);
  bool add_in_place(bool negative, uint64_t l0, uint64_t l1, uint64_t l2, int exponent);
  bool rescale(int exponent);
  void widen();
  void add_wide(bool negative, uint64_t l0, uint64_t l1, uint64_t l2, int exponent);
  static void align(Magnitude* scaled_squares, const Magnitude& sum, BigUnsigned* square);
  static bool spread(const ExactSum& sum, const ExactSum& squares, uint64_t count,
                     Magnitude* numerator);

  double plain() const;
  void add_plain(double x);

  uint64_t limbs_[3] = {0, 0, 0};  // two's complement, or the address of the wide limbs
  int16_t exponent_ = 0;
  uint8_t flags_ = 0;
};

}  // namespace tidemill
