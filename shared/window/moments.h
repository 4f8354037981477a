// Skewness and kurtosis from exact sums of powers, rounded once. With S_k the sum of the k-th
// powers of n numbers,
//   A = n S2 - S1²,  B = n² S3 - 3 n S1 S2 + 2 S1³,  C = n³ S4 - 4 n² S1 S3 + 6 n S1² S2 - 3 S1⁴,
// which are n², n³ and n⁴ times the second, third and fourth central moment:
//   skewness           B / A^(3/2);   of a sample  √(n (n - 1)) / (n - 2) × B / A^(3/2)
//   kurtosis (excess)  C / A² - 3;    of a sample  (n - 1) ((n + 1) (C / A² - 3) + 6) / ((n - 2) (n
//   - 3))
#pragma once

#include <cstdint>

#include "shared/window/exact_sum.h"
#include "shared/window/wide_sum.h"

namespace tidemill {

struct PowerSums {
  uint64_t count = 0;
  const ExactSum& sum;
  const ExactSum& squares;
  const WideSum& cubes;
};

// 0.0 if all numbers are equal, NaN if one is not finite. A sample's skewness needs three numbers,
// its kurtosis four.
double skewness(const PowerSums& sums, bool sample);
double kurtosis(const PowerSums& sums, const WideSum& fourths, bool sample);

}  // namespace tidemill
