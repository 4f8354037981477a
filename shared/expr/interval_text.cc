#include "shared/expr/interval_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "shared/expr/civil.h"

namespace tidemill {
namespace {

constexpr RowFault kInvalid{"22007", "is not an interval; write one such as '1 day 2 hours'"};
constexpr RowFault kOverflow{"22015", "the interval is out of range"};

struct Unit {
  std::string_view name;
  int64_t months;
  int64_t days;
  int64_t micros;
};
constexpr std::array<Unit, 42> kUnits{{{"us", 0, 0, 1},
                                       {"usec", 0, 0, 1},
                                       {"microsecond", 0, 0, 1},
                                       {"ms", 0, 0, 1000},
                                       {"msec", 0, 0, 1000},
                                       {"millisecond", 0, 0, 1000},
                                       {"s", 0, 0, kMicrosPerSecond},
                                       {"sec", 0, 0, kMicrosPerSecond},
                                       {"second", 0, 0, kMicrosPerSecond},
                                       {"m", 0, 0, kMicrosPerMinute},
                                       {"min", 0, 0, kMicrosPerMinute},
                                       {"minute", 0, 0, kMicrosPerMinute},
                                       {"h", 0, 0, kMicrosPerHour},
                                       {"hr", 0, 0, kMicrosPerHour},
                                       {"hour", 0, 0, kMicrosPerHour},
                                       {"d", 0, 1, 0},
                                       {"day", 0, 1, 0},
                                       {"w", 0, 7, 0},
                                       {"week", 0, 7, 0},
                                       {"mon", 1, 0, 0},
                                       {"month", 1, 0, 0},
                                       {"y", 12, 0, 0},
                                       {"yr", 12, 0, 0},
                                       {"year", 12, 0, 0},
                                       {"decade", 120, 0, 0},
                                       {"dec", 120, 0, 0},
                                       {"c", 1200, 0, 0},
                                       {"cent", 1200, 0, 0},
                                       {"century", 1200, 0, 0},
                                       {"centuries", 1200, 0, 0},
                                       {"mil", 12'000, 0, 0},
                                       {"millennium", 12'000, 0, 0},
                                       {"millennia", 12'000, 0, 0},
                                       {"usecs", 0, 0, 1},
                                       {"msecs", 0, 0, 1000},
                                       {"secs", 0, 0, kMicrosPerSecond},
                                       {"mins", 0, 0, kMicrosPerMinute},
                                       {"hrs", 0, 0, kMicrosPerHour},
                                       {"mons", 1, 0, 0},
                                       {"yrs", 12, 0, 0},
                                       {"mils", 12'000, 0, 0},
                                       {"decs", 120, 0, 0}}};

const Unit* unit_of(std::string_view name) {
  std::array<char, 16> lower;
  if (name.size() > lower.size()) return nullptr;
  for (size_t i = 0; i < name.size(); ++i) {
    lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? static_cast<char>(name[i] + 32) : name[i];
  }
  const std::string_view text(lower.data(), name.size());
  for (const Unit& unit : kUnits) {
    if (unit.name == text) return &unit;
  }
  if (text.size() > 3 && text.ends_with('s')) return unit_of(text.substr(0, text.size() - 1));
  return nullptr;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// A number's whole part and, with its sign, its fraction.
struct Number {
  int64_t whole = 0;
  double fraction = 0;
  bool negative = false;
};

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  const RowFault* read(Interval* out) {
    skip_space();
    if (rest_.empty()) return &kInvalid;
    const RowFault* fault = rest_.front() == 'P' ? designators() : words();
    if (fault != nullptr) return fault;
    if (negated_) {
      months_ = -months_;
      days_ = -days_;
      micros_ = -micros_;
    }
    const auto fits = [](__int128 v, auto low, auto high) { return v >= low && v <= high; };
    using I32 = std::numeric_limits<int32_t>;
    using I64 = std::numeric_limits<int64_t>;
    if (!fits(months_, I32::min(), I32::max()) || !fits(days_, I32::min(), I32::max()) ||
        !fits(micros_, I64::min(), I64::max())) {
      return &kOverflow;
    }
    *out = {static_cast<int64_t>(micros_), static_cast<int32_t>(days_),
            static_cast<int32_t>(months_)};
    return nullptr;
  }

 private:
  void skip_space() {
    while (!rest_.empty() &&
           (rest_.front() == ' ' || (rest_.front() >= '\t' && rest_.front() <= '\r'))) {
      rest_.remove_prefix(1);
    }
  }

  const RowFault* number(Number* out) {
    if (!rest_.empty() && (rest_.front() == '-' || rest_.front() == '+')) {
      out->negative = rest_.front() == '-';
      rest_.remove_prefix(1);
    }
    size_t n = 0;
    while (n < rest_.size() && is_digit(rest_[n])) ++n;
    size_t end = n;
    if (end < rest_.size() && rest_[end] == '.') {
      ++end;
      while (end < rest_.size() && is_digit(rest_[end])) ++end;
      if (end == n + 1 && n == 0) return &kInvalid;
      const std::string text = "0" + std::string(rest_.substr(n, end - n));
      out->fraction = std::strtod(text.c_str(), nullptr);
    }
    if (end == 0) return &kInvalid;
    if (n > 0) {
      const auto [_, ec] = std::from_chars(rest_.data(), rest_.data() + n, out->whole);
      if (ec != std::errc()) return &kOverflow;
    }
    rest_.remove_prefix(end);
    if (out->negative) {
      out->whole = -out->whole;
      out->fraction = -out->fraction;
    }
    return nullptr;
  }

  // Fractions of longer units go on to the shorter ones, months as 30 days; of years to months.
  void add(const Unit& unit, const Number& n) {
    months_ += __int128{unit.months} * n.whole;
    days_ += __int128{unit.days} * n.whole;
    micros_ += __int128{unit.micros} * n.whole;
    if (n.fraction == 0) return;
    double days = unit.days * n.fraction;
    if (unit.months >= 12) {
      months_ += static_cast<int64_t>(std::rint(n.fraction * static_cast<double>(unit.months)));
    } else if (unit.months == 1) {
      days = 30 * n.fraction;
    }
    const double whole_days = std::trunc(days);
    days_ += static_cast<int64_t>(whole_days);
    const double micros = (days - whole_days) * static_cast<double>(kMicrosPerDay) +
                          static_cast<double>(unit.micros) * n.fraction;
    micros_ += static_cast<int64_t>(std::rint(micros));
  }

  // HH:MM or HH:MM:SS.ffffff behind the hours that were read.
  const RowFault* clock(const Number& hours) {
    if (hours.fraction != 0) return &kInvalid;
    __int128 sum = __int128{std::abs(hours.whole)} * kMicrosPerHour;
    rest_.remove_prefix(1);
    Number minutes;
    if (rest_.empty() || !is_digit(rest_.front())) return &kInvalid;
    if (const RowFault* fault = number(&minutes); fault != nullptr) return fault;
    if (minutes.whole > 59 || minutes.fraction != 0) return &kOverflow;
    sum += minutes.whole * kMicrosPerMinute;
    if (!rest_.empty() && rest_.front() == ':') {
      rest_.remove_prefix(1);
      Number seconds;
      if (rest_.empty() || !is_digit(rest_.front())) return &kInvalid;
      if (const RowFault* fault = number(&seconds); fault != nullptr) return fault;
      if (seconds.whole > 59) return &kOverflow;
      sum += seconds.whole * kMicrosPerSecond +
             static_cast<int64_t>(std::rint(seconds.fraction * 1e6));
    }
    micros_ += hours.negative ? -sum : sum;
    return nullptr;
  }

  const RowFault* words() {
    bool any = false;
    for (skip_space(); !rest_.empty(); skip_space()) {
      if (any && (rest_ == "ago" || rest_ == "AGO")) {
        negated_ = true;
        return nullptr;
      }
      if (rest_.front() == '@' && !any) {
        rest_.remove_prefix(1);
        skip_space();
      }
      Number n;
      if (const RowFault* fault = number(&n); fault != nullptr) return fault;
      any = true;
      if (!rest_.empty() && rest_.front() == ':') {
        if (const RowFault* fault = clock(n); fault != nullptr) return fault;
        continue;
      }
      skip_space();
      size_t end = 0;
      while (end < rest_.size() && is_letter(rest_[end])) ++end;
      // A number alone at the end is seconds.
      const Unit* unit = unit_of(end == 0 && rest_.empty() ? "s" : rest_.substr(0, end));
      if (unit == nullptr) return &kInvalid;
      rest_.remove_prefix(end);
      add(*unit, n);
    }
    return any ? nullptr : &kInvalid;
  }

  // ISO 8601: P1Y2M3W4DT5H6M7.5S
  const RowFault* designators() {
    rest_.remove_prefix(1);
    bool time = false;
    if (rest_.empty()) return &kInvalid;
    while (!rest_.empty()) {
      if (rest_.front() == 'T' && !time) {
        time = true;
        rest_.remove_prefix(1);
        if (rest_.empty()) return &kInvalid;
        continue;
      }
      Number n;
      if (const RowFault* fault = number(&n); fault != nullptr) return fault;
      if (rest_.empty()) return &kInvalid;
      const std::string_view letter = rest_.substr(0, 1);
      rest_.remove_prefix(1);
      constexpr std::string_view kDates = "YMWD";
      constexpr std::string_view kTimes = "HMS";
      const std::string_view allowed = time ? kTimes : kDates;
      if (allowed.find(letter) == std::string_view::npos) return &kInvalid;
      add(*unit_of(!time && letter == "M" ? "mon" : letter), n);
    }
    return nullptr;
  }

  std::string_view rest_;
  __int128 months_ = 0;
  __int128 days_ = 0;
  __int128 micros_ = 0;
  bool negated_ = false;
};

}  // namespace

const RowFault* text_to_interval(std::string_view text, Interval* out) {
  return Reader(text).read(out);
}

std::string interval_to_text(const Interval& interval) {
  std::string out;
  bool before = false;
  const auto part = [&](int64_t value, const char* unit) {
    if (value == 0) return;
    out += (out.empty() ? "" : " ") + std::string(before && value > 0 ? "+" : "") +
           std::to_string(value) + " " + unit + (value != 1 ? "s" : "");
    before = value < 0;
  };
  part(interval.months / 12, "year");
  part(interval.months % 12, "mon");
  part(interval.days, "day");
  if (interval.micros == 0 && !out.empty()) return out;
  const bool minus = interval.micros < 0;
  uint64_t rest = static_cast<uint64_t>(interval.micros);
  if (minus) rest = 0 - rest;
  std::array<char, 64> time;
  std::snprintf(time.data(), time.size(), "%s%s%02llu:%02llu:%02llu", out.empty() ? "" : " ",
                minus ? "-" : (before ? "+" : ""),
                static_cast<unsigned long long>(rest / kMicrosPerHour),
                static_cast<unsigned long long>(rest / kMicrosPerMinute % 60),
                static_cast<unsigned long long>(rest / kMicrosPerSecond % 60));
  out += time.data();
  if (rest % kMicrosPerSecond != 0) {
    std::snprintf(time.data(), time.size(), ".%06llu",
                  static_cast<unsigned long long>(rest % kMicrosPerSecond));
    out += time.data();
    while (out.back() == '0') out.pop_back();
  }
  return out;
}

}  // namespace tidemill
