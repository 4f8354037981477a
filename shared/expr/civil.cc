#include "shared/expr/civil.h"

#include <algorithm>
#include <limits>

namespace tidemill {

CivilTime civil_time_of(TimeUs t) {
  const int64_t day = day_of(t);
  const int64_t rest = t - day * kMicrosPerDay;
  CivilTime out;
  out.date = civil_of(day);
  out.hour = static_cast<int>(rest / kMicrosPerHour);
  out.minute = static_cast<int>(rest / kMicrosPerMinute % 60);
  out.second = static_cast<int>(rest / kMicrosPerSecond % 60);
  out.micros = static_cast<int>(rest % kMicrosPerSecond);
  return out;
}

bool timestamp_of(int64_t days, int64_t micros_of_day, TimeUs* out) {
  return days >= kFirstDay && days < kTimestampDaysEnd &&
         !__builtin_mul_overflow(days, kMicrosPerDay, out) &&
         !__builtin_add_overflow(*out, micros_of_day, out) && is_timestamp(*out);
}

bool timestamp_of(const CivilTime& time, TimeUs* out) {
  return timestamp_of(days_of(time.date),
                      time.hour * kMicrosPerHour + time.minute * kMicrosPerMinute +
                          time.second * kMicrosPerSecond + time.micros,
                      out);
}

// A week belongs to the year of its thursday.
IsoWeek iso_week_of(int64_t days) {
  const int64_t thursday = days - iso_weekday(days) + 4;
  const int64_t year = civil_of(thursday).year;
  return {year, static_cast<int>((thursday - days_of({year, 1, 1})) / 7) + 1};
}

const RowFault* add_interval(TimeUs* out, TimeUs t, const Interval& interval) {
  int64_t day = day_of(t);
  const int64_t rest = t - day * kMicrosPerDay;
  if (interval.months != 0) {
    Civil date = civil_of(day);
    const int64_t months = date.year * 12 + (date.month - 1) + interval.months;
    date.year = months / 12 - (months % 12 < 0 ? 1 : 0);
    date.month = static_cast<int>(months - date.year * 12) + 1;
    date.day = std::min(date.day, days_in_month(date.year, date.month));
    day = days_of(date);
    if (!timestamp_of(day, rest, out)) return &kTimestampRange;
  }
  if (!timestamp_of(day + interval.days, rest, out)) return &kTimestampRange;
  if (__builtin_add_overflow(*out, interval.micros, out) || !is_timestamp(*out)) {
    return &kTimestampRange;
  }
  return nullptr;
}

const RowFault* negate(Interval* out, const Interval& interval) {
  if (interval.micros == std::numeric_limits<int64_t>::min() ||
      interval.days == std::numeric_limits<int32_t>::min() ||
      interval.months == std::numeric_limits<int32_t>::min()) {
    return &kIntervalRange;
  }
  *out = {-interval.micros, -interval.days, -interval.months};
  return nullptr;
}

}  // namespace tidemill
