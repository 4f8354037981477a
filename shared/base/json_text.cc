#include "shared/base/json_text.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "shared/base/utf8.h"

namespace tidemill {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

bool read_hex4(std::string_view text, uint32_t* out) {
  if (text.size() < 4) return false;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + 4, *out, 16);
  return ec == std::errc() && end == text.data() + 4;
}

// Reads values from the front of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool done() {
    skip_space();
    return rest_.empty();
  }
  bool take(char c) {
    skip_space();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  // The text of the next value.
  std::optional<std::string_view> value(int depth) {
    skip_space();
    const std::string_view begin = rest_;
    if (!skip_value(depth)) return std::nullopt;
    return begin.substr(0, begin.size() - rest_.size());
  }

 private:
  void skip_space() {
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
  }

  bool skip_value(int depth) {
    if (rest_.empty() || depth > kMaxJsonDepth) return false;
    switch (rest_.front()) {
      case '{':
        return skip_members(depth);
      case '[':
        return skip_elements(depth);
      case '"':
        return skip_string();
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return skip_number();
    }
  }

  bool word(std::string_view what) {
    if (!rest_.starts_with(what)) return false;
    rest_.remove_prefix(what.size());
    return true;
  }

  bool skip_members(int depth) {
    take('{');
    if (take('}')) return true;
    do {
      skip_space();
      if (!skip_string() || !take(':')) return false;
      skip_space();
      if (!skip_value(depth + 1)) return false;
    } while (take(','));
    return take('}');
  }

  bool skip_elements(int depth) {
    take('[');
    if (take(']')) return true;
    do {
      skip_space();
      if (!skip_value(depth + 1)) return false;
    } while (take(','));
    return take(']');
  }

  bool skip_string() {
    if (rest_.empty() || rest_.front() != '"') return false;
    size_t at = 1;
    for (; at < rest_.size() && rest_[at] != '"'; ++at) {
      if (static_cast<unsigned char>(rest_[at]) < 0x20) return false;
      if (rest_[at] != '\\') continue;
      if (++at == rest_.size()) return false;
      if (rest_[at] == 'u') {
        uint32_t unit = 0;
        if (!read_hex4(rest_.substr(at + 1), &unit)) return false;
        at += 4;
      } else if (std::string_view("\"\\/bfnrt").find(rest_[at]) == std::string_view::npos) {
        return false;
      }
    }
    if (at == rest_.size()) return false;
    rest_.remove_prefix(at + 1);
    return true;
  }

  bool skip_digits() {
    const size_t before = rest_.size();
    while (!rest_.empty() && is_digit(rest_.front())) rest_.remove_prefix(1);
    return rest_.size() < before;
  }

  bool skip_number() {
    if (rest_.front() == '-') rest_.remove_prefix(1);
    if (rest_.starts_with('0')) {
      rest_.remove_prefix(1);
    } else if (!skip_digits()) {
      return false;
    }
    if (rest_.starts_with('.')) {
      rest_.remove_prefix(1);
      if (!skip_digits()) return false;
    }
    if (rest_.starts_with('e') || rest_.starts_with('E')) {
      rest_.remove_prefix(1);
      if (rest_.starts_with('+') || rest_.starts_with('-')) rest_.remove_prefix(1);
      if (!skip_digits()) return false;
    }
    return true;
  }

  std::string_view rest_;
};

size_t put_utf8(uint32_t c, char* out) {
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

// The code point behind \u at the front of `text`, of one escape or a pair of them.
std::optional<uint32_t> take_code_point(std::string_view* text, bool with_zero) {
  uint32_t first = 0;
  read_hex4(*text, &first);
  text->remove_prefix(4);
  if (first == 0 && !with_zero) return std::nullopt;
  if (first >= 0xDC00 && first < 0xE000) return std::nullopt;
  if (first < 0xD800 || first >= 0xE000) return first;
  uint32_t second = 0;
  if (!text->starts_with("\\u") || !read_hex4(text->substr(2), &second) || second < 0xDC00 ||
      second >= 0xE000) {
    return std::nullopt;
  }
  text->remove_prefix(6);
  return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
}

// Whether the string `json` is `text`.
bool is_string_of(std::string_view json, std::string_view text) {
  const std::string_view inside = json.substr(1, json.size() - 2);
  if (inside.find('\\') == std::string_view::npos) return inside == text;
  std::string value(json.size(), '\0');
  const std::optional<size_t> size = json_string_value(json, value.data());
  return size.has_value() && std::string_view(value).substr(0, *size) == text;
}

}  // namespace

bool is_valid_json(std::string_view text) {
  Scanner in(text);
  return in.value(0).has_value() && in.done() && is_valid_utf8(text);
}

JsonKind json_kind(std::string_view json) {
  switch (trimmed(json).front()) {
    case '{':
      return JsonKind::kObject;
    case '[':
      return JsonKind::kArray;
    case '"':
      return JsonKind::kString;
    case 't':
    case 'f':
      return JsonKind::kBool;
    case 'n':
      return JsonKind::kNull;
    default:
      return JsonKind::kNumber;
  }
}

std::optional<std::string_view> json_member(std::string_view json, std::string_view key) {
  Scanner in(json);
  std::optional<std::string_view> found;
  if (!in.take('{') || in.take('}')) return found;
  do {
    const auto name = in.value(0);
    if (!name.has_value() || !in.take(':')) return found;
    const auto value = in.value(0);
    if (is_string_of(*name, key)) found = value;
  } while (in.take(','));
  return found;
}

std::optional<std::string_view> json_element(std::string_view json, int64_t index) {
  if (index < 0) index += json_element_count(json);
  Scanner in(json);
  if (index < 0 || !in.take('[') || in.take(']')) return std::nullopt;
  do {
    const auto value = in.value(0);
    if (index-- == 0) return value;
  } while (in.take(','));
  return std::nullopt;
}

int64_t json_element_count(std::string_view json) {
  Scanner in(json);
  if (!in.take('[') || in.take(']')) return 0;
  int64_t count = 0;
  do {
    in.value(0);
    ++count;
  } while (in.take(','));
  return count;
}

std::optional<size_t> json_string_value(std::string_view json, char* out, bool with_zeros) {
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  std::string_view rest = json.substr(1, json.size() - 2);
  char* const begin = out;
  while (!rest.empty()) {
    const size_t plain = std::min(rest.find('\\'), rest.size());
    out = std::copy_n(rest.data(), plain, out);
    rest.remove_prefix(plain);
    if (rest.empty()) break;
    const char letter = rest[1];
    rest.remove_prefix(2);
    if (letter != 'u') {
      *out++ = kMeanings[kLetters.find(letter)];
      continue;
    }
    const std::optional<uint32_t> c = take_code_point(&rest, with_zeros);
    if (!c.has_value()) return std::nullopt;
    out += put_utf8(*c, out);
  }
  return static_cast<size_t>(out - begin);
}

}  // namespace tidemill
