// Exponential decay: what grows by 2 with every half-life, from time 0 on. A row of time t counts
// x × growth(t) in a sum; read at T, the sum is divided by growth(T), so that rows of age 0 count
// fully and those a half-life old by half. Time 0 is the landmark for ever, so that sums merge.
#pragma once

#include <cstdint>

#include "shared/base/time.h"

namespace tidemill {

// A row whose age is more than so many half-lives counts nothing, as if it were not in the window.
inline constexpr int64_t kMostHalfLives = 64;

// Whether no window has two rows that lie so far apart, in microseconds.
inline bool decay_apart(DurationUs half_life, DurationUs apart) {
  return half_life > 0 && apart > static_cast<__int128>(half_life) * kMostHalfLives;
}

// factor × 2^exponent; the factor has its highest bit set.
struct Growth {
  uint64_t factor = 0;
  int64_t exponent = 0;
};

// 2^(time / half_life). With time = q × half_life + r and 0 <= r < half_life that is 2^q, exactly,
// times 2^(r / half_life), rounded to the nearest multiple of 2^-63.
Growth growth_at(__int128 time, DurationUs half_life);
// 2^(-time / half_life), likewise.
inline Growth shrinking_at(__int128 time, DurationUs half_life) {
  return growth_at(-time, half_life);
}

// 2^(r / half_life) in units of 2^-63, rounded to the nearest; 0 <= r < half_life. The second does
// with 320 bits what the first does with 128 wherever these decide.
uint64_t growth_factor_slowly(uint64_t r, uint64_t half_life);
// False if 128 bits do not decide.
bool growth_factor(uint64_t r, uint64_t half_life, uint64_t* factor);

}  // namespace tidemill
