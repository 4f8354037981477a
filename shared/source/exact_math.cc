#include "shared/source/exact_math.h"

#include <cmath>

namespace tidemill {
namespace {

constexpr double kLn2 = 0.69314718055994530942;
constexpr double kSqrtHalf = 0.70710678118654752440;

// ln(m 2^e) = e ln 2 + 2 atanh((m - 1) / (m + 1)), with m within [sqrt(1/2), sqrt(2)).
double natural_log(double x) {
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);  // exact
  if (mantissa < kSqrtHalf) {
    mantissa *= 2;
    --exponent;
  }
  const double z = (mantissa - 1) / (mantissa + 1);
  const double square = z * z;
  double sum = 0;
  for (int n = 25; n >= 1; n -= 2) sum = sum * square + 1.0 / n;
  return exponent * kLn2 + 2 * z * sum;
}

// e^x = 2^k e^r with |r| <= ln(2) / 2, and e^r by its Taylor series.
double exponential(double x) {
  const double k = std::floor(x / kLn2 + 0.5);  // exact
  const double r = x - k * kLn2;
  double sum = 1;
  for (int n = 18; n >= 1; --n) sum = 1 + sum * r / n;
  return std::ldexp(sum, static_cast<int>(k));  // exact
}

}  // namespace

double exact_pow(double base, double exponent) { return exponential(exponent * natural_log(base)); }

}  // namespace tidemill
