#include "tests/unit/window/reference_windows.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "shared/base/assert.h"

namespace tidemill::testing {
namespace {

using Unit = WindowSteps::Unit;
namespace calendar = std::chrono;

constexpr DurationUs kQuarterHour = 900'000'000;

calendar::year_month_day date_of(int64_t day) { return calendar::sys_days(calendar::days(day)); }

int64_t remainder(int64_t a, int64_t b) { return (a % b + b) % b; }

// Whether a window may end when this day begins.
bool is_boundary(const WindowSteps& steps, int64_t day) {
  const calendar::year_month_day date = date_of(day);
  switch (steps.unit) {
    case Unit::kDays:
      return remainder(day, steps.every) == 0;
    case Unit::kWeeks:
      return calendar::weekday(calendar::sys_days(date)) == calendar::Monday &&
             remainder(day - 4, 7 * steps.every) == 0;
    default: {
      const int64_t months =
          (int{date.year()} - 1970) * 12 + static_cast<int64_t>(unsigned{date.month()}) - 1;
      return date.day() == calendar::day(1) && remainder(months, steps.every) == 0;
    }
  }
}

// The day on which a window begins that ends on `day`.
int64_t first_day(const WindowSteps& steps, int64_t day) {
  if (steps.unit != Unit::kMonths) return day - steps.window;
  const auto date = date_of(day) - calendar::months(steps.window);
  return calendar::sys_days(date).time_since_epoch().count();
}

// When each day of two years before `time`, and some around them, begins there: when its date was
// first shown, or passed. Kept for the next times, which are near.
const std::map<int64_t, TimeUs>& days_around(const TimeZone& zone, TimeUs time) {
  struct Days {
    TimeUs from = 0, to = 0;
    std::map<int64_t, TimeUs> begin;
  };
  static std::map<std::string, Days> found;
  Days& days = found[zone.name()];
  const DurationUs back = 800 * kMicrosPerDay, further = 400 * kMicrosPerDay;
  if (time - back >= days.from && time <= days.to) return days.begin;
  days.from = time - time % kQuarterHour - back - further;
  days.to = time + further;
  days.begin.clear();
  int64_t known = zone.day_of(days.from);
  for (TimeUs t = days.from; t <= days.to; t += kQuarterHour) {
    for (const int64_t day = zone.day_of(t); known < day;) days.begin[++known] = t;
  }
  return days.begin;
}

}  // namespace

ReferenceWindow::ReferenceWindow(const RowPointers& rows, const FeatureSpec& feature, TimeUs as_of)
    : closed_(feature.closed), no_left_end_(feature.lifetime) {
  right_ = static_cast<__int128>(as_of) - feature.offset;
  if (feature.gap > 0) {
    take_session(rows, feature);
  } else if (feature.steps == nullptr) {
    left_ = right_ - feature.window;
  } else if (feature.steps->unit == Unit::kMicros) {
    __int128 steps = right_ / feature.steps->every;
    if (steps * feature.steps->every > right_) --steps;
    right_ = steps * feature.steps->every;
    left_ = right_ - feature.steps->window;
  } else {
    take_calendar(*feature.steps, feature.lifetime);
  }
}

void ReferenceWindow::take_calendar(const WindowSteps& steps, bool lifetime) {
  const std::map<int64_t, TimeUs>& days = days_around(steps.zone, static_cast<TimeUs>(right_));
  auto last = days.rbegin();
  while (last != days.rend() && (last->second > right_ || !is_boundary(steps, last->first))) ++last;
  ASSERT(last != days.rend());
  right_ = last->second;
  if (!lifetime) left_ = days.at(first_day(steps, last->first));
}

// Row by row from the latest on, while the next is near enough.
void ReferenceWindow::take_session(const RowPointers& rows, const FeatureSpec& feature) {
  const bool to_the_end = closed_ == Closed::kRight || closed_ == Closed::kBoth;
  std::vector<TimeUs> times;
  for (const Row* row : rows) {
    if (feature.filter >= 0 && !row->filters[static_cast<size_t>(feature.filter)]) continue;
    if (row->time < right_ || (to_the_end && row->time == right_)) times.push_back(row->time);
  }
  std::sort(times.begin(), times.end());
  nothing_ = times.empty() || right_ - times.back() > feature.gap;
  if (nothing_) return;
  __int128 first = times.back();
  for (auto t = times.rbegin(); t != times.rend() && first - *t <= feature.gap; ++t) first = *t;
  closed_ = Closed::kBoth;
  right_ = times.back();
  left_ = std::max(first, right_ - feature.window);
}

bool ReferenceWindow::holds(TimeUs time) const {
  if (nothing_) return false;
  const bool after_left = no_left_end_ || left_ < time;
  switch (closed_) {
    case Closed::kRight:
      return after_left && time <= right_;
    case Closed::kLeft:
      return (after_left || time == left_) && time < right_;
    case Closed::kBoth:
      return (after_left || time == left_) && time <= right_;
    default:
      return after_left && time < right_;
  }
}

}  // namespace tidemill::testing
