// "did you mean": the known name nearest to a mistyped one, and lists of names for messages.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tidemill {

// Fewest insertions, deletions, replacements and swaps of neighbours that make `a` of `b`.
size_t edit_distance(std::string_view a, std::string_view b);

// The first of `known` nearest to `name`, letter case aside; empty if none is near enough to be a
// likely mistyping.
std::string nearest(std::string_view name, std::span<const std::string> known);

// "; did you mean 'amount'?", or "; known are a, b and c" (at most 20 names), or nothing.
std::string suggestion(std::string_view name, std::span<const std::string> known);

// For an operator that there is not: "; write '=' instead" of ==, as programming languages have it.
std::string operator_advice(std::string_view name);

// "known is a" or "known are a, b and c".
std::string known_names(std::span<const std::string> names);

// At most `most` bytes of UTF-8 text with "..." where it was cut, never within a character.
std::string clipped(std::string_view text, size_t most);

// "a", "a or b", "a, b or c" with `last` = "or".
std::string join_names(std::span<const std::string> names, std::string_view last);

}  // namespace tidemill
