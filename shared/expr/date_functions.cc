// Fields of times: extract, date_part and date_trunc.
#include <array>
#include <cmath>
#include <optional>

#include "shared/expr/civil.h"
#include "shared/expr/functions.h"
#include "shared/expr/suggest.h"
#include "shared/expr/zones.h"

namespace tidemill {
namespace {

using View = std::string_view;
using proto::DATE;
using proto::DOUBLE;
using proto::Expr;
using proto::INTERVAL;
using proto::LOCAL_TIMESTAMP;
using proto::STRING;
using proto::TIMESTAMP;

enum class Field {
  kMicroseconds,
  kMilliseconds,
  kSecond,
  kMinute,
  kHour,
  kDay,
  kWeek,
  kMonth,
  kQuarter,
  kYear,
  kDecade,
  kCentury,
  kMillennium,
  kIsoYear,
  kDow,
  kIsoDow,
  kDoy,
  kEpoch,
};

struct FieldName {
  View name;
  View plural;
  Field field;
  bool of_dates;      // extract(f from date)
  bool of_intervals;  // extract and date_part
  bool truncates;
};
constexpr std::array<FieldName, 18> kFields{{
    {"microseconds", "microsecond", Field::kMicroseconds, false, true, true},
    {"milliseconds", "millisecond", Field::kMilliseconds, false, true, true},
    {"second", "seconds", Field::kSecond, false, true, true},
    {"minute", "minutes", Field::kMinute, false, true, true},
    {"hour", "hours", Field::kHour, false, true, true},
    {"day", "days", Field::kDay, true, true, true},
    {"week", "weeks", Field::kWeek, true, false, true},
    {"month", "months", Field::kMonth, true, true, true},
    {"quarter", "", Field::kQuarter, true, true, true},
    {"year", "years", Field::kYear, true, true, true},
    {"decade", "decades", Field::kDecade, true, true, true},
    {"century", "centuries", Field::kCentury, true, true, true},
    {"millennium", "millennia", Field::kMillennium, true, true, true},
    {"isoyear", "", Field::kIsoYear, true, false, false},
    {"dow", "", Field::kDow, true, false, false},
    {"isodow", "", Field::kIsoDow, true, false, false},
    {"doy", "", Field::kDoy, true, false, false},
    {"epoch", "", Field::kEpoch, true, true, false},
}};

struct WithField : FunctionState {
  Field field{};
  bool exact = false;  // extract(): the decimal fraction nearest double, not a sum of doubles
};

// Years as calendars count them: there is none 0.
int64_t calendar_year(int64_t year) { return year > 0 ? year : year - 1; }
int64_t decade_of(int64_t year) { return year >= 0 ? year / 10 : -((8 - (year - 1)) / 10); }
int64_t century_of(int64_t year) {
  return year > 0 ? (year + 99) / 100 : -((99 - (year - 1)) / 100);
}
int64_t millennium_of(int64_t year) {
  return year > 0 ? (year + 999) / 1000 : -((999 - (year - 1)) / 1000);
}

double seconds_of(const WithField& with, int second, int micros) {
  if (with.exact) return (second * 1e6 + micros) / 1e6;
  return second + micros / 1e6;
}
double milliseconds_of(const WithField& with, int second, int micros) {
  if (with.exact) return (second * 1e6 + micros) / 1e3;
  return second * 1e3 + micros / 1e3;
}
double exact_seconds(__int128 micros) {
  return static_cast<double>(static_cast<long double>(micros) / 1e6L);
}

double date_field(Field field, int64_t days) {
  const Civil date = civil_of(days);
  switch (field) {
    case Field::kDay:
      return date.day;
    case Field::kWeek:
      return iso_week_of(days).week;
    case Field::kMonth:
      return date.month;
    case Field::kQuarter:
      return (date.month - 1) / 3 + 1;
    case Field::kDecade:
      return static_cast<double>(decade_of(date.year));
    case Field::kCentury:
      return static_cast<double>(century_of(date.year));
    case Field::kMillennium:
      return static_cast<double>(millennium_of(date.year));
    case Field::kIsoYear:
      return static_cast<double>(calendar_year(iso_week_of(days).year));
    case Field::kDow:
      return iso_weekday(days) % 7;
    case Field::kIsoDow:
      return iso_weekday(days);
    case Field::kDoy:
      return static_cast<double>(days - days_of({date.year, 1, 1}) + 1);
    case Field::kEpoch:
      return static_cast<double>(days) * 86'400;
    default:
      return static_cast<double>(calendar_year(date.year));
  }
}

const RowFault* of_date(WithField& with, double* out, View, int64_t days) {
  *out = date_field(with.field, days);
  return nullptr;
}

const RowFault* of_time(WithField& with, double* out, View, int64_t t) {
  if (with.field > Field::kHour && with.field != Field::kEpoch) {
    *out = date_field(with.field, day_of(t));
    return nullptr;
  }
  const CivilTime time = civil_time_of(t);
  switch (with.field) {
    case Field::kMicroseconds:
      *out = time.second * 1e6 + time.micros;
      break;
    case Field::kMilliseconds:
      *out = milliseconds_of(with, time.second, time.micros);
      break;
    case Field::kSecond:
      *out = seconds_of(with, time.second, time.micros);
      break;
    case Field::kMinute:
      *out = time.minute;
      break;
    case Field::kHour:
      *out = time.hour;
      break;
    default:
      *out = with.exact ? exact_seconds(t) : static_cast<double>(t) / 1e6;
  }
  return nullptr;
}

// An interval's parts: years of 12 months, and hours without an end.
struct Parts {
  explicit Parts(const Interval& i)
      : years(i.months / 12),
        months(i.months % 12),
        hours(i.micros / kMicrosPerHour),
        minutes(static_cast<int>(i.micros / kMicrosPerMinute % 60)),
        seconds(static_cast<int>(i.micros / kMicrosPerSecond % 60)),
        micros(static_cast<int>(i.micros % kMicrosPerSecond)) {}
  int years, months;
  int64_t hours;
  int minutes, seconds, micros;
};

// Years of 365.25 days, months of 30.
double epoch_of(const WithField& with, const Interval& i) {
  constexpr double kYear = 365.25 * 86'400;
  constexpr double kMonth = 30.0 * 86'400;
  if (with.exact) {
    const __int128 seconds = __int128{i.months / 12} * 31'557'600 +
                             __int128{i.months % 12} * 2'592'000 + __int128{i.days} * 86'400;
    return exact_seconds(seconds * kMicrosPerSecond + i.micros);
  }
  double out = static_cast<double>(i.micros) / 1e6;
  out += kYear * (i.months / 12);
  out += kMonth * (i.months % 12);
  return out + 86'400.0 * i.days;
}

const RowFault* of_interval(WithField& with, double* out, View, Interval i) {
  const Parts parts(i);
  switch (with.field) {
    case Field::kMicroseconds:
      *out = parts.seconds * 1e6 + parts.micros;
      break;
    case Field::kMilliseconds:
      *out = milliseconds_of(with, parts.seconds, parts.micros);
      break;
    case Field::kSecond:
      *out = seconds_of(with, parts.seconds, parts.micros);
      break;
    case Field::kMinute:
      *out = parts.minutes;
      break;
    case Field::kHour:
      *out = static_cast<double>(parts.hours);
      break;
    case Field::kDay:
      *out = i.days;
      break;
    case Field::kMonth:
      *out = parts.months;
      break;
    case Field::kQuarter:
      *out = parts.months / 3 + 1;
      break;
    case Field::kDecade:
      *out = parts.years / 10;
      break;
    case Field::kCentury:
      *out = parts.years / 100;
      break;
    case Field::kMillennium:
      *out = parts.years / 1000;
      break;
    case Field::kEpoch:
      *out = epoch_of(with, i);
      break;
    default:
      *out = parts.years;
  }
  return nullptr;
}

// The first year of the decade, century or millennium.
int64_t first_year(Field field, int64_t year) {
  switch (field) {
    case Field::kDecade:
      return decade_of(year) * 10;
    case Field::kCentury:
      return year > 0 ? century_of(year) * 100 - 99 : century_of(year) * 100 + 1;
    case Field::kMillennium:
      return year > 0 ? millennium_of(year) * 1000 - 999 : millennium_of(year) * 1000 + 1;
    default:
      return year;
  }
}

// The day in which the field's span begins that has `day` in it.
int64_t first_day(Field field, int64_t day) {
  if (field == Field::kDay) return day;
  if (field == Field::kWeek) return day - iso_weekday(day) + 1;
  Civil date = civil_of(day);
  date.day = 1;
  if (field == Field::kQuarter) date.month = (date.month - 1) / 3 * 3 + 1;
  if (field >= Field::kYear) {
    date.month = 1;
    date.year = first_year(field, date.year);
  }
  return days_of(date);
}

int64_t unit_of(Field field) {
  switch (field) {
    case Field::kMilliseconds:
      return 1000;
    case Field::kSecond:
      return kMicrosPerSecond;
    case Field::kMinute:
      return kMicrosPerMinute;
    case Field::kHour:
      return kMicrosPerHour;
    default:
      return 1;
  }
}

const RowFault* truncate(Field field, int64_t* out, int64_t t) {
  const int64_t day = day_of(t);
  const int64_t rest = t - day * kMicrosPerDay;
  const bool ok = field >= Field::kDay ? timestamp_of(first_day(field, day), 0, out)
                                       : timestamp_of(day, rest - rest % unit_of(field), out);
  return ok ? nullptr : &kTimestampRange;
}

const RowFault* trunc_time(WithField& with, int64_t* out, View, int64_t t) {
  return truncate(with.field, out, t);
}

const RowFault* trunc_interval(WithField& with, Interval* out, View, Interval i) {
  const Field field = with.field;
  *out = i;
  out->micros -= i.micros % unit_of(field);
  if (field < Field::kDay) return nullptr;
  out->micros = 0;
  if (field == Field::kDay) return nullptr;
  out->days = 0;
  int span = 1;
  if (field == Field::kQuarter) span = 3;
  if (field == Field::kYear) span = 12;
  if (field == Field::kDecade) span = 120;
  if (field == Field::kCentury) span = 1200;
  if (field == Field::kMillennium) span = 12'000;
  out->months -= i.months % span;
  return nullptr;
}

struct InZone : WithField {
  std::unique_ptr<LastZone> zone;
};

// By the clocks of the zone. Below a day their offset at `t` is kept.
const RowFault* trunc_in_zone(InZone& with, int64_t* out, View, int64_t t, View name) {
  const TimeZone* zone = nullptr;
  if (const RowFault* fault = with.zone->use(name, &zone); fault != nullptr) return fault;
  const int64_t local = zone->local_of(t);
  if (const RowFault* fault = truncate(with.field, out, local); fault != nullptr) return fault;
  *out = with.field >= Field::kDay ? time_of_local(*zone, *out) : *out - (local - t);
  return is_timestamp(*out) ? nullptr : &kTimestampRange;
}

using Allowed = bool (*)(const FieldName&);
bool any_field(const FieldName&) { return true; }
bool date_field_only(const FieldName& f) { return f.of_dates; }
bool interval_field(const FieldName& f) { return f.of_intervals; }
bool truncating(const FieldName& f) { return f.truncates; }
bool truncating_interval(const FieldName& f) { return f.truncates && f.of_intervals; }

// The field that the call's first argument names, in any letter case.
Status set_field(const Expr& call, Allowed allowed, WithField* out) {
  const Expr& name = call.args(0);
  std::vector<std::string> known;
  for (const FieldName& each : kFields) {
    if (allowed(each)) known.emplace_back(each.name);
  }
  if (name.literal_case() != Expr::kLiteralString) {
    return user_error("the field must be a literal: " + join_names(known, "or"));
  }
  std::string lower = name.literal_string();
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  for (const FieldName& each : kFields) {
    if (!allowed(each) || (lower != each.name && (each.plural.empty() || lower != each.plural))) {
      continue;
    }
    out->field = each.field;
    return {};
  }
  return user_error("'" + clipped(name.literal_string(), 40) + "' is not a field here" +
                    suggestion(lower, known));
}

template <Allowed kAllowed, bool kExact = false>
Result<std::unique_ptr<FunctionState>> prepare(const Expr& call) {
  auto state = std::make_unique<WithField>();
  state->exact = kExact;
  if (Status s = set_field(call, kAllowed, state.get()); !s.ok()) return s.error();
  return std::unique_ptr<FunctionState>(std::move(state));
}

Result<std::unique_ptr<FunctionState>> prepare_in_zone(const Expr& call) {
  auto state = std::make_unique<InZone>();
  if (Status s = set_field(call, truncating, state.get()); !s.ok()) return s.error();
  Result<std::unique_ptr<LastZone>> zone = prepare_zone(call.args(2));
  if (!zone.ok()) return zone.error();
  state->zone = *std::move(zone);
  return std::unique_ptr<FunctionState>(std::move(state));
}

}  // namespace

std::span<const SqlFunction> date_functions() {
  static const std::vector<SqlFunction> all = {
      {"extract",
       {STRING, TIMESTAMP},
       DOUBLE,
       strict_with_state<of_time>,
       false,
       "`extract(hour from t)`, in UTC",
       false,
       prepare<any_field, true>},
      {"extract",
       {STRING, LOCAL_TIMESTAMP},
       DOUBLE,
       strict_with_state<of_time>,
       false,
       "`extract(hour from t)`",
       false,
       prepare<any_field, true>},
      {"extract",
       {STRING, DATE},
       DOUBLE,
       strict_with_state<of_date>,
       false,
       "`extract(dow from d)`",
       false,
       prepare<date_field_only, true>},
      {"extract",
       {STRING, INTERVAL},
       DOUBLE,
       strict_with_state<of_interval>,
       false,
       "`extract(epoch from i)`: seconds",
       false,
       prepare<interval_field, true>},
      {"date_part",
       {STRING, TIMESTAMP},
       DOUBLE,
       strict_with_state<of_time>,
       false,
       "`date_part('hour', t)`, in UTC",
       false,
       prepare<any_field>},
      {"date_part",
       {STRING, LOCAL_TIMESTAMP},
       DOUBLE,
       strict_with_state<of_time>,
       false,
       "`date_part('hour', t)`",
       false,
       prepare<any_field>},
      {"date_part",
       {STRING, INTERVAL},
       DOUBLE,
       strict_with_state<of_interval>,
       false,
       "`date_part('epoch', i)`: seconds",
       false,
       prepare<interval_field>},
      {"date_trunc",
       {STRING, TIMESTAMP},
       TIMESTAMP,
       strict_with_state<trunc_time>,
       true,
       "when the hour, day, week, ... began in UTC",
       false,
       prepare<truncating>},
      {"date_trunc",
       {STRING, TIMESTAMP, STRING},
       TIMESTAMP,
       strict_with_state<trunc_in_zone>,
       true,
       "when it began in a zone",
       false,
       prepare_in_zone},
      {"date_trunc",
       {STRING, LOCAL_TIMESTAMP},
       LOCAL_TIMESTAMP,
       strict_with_state<trunc_time>,
       true,
       "when it began by these clocks",
       false,
       prepare<truncating>},
      {"date_trunc",
       {STRING, INTERVAL},
       INTERVAL,
       strict_with_state<trunc_interval>,
       false,
       "without what is shorter",
       false,
       prepare<truncating_interval>},
  };
  return all;
}

}  // namespace tidemill
