// Timestamps by the calendar, over their whole range, and the ranges that PostgreSQL has for them.
#pragma once

#include <cstdint>

#include "shared/base/calendar.h"
#include "shared/base/time.h"
#include "shared/expr/call.h"

namespace tidemill {

inline constexpr RowFault kTimestampRange{"22008", "timestamp out of range"};
inline constexpr RowFault kDateRange{"22008", "date out of range"};
inline constexpr RowFault kIntervalRange{"22008", "interval out of range"};

inline constexpr int64_t kMicrosPerHour = 3600 * kMicrosPerSecond;
inline constexpr int64_t kMicrosPerMinute = 60 * kMicrosPerSecond;
inline constexpr int64_t kFirstDay = -2'440'588;    // 4714-11-24 BC, julian day 0
inline constexpr int64_t kDaysEnd = 2'145'031'949;  // 5874898-01-01
inline constexpr int64_t kTimestampDaysEnd =
    106'751'992;  // the day in which int64 ends, and after it

// A time of day's parts, and its date's.
struct CivilTime {
  Civil date;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int micros = 0;
};

// Whole days, rounded down, and the rest.
inline int64_t day_of(TimeUs t) { return t / kMicrosPerDay - (t % kMicrosPerDay < 0 ? 1 : 0); }
CivilTime civil_time_of(TimeUs t);

// False if there is no such timestamp.
bool timestamp_of(int64_t days, int64_t micros_of_day, TimeUs* out);
bool timestamp_of(const CivilTime& time, TimeUs* out);
inline bool is_timestamp(int64_t t) { return t >= kFirstDay * kMicrosPerDay; }
inline bool is_date(int64_t days) { return days >= kFirstDay && days < kDaysEnd; }

// Of ISO 8601: monday is 1; the week's number and the year it belongs to.
inline int iso_weekday(int64_t days) { return static_cast<int>(((days + 3) % 7 + 7) % 7) + 1; }
struct IsoWeek {
  int64_t year;
  int week;
};
IsoWeek iso_week_of(int64_t days);

// t + interval: months first, in which the day is at most the month's last, then days, then time.
const RowFault* add_interval(TimeUs* out, TimeUs t, const Interval& interval);
const RowFault* negate(Interval* out, const Interval& interval);

}  // namespace tidemill
