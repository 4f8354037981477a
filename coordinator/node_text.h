// A node id as it stands in URLs, answers and the log: 16 hex digits.
#pragma once

#include <charconv>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "shared/base/ids.h"

namespace tidemill {

inline std::string node_text(NodeId node) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(node.value));
  return text;
}

// Up to 16 hex digits, not all 0.
inline std::optional<NodeId> parse_node(std::string_view text) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value, 16);
  if (parsed.ec != std::errc{} || parsed.ptr != end || value == 0) return std::nullopt;
  return NodeId{value};
}

}  // namespace tidemill
