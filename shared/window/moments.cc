#include "shared/window/moments.h"

#include <limits>

namespace tidemill {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct Signed {
  BigUnsigned value;
  bool negative = false;
};

Signed product(const Signed& a, const Signed& b) {
  return {BigUnsigned::product(a.value, b.value), a.negative != b.negative};
}

Signed times(Signed a, uint64_t factor) {
  a.value.multiply(factor);
  return a;
}

Signed sum(Signed a, const Signed& b) {
  if (a.negative == b.negative) {
    a.value.add(b.value);
    return a;
  }
  if (!a.value.less_than(b.value)) {
    a.value.subtract(b.value);
    return a;
  }
  Signed out = b;
  out.value.subtract(a.value);
  return out;
}

Signed negated(Signed a) {
  a.negative = !a.negative;
  return a;
}

// The sums as integers: of the k-th powers in units of 2^(k × unit).
class Integers {
 public:
  explicit Integers(const PowerSums& sums) : n_(sums.count) {
    const ExactSum::Magnitude parts[2] = {sums.sum.magnitude(), sums.squares.magnitude()};
    for (int k = 1; k <= 2; ++k) {
      s_[k] = {parts[k - 1].value, parts[k - 1].negative};
      exponent_[k] = parts[k - 1].exponent + s_[k].value.strip();
    }
    take(3, sums.cubes);
  }
  void take(int k, const WideSum& sum) {
    const WideSum::Magnitude m = sum.magnitude();
    s_[k] = {m.value, m.negative};
    exponent_[k] = static_cast<int>(m.exponent);
  }
  void align() {
    int unit = std::numeric_limits<int>::max();
    for (int k = 1; k <= 4; ++k) {
      if (s_[k].value.is_zero()) continue;
      const int floor = (exponent_[k] - (exponent_[k] < 0 ? k - 1 : 0)) / k;
      unit = std::min(unit, floor);
    }
    for (int k = 1; k <= 4; ++k) {
      if (!s_[k].value.is_zero()) s_[k].value.shift_left(exponent_[k] - k * unit);
    }
  }
  // n² times the second central moment, and so on.
  Signed second() const { return sum(times(s_[2], n_), negated(product(s_[1], s_[1]))); }
  Signed third() const {
    const Signed mixed = times(times(product(s_[1], s_[2]), n_), 3);
    const Signed cube = product(product(s_[1], s_[1]), s_[1]);
    return sum(sum(times(times(s_[3], n_), n_), negated(mixed)), times(cube, 2));
  }
  Signed fourth() const {
    const Signed square = product(s_[1], s_[1]);
    const Signed first = times(times(times(s_[4], n_), n_), n_);
    const Signed second = times(times(times(product(s_[1], s_[3]), n_), n_), 4);
    const Signed third = times(times(product(square, s_[2]), n_), 6);
    const Signed last = times(product(square, square), 3);
    return sum(sum(first, negated(second)), sum(third, negated(last)));
  }

 private:
  uint64_t n_;
  Signed s_[5];
  int exponent_[5] = {};
};

}  // namespace

double skewness(const PowerSums& sums, bool sample) {
  if (!sums.sum.is_finite()) return kNan;
  Integers integers(sums);
  integers.align();
  const BigUnsigned a = integers.second().value;
  const Signed b = integers.third();
  if (a.is_zero() || b.value.is_zero()) return 0.0;
  BigUnsigned numerator = BigUnsigned::product(b.value, b.value);
  BigUnsigned denominator = BigUnsigned::product(BigUnsigned::product(a, a), a);
  if (sample) {
    numerator.multiply(sums.count);
    numerator.multiply(sums.count - 1);
    denominator.multiply(sums.count - 2);
    denominator.multiply(sums.count - 2);
  }
  return round_sqrt_ratio(numerator, denominator, 0, b.negative);
}

double kurtosis(const PowerSums& sums, const WideSum& fourths, bool sample) {
  if (!sums.sum.is_finite()) return kNan;
  Integers integers(sums);
  integers.take(4, fourths);
  integers.align();
  const BigUnsigned a = integers.second().value;
  if (a.is_zero()) return 0.0;
  Signed square{BigUnsigned::product(a, a), false};
  Signed excess = sum(integers.fourth(), negated(times(square, 3)));
  if (sample) {
    excess = sum(times(excess, sums.count + 1), times(square, 6));
    excess.value.multiply(sums.count - 1);
    square.value.multiply(sums.count - 2);
    square.value.multiply(sums.count - 3);
  }
  if (excess.value.is_zero()) return 0.0;
  return round_ratio(excess.value, square.value, 0, excess.negative);
}

}  // namespace tidemill
