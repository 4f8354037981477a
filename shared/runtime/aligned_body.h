// Message bodies start at a multiple of 8 bytes, so that fixed-width columns are read in place.
#pragma once

#include <cstdint>
#include <vector>

#include "shared/base/buffer.h"

namespace tidemill {

inline constexpr size_t kBodyAlignment = 8;

inline bool is_aligned_body(const Buffer& body) {
  return reinterpret_cast<uintptr_t>(body.data()) % kBodyAlignment == 0;
}

// Fresh memory, aligned for any fundamental type.
inline Buffer copied_body(std::span<const uint8_t> bytes) {
  return Buffer(std::vector<uint8_t>(bytes.begin(), bytes.end()));
}

inline Buffer aligned_body(Buffer body) {
  if (is_aligned_body(body)) return body;
  return copied_body(body.bytes());
}

}  // namespace tidemill
