// like, ilike, similar to and regular expressions. Operators have PostgreSQL's names for them.
#include <optional>

#include "shared/expr/functions.h"
#include "shared/expr/regex.h"
#include "shared/expr/utf8_text.h"

namespace tidemill {
namespace {

using View = std::string_view;
using proto::BOOL;
using proto::Expr;
using proto::STRING;

constexpr RowFault kEndsWithEscape{"22025",
                                   "the like pattern must not end with the escape character"};
constexpr RowFault kEscapeLength{"22025", "the escape string must be empty or one character"};
constexpr RowFault kPatternLength{"54000", "the pattern is longer than 1 MiB"};
constexpr RowFault kEscapedQuotes{"2200C", "a pattern has at most two escaped double quotes"};

// `%` any text, `_` any character, a backslash makes the next one stand for itself. After a `%` the
// text before it is settled: should what follows not match here, it may match one character later.
const RowFault* like(uint8_t* out, View text, View pattern) {
  View after_percent;
  View retry;
  bool may_retry = false;
  *out = 0;
  for (;;) {
    if (!pattern.empty() && pattern.front() == '%') {
      pattern.remove_prefix(1);
      if (pattern.empty()) {
        *out = 1;
        return nullptr;
      }
      if (pattern == "\\" && !text.empty()) return &kEndsWithEscape;
      after_percent = pattern;
      retry = text;
      may_retry = true;
      continue;
    }
    if (text.empty() && pattern.empty()) {
      *out = 1;
      return nullptr;
    }
    if (!text.empty() && !pattern.empty()) {
      if (pattern.front() == '_') {
        pattern.remove_prefix(1);
        text.remove_prefix(first_character(text));
        continue;
      }
      View wanted = pattern;
      if (wanted.front() == '\\') wanted.remove_prefix(1);
      if (wanted.empty()) return &kEndsWithEscape;
      if (wanted.front() == text.front()) {
        pattern = wanted.substr(1);
        text.remove_prefix(1);
        continue;
      }
    }
    if (!may_retry || retry.empty()) return nullptr;
    retry.remove_prefix(first_character(retry));
    text = retry;
    pattern = after_percent;
  }
}

const RowFault* not_like(uint8_t* out, View text, View pattern) {
  const RowFault* fault = like(out, text, pattern);
  *out = *out == 0;
  return fault;
}

// Both in small letters; the pattern's are kept, as it is mostly the same.
struct SmallPattern : FunctionState {
  std::string pattern;
  std::string small;
  Arena arena;

  View lower(View text) {
    if (text != pattern || text.empty()) {
      pattern = text;
      arena.reset();
      small = with_case(text, LetterCase::kLower, &arena);
    }
    return small;
  }
  Arena scratch;
};

const RowFault* ilike(SmallPattern& state, uint8_t* out, View text, View pattern) {
  state.scratch.reset();
  return like(out, with_case(text, LetterCase::kLower, &state.scratch), state.lower(pattern));
}
const RowFault* not_ilike(SmallPattern& state, uint8_t* out, View text, View pattern) {
  const RowFault* fault = ilike(state, out, text, pattern);
  *out = *out == 0;
  return fault;
}
Result<std::unique_ptr<FunctionState>> prepare_ilike(const Expr&) {
  return std::unique_ptr<FunctionState>(std::make_unique<SmallPattern>());
}

// A pattern for like in which `escape` has the backslash's place.
const RowFault* like_escape(Text* out, View pattern, View escape) {
  if (!escape.empty() && first_character(escape) != escape.size()) return &kEscapeLength;
  if (pattern.size() > kMaxTextBytes) return &kPatternLength;
  out->value = pattern;
  if (escape == "\\") return nullptr;
  char* const begin = out->arena->take(2 * pattern.size());
  char* put = begin;
  bool escaped = false;
  while (!pattern.empty()) {
    const View character = pattern.substr(0, first_character(pattern));
    pattern.remove_prefix(character.size());
    if (character == escape && !escaped) {
      *put++ = '\\';
      escaped = true;
      continue;
    }
    if (character == "\\" && !escaped) *put++ = '\\';
    put = std::copy(character.begin(), character.end(), put);
    escaped = false;
  }
  const auto size = static_cast<size_t>(put - begin);
  out->value = {begin, size};
  return nullptr;
}

// Where a pattern of `similar to` is within [...], as far as it takes to find their end: a `]`
// right behind `[` or `[^` is one of the characters, and those of [:alpha:] are within.
struct Brackets {
  int depth = 0;
  int position = 0;  // 1 behind `[`, 2 behind `[^`, more behind a character

  void take(char c) {
    if (c == ']' && position > 2) {
      --depth;
    } else if (c == '[') {
      position = ++depth == 1 ? 1 : 3;
    } else {
      position = c == '^' ? position + 1 : 3;
    }
  }
};

// The regular expression that means what a pattern of `similar to` does. Two escaped double quotes
// are around the part that `substring(s similar p)` gives; for a match they do not matter.
const RowFault* similar_to_escape_with(Text* out, View pattern, View escape) {
  if (!escape.empty() && first_character(escape) != escape.size()) return &kEscapeLength;
  if (pattern.size() > kMaxTextBytes) return &kPatternLength;
  std::string regex = "^(?:";
  bool escaped = false;
  int quotes = 0;
  Brackets brackets;
  while (!pattern.empty()) {
    const View character = pattern.substr(0, first_character(pattern));
    const char c = character.front();
    pattern.remove_prefix(character.size());
    if (escaped) {
      escaped = false;
      if (c == '"' && brackets.depth == 0) {
        if (++quotes > 2) return &kEscapedQuotes;
        regex += quotes == 1 ? "){1,1}?(" : "){1,1}(?:";
        continue;
      }
      regex += '\\';
      regex += character;
      brackets.position = 3;
    } else if (character == escape) {
      escaped = true;
    } else if (brackets.depth > 0) {
      if (c == '\\') regex += '\\';
      regex += character;
      brackets.take(c);
    } else if (c == '%') {
      regex += ".*";
    } else if (c == '_') {
      regex += '.';
    } else if (c == '(') {
      regex += "(?:";
    } else {
      if (c == '\\' || c == '.' || c == '^' || c == '$') regex += '\\';
      regex += character;
      if (c == '[') brackets.take(c);
    }
  }
  out->value = out->arena->copy(regex + ")$");
  return nullptr;
}
const RowFault* similar_to_escape(Text* out, View pattern) {
  return similar_to_escape_with(out, pattern, "\\");
}

// The pattern of the last row, compiled: a literal one, or a column's as long as it stays the same.
struct LastRegex : FunctionState {
  explicit LastRegex(bool without_case) : ignore_case(without_case) {}

  const RowFault* use(View text) {
    if (known && text == pattern) return fault.message == nullptr ? nullptr : &fault;
    known = true;
    pattern = text;
    fault = {"2201B", nullptr};
    Result<Regex> compiled = Regex::compile(text, ignore_case);
    if (compiled.ok()) {
      regex = *std::move(compiled);
      return nullptr;
    }
    reason = "invalid regular expression: " + compiled.error().message();
    fault.message = reason.c_str();
    return &fault;
  }

  bool ignore_case;
  bool known = false;
  std::string pattern;
  std::optional<Regex> regex;
  std::string reason;
  RowFault fault{};
};

const RowFault* matches(LastRegex& state, uint8_t* out, View text, View pattern) {
  const RowFault* fault = state.use(pattern);
  if (fault == nullptr) *out = state.regex->matches(text) ? 1 : 0;
  return fault;
}
const RowFault* does_not_match(LastRegex& state, uint8_t* out, View text, View pattern) {
  const RowFault* fault = matches(state, out, text, pattern);
  *out = *out == 0;
  return fault;
}

template <bool kIgnoreCase>
Result<std::unique_ptr<FunctionState>> prepare_regex(const Expr& call) {
  auto state = std::make_unique<LastRegex>(kIgnoreCase);
  const Expr& pattern = call.args(1);
  if (pattern.literal_case() == Expr::kLiteralString) {
    if (const RowFault* fault = state->use(pattern.literal_string()); fault != nullptr) {
      return user_error(fault->message);
    }
  }
  return std::unique_ptr<FunctionState>(std::move(state));
}

}  // namespace

std::span<const SqlFunction> pattern_functions() {
  static const std::vector<SqlFunction> all = {
      {"~~", {STRING, STRING}, BOOL, strict<like>, true, "`s like p`"},
      {"!~~", {STRING, STRING}, BOOL, strict<not_like>, true, "`s not like p`"},
      {"~~*",
       {STRING, STRING},
       BOOL,
       strict_with_state<ilike>,
       true,
       "`s ilike p`: like, letter case aside",
       false,
       prepare_ilike},
      {"!~~*",
       {STRING, STRING},
       BOOL,
       strict_with_state<not_ilike>,
       true,
       "`s not ilike p`",
       false,
       prepare_ilike},
      {"like_escape",
       {STRING, STRING},
       STRING,
       strict<like_escape>,
       true,
       "`p escape e`: the pattern with a backslash for that escape character"},
      {"~",
       {STRING, STRING},
       BOOL,
       strict_with_state<matches>,
       true,
       "whether the regular expression matches somewhere",
       false,
       prepare_regex<false>},
      {"~*",
       {STRING, STRING},
       BOOL,
       strict_with_state<matches>,
       true,
       "the same, letter case aside",
       false,
       prepare_regex<true>},
      {"!~",
       {STRING, STRING},
       BOOL,
       strict_with_state<does_not_match>,
       true,
       "whether it matches nowhere",
       false,
       prepare_regex<false>},
      {"!~*",
       {STRING, STRING},
       BOOL,
       strict_with_state<does_not_match>,
       true,
       "the same, letter case aside",
       false,
       prepare_regex<true>},
      {"similar_to_escape",
       {STRING},
       STRING,
       strict<similar_to_escape>,
       true,
       "a pattern of `s similar to p` as a regular expression"},
      {"similar_to_escape",
       {STRING, STRING},
       STRING,
       strict<similar_to_escape_with>,
       true,
       "the same with an escape character"},
  };
  return all;
}

}  // namespace tidemill
