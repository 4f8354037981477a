// Regular expressions: PostgreSQL's advanced ones (ARE), matched by RE2, whose time is linear in
// the text whatever the pattern. What RE2 cannot do in linear time, backreferences and lookaround,
// is refused; docs/expressions.md lists what differs. RE2 stays behind this header.
#pragma once

#include <memory>
#include <string_view>

#include "shared/base/result.h"

namespace re2 {
class RE2;
}

namespace tidemill {

class Regex {
 public:
  static Result<Regex> compile(std::string_view pattern, bool ignore_case);
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  // Whether some part of `text` matches.
  bool matches(std::string_view text) const;

 private:
  explicit Regex(std::unique_ptr<re2::RE2> compiled);
  std::unique_ptr<re2::RE2> compiled_;
};

}  // namespace tidemill
