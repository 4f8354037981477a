// KeyTable: finds the row log of a (table, key). Entries stand in numbered slots that do not move
// but by shrink(); an open-addressing index of (tag, slot) pairs leads to them by the key's hash.
// Keys are compared by their bytes, so hashes may collide.
//
// Slots of erased keys are used again. shard-affine; a reference to an entry is valid until it is
// erased, or shrink().
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "shared/window/row_log.h"

namespace tidemill {

struct alignas(64) KeyEntry {  // one cache line
  static constexpr uint32_t kInlineKey = 24;

  uint64_t hash = 0;
  // Early in the line: comparing reads up to 32 bytes, and should not touch the next line.
  union {
    char inline_key[kInlineKey];
    char* heap_key;
  };
  uint64_t version = 0;  // of its last change
  RowLog log;
  uint32_t key_size = 0;
  uint16_t table = 0;
  bool occupied : 1 = false;
  bool loading : 1 = false;       // PartitionState::begin_load()
  mutable bool read : 1 = false;  // since eviction last came by

  KeyEntry() : heap_key(nullptr) {}
  std::string_view key() const {
    return {key_size <= kInlineKey ? inline_key : heap_key, key_size};
  }
};
static_assert(sizeof(KeyEntry) == 64);

class KeyTable {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kBlockSlots = 64;  // that are allocated together

  KeyTable() = default;
  KeyTable(const KeyTable&) = delete;
  KeyTable& operator=(const KeyTable&) = delete;
  ~KeyTable();

  static uint64_t mix(uint16_t table, uint64_t hash) {
    return (hash ^ (table * 0x9e3779b97f4a7c15u)) * 0xd6e8feb86659fd93u;
  }

  uint32_t find(uint16_t table, std::string_view key, uint64_t hash) const;
  // The key's slot, new with an empty row log if there was none.
  uint32_t find_or_insert(uint16_t table, std::string_view key, uint64_t hash);
  // The entry's row log must be empty.
  void erase(uint32_t slot);
  // Gives back the memory of slots if most of them are vacant; entries then get other slots. A
  // table that is shrunk while keys are erased one by one costs each of them a bounded share.
  void shrink();

  size_t slot_count() const { return slots_; }
  size_t key_count() const { return keys_; }
  uint64_t bytes() const { return bytes_; }
  KeyEntry& entry(uint32_t slot) { return blocks_[slot / kBlockSlots][slot % kBlockSlots]; }
  const KeyEntry& entry(uint32_t slot) const {
    return blocks_[slot / kBlockSlots][slot % kBlockSlots];
  }
  static bool matches(const KeyEntry& entry, uint16_t table, std::string_view key, uint64_t hash) {
    return entry.occupied && entry.hash == hash && entry.table == table && entry.key() == key;
  }

  // Staged access: bring the index line, then the slot that probably holds the key, or kNone.
  void prefetch(uint64_t mixed) const {
    if (!index_.empty()) __builtin_prefetch(&index_[home(mixed)]);
  }
  uint32_t candidate(uint64_t mixed) const;

 private:
  struct Cell {
    uint32_t tag = 0;
    uint32_t slot = kNone;
  };

  size_t home(uint64_t mixed) const { return mixed >> shift_; }
  static uint32_t tag_of(uint64_t mixed) { return static_cast<uint32_t>(mixed); }
  uint32_t new_slot(std::string_view key);
  void make_index(size_t size);
  void place(uint64_t mixed, uint32_t slot);

  std::vector<std::unique_ptr<KeyEntry[]>> blocks_;
  std::vector<uint32_t> vacant_;
  std::vector<Cell> index_;  // size is a power of two
  int shift_ = 64;
  size_t slots_ = 0;
  size_t keys_ = 0;
  uint64_t bytes_ = 0;  // slots, index and long keys
};

}  // namespace tidemill
