// What the arithmetic of decimals is made of: powers of ten, and numbers of 256 bits. Private to
// decimal.h's implementation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "shared/base/decimal.h"

namespace tidemill::decimal_math {

using U128 = unsigned __int128;

// 10^0 to 10^38.
inline constexpr auto kPowers = [] {
  std::array<U128, kMaxDecimalDigits + 1> out{};
  U128 power = 1;
  for (U128& each : out) {
    each = power;
    power *= 10;
  }
  return out;
}();

inline U128 magnitude_of(__int128 value) {
  return value < 0 ? -static_cast<U128>(value) : static_cast<U128>(value);
}

}  // namespace tidemill::decimal_math
