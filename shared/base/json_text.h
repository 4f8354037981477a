// JSON text (RFC 8259) in place: whether it is valid, and the text of a part of it as it stands
// there. Nothing is built and nothing copied. Numbers may be of any size, and of members with the
// same key the last one counts, as PostgreSQL has it for its type json; parsers that convert
// numbers or stop at the first key would answer otherwise.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidemill {

inline constexpr int kMaxJsonDepth = 512;

// One value with space around it, in UTF-8, at most kMaxJsonDepth deep.
bool is_valid_json(std::string_view text);

enum class JsonKind { kObject, kArray, kString, kNumber, kBool, kNull };

// Of valid JSON only.
JsonKind json_kind(std::string_view json);
std::optional<std::string_view> json_member(std::string_view json, std::string_view key);
// From 0; from the end if negative.
std::optional<std::string_view> json_element(std::string_view json, int64_t index);
int64_t json_element_count(std::string_view json);

// The characters of a JSON string at `out`, which has room for as many bytes as the JSON has. The
// number of bytes; nothing for what no text can hold: half a surrogate pair, and \u0000 unless
// `with_zeros`.
std::optional<size_t> json_string_value(std::string_view json, char* out, bool with_zeros = false);

}  // namespace tidemill
