// How large a schema of records may be, wherever it comes from.
#pragma once

#include <cstddef>

namespace tidemill {

inline constexpr size_t kMaxSchemaBytes = 1u << 20;  // of its text; of a descriptor set
inline constexpr size_t kMaxSchemaTypes = 1u << 14;
inline constexpr size_t kMaxSchemaReferences = 256;      // schemas that one needs, directly or not
inline constexpr size_t kMaxReferencedBytes = 8u << 20;  // of the texts of those

}  // namespace tidemill
