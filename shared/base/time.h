// Event times and durations as text. Times are int64 microseconds since 1970-01-01T00:00:00Z.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "shared/base/result.h"

namespace tidemill {

using TimeUs = int64_t;
using DurationUs = int64_t;

inline constexpr TimeUs kMinTime = std::numeric_limits<int64_t>::min();
inline constexpr TimeUs kMaxTime = std::numeric_limits<int64_t>::max();
inline constexpr DurationUs kMicrosPerSecond = 1'000'000;
inline constexpr DurationUs kMicrosPerDay = 86'400 * kMicrosPerSecond;

// What would leave int64 ends at kMinTime or kMaxTime, and these stay where they are.
constexpr TimeUs saturating_add(TimeUs t, DurationUs d) {
  TimeUs out = 0;
  if (t == kMinTime || t == kMaxTime) return t;
  return __builtin_add_overflow(t, d, &out) ? (d < 0 ? kMinTime : kMaxTime) : out;
}
constexpr TimeUs saturating_subtract(TimeUs t, DurationUs d) {
  TimeUs out = 0;
  if (t == kMinTime || t == kMaxTime) return t;
  return __builtin_sub_overflow(t, d, &out) ? (d < 0 ? kMaxTime : kMinTime) : out;
}

// RFC 3339 ("2018-04-01T00:00:31Z", any offset, 'T' or a space, 0 to 6 fraction digits; without
// an offset it is UTC). False if it is anything else or outside years 0001..9999.
bool parse_timestamp(std::string_view text, TimeUs* out);

// RFC 3339 in UTC with as few of 0, 3 or 6 fraction digits as fit. kMinTime is "-infinity".
std::string format_timestamp(TimeUs t);

// A whole number with a unit: us, ms, s, m, h, d, w ("90s", "1h", "30d"). Never negative.
Result<DurationUs> parse_duration(std::string_view text);

// The inverse with the largest unit that divides it: 604800s is "7d"; 0 is "0s".
std::string format_duration(DurationUs d);

}  // namespace tidemill
