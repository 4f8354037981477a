#include "shared/expr/scalars.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>

#include "shared/base/time.h"
#include "shared/expr/civil.h"

namespace tidemill {
namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\r\f\v";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// from_chars takes no plus sign.
bool drop_plus(std::string_view* text) {
  if (text->empty() || text->front() != '+') return true;
  text->remove_prefix(1);
  return !text->empty() && text->front() != '-' && text->front() != '+';
}

// Whether `text` is `word` or a beginning of it of at least `least` letters, in any case.
bool is_prefix_of(std::string_view text, std::string_view word, size_t least) {
  if (text.size() < least || text.size() > word.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + 32) : text[i];
    if (c != word[i]) return false;
  }
  return true;
}

std::string_view copy(std::string_view text, TextBuffer* buffer) {
  const size_t n = std::min(text.size(), buffer->size());
  std::memcpy(buffer->data(), text.data(), n);
  return {buffer->data(), n};
}

}  // namespace

bool text_to_int(std::string_view text, int64_t* out) {
  text = trim(text);
  if (!drop_plus(&text)) return false;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return ec == std::errc() && end == text.data() + text.size();
}

bool text_to_double(std::string_view text, double* out) {
  text = trim(text);
  if (!drop_plus(&text) || text.find('(') != std::string_view::npos) return false;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return ec == std::errc() && end == text.data() + text.size();
}

DecimalText text_to_decimal(std::string_view text, const DecimalType* type, Decimal* out) {
  text = trim(text);
  return type == nullptr ? parse_decimal(text, out) : parse_decimal(text, *type, out);
}

bool text_to_bool(std::string_view text, bool* out) {
  text = trim(text);
  *out = is_prefix_of(text, "true", 1) || is_prefix_of(text, "yes", 1) ||
         is_prefix_of(text, "on", 2) || text == "1";
  return *out || is_prefix_of(text, "false", 1) || is_prefix_of(text, "no", 1) ||
         is_prefix_of(text, "off", 2) || text == "0";
}

bool text_to_timestamp(std::string_view text, int64_t* out) {
  text = trim(text);
  if (text.size() != 10) return parse_timestamp(text, out);
  std::array<char, 20> whole{};
  std::memcpy(whole.data(), text.data(), 10);
  std::memcpy(whole.data() + 10, "T00:00:00Z", 10);
  return parse_timestamp({whole.data(), whole.size()}, out);
}

std::string_view int_to_text(int64_t value, TextBuffer* buffer) {
  const auto end = std::to_chars(buffer->data(), buffer->data() + buffer->size(), value).ptr;
  return {buffer->data(), static_cast<size_t>(end - buffer->data())};
}

std::string_view double_to_text(double value, TextBuffer* buffer) {
  if (std::isnan(value)) return copy("NaN", buffer);
  if (std::isinf(value)) return copy(value > 0 ? "Infinity" : "-Infinity", buffer);
  const double magnitude = std::fabs(value);
  const bool plain = magnitude == 0 || (magnitude >= 1e-4 && magnitude < 1e15);
  const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
  const auto end =
      std::to_chars(buffer->data(), buffer->data() + buffer->size(), value, format).ptr;
  return {buffer->data(), static_cast<size_t>(end - buffer->data())};
}

std::string_view timestamp_to_text(int64_t value, TextBuffer* buffer) {
  using std::chrono::days;
  using std::chrono::sys_days;
  int64_t day = value / kMicrosPerDay - (value % kMicrosPerDay < 0);
  const int64_t rest = value - day * kMicrosPerDay;
  constexpr int64_t kYear1 = -719'162;
  constexpr int64_t kYear10000 = 2'932'897;
  if (day < kYear1 || day >= kYear10000) return copy(format_timestamp(value), buffer);
  const std::chrono::year_month_day date{sys_days{days{day}}};
  const auto seconds = static_cast<int>(rest / kMicrosPerSecond);
  const auto fraction = static_cast<int>(rest % kMicrosPerSecond);
  int n = std::snprintf(buffer->data(), buffer->size(), "%04d-%02u-%02uT%02d:%02d:%02d",
                        static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                        static_cast<unsigned>(date.day()), seconds / 3600, seconds / 60 % 60,
                        seconds % 60);
  char* tail = buffer->data() + n;
  const size_t room = buffer->size() - static_cast<size_t>(n);
  if (fraction == 0) {
    n += std::snprintf(tail, room, "Z");
  } else if (fraction % 1000 == 0) {
    n += std::snprintf(tail, room, ".%03dZ", fraction / 1000);
  } else {
    n += std::snprintf(tail, room, ".%06dZ", fraction);
  }
  return {buffer->data(), static_cast<size_t>(n)};
}

bool text_to_date(std::string_view text, int64_t* out) { return parse_date(trim(text), out); }

std::string_view date_to_text(int64_t days, TextBuffer* buffer) {
  return copy(date_text(days), buffer);
}

std::string_view local_timestamp_to_text(int64_t value, TextBuffer* buffer) {
  const CivilTime time = civil_time_of(value);
  std::string date = date_text(day_of(value));
  const std::string era = date.ends_with(" BC") ? " BC" : "";
  date.resize(date.size() - era.size());
  std::array<char, 32> clock;
  std::snprintf(clock.data(), clock.size(), " %02d:%02d:%02d.%06d", time.hour, time.minute,
                time.second, time.micros);
  std::string_view shown(clock.data());
  if (time.micros == 0) shown.remove_suffix(7);
  while (time.micros != 0 && shown.back() == '0') shown.remove_suffix(1);
  return copy(date + std::string(shown) + era, buffer);
}

bool is_number_text(std::string_view text) {
  text = trim(text);
  if (!drop_plus(&text)) return false;
  double value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  return ec != std::errc::invalid_argument && end == text.data() + text.size();
}

bool double_to_int(double value, int64_t low, int64_t high, int64_t* out) {
  const double rounded = std::nearbyint(value);
  // -2^63 and 2^63 are doubles; the greatest int64 is not, so the upper end is compared as >=.
  if (!(rounded >= -9223372036854775808.0 && rounded < 9223372036854775808.0)) return false;
  *out = static_cast<int64_t>(rounded);
  return *out >= low && *out <= high;
}

}  // namespace tidemill
