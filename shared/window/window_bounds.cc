#include "shared/window/window_bounds.h"

#include <algorithm>

#include "shared/base/assert.h"

namespace tidemill {
namespace {

using Unit = WindowSteps::Unit;

constexpr int64_t kFirstMonday = 4;  // day of 1970-01-05

int64_t floored(int64_t a, int64_t b) { return a - (a % b + b) % b; }

// Boundary number n of steps by the calendar is that of day or month n.
TimeUs boundary(const WindowSteps& steps, int64_t n) {
  return steps.zone.start_of_day(steps.unit == Unit::kMonths ? first_day_of_month(n) : n);
}

// The last boundary at or before `time`. Where clocks are put back over midnight, its date may be
// that of the day before.
int64_t last_boundary(const WindowSteps& steps, TimeUs time) {
  const int64_t day = steps.zone.day_of(time) + 1;
  const int64_t stride = steps.unit == Unit::kWeeks ? steps.every * 7 : steps.every;
  const int64_t phase = steps.unit == Unit::kWeeks ? kFirstMonday : 0;
  const int64_t last = steps.unit == Unit::kMonths ? month_of_day(day) : day;
  int64_t n = floored(last - phase, stride) + phase;
  while (boundary(steps, n) > time) n -= stride;
  return n;
}

}  // namespace

WindowBounds stepped_bounds(const FeatureSpec& feature, __int128 time) {
  const WindowSteps& steps = *feature.steps;
  ASSERT(steps.every > 0);
  const __int128 before_all = kMinTime - __int128{1};
  if (steps.unit == Unit::kMicros) {
    const __int128 rest = (time % steps.every + steps.every) % steps.every;
    const __int128 end = time - rest;
    return closed_bounds(feature.closed, feature.lifetime ? before_all : end - steps.window, end);
  }
  if (time < kMinTime) return {before_all, before_all};
  const int64_t last = last_boundary(steps, static_cast<TimeUs>(time));
  const TimeUs end = boundary(steps, last);
  if (feature.lifetime) return closed_bounds(feature.closed, before_all, end);
  return closed_bounds(feature.closed, boundary(steps, last - steps.window), end);
}

}  // namespace tidemill
