#include "shared/base/bytes_text.h"

namespace tidemill {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<size_t> from_hex(std::string_view text, char* out) {
  char* const begin = out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') continue;
    const int high = hex_digit(text[i]);
    const int low = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    *out++ = static_cast<char>(high << 4 | low);
    ++i;
  }
  return static_cast<size_t>(out - begin);
}

bool is_octal(char c, char most) { return c >= '0' && c <= most; }

}  // namespace

std::optional<size_t> text_to_bytes(std::string_view text, char* out) {
  if (text.starts_with("\\x")) return from_hex(text.substr(2), out);
  char* const begin = out;
  while (!text.empty()) {
    if (text.front() != '\\') {
      *out++ = text.front();
      text.remove_prefix(1);
    } else if (text.starts_with("\\\\")) {
      *out++ = '\\';
      text.remove_prefix(2);
    } else if (text.size() >= 4 && is_octal(text[1], '3') && is_octal(text[2], '7') &&
               is_octal(text[3], '7')) {
      *out++ = static_cast<char>((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
      text.remove_prefix(4);
    } else {
      return std::nullopt;
    }
  }
  return static_cast<size_t>(out - begin);
}

void bytes_to_text(std::string_view bytes, char* out) {
  constexpr std::string_view kHex = "0123456789abcdef";
  *out++ = '\\';
  *out++ = 'x';
  for (const char c : bytes) {
    *out++ = kHex[static_cast<unsigned char>(c) >> 4];
    *out++ = kHex[static_cast<unsigned char>(c) & 15];
  }
}

std::string bytes_text(std::string_view bytes) {
  std::string out(2 + 2 * bytes.size(), '\0');
  bytes_to_text(bytes, out.data());
  return out;
}

}  // namespace tidemill
