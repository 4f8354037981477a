// Bytes as text, in PostgreSQL's forms of bytea.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tidemill {

// "\x0aff", or text in which \ooo is an octal byte and \\ a backslash. Writes at most as many bytes
// as the text has, also over the text itself; the length, or nothing for text that is neither.
std::optional<size_t> text_to_bytes(std::string_view text, char* out);

// "\x0aff" into 2 + 2 * bytes.size() bytes at `out`.
void bytes_to_text(std::string_view bytes, char* out);
std::string bytes_text(std::string_view bytes);

}  // namespace tidemill
