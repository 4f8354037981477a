#include "shared/base/decimal.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "shared/base/decimal_math.h"

namespace tidemill {
namespace {

using decimal_math::kPowers;
using decimal_math::magnitude_of;
using decimal_math::U128;

constexpr uint8_t kZeroHead = 0x80;
constexpr size_t kKeptDigits = 128;  // more than any rounding looks at
constexpr int64_t kMostExponent = 100'000;

// The digits of a number's text: value = digits / 10^scale.
struct Digits {
  std::array<char, kKeptDigits> kept;  // the first ones, without leading zeros
  size_t count = 0;                    // of those kept
  bool cut = false;                    // there were more
  int64_t scale = 0;
  bool negative = false;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The exponent behind the digits; false if there is something else.
bool read_exponent(std::string_view text, int64_t* out) {
  *out = 0;
  if (text.empty()) return true;
  if (text[0] != 'e' && text[0] != 'E') return false;
  text.remove_prefix(1);
  const bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  if (text.empty()) return false;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    *out = std::min(*out * 10 + (c - '0'), kMostExponent);
  }
  if (negative) *out = -*out;
  return true;
}

bool read_digits(std::string_view text, Digits* out) {
  size_t at = 0;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    out->negative = text[0] == '-';
    at = 1;
  }
  bool point = false;
  bool any = false;
  for (; at < text.size(); ++at) {
    if (text[at] == '.' && !point) {
      point = true;
      continue;
    }
    if (!is_digit(text[at])) break;
    any = true;
    if (point) ++out->scale;
    if (out->count == 0 && text[at] == '0') continue;
    if (out->count < kKeptDigits) {
      out->kept[out->count++] = text[at];
    } else {
      out->cut = true;
      --out->scale;
    }
  }
  int64_t exponent = 0;
  if (!any || !read_exponent(text.substr(at), &exponent)) return false;
  out->scale -= exponent;
  return true;
}

U128 number_of(const Digits& digits, size_t count) {
  U128 out = 0;
  for (size_t i = 0; i < count; ++i) out = out * 10 + static_cast<unsigned>(digits.kept[i] - '0');
  return out;
}

// With `scale` digits behind the point; false if there are more than `most` in all.
bool scaled(const Digits& digits, int64_t scale, uint32_t most, Decimal* out) {
  const int64_t drop = digits.scale - scale;
  const int64_t count = static_cast<int64_t>(digits.count) - drop;
  if (digits.count == 0 || count < 0) {
    *out = {0, static_cast<uint8_t>(scale)};
    return true;
  }
  if (count > static_cast<int64_t>(most)) return false;
  U128 number = 0;
  if (drop <= 0) {
    number = number_of(digits, digits.count) * kPowers[static_cast<size_t>(-drop)];
  } else {
    number = number_of(digits, static_cast<size_t>(count));
    if (digits.kept[static_cast<size_t>(count)] >= '5') ++number;
  }
  if (number >= kPowers[most]) return false;
  const auto value = static_cast<__int128>(number);
  *out = {digits.negative ? -value : value, static_cast<uint8_t>(scale)};
  return true;
}

}  // namespace

size_t encode_decimal(const Decimal& value, char* out) {
  U128 magnitude = magnitude_of(value.unscaled);
  size_t bytes = 0;
  for (U128 rest = magnitude; rest != 0; rest >>= 8) ++bytes;
  const bool negative = value.unscaled < 0;
  out[0] = static_cast<char>(negative ? kZeroHead - bytes : kZeroHead + bytes);
  for (size_t i = 0; i < bytes; ++i) {
    const auto byte = static_cast<uint8_t>(magnitude >> (8 * (bytes - 1 - i)));
    out[1 + i] = static_cast<char>(negative ? ~byte : byte);
  }
  out[1 + bytes] = static_cast<char>(value.scale);
  return bytes + 2;
}

std::optional<Decimal> decode_decimal(std::string_view bytes) {
  if (bytes.size() < 2 || bytes.size() > kMaxDecimalEncoding) return std::nullopt;
  const auto head = static_cast<uint8_t>(bytes[0]);
  const size_t size = head >= kZeroHead ? head - kZeroHead : kZeroHead - head;
  const auto scale = static_cast<uint8_t>(bytes.back());
  if (bytes.size() != size + 2 || scale > kMaxDecimalDigits) return std::nullopt;
  U128 magnitude = 0;
  for (size_t i = 0; i < size; ++i) {
    auto byte = static_cast<uint8_t>(bytes[1 + i]);
    if (head < kZeroHead) byte = static_cast<uint8_t>(~byte);
    if (i == 0 && byte == 0) return std::nullopt;
    magnitude = magnitude << 8 | byte;
  }
  if (magnitude >= kPowers[kMaxDecimalDigits]) return std::nullopt;
  const auto value = static_cast<__int128>(magnitude);
  return Decimal{head < kZeroHead ? -value : value, scale};
}

std::string_view decimal_to_text(const Decimal& value, DecimalBuffer& buffer) {
  char* const end = buffer + sizeof buffer;
  char* at = end;
  U128 rest = magnitude_of(value.unscaled);
  for (uint32_t digits = 0; rest != 0 || digits <= value.scale; ++digits) {
    if (digits == value.scale && digits != 0) *--at = '.';
    *--at = static_cast<char>('0' + static_cast<int>(rest % 10));
    rest /= 10;
  }
  if (value.unscaled < 0) *--at = '-';
  return {at, static_cast<size_t>(end - at)};
}

std::string decimal_to_string(const Decimal& value) {
  DecimalBuffer buffer;
  return std::string(decimal_to_text(value, buffer));
}

std::string decimal_bytes_to_string(std::string_view bytes) {
  return decimal_to_string(decode_decimal(bytes).value_or(Decimal{}));
}

DecimalText parse_decimal(std::string_view text, Decimal* out) {
  Digits digits;
  if (!read_digits(text, &digits)) return DecimalText::kInvalid;
  const int64_t scale = std::max<int64_t>(digits.scale, 0);
  if (digits.cut || scale > kMaxDecimalDigits) return DecimalText::kTooLong;
  return scaled(digits, scale, kMaxDecimalDigits, out) ? DecimalText::kGood : DecimalText::kTooLong;
}

DecimalText parse_decimal(std::string_view text, const DecimalType& type, Decimal* out) {
  Digits digits;
  if (!read_digits(text, &digits)) return DecimalText::kInvalid;
  return scaled(digits, type.scale, type.precision, out) ? DecimalText::kGood
                                                         : DecimalText::kTooLong;
}

double decimal_to_double(const Decimal& value) {
  constexpr uint32_t kExactPowers = 22;
  constexpr std::array<double, kExactPowers + 1> kTens{
      1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
      1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  constexpr U128 kExact = U128{1} << 53;
  // Both are exact, so that the one division rounds once.
  if (magnitude_of(value.unscaled) <= kExact && value.scale <= kExactPowers) {
    return static_cast<double>(static_cast<int64_t>(value.unscaled)) / kTens[value.scale];
  }
  DecimalBuffer buffer;
  const std::string_view text = decimal_to_text(value, buffer);
  double out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

bool decimal_of_double(double value, Decimal* out) {
  if (!std::isfinite(value)) return false;
  std::array<char, 40> text;
  const int size = std::snprintf(text.data(), text.size(), "%.15g", value);
  return parse_decimal({text.data(), static_cast<size_t>(size)}, out) == DecimalText::kGood;
}

bool decimal_to_int(const Decimal& value, int64_t low, int64_t high, int64_t* out) {
  Decimal whole;
  if (!rescale(value, 0, Rounding::kHalfAwayFromZero, &whole)) return false;
  if (whole.unscaled < low || whole.unscaled > high) return false;
  *out = static_cast<int64_t>(whole.unscaled);
  return true;
}

}  // namespace tidemill
