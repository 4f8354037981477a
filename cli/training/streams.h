// Which stream of the spool holds what: per chosen table, the rows of history and those of the
// spine, in so many key partitions each.
#pragma once

#include <cstdint>
#include <vector>

namespace tidemill::training {

// Buckets of entity keys, which are joined one by one: of the window state, only that of those
// under way is in memory.
inline constexpr uint32_t kKeyPartitions = 64;

inline size_t history_stream(size_t table, uint32_t key_partition) {
  return table * kKeyPartitions + key_partition;
}
inline size_t spine_stream(size_t tables, size_t table, uint32_t key_partition) {
  return (tables + table) * kKeyPartitions + key_partition;
}

// Which keys the spine may ask about: history of other keys is not kept. A bit per hash, so keys
// that it does not ask about may be let through; those it asks about always are.
class KeyFilter {
 public:
  void add(uint64_t hash) { words_[word(hash)] |= bit(hash); }
  bool may_have(uint64_t hash) const { return (words_[word(hash)] & bit(hash)) != 0; }

 private:
  static constexpr int kBits = 23;  // a megabyte
  static size_t word(uint64_t hash) { return (hash & ((uint64_t{1} << kBits) - 1)) / 64; }
  static uint64_t bit(uint64_t hash) { return uint64_t{1} << (hash % 64); }

  std::vector<uint64_t> words_ = std::vector<uint64_t>((size_t{1} << kBits) / 64);
};

}  // namespace tidemill::training
