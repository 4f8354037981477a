// What all fuzz targets share: the input as bytes of its own allocation, so that reading past its
// end is found, aligned as messages are.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "shared/base/assert.h"

namespace tidemill::fuzz {

inline std::vector<uint8_t> copy_of(const uint8_t* data, size_t size) {
  return std::vector<uint8_t>(data, data + size);
}

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Reads every byte, so that the sanitizer looks at where it is.
inline void touch(std::string_view bytes) {
  volatile uint8_t sink = 0;
  for (const char c : bytes) sink = static_cast<uint8_t>(sink ^ static_cast<uint8_t>(c));
}

}  // namespace tidemill::fuzz
