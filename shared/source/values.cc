#include "shared/source/values.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "shared/base/bytes_text.h"
#include "shared/source/batch_writer.h"

namespace tidemill {
namespace {

constexpr size_t kShownBytes = 60;
constexpr size_t kDateBytes = 10;  // 2018-04-01

// 10^0 .. 10^22: the powers of ten that are doubles exactly.
constexpr std::array<double, 23> kPowersOfTen{1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                              1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                              1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// Two digits at `p`, or more than 99.
unsigned two_digits(const char* p) {
  const unsigned tens = static_cast<unsigned char>(p[0]) - '0';
  const unsigned ones = static_cast<unsigned char>(p[1]) - '0';
  return tens > 9 || ones > 9 ? 100 : tens * 10 + ones;
}

// "-123.45" with at most 15 digits: digits and power of ten are exact doubles, so one division
// rounds correctly (W. D. Clinger, "How to read floating point numbers accurately", 1990).
bool parse_short_double(std::string_view text, double* out) {
  size_t at = 0;
  const bool negative = text[0] == '-';
  if (negative) ++at;
  if (text.size() - at > 16 || at == text.size()) return false;
  uint64_t digits = 0;
  size_t point = text.size();
  for (size_t i = at; i < text.size(); ++i) {
    const unsigned d = static_cast<unsigned char>(text[i]) - '0';
    if (d <= 9) {
      digits = digits * 10 + d;
    } else if (text[i] == '.' && point == text.size() && i > at && i + 1 < text.size()) {
      point = i;
    } else {
      return false;
    }
  }
  if (point == text.size() && text.size() - at > 15) return false;
  const size_t scale = point == text.size() ? 0 : text.size() - point - 1;
  const double value = static_cast<double>(digits) / kPowersOfTen[scale];
  *out = negative ? -value : value;
  return true;
}

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + 32) : text[i];
    if (c != lower[i]) return false;
  }
  return true;
}

struct Expected {
  const char* noun;
  const char* advice;
};

Expected expected(proto::ColumnType type) {
  switch (type) {
    case proto::BOOL:
      return {"a bool", "write true or false"};
    case proto::INT32:
      return {"an int32", "write a whole number from -2147483648 to 2147483647"};
    case proto::INT64:
      return {"an int64", "write a whole number of at most 64 bits"};
    case proto::DOUBLE:
      return {"a double", "write a number such as 12.5"};
    case proto::STRING:
      return {"a string", "write text in UTF-8"};
    case proto::TIMESTAMP:
      return {"a timestamp", "write RFC 3339 text such as 2018-04-01T00:00:31Z"};
    case proto::DATE:
      return {"a date", "write a day such as 2018-04-01"};
    case proto::BYTES:
      return {"of type bytes", "write hexadecimal digits such as \\x0aff"};
    case proto::JSON:
      return {"valid JSON", "write one JSON value of at most 512 levels"};
    case proto::DECIMAL:
      return {"a decimal", "write a number such as 12.50, with no more digits than the type"};
    case proto::LIST:
      return {"a list of its type", "write a JSON array such as [1, 2]"};
    case proto::STRUCT:
      return {"a struct of its type", "write a JSON object with its fields"};
    case proto::MAP:
      return {"a map of its type", "write a JSON object such as {\"key\": 1}"};
    default:
      return {"of a known type", "give the column a type in the schema"};
  }
}

}  // namespace

// Records are held where they can be written: escapes are undone in place as well.
bool set_bytes(size_t column, std::string_view text, std::string* scratch, BatchWriter* writer) {
  scratch->resize(text.size());
  const std::optional<size_t> size = text_to_bytes(text, scratch->data());
  if (!size.has_value()) return false;
  char* to = const_cast<char*>(text.data());
  std::memcpy(to, scratch->data(), *size);
  writer->set_string(column, {to, *size});
  return true;
}

bool TimestampParser::parse(std::string_view text, TimeUs* out) {
  if (text.size() < 19 || std::memcmp(text.data(), date_, kDateBytes) != 0) {
    if (!parse_timestamp(text, out)) return false;
    char midnight[20];
    std::memcpy(midnight, text.data(), kDateBytes);
    // NOLINTNEXTLINE(bugprone-not-null-terminated-result): its size goes with it
    std::memcpy(midnight + kDateBytes, "T00:00:00Z", 10);
    TimeUs start = 0;
    if (parse_timestamp({midnight, sizeof(midnight)}, &start)) {
      std::memcpy(date_, midnight, kDateBytes);
      midnight_ = start;
    }
    return true;
  }
  const char* p = text.data();
  const unsigned hour = two_digits(p + 11);
  const unsigned minute = two_digits(p + 14);
  const unsigned second = two_digits(p + 17);
  if (hour > 23 || minute > 59 || second > 59 || p[13] != ':' || p[16] != ':' || p[10] != 'T') {
    return parse_timestamp(text, out);
  }
  size_t at = 19;
  int64_t fraction = 0;
  if (at < text.size() && p[at] == '.') {
    int64_t scale = 1'000'000;
    for (++at; at < text.size() && p[at] >= '0' && p[at] <= '9' && scale > 1; ++at) {
      scale /= 10;
      fraction += (p[at] - '0') * scale;
    }
    if (at == 20) return false;
  }
  if (at + 1 != text.size() || p[at] != 'Z') return parse_timestamp(text, out);
  *out = midnight_ + (int64_t{hour} * 3600 + minute * 60 + second) * kMicrosPerSecond + fraction;
  return true;
}

bool parse_bool(std::string_view text, bool* out) {
  if (text == "1" || equals_ignoring_case(text, "true") || equals_ignoring_case(text, "t")) {
    *out = true;
    return true;
  }
  *out = false;
  return text == "0" || equals_ignoring_case(text, "false") || equals_ignoring_case(text, "f");
}

bool parse_int64(std::string_view text, int64_t* out) {
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, *out);
  return error == std::errc() && at == end;
}

bool parse_double(std::string_view text, double* out) {
  if (text.empty()) return false;
  if (parse_short_double(text, out)) return true;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, *out);
  if (at != end) return false;
  if (error == std::errc()) return true;
  if (error != std::errc::result_out_of_range) return false;
  // Too small rounds to zero or a denormal; too large is refused.
  *out = std::strtod(std::string(text).c_str(), nullptr);
  return std::abs(*out) < 1;
}

bool fits_int32(int64_t value) {
  return value >= std::numeric_limits<int32_t>::min() &&
         value <= std::numeric_limits<int32_t>::max();
}

bool set_decimal(size_t column, std::string_view text, BatchWriter* writer) {
  Decimal value;
  if (parse_decimal(text, writer->decimal_type(column), &value) != DecimalText::kGood) return false;
  writer->set_decimal(column, value);
  return true;
}

std::string digits_of(double value) {
  std::array<char, 32> text{};
  const auto [end, ec] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

std::string type_noun(proto::ColumnType type) {
  if (type == proto::BYTES) return "bytes";
  return expected(type).noun;
}

std::string bad_value(const proto::Field& field, std::string_view text) {
  const Expected right = expected(field.type());
  std::string noun = right.noun;
  if (field.type() == proto::DECIMAL) {
    noun += "(" + std::to_string(field.details().precision()) + ", " +
            std::to_string(field.details().scale()) + ")";
  }
  return "column '" + field.name() + "': '" + printable(text, kShownBytes) +
         (text.size() > kShownBytes ? "...' is not " : "' is not ") + noun + "; " + right.advice;
}

std::string missing_event_time(const proto::Field& field) {
  return "column '" + field.name() +
         "' is empty; every event needs its time, such as 2018-04-01T00:00:31Z";
}

std::string too_new(const proto::Field& field, TimeUs time, TimeUs not_after) {
  return "column '" + field.name() + "': " + format_timestamp(time) + " is after " +
         format_timestamp(not_after) + ", the latest event time this source may have";
}

}  // namespace tidemill
