// BigUnsigned: an unsigned integer of up to 14336 bits on the stack, with just the operations that
// rounding an exact sum, mean, variance, standard deviation, skewness or kurtosis needs, and those
// roundings.
//
// Only the limbs in use are ever touched, so small numbers are cheap. Exceeding the capacity is a
// programmer's error: what is made of sums of powers of doubles stays below it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

namespace tidemill {

class BigUnsigned {
 public:
  static constexpr int kLimbs = 224;

  BigUnsigned() = default;
  BigUnsigned(const BigUnsigned& other) { *this = other; }
  BigUnsigned& operator=(const BigUnsigned& other) {
    size_ = other.size_;
    std::copy_n(other.limbs_, size_, limbs_);
    return *this;
  }
  explicit BigUnsigned(std::span<const uint64_t> limbs);  // least significant first
  static BigUnsigned product(const BigUnsigned& a, const BigUnsigned& b);

  bool is_zero() const { return size_ == 0; }
  int bits() const;  // position of the highest set bit plus one; 0 for zero
  bool bit(int at) const;
  bool any_bit_below(int at) const;
  // The 64 bits from position `at` up; bits beyond the number are 0.
  uint64_t word_at(int at) const;

  bool less_than(const BigUnsigned& other) const;

  void shift_left(int by);
  int strip();  // shifts out the zeros below the lowest set bit; their number
  void add(const BigUnsigned& other);
  void multiply(uint64_t factor);
  void subtract(const BigUnsigned& other);  // other <= *this
  uint64_t divide(uint64_t divisor);        // leaves the quotient, returns the remainder
  // Leaves the quotient; whether something remained. `divisor` is not 0.
  bool divide(BigUnsigned divisor);

 private:
  void trim();
  uint64_t next_digit(const BigUnsigned& divisor, int at);

  int size_ = 0;
  uint64_t limbs_[kLimbs];  // NOLINT: only [0, size_) is ever read
};

// The double nearest to ±(value × 2^exponent), ties to even, overflow to infinity. `sticky`: the
// true magnitude lies a little above value × 2^exponent; then value must have at least 64 bits.
double round_to_double(const BigUnsigned& value, bool sticky, int exponent, bool negative);

// The double nearest to ±(value × 2^exponent / (a × b)); a and b are not 0.
double round_quotient(BigUnsigned value, int exponent, uint64_t a, uint64_t b, bool negative);

// The double nearest to ±(value × 2^exponent / divisor), which is not 0; and to ±√ of that.
double round_ratio(BigUnsigned value, const BigUnsigned& divisor, int exponent, bool negative);
double round_sqrt_ratio(BigUnsigned value, const BigUnsigned& divisor, int exponent, bool negative);

// The double nearest to the square root of value × 2^exponent / (a × b).
double round_sqrt_quotient(BigUnsigned value, int exponent, uint64_t a, uint64_t b);

}  // namespace tidemill
