#include "shared/base/calendar.h"

#include <array>
#include <cstdio>
#include <cstring>

#include "shared/base/time.h"

namespace tidemill {

// Years that begin in March, in eras of 400 years (Howard Hinnant, "chrono-compatible low-level
// date algorithms").
int64_t days_of(const Civil& date) {
  const int64_t year = date.month <= 2 ? date.year - 1 : date.year;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year =
      (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

Civil civil_of(int64_t days) {
  days += 719'468;
  const int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const int64_t day_of_era = days - era * 146'097;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month = (5 * day_of_year + 2) / 153;
  Civil out;
  out.day = static_cast<int>(day_of_year - (153 * month + 2) / 5 + 1);
  out.month = static_cast<int>(month < 10 ? month + 3 : month - 9);
  out.year = year_of_era + era * 400 + (out.month <= 2 ? 1 : 0);
  return out;
}

int days_in_month(int64_t year, int month) {
  if (month != 2) return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
}

bool parse_date(std::string_view text, int64_t* days) {
  std::array<char, 20> midnight;
  TimeUs time = 0;
  if (text.size() != 10) return false;
  std::memcpy(midnight.data(), text.data(), 10);
  std::memcpy(midnight.data() + 10, "T00:00:00Z", 10);
  if (!parse_timestamp({midnight.data(), midnight.size()}, &time)) return false;
  *days = time / kMicrosPerDay - (time % kMicrosPerDay < 0 ? 1 : 0);
  return true;
}

std::string date_text(int64_t days) {
  const Civil date = civil_of(days);
  const int64_t year = date.year > 0 ? date.year : 1 - date.year;
  std::array<char, 48> text;
  std::snprintf(text.data(), text.size(), "%04lld-%02d-%02d%s", static_cast<long long>(year),
                date.month, date.day, date.year > 0 ? "" : " BC");
  return text.data();
}

}  // namespace tidemill
