// Entity keys as bytes: what is hashed, routed and stored. One string join key is its own bytes;
// anything else is the concatenation of its parts, each with its length or fixed width in front,
// so that different keys never have the same bytes. Format: docs/formats/entity_key.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/bytes.h"
#include "shared/columns/row_block.h"

namespace tidemill {

// True if the key is a single string, whose bytes are the key.
inline bool is_plain_string_key(const std::vector<ColumnType>& types) {
  return types.size() == 1 && types[0] == ColumnType::kString;
}

inline void append_key_int(int64_t value, std::string* out) {
  out->append(reinterpret_cast<const char*>(&value), sizeof value);
}
inline void append_key_string(std::string_view value, std::string* out) {
  const auto size = static_cast<uint32_t>(value.size());
  out->append(reinterpret_cast<const char*>(&size), sizeof size);
  out->append(value);
}

// One part of a key, read back. Booleans are 0 or 1, timestamps microseconds.
struct KeyPart {
  ColumnType type{};
  int64_t int_value = 0;
  std::string_view string_value;
};

// The parts of a key's bytes; empty if they are not those of such a key.
inline std::vector<KeyPart> split_key(std::string_view key, const std::vector<ColumnType>& types) {
  std::vector<KeyPart> parts;
  if (is_plain_string_key(types)) {
    parts.push_back({ColumnType::kString, 0, key});
    return parts;
  }
  ByteReader in({reinterpret_cast<const uint8_t*>(key.data()), key.size()});
  for (const ColumnType type : types) {
    KeyPart part{type, 0, {}};
    if (type == ColumnType::kString) {
      part.string_value = in.get_string();
    } else {
      part.int_value = in.get<int64_t>();
    }
    parts.push_back(part);
  }
  if (!in.ok() || in.remaining() != 0) parts.clear();
  return parts;
}

}  // namespace tidemill
