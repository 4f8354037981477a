// Strings as characters of UTF-8. Bytes that are not UTF-8 count as characters of one byte each, as
// far as they do not continue one; nothing here reads beyond the text.
#pragma once

#include <cstdint>
#include <string_view>

#include "shared/expr/call.h"

namespace tidemill {

inline bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

inline int64_t character_count(std::string_view text) {
  int64_t n = 0;
  for (const char c : text) n += continues(c) ? 0 : 1;
  return n;
}

// Bytes of the first character; 0 of an empty text.
inline size_t first_character(std::string_view text) {
  if (text.empty()) return 0;
  size_t n = 1;
  while (n < text.size() && continues(text[n])) ++n;
  return n;
}

// Where the last character begins.
inline size_t last_character(std::string_view text) {
  size_t at = text.size() - 1;
  while (at > 0 && continues(text[at])) --at;
  return at;
}

// Bytes of the first `count` characters, or of all if there are fewer.
inline size_t bytes_of_characters(std::string_view text, int64_t count) {
  size_t at = 0;
  while (count > 0 && at < text.size()) {
    at += first_character(text.substr(at));
    --count;
  }
  return at;
}

enum class LetterCase { kLower, kUpper, kInitial };

// Letters changed as in the locale C.UTF-8 of the C library, one character to one character.
std::string_view with_case(std::string_view text, LetterCase letters, Arena* arena);

}  // namespace tidemill
