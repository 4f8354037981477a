// PostgreSQL's advanced regular expressions in RE2's syntax, for asking whether there is a match.
#pragma once

#include <string>
#include <string_view>

#include "shared/base/result.h"

namespace tidemill {

struct RegexSyntax {
  std::string re2;
  bool ignore_case = false;
};

Result<RegexSyntax> to_re2_syntax(std::string_view pattern, bool ignore_case);

}  // namespace tidemill
