// A double as sign, mantissa and exponent.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace tidemill {

// ±mantissa × 2^exponent, the mantissa of at most 53 bits; no meaning if not finite.
struct DoubleParts {
  uint64_t mantissa;
  int exponent;
  bool negative;
  bool finite;
};

inline DoubleParts parts_of(double x) {
  constexpr uint64_t kFractionMask = (uint64_t{1} << 52) - 1;
  const auto bits = std::bit_cast<uint64_t>(x);
  const int biased = static_cast<int>(bits >> 52 & 0x7ff);
  const uint64_t fraction = bits & kFractionMask;
  return {biased == 0 ? fraction : fraction | (uint64_t{1} << 52), std::max(biased, 1) - 1075,
          (bits >> 63) != 0, biased != 0x7ff};
}

}  // namespace tidemill
