// Stable 64-bit hashes (XXH3). Part of the formats: routing and stored state depend on them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tidemill {

uint64_t hash_bytes(std::string_view bytes, uint64_t seed);

// Hash of an entity key. `entity_seed` is hash_bytes(entity name, 0), see window/table_schema.h.
inline uint64_t hash_entity_key(std::string_view key, uint64_t entity_seed) {
  return hash_bytes(key, entity_seed);
}

// The key partition of a key hash: the high 32 bits scaled to [0, key_partitions).
inline uint32_t key_partition_of(uint64_t key_hash, uint32_t key_partitions) {
  return static_cast<uint32_t>(((key_hash >> 32) * key_partitions) >> 32);
}

}  // namespace tidemill
