#include "shared/expr/regex_syntax.h"

#include <array>
#include <charconv>

#include "shared/base/utf8.h"

namespace tidemill {
namespace {

constexpr int kMostRepeats = 255;
constexpr size_t kDeepest = 200;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alnum(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

Error not_linear(std::string_view what) {
  return user_error(std::string(what) + " not supported: they cannot be matched in linear time");
}

class Translator {
 public:
  explicit Translator(std::string_view pattern) : rest_(pattern) {}

  Result<RegexSyntax> translate(bool ignore_case) {
    if (!is_valid_utf8(rest_)) return user_error("the pattern is not UTF-8");
    if (rest_.starts_with("***"))
      return user_error("patterns that begin with *** are not supported");
    if (Status s = options(&ignore_case); !s.ok()) return s.error();
    while (!rest_.empty()) {
      if (Status s = piece(); !s.ok()) return s.error();
    }
    if (depth_ != 0) return user_error("parentheses () not balanced");
    return RegexSyntax{std::move(out_), ignore_case};
  }

 private:
  char take() {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  bool take(std::string_view what) {
    if (!rest_.starts_with(what)) return false;
    rest_.remove_prefix(what.size());
    return true;
  }

  // (?i) and its like, at the start only.
  Status options(bool* ignore_case) {
    if (!rest_.starts_with("(?") || rest_.size() < 3 || !is_alnum(rest_[2])) return {};
    rest_.remove_prefix(2);
    while (!rest_.empty() && rest_.front() != ')') {
      const char option = take();
      if (option == 'i' || option == 'c') {
        *ignore_case = option == 'i';
      } else if (option != 's' && option != 't' && option != 'e') {
        return user_error("of the options of a pattern, i, c and s are supported");
      }
    }
    return take(")") ? Status() : user_error("the options of the pattern do not end");
  }

  Status piece() {
    const char c = rest_.front();
    if (c == '*' || c == '+' || c == '?') {
      rest_.remove_prefix(1);
      return quantifier(std::string(1, c));
    }
    if (c == '{' && rest_.size() > 1 && is_digit(rest_[1])) return bound();
    switch (c) {
      case '(':
        return open();
      case ')':
        rest_.remove_prefix(1);
        if (depth_-- == 0) return user_error("parentheses () not balanced");
        return atom(")");
      case '|':
      case '^':
      case '$':
        out_ += take();
        may_repeat_ = false;
        return {};
      case '.':
        return atom(std::string(1, take()));
      case '[':
        return bracket();
      case '\\':
        return escape();
      default:
        return literal(take());
    }
  }

  Status atom(const std::string& text) {
    out_ += text;
    may_repeat_ = true;
    return {};
  }
  Status constraint(const std::string& text) {
    out_ += text;
    may_repeat_ = false;
    return {};
  }
  // The bytes of a character of several are one atom for RE2 as well.
  Status literal(char c) {
    put_literal(c);
    while (!rest_.empty() && (static_cast<unsigned char>(rest_.front()) & 0xC0) == 0x80) {
      out_ += take();
    }
    may_repeat_ = true;
    return {};
  }
  void put_literal(char c) {
    const bool plain = is_alnum(c) || c == '_' || c == ' ' || static_cast<signed char>(c) < 0x20;
    if (!plain) out_ += '\\';
    out_ += c;
  }
  Status put_code_point(uint32_t c) {
    if (c > 0x10FFFF || c == 0) return user_error("invalid escape \\ sequence");
    std::array<char, 16> buffer;
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), c, 16).ptr;
    out_ += "\\x{" + std::string(buffer.data(), end) + "}";
    return {};
  }

  // Which of the matches is found does not matter here, so that greedy is as good as not.
  Status quantifier(const std::string& text) {
    if (!may_repeat_) return user_error("quantifier operand invalid");
    take("?");
    out_ += text;
    may_repeat_ = false;
    return {};
  }

  bool number(int* out) {
    const auto [end, ec] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), *out);
    if (ec != std::errc() || *out > kMostRepeats) return false;
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return true;
  }
  Status bound() {
    const Error invalid = user_error("invalid repetition count(s)");
    rest_.remove_prefix(1);
    int least = 0;
    if (!number(&least)) return invalid;
    std::string text = "{" + std::to_string(least);
    if (take(",")) {
      text += ',';
      if (!rest_.empty() && is_digit(rest_.front())) {
        int most = 0;
        if (!number(&most) || most < least) return invalid;
        text += std::to_string(most);
      }
    }
    if (!take("}")) return invalid;
    return quantifier(text + "}");
  }

  Status open() {
    rest_.remove_prefix(1);
    if (rest_.starts_with("?=") || rest_.starts_with("?!") || rest_.starts_with("?<")) {
      return not_linear("lookahead and lookbehind are");
    }
    if (rest_.starts_with("?") && !take("?:")) return user_error("quantifier operand invalid");
    if (++depth_ > kDeepest) return user_error("the pattern is nested too deep");
    out_ += "(?:";
    may_repeat_ = false;
    return {};
  }

  // \d, \s, \w and their opposites; empty for another letter.
  static std::string class_of(char c) {
    switch (c) {
      case 'd':
        return "[:digit:]";
      case 'D':
        return "[:^digit:]";
      case 's':
        return "[:space:]";
      case 'S':
        return "[:^space:]";
      case 'w':
        return "[:word:]";
      case 'W':
        return "[:^word:]";
      default:
        return "";
    }
  }

  Result<uint32_t> hexadecimal(size_t least, size_t most) {
    size_t n = 0;
    uint32_t value = 0;
    while (n < most && n < rest_.size() && isxdigit(static_cast<unsigned char>(rest_[n])) != 0) ++n;
    if (n < least) return user_error("invalid escape \\ sequence");
    std::from_chars(rest_.data(), rest_.data() + n, value, 16);
    rest_.remove_prefix(n);
    return value;
  }

  // The character that an escape of one stands for, after its letter; nothing if it is no such one.
  Result<std::optional<uint32_t>> character_of(char c) {
    const auto is = [](uint32_t value) { return std::optional<uint32_t>(value); };
    switch (c) {
      case 'a':
        return is(7);
      case 'b':
        return is(8);
      case 'B':
        return is('\\');
      case 'e':
        return is(27);
      case 'f':
        return is('\f');
      case 'n':
        return is('\n');
      case 'r':
        return is('\r');
      case 't':
        return is('\t');
      case 'v':
        return is('\v');
      case 'c':
        if (rest_.empty()) return user_error("invalid escape \\ sequence");
        return is(static_cast<uint32_t>(take()) & 31);
      case 'u':
      case 'U':
      case 'x': {
        const size_t digits = c == 'u' ? 4 : 8;
        Result<uint32_t> value = hexadecimal(c == 'x' ? 1 : digits, digits);
        if (!value.ok()) return value.error();
        return is(*value);
      }
      default:
        return std::optional<uint32_t>();
    }
  }

  Status escape() {
    rest_.remove_prefix(1);
    if (rest_.empty()) return user_error("invalid escape \\ sequence");
    const char c = take();
    if (!is_alnum(c)) return literal(c);
    if (const std::string named = class_of(c); !named.empty()) return atom("[" + named + "]");
    switch (c) {
      case 'A':
        return constraint("\\A");
      case 'Z':
        return constraint("\\z");
      case 'y':
        return constraint("\\b");
      case 'Y':
        return constraint("\\B");
      case 'm':
      case 'M':
        return user_error("\\m and \\M are not supported; write \\y");
      default:
        break;
    }
    if (is_digit(c)) return not_linear("backreferences are");
    Result<std::optional<uint32_t>> value = character_of(c);
    if (!value.ok()) return value.error();
    if (!value->has_value()) return user_error("invalid escape \\ sequence");
    may_repeat_ = true;
    return put_code_point(**value);
  }

  Status bracket() {
    rest_.remove_prefix(1);
    if (rest_.starts_with("[:<:]]") || rest_.starts_with("[:>:]]")) {
      return user_error("[[:<:]] and [[:>:]] are not supported; write \\y");
    }
    out_ += '[';
    if (take("^")) out_ += '^';
    bool first = true;
    while (!rest_.empty() && (first || rest_.front() != ']')) {
      if (Status s = member(first); !s.ok()) return s;
      first = false;
    }
    if (!take("]")) return user_error("brackets [] not balanced");
    return atom("]");
  }

  Status member(bool first) {
    if (take("[:")) return named_class();
    if (rest_.starts_with("[.") || rest_.starts_with("[=")) {
      return user_error("[. .] and [= =] in brackets are not supported; write the character");
    }
    const char c = take();
    if (c == '\\') return escape_in_bracket();
    // A minus stands for itself at either end only.
    if (c == '-' && !first && !rest_.starts_with("]")) {
      out_ += '-';
      if (rest_.starts_with("-") || rest_.starts_with("["))
        return user_error("invalid character range");
      return {};
    }
    return literal(c);
  }

  Status escape_in_bracket() {
    if (rest_.empty()) return user_error("invalid escape \\ sequence");
    const char c = take();
    if (!is_alnum(c)) return literal(c);
    if (const std::string named = class_of(c); !named.empty()) {
      out_ += named;
      return {};
    }
    Result<std::optional<uint32_t>> value = character_of(c);
    if (!value.ok()) return value.error();
    if (!value->has_value()) return user_error("invalid escape \\ sequence");
    return put_code_point(**value);
  }

  Status named_class() {
    constexpr std::array<std::string_view, 14> kNames = {
        "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph",
        "lower", "print", "punct", "space", "upper", "word",  "xdigit"};
    for (const std::string_view name : kNames) {
      if (!take(std::string(name) + ":]")) continue;
      out_ += "[:" + std::string(name) + ":]";
      return {};
    }
    return user_error("invalid character class");
  }

  std::string_view rest_;
  std::string out_;
  size_t depth_ = 0;
  bool may_repeat_ = false;
};

}  // namespace

Result<RegexSyntax> to_re2_syntax(std::string_view pattern, bool ignore_case) {
  return Translator(pattern).translate(ignore_case);
}

}  // namespace tidemill
