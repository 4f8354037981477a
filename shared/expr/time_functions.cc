// Arithmetic of timestamps, dates and intervals, time zones, and times made of numbers.
#include <cmath>
#include <limits>

#include "shared/expr/civil.h"
#include "shared/expr/functions.h"
#include "shared/expr/kernels.h"
#include "shared/expr/zones.h"

namespace tidemill {
namespace {

using View = std::string_view;
using proto::DATE;
using proto::DOUBLE;
using proto::Expr;
using proto::INT32;
using proto::INTERVAL;
using proto::LOCAL_TIMESTAMP;
using proto::STRING;
using proto::TIMESTAMP;

constexpr RowFault kDateField{"22008", "there is no such date"};
constexpr RowFault kTimeField{"22008", "there is no such time of day"};
constexpr RowFault kNotANumber{"22008", "a timestamp cannot be NaN or infinite"};

const RowFault* time_plus(int64_t* out, int64_t t, Interval i) { return add_interval(out, t, i); }
const RowFault* plus_time(int64_t* out, Interval i, int64_t t) { return add_interval(out, t, i); }
const RowFault* time_minus(int64_t* out, int64_t t, Interval i) {
  Interval negative;
  if (const RowFault* fault = negate(&negative, i); fault != nullptr) return fault;
  return add_interval(out, t, negative);
}

// Whole days and what is left, both of one sign.
const RowFault* between(Interval* out, int64_t a, int64_t b) {
  int64_t micros = 0;
  if (__builtin_sub_overflow(a, b, &micros)) return &kIntervalRange;
  out->days = static_cast<int32_t>(micros / kMicrosPerDay);
  out->micros = micros % kMicrosPerDay;
  return nullptr;
}

const RowFault* date_plus(int64_t* out, int64_t date, int64_t days) {
  *out = date + days;
  return is_date(*out) ? nullptr : &kDateRange;
}
const RowFault* plus_date(int64_t* out, int64_t days, int64_t date) {
  return date_plus(out, date, days);
}
const RowFault* date_minus(int64_t* out, int64_t date, int64_t days) {
  return date_plus(out, date, -days);
}
const RowFault* days_between(int64_t* out, int64_t a, int64_t b) {
  *out = a - b;
  return kernels::fits_int32(*out) ? nullptr : &kernels::kInt32Range;
}
const RowFault* date_plus_interval(int64_t* out, int64_t date, Interval i) {
  if (!timestamp_of(date, 0, out)) return &kTimestampRange;
  return add_interval(out, *out, i);
}
const RowFault* interval_plus_date(int64_t* out, Interval i, int64_t date) {
  return date_plus_interval(out, date, i);
}
const RowFault* date_minus_interval(int64_t* out, int64_t date, Interval i) {
  if (!timestamp_of(date, 0, out)) return &kTimestampRange;
  return time_minus(out, *out, i);
}

const RowFault* interval_plus(Interval* out, Interval a, Interval b) {
  const bool over = __builtin_add_overflow(a.months, b.months, &out->months) ||
                    __builtin_add_overflow(a.days, b.days, &out->days) ||
                    __builtin_add_overflow(a.micros, b.micros, &out->micros);
  return over ? &kIntervalRange : nullptr;
}
const RowFault* interval_minus(Interval* out, Interval a, Interval b) {
  const bool over = __builtin_sub_overflow(a.months, b.months, &out->months) ||
                    __builtin_sub_overflow(a.days, b.days, &out->days) ||
                    __builtin_sub_overflow(a.micros, b.micros, &out->micros);
  return over ? &kIntervalRange : nullptr;
}
const RowFault* interval_negative(Interval* out, Interval i) { return negate(out, i); }

bool whole(double value, int32_t* out) {
  if (!(value >= -2147483648.0 && value < 2147483648.0)) return false;
  *out = static_cast<int32_t>(value);
  return true;
}
double to_micros(double seconds) { return std::rint(seconds * 1e6) / 1e6; }

// Fractions of months go on to days, those of days to time, rounded as PostgreSQL does it.
template <typename Scale>
const RowFault* scaled(Interval* out, const Interval& i, Scale&& scale) {
  const double months = scale(i.months);
  const double days = scale(i.days);
  if (!whole(months, &out->months) || !whole(days, &out->days)) return &kIntervalRange;
  const double of_months = to_micros((months - out->months) * 30);
  double seconds = to_micros((days - out->days + of_months - static_cast<int>(of_months)) * 86'400);
  if (std::fabs(seconds) >= 86'400) {
    out->days += static_cast<int>(seconds / 86'400);
    seconds -= static_cast<int>(seconds / 86'400) * 86'400;
  }
  out->days += static_cast<int32_t>(of_months);
  const double micros = std::rint(scale(static_cast<double>(i.micros)) + seconds * 1e6);
  if (!(micros >= -9223372036854775808.0 && micros < 9223372036854775808.0)) return &kIntervalRange;
  out->micros = static_cast<int64_t>(micros);
  return nullptr;
}
const RowFault* interval_times(Interval* out, Interval i, double factor) {
  return scaled(out, i, [&](double part) { return part * factor; });
}
const RowFault* times_interval(Interval* out, double factor, Interval i) {
  return interval_times(out, i, factor);
}
const RowFault* interval_divided(Interval* out, Interval i, double divisor) {
  if (divisor == 0) return &kernels::kDivisionByZero;
  return scaled(out, i, [&](double part) { return part / divisor; });
}

const RowFault* to_local(LastZone& last, int64_t* out, View name, int64_t t) {
  const TimeZone* zone = nullptr;
  if (const RowFault* fault = last.use(name, &zone); fault != nullptr) return fault;
  *out = zone->local_of(t);
  return is_timestamp(*out) ? nullptr : &kTimestampRange;
}
const RowFault* from_local(LastZone& last, int64_t* out, View name, int64_t local) {
  const TimeZone* zone = nullptr;
  if (const RowFault* fault = last.use(name, &zone); fault != nullptr) return fault;
  *out = time_of_local(*zone, local);
  return is_timestamp(*out) ? nullptr : &kTimestampRange;
}
Result<std::unique_ptr<FunctionState>> prepare_first_zone(const Expr& call) {
  Result<std::unique_ptr<LastZone>> state = prepare_zone(call.args(0));
  if (!state.ok()) return state.error();
  return std::unique_ptr<FunctionState>(*std::move(state));
}

const RowFault* to_timestamp(int64_t* out, double seconds) {
  constexpr double kYear2000 = 946'684'800;
  if (!std::isfinite(seconds)) return &kNotANumber;
  const double micros = std::rint((seconds - kYear2000) * 1e6);
  if (!(micros >= -9223372036854775808.0 && micros < 9223372036854775808.0)) {
    return &kTimestampRange;
  }
  constexpr int64_t kMicros2000 = static_cast<int64_t>(kYear2000) * kMicrosPerSecond;
  const bool over = __builtin_add_overflow(static_cast<int64_t>(micros), kMicros2000, out);
  return over || !is_timestamp(*out) ? &kTimestampRange : nullptr;
}

// Years before our era are negative, and there is none 0.
const RowFault* make_date(int64_t* out, int64_t year, int64_t month, int64_t day) {
  if (year == 0 || month < 1 || month > 12 || day < 1) return &kDateField;
  if (year < 0) ++year;
  if (day > days_in_month(year, static_cast<int>(month))) return &kDateField;
  *out = days_of({year, static_cast<int>(month), static_cast<int>(day)});
  return is_date(*out) ? nullptr : &kDateRange;
}
const RowFault* make_timestamp(int64_t* out, int64_t year, int64_t month, int64_t day, int64_t hour,
                               int64_t minute, double second) {
  int64_t date = 0;
  if (const RowFault* fault = make_date(&date, year, month, day); fault != nullptr) return fault;
  const double second_micros = std::rint(second * 1e6);  // before it is checked, as in PostgreSQL
  if (!(second_micros >= 0 && second_micros <= 60e6) || hour < 0 || minute < 0 || minute > 59)
    return &kTimeField;
  const int64_t micros =
      hour * kMicrosPerHour + minute * kMicrosPerMinute + static_cast<int64_t>(second_micros);
  if (hour > 24 || micros > kMicrosPerDay) return &kTimeField;
  return timestamp_of(date, micros, out) ? nullptr : &kTimestampRange;
}

// Years, months, days and time between, borrowing from month to month as a calendar does.
const RowFault* age(Interval* out, int64_t later, int64_t earlier) {
  const bool swapped = later < earlier;
  if (swapped) std::swap(later, earlier);
  const CivilTime a = civil_time_of(later);
  const CivilTime b = civil_time_of(earlier);
  const auto micros_of = [](const CivilTime& t) {
    return t.hour * kMicrosPerHour + t.minute * kMicrosPerMinute + t.second * kMicrosPerSecond +
           t.micros;
  };
  out->micros = micros_of(a) - micros_of(b);
  out->days = a.date.day - b.date.day;
  int64_t months = (a.date.year - b.date.year) * 12 + a.date.month - b.date.month;
  if (out->micros < 0) {
    out->micros += kMicrosPerDay;
    --out->days;
  }
  while (out->days < 0) {
    out->days += days_in_month(b.date.year, b.date.month);
    --months;
  }
  out->months = static_cast<int32_t>(months);
  return swapped ? negate(out, *out) : nullptr;
}

}  // namespace

std::span<const SqlFunction> time_functions() {
  static const std::vector<SqlFunction> all = {
      {"+", {TIMESTAMP, INTERVAL}, TIMESTAMP, strict<time_plus>, true, "in UTC"},
      {"+", {INTERVAL, TIMESTAMP}, TIMESTAMP, strict<plus_time>, true, "in UTC"},
      {"+",
       {LOCAL_TIMESTAMP, INTERVAL},
       LOCAL_TIMESTAMP,
       strict<time_plus>,
       true,
       "months, then days, then time"},
      {"+", {INTERVAL, LOCAL_TIMESTAMP}, LOCAL_TIMESTAMP, strict<plus_time>, true, "the same"},
      {"+", {DATE, INT32}, DATE, strict<date_plus>, true, "so many days later"},
      {"+", {INT32, DATE}, DATE, strict<plus_date>, true, "so many days later"},
      {"+", {DATE, INTERVAL}, LOCAL_TIMESTAMP, strict<date_plus_interval>, true, "from midnight"},
      {"+", {INTERVAL, DATE}, LOCAL_TIMESTAMP, strict<interval_plus_date>, true, "from midnight"},
      {"+", {INTERVAL, INTERVAL}, INTERVAL, strict<interval_plus>, true, "part by part"},
      {"-", {TIMESTAMP, INTERVAL}, TIMESTAMP, strict<time_minus>, true, "in UTC"},
      {"-",
       {LOCAL_TIMESTAMP, INTERVAL},
       LOCAL_TIMESTAMP,
       strict<time_minus>,
       true,
       "months, then days, then time"},
      {"-", {TIMESTAMP, TIMESTAMP}, INTERVAL, strict<between>, true, "days and time"},
      {"-", {LOCAL_TIMESTAMP, LOCAL_TIMESTAMP}, INTERVAL, strict<between>, true, "days and time"},
      {"-", {DATE, INT32}, DATE, strict<date_minus>, true, "so many days earlier"},
      {"-", {DATE, DATE}, INT32, strict<days_between>, true, "number of days"},
      {"-", {DATE, INTERVAL}, LOCAL_TIMESTAMP, strict<date_minus_interval>, true, "from midnight"},
      {"-", {INTERVAL, INTERVAL}, INTERVAL, strict<interval_minus>, true, "part by part"},
      {"-", {INTERVAL}, INTERVAL, strict<interval_negative>, true, "part by part"},
      {"*",
       {INTERVAL, DOUBLE},
       INTERVAL,
       strict<interval_times>,
       true,
       "fractions of months go to days, those of days to time"},
      {"*", {DOUBLE, INTERVAL}, INTERVAL, strict<times_interval>, true, "the same"},
      {"/", {INTERVAL, DOUBLE}, INTERVAL, strict<interval_divided>, true, "the same"},
      {"timezone",
       {STRING, TIMESTAMP},
       LOCAL_TIMESTAMP,
       strict_with_state<to_local>,
       true,
       "what clocks there show; also `t at time zone z`",
       false,
       prepare_first_zone},
      {"timezone",
       {STRING, LOCAL_TIMESTAMP},
       TIMESTAMP,
       strict_with_state<from_local>,
       true,
       "when clocks there show it; also `t at time zone z`",
       false,
       prepare_first_zone},
      {"to_timestamp", {DOUBLE}, TIMESTAMP, strict<to_timestamp>, true, "seconds since 1970"},
      {"make_date", {INT32, INT32, INT32}, DATE, strict<make_date>, true, "of year, month, day"},
      {"make_timestamp",
       {INT32, INT32, INT32, INT32, INT32, DOUBLE},
       LOCAL_TIMESTAMP,
       strict<make_timestamp>,
       true,
       "of year, month, day, hour, minute, seconds"},
      {"make_timestamptz",
       {INT32, INT32, INT32, INT32, INT32, DOUBLE},
       TIMESTAMP,
       strict<make_timestamp>,
       true,
       "the same in UTC"},
      {"age",
       {TIMESTAMP, TIMESTAMP},
       INTERVAL,
       strict<age>,
       true,
       "from the second to the first in years, months, days and time"},
      {"age", {LOCAL_TIMESTAMP, LOCAL_TIMESTAMP}, INTERVAL, strict<age>, true, "the same"},
  };
  return all;
}

}  // namespace tidemill
