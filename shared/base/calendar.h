// Dates of the proleptic Gregorian calendar, as days since 1970-01-01 and as text. Year 0 is 1 BC.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tidemill {

// Days and times, in microseconds since 1970, that records may have: years 0001 to 9999, as in
// text.
inline constexpr int64_t kLeastTextDay = -719'162;
inline constexpr int64_t kGreatestTextDay = 2'932'896;
inline constexpr int64_t kLeastTextTime = -62'135'596'800'000'000;
inline constexpr int64_t kGreatestTextTime = 253'402'300'799'999'999;

struct Civil {
  int64_t year = 1970;
  int month = 1;  // 1..12
  int day = 1;    // 1..31
};

int64_t days_of(const Civil& date);
Civil civil_of(int64_t days);
int days_in_month(int64_t year, int month);

// "2018-04-01", years 0001 to 9999. False for anything else.
bool parse_date(std::string_view text, int64_t* days);

// "2018-04-01", with more digits if the year has more; "0044-03-15 BC" before our era.
std::string date_text(int64_t days);

}  // namespace tidemill
