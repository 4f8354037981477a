// UTF-8 (RFC 3629): what may stand in a Protobuf string, and in a message.
#pragma once

#include <string>
#include <string_view>

namespace tidemill {

bool is_valid_utf8(std::string_view text);

// `text` as valid UTF-8 of at most `limit` bytes, cut at a character: bytes that are not UTF-8
// become '?'. For messages about input that nobody has checked yet.
std::string printable(std::string_view text, size_t limit);

}  // namespace tidemill
