// Base64 (RFC 4648, section 4) with padding. thread-safe
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tidemill {

std::string encode_base64(std::string_view bytes);
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace tidemill
