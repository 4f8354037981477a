// JSON text appended to a reused string: what answers are rendered with, without a document tree.
// Output is always valid JSON and valid UTF-8, whatever bytes come in. thread-safe
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tidemill {

// Quoted and escaped; bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string_view text, std::string* out);

void append_json_int(int64_t value, std::string* out);

// Shortest decimal that reads back as the same double, always with '.' or 'e' ("3.0"). JSON has no
// NaN and no infinities: they are the strings "NaN", "Infinity", "-Infinity".
void append_json_double(double value, std::string* out);

}  // namespace tidemill
