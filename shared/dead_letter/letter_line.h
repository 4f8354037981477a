// One dead letter as a line of NDJSON. What a scan needs (key and reason) stands in front in a
// fixed form, so that it is read without parsing the rest. Format: docs/formats/dead_letters.md.
// thread-safe
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "shared/dead_letter/dead_letter.h"

namespace tidemill {

inline constexpr size_t kLetterMessageBytes = 4 << 10;  // longer messages are cut
inline constexpr size_t kLetterLineBytes = 160 << 10;   // no line of ours is longer

// Within one source partition.
struct LetterKey {
  uint64_t offset = 0;
  std::string view;
  friend auto operator<=>(const LetterKey&, const LetterKey&) = default;
};

struct LetterHead {
  LetterKey key;
  BadReason reason{};
};

// The line with its newline. Views are named by names (shared/plan/plan_checks.h).
void append_letter_line(const DeadLetter& letter, std::string* out);

// Of a line without its newline; nothing if it is not one of ours.
std::optional<LetterHead> parse_letter_head(std::string_view line);
std::optional<DeadLetter> parse_letter_line(std::string_view line);

// The letter as the members of a JSON object, in the order of people's interest:
// "source":...,"bytes":"<base64>". For answers over HTTP.
void append_letter_json(const DeadLetter& letter, std::string* out);

}  // namespace tidemill
