#include "shared/base/time.h"

#include <array>
#include <charconv>
#include <cstdio>

namespace tidemill {
namespace {

struct Unit {
  std::string_view name;
  DurationUs us;
};
constexpr std::array<Unit, 7> kUnits{{{"w", 7 * kMicrosPerDay},
                                      {"d", kMicrosPerDay},
                                      {"h", 3600 * kMicrosPerSecond},
                                      {"m", 60 * kMicrosPerSecond},
                                      {"s", kMicrosPerSecond},
                                      {"ms", 1000},
                                      {"us", 1}}};

bool digits(std::string_view text, size_t at, size_t n, int* out) {
  if (at + n > text.size()) return false;
  int value = 0;
  for (size_t i = at; i < at + n; ++i) {
    const unsigned d = static_cast<unsigned char>(text[i]) - '0';
    if (d > 9) return false;
    value = value * 10 + static_cast<int>(d);
  }
  *out = value;
  return true;
}

// Days since 1970-01-01 of a proleptic Gregorian date; the algorithm is Howard Hinnant's
// days_from_civil (https://howardhinnant.github.io/date_algorithms.html).
int64_t days_from_civil(int64_t y, int m, int d) {
  y -= m <= 2;
  const int64_t era = (y >= 0 ? y : y - 399) / 400;
  const int64_t yoe = y - era * 400;
  const int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  const int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146097 + doe - 719468;
}

struct Civil {
  int64_t year;
  int month;
  int day;
};

Civil civil_from_days(int64_t z) {
  z += 719468;
  const int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  const int64_t doe = z - era * 146097;
  const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const int64_t mp = (5 * doy + 2) / 153;
  const int day = static_cast<int>(doy - (153 * mp + 2) / 5 + 1);
  const int month = static_cast<int>(mp < 10 ? mp + 3 : mp - 9);
  return {yoe + era * 400 + (month <= 2), month, day};
}

int days_in_month(int64_t year, int month) {
  constexpr std::array<int, 12> kDays{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[static_cast<size_t>(month - 1)];
}

// Parses "Z", "+hh:mm", "-hh:mm" or nothing at `at`, to the end.
bool parse_zone(std::string_view text, size_t at, int64_t* offset_s) {
  *offset_s = 0;
  if (at == text.size()) return true;
  const char c = text[at];
  if (c == 'Z' || c == 'z') return at + 1 == text.size();
  if (c != '+' && c != '-') return false;
  int hours = 0;
  int minutes = 0;
  if (text.size() != at + 6 || text[at + 3] != ':' || !digits(text, at + 1, 2, &hours) ||
      !digits(text, at + 4, 2, &minutes) || hours > 23 || minutes > 59) {
    return false;
  }
  *offset_s = (c == '+' ? 1 : -1) * (hours * 3600 + minutes * 60);
  return true;
}

}  // namespace

bool parse_timestamp(std::string_view text, TimeUs* out) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (text.size() < 19 || !digits(text, 0, 4, &year) || text[4] != '-' ||
      !digits(text, 5, 2, &month) || text[7] != '-' || !digits(text, 8, 2, &day) ||
      (text[10] != 'T' && text[10] != ' ' && text[10] != 't') || !digits(text, 11, 2, &hour) ||
      text[13] != ':' || !digits(text, 14, 2, &minute) || text[16] != ':' ||
      !digits(text, 17, 2, &second)) {
    return false;
  }
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) ||
      hour > 23 || minute > 59 || second > 59) {
    return false;
  }
  size_t at = 19;
  int64_t fraction = 0;
  if (at < text.size() && text[at] == '.') {
    ++at;
    int64_t scale = 100'000;
    const size_t first = at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
      fraction += (text[at] - '0') * scale;
      scale /= 10;
    }
    if (at == first || at - first > 6) return false;
  }
  int64_t offset_s = 0;
  if (!parse_zone(text, at, &offset_s)) return false;
  const int64_t seconds =
      days_from_civil(year, month, day) * 86'400 + hour * 3600 + minute * 60 + second - offset_s;
  *out = seconds * kMicrosPerSecond + fraction;
  return true;
}

namespace {

void put_digits(int64_t value, int count, char* at) {
  while (count > 0) {
    at[--count] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

}  // namespace

std::string format_timestamp(TimeUs t) {
  if (t == kMinTime) return "-infinity";
  if (t == kMaxTime) return "infinity";
  int64_t days = t / kMicrosPerDay;
  int64_t rest = t % kMicrosPerDay;
  if (rest < 0) {
    rest += kMicrosPerDay;
    --days;
  }
  const Civil c = civil_from_days(days);
  const int64_t seconds = rest / kMicrosPerSecond;
  const int64_t fraction = rest % kMicrosPerSecond;
  if (c.year >= 0 && c.year <= 9999) {
    std::string out = "0000-00-00T00:00:00";
    put_digits(c.year, 4, &out[0]);
    put_digits(c.month, 2, &out[5]);
    put_digits(c.day, 2, &out[8]);
    put_digits(seconds / 3600, 2, &out[11]);
    put_digits(seconds / 60 % 60, 2, &out[14]);
    put_digits(seconds % 60, 2, &out[17]);
    if (fraction != 0) {
      const bool millis = fraction % 1000 == 0;
      out.append(millis ? ".000" : ".000000");
      put_digits(millis ? fraction / 1000 : fraction, millis ? 3 : 6, &out[20]);
    }
    out.push_back('Z');
    return out;
  }
  std::array<char, 64> text{};
  int n = std::snprintf(text.data(), text.size(), "%04lld-%02d-%02dT%02d:%02d:%02d",
                        static_cast<long long>(c.year), c.month, c.day,
                        static_cast<int>(seconds / 3600), static_cast<int>(seconds / 60 % 60),
                        static_cast<int>(seconds % 60));
  std::string out(text.data(), static_cast<size_t>(n));
  if (fraction != 0) {
    const bool millis = fraction % 1000 == 0;
    n = std::snprintf(text.data(), text.size(), millis ? ".%03d" : ".%06d",
                      static_cast<int>(millis ? fraction / 1000 : fraction));
    out.append(text.data(), static_cast<size_t>(n));
  }
  return out + 'Z';
}

Result<DurationUs> parse_duration(std::string_view text) {
  int64_t count = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  if (ec == std::errc() && count >= 0 && text[0] != '-') {
    for (const Unit& u : kUnits) {
      if (u.name != unit) continue;
      DurationUs out = 0;
      if (__builtin_mul_overflow(count, u.us, &out)) break;
      return out;
    }
  }
  return user_error("'" + std::string(text) +
                    "' is not a duration: write a whole number and a unit of us, ms, s, m, h, d "
                    "or w, such as 90s or 7d");
}

std::string format_duration(DurationUs d) {
  if (d == 0) return "0s";
  for (const Unit& u : kUnits) {
    if (u.name != "w" && d % u.us == 0) return std::to_string(d / u.us) + std::string(u.name);
  }
  return std::to_string(d) + "us";
}

}  // namespace tidemill
