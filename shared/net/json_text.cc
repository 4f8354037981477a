#include "shared/net/json_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

namespace tidemill {
namespace {

// How many of the first bytes are plain: some eight at a time.
size_t plain_words(std::string_view text) {
  constexpr uint64_t kOnes = 0x0101'0101'0101'0101;
  constexpr uint64_t kTops = 0x80 * kOnes;
  // Has its top bit set in some byte if `x` has a byte of 0; and, of a byte above it, maybe.
  const auto zeros = [](uint64_t x) { return (x - kOnes) & ~x; };
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    const uint64_t low = (word - 0x20 * kOnes) & ~word;
    const uint64_t special = zeros(word ^ '"' * kOnes) | zeros(word ^ '\\' * kOnes);
    if (((word | low | special) & kTops) != 0) break;
  }
  return at;
}

bool is_plain(unsigned char c) { return c >= 0x20 && c < 0x80 && c != '"' && c != '\\'; }

// Length of the well-formed UTF-8 sequence at `at` (RFC 3629: no overlong forms, no surrogates,
// nothing above U+10FFFF), or 0.
size_t utf8_length(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](size_t i, unsigned least = 0x80, unsigned most = 0xBF) {
    return i < text.size() && byte(i) >= least && byte(i) <= most;
  };
  const unsigned first = byte(at);
  if (first >= 0xC2 && first <= 0xDF) return continues(at + 1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool second = continues(at + 1, first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF);
    return second && continues(at + 2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool second = continues(at + 1, first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF);
    return second && continues(at + 2) && continues(at + 3) ? 4 : 0;
  }
  return 0;
}

void append_escaped(unsigned char c, std::string* out) {
  switch (c) {
    case '"':
      out->append("\\\"");
      return;
    case '\\':
      out->append("\\\\");
      return;
    case '\b':
      out->append("\\b");
      return;
    case '\f':
      out->append("\\f");
      return;
    case '\n':
      out->append("\\n");
      return;
    case '\r':
      out->append("\\r");
      return;
    case '\t':
      out->append("\\t");
      return;
    default:
      break;
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  out->append("\\u00");
  out->push_back(kHex[c >> 4]);
  out->push_back(kHex[c & 15]);
}

}  // namespace

void append_json_string(std::string_view text, std::string* out) {
  out->push_back('"');
  size_t at = 0;
  while (at < text.size()) {
    size_t end = at + plain_words(text.substr(at));
    while (end < text.size() && is_plain(static_cast<unsigned char>(text[end]))) ++end;
    out->append(text, at, end - at);
    at = end;
    if (at == text.size()) break;
    const auto c = static_cast<unsigned char>(text[at]);
    if (c < 0x80) {
      append_escaped(c, out);
      ++at;
      continue;
    }
    const size_t length = utf8_length(text, at);
    if (length == 0) {
      out->append("\xEF\xBF\xBD");
      ++at;
    } else {
      out->append(text, at, length);
      at += length;
    }
  }
  out->push_back('"');
}

void append_json_int(int64_t value, std::string* out) {
  if (value >= 0 && value < 10) return out->push_back(static_cast<char>('0' + value));
  std::array<char, 24> text;
  const auto [end, ec] = std::to_chars(text.data(), text.data() + text.size(), value);
  out->append(text.data(), end);
}

void append_json_double(double value, std::string* out) {
  if (std::isnan(value)) {
    out->append("\"NaN\"");
    return;
  }
  if (std::isinf(value)) {
    out->append(value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    return;
  }
  std::array<char, 32> text{};
  const auto [end, ec] = std::to_chars(text.data(), text.data() + text.size(), value);
  const std::string_view digits(text.data(), static_cast<size_t>(end - text.data()));
  out->append(digits);
  if (digits.find_first_of(".e") == std::string_view::npos) out->append(".0");
}

}  // namespace tidemill
