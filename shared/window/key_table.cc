#include "shared/window/key_table.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>

#include "shared/base/assert.h"

namespace tidemill {

KeyTable::~KeyTable() {
  for (uint32_t slot = 0; slot < slots_; ++slot) {
    KeyEntry& e = entry(slot);
    if (e.occupied && e.key_size > KeyEntry::kInlineKey) delete[] e.heap_key;
  }
}

uint32_t KeyTable::find(uint16_t table, std::string_view key, uint64_t hash) const {
  if (index_.empty()) return kNone;
  const uint64_t mixed = mix(table, hash);
  const size_t mask = index_.size() - 1;
  for (size_t i = home(mixed);; i = (i + 1) & mask) {
    const Cell& cell = index_[i];
    if (cell.slot == kNone) return kNone;
    if (cell.tag == tag_of(mixed) && matches(entry(cell.slot), table, key, hash)) return cell.slot;
  }
}

uint32_t KeyTable::candidate(uint64_t mixed) const {
  if (index_.empty()) return kNone;
  const size_t mask = index_.size() - 1;
  for (size_t i = home(mixed);; i = (i + 1) & mask) {
    const Cell& cell = index_[i];
    if (cell.slot == kNone || cell.tag == tag_of(mixed)) return cell.slot;
  }
}

uint32_t KeyTable::find_or_insert(uint16_t table, std::string_view key, uint64_t hash) {
  const uint32_t found = find(table, key, hash);
  if (found != kNone) return found;
  if ((keys_ + 1) * 4 > index_.size() * 3) make_index(std::max<size_t>(16, index_.size() * 2));
  const uint32_t slot = new_slot(key);
  KeyEntry& e = entry(slot);
  e.hash = hash;
  e.table = table;
  e.occupied = true;
  place(mix(table, hash), slot);
  ++keys_;
  return slot;
}

uint32_t KeyTable::new_slot(std::string_view key) {
  uint32_t slot;
  if (vacant_.empty()) {
    ASSERT(slots_ < kNone);
    if (slots_ % kBlockSlots == 0) {
      blocks_.push_back(std::make_unique<KeyEntry[]>(kBlockSlots));
      bytes_ += kBlockSlots * sizeof(KeyEntry);
    }
    slot = static_cast<uint32_t>(slots_++);
  } else {
    slot = vacant_.back();
    vacant_.pop_back();
  }
  KeyEntry& e = entry(slot);
  e.key_size = static_cast<uint32_t>(key.size());
  char* at = e.inline_key;
  if (key.size() > KeyEntry::kInlineKey) {
    at = e.heap_key = new char[key.size()];
    bytes_ += key.size();
  }
  if (!key.empty()) std::memcpy(at, key.data(), key.size());
  return slot;
}

void KeyTable::place(uint64_t mixed, uint32_t slot) {
  const size_t mask = index_.size() - 1;
  size_t i = home(mixed);
  while (index_[i].slot != kNone) i = (i + 1) & mask;
  index_[i] = {tag_of(mixed), slot};
}

void KeyTable::make_index(size_t size) {
  bytes_ -= index_.size() * sizeof(Cell);
  std::vector<Cell>(size).swap(index_);
  bytes_ += index_.size() * sizeof(Cell);
  shift_ = 64 - std::countr_zero(size);
  for (uint32_t slot = 0; slot < slots_; ++slot) {
    const KeyEntry& e = entry(slot);
    if (e.occupied) place(mix(e.table, e.hash), slot);
  }
}

void KeyTable::shrink() {
  if (slots_ <= kBlockSlots || keys_ * 2 > slots_) return;
  uint32_t to = 0;
  for (uint32_t from = 0; from < slots_; ++from) {
    KeyEntry& e = entry(from);
    if (!e.occupied) continue;
    if (from != to) {
      std::destroy_at(&entry(to));
      std::construct_at(&entry(to), std::move(e));
    }
    ++to;
  }
  slots_ = to;
  const size_t kept = (slots_ + kBlockSlots - 1) / kBlockSlots;
  bytes_ -= (blocks_.size() - kept) * kBlockSlots * sizeof(KeyEntry);
  blocks_.resize(kept);
  std::vector<uint32_t>().swap(vacant_);
  for (size_t slot = slots_; slot < kept * kBlockSlots; ++slot) {
    std::destroy_at(&entry(static_cast<uint32_t>(slot)));
    std::construct_at(&entry(static_cast<uint32_t>(slot)));
  }
  make_index(std::bit_ceil(std::max<size_t>(16, keys_ * 2)));
}

void KeyTable::erase(uint32_t slot) {
  KeyEntry& e = entry(slot);
  ASSERT(e.occupied && e.log.empty());
  const size_t mask = index_.size() - 1;
  size_t hole = home(mix(e.table, e.hash));
  while (index_[hole].slot != slot) hole = (hole + 1) & mask;
  // Close the gap: pull back every following cell that may stand there.
  for (size_t i = (hole + 1) & mask; index_[i].slot != kNone; i = (i + 1) & mask) {
    const KeyEntry& other = entry(index_[i].slot);
    const size_t wanted = home(mix(other.table, other.hash));
    if (((i - wanted) & mask) >= ((i - hole) & mask)) {
      index_[hole] = index_[i];
      hole = i;
    }
  }
  index_[hole] = Cell();
  if (e.key_size > KeyEntry::kInlineKey) {
    bytes_ -= e.key_size;
    delete[] e.heap_key;
  }
  e.heap_key = nullptr;
  e.key_size = 0;
  e.occupied = false;
  e.read = false;
  e.version = 0;
  vacant_.push_back(slot);
  --keys_;
}

}  // namespace tidemill
