#include "shared/expr/utf8_text.h"

#include <clocale>
#include <cwctype>

#include "shared/base/assert.h"

namespace tidemill {
namespace {

// Part of the C library's own package, so that it is there on every Debian.
locale_t utf8_locale() {
  static const locale_t locale = [] {
    const locale_t made = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    ASSERT(made != nullptr);
    return made;
  }();
  return locale;
}

// The code point of a character that is well formed; -1 of another.
int64_t code_point(std::string_view character) {
  const auto lead = static_cast<unsigned char>(character[0]);
  if (lead < 0x80) return character.size() == 1 ? lead : -1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
  if (length != character.size()) return -1;
  int64_t out = lead & (0xFF >> (length + 1));
  for (const char c : character.substr(1)) out = out << 6 | (static_cast<unsigned char>(c) & 0x3F);
  return out;
}

size_t put_code_point(uint32_t c, char* out) {
  if (c < 0x80) {
    out[0] = static_cast<char>(c);
    return 1;
  }
  const size_t length = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  for (size_t i = length - 1; i > 0; --i) {
    out[i] = static_cast<char>(0x80 | (c & 0x3F));
    c >>= 6;
  }
  out[0] = static_cast<char>((0xF00 >> length & 0xFF) | c);
  return length;
}

char with_ascii_case(char c, bool upper) {
  if (upper) return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

}  // namespace

std::string_view with_case(std::string_view text, LetterCase letters, Arena* arena) {
  const size_t room = 4 * text.size();  // a character of one byte may become one of three
  char* const begin = arena->take(room);
  char* out = begin;
  bool in_word = false;
  while (!text.empty()) {
    const size_t n = first_character(text);
    const bool upper =
        letters == LetterCase::kUpper || (letters == LetterCase::kInitial && !in_word);
    const int64_t c = code_point(text.substr(0, n));
    if (c >= 0 && c < 0x80) {
      *out++ = with_ascii_case(static_cast<char>(c), upper);
      in_word = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
    } else if (c < 0) {
      out = std::copy_n(text.data(), n, out);
      in_word = false;
    } else {
      const auto wide = static_cast<wint_t>(c);
      out += put_code_point(
          upper ? towupper_l(wide, utf8_locale()) : towlower_l(wide, utf8_locale()), out);
      in_word = iswalnum_l(wide, utf8_locale()) != 0;
    }
    text.remove_prefix(n);
  }
  const auto size = static_cast<size_t>(out - begin);
  arena->give_back(room - size);
  return {begin, size};
}

}  // namespace tidemill
