#include "shared/expr/regex.h"

#include <re2/re2.h>

#include "shared/expr/regex_syntax.h"

namespace tidemill {

Regex::Regex(std::unique_ptr<re2::RE2> compiled) : compiled_(std::move(compiled)) {}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

Result<Regex> Regex::compile(std::string_view pattern, bool ignore_case) {
  Result<RegexSyntax> syntax = to_re2_syntax(pattern, ignore_case);
  if (!syntax.ok()) return syntax.error();
  re2::RE2::Options options;
  options.set_dot_nl(true);
  options.set_never_capture(true);
  options.set_log_errors(false);
  options.set_case_sensitive(!syntax->ignore_case);
  auto compiled = std::make_unique<re2::RE2>(syntax->re2, options);
  if (!compiled->ok()) return user_error(compiled->error());
  return Regex(std::move(compiled));
}

bool Regex::matches(std::string_view text) const {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *compiled_);
}

}  // namespace tidemill
