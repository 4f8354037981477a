// ValueTable: what is kept of each different value of a column, for up to `bound` of them. Of more,
// those with the smallest hashes stay (value_hash(); ties by value), which do not depend on the
// order in which values came: a value that is left out of a part would be left out of the whole.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "shared/base/assert.h"
#include "shared/base/bytes.h"
#include "shared/window/distinct_hashes.h"
#include "shared/window/scalar_values.h"

namespace tidemill {

// A value, for as long as the row or entry that it is of.
struct ValueKey {
  uint64_t hash = 0;
  int64_t number = 0;  // ChunkLayout::number_at(); 0 of texts
  std::string_view text;
};

inline ValueKey value_key(const ChunkLayout& layout, const RowRef& row, uint32_t column) {
  if (storage_of(layout.type(column)) == Storage::kStrings) {
    const std::string_view text = layout.string_at(*row.chunk, column, row.row);
    return {hash_of_text(text), 0, text};
  }
  const int64_t number = layout.number_at(*row.chunk, column, row.row);
  return {hash_of_number(number), number, {}};
}

// By value: numbers as they are, texts by bytes.
inline bool value_below(const ValueKey& a, const ValueKey& b) {
  return a.number != b.number ? a.number < b.number : a.text < b.text;
}

inline ScalarValue scalar_of_key(ColumnType type, const ValueKey& value) {
  return storage_of(type) == Storage::kStrings ? scalar_of_text(type, value.text)
                                               : scalar_of_number(type, value.number);
}

template <typename Kept>
class ValueTable {
 public:
  struct Entry {
    uint64_t hash = 0;
    int64_t number = 0;
    std::string text;
    Kept kept;

    ValueKey key() const { return {hash, number, text}; }
  };
  static constexpr size_t kRefused = SIZE_MAX;

  explicit ValueTable(uint32_t bound) : bound_(bound) { ASSERT(bound > 0); }

  // Forgets what cannot be among the values that stay, once that is much.
  void make_room();
  // The place of the value's entry, which stays until make_room() or finish(); of a new one `fresh`
  // gives what is kept. kRefused: it cannot be among those that stay.
  template <typename Fresh>
  size_t find_or_add(const ValueKey& value, Fresh&& fresh);
  // Leaves what stays, by hash, and nothing else allocated.
  void finish();
  // By rising hash after finish().
  const std::vector<Entry>& entries() const { return entries_; }
  Entry& at(size_t place) { return entries_[place]; }
  // The first of them, at most, by rising value.
  std::vector<const Entry*> by_value(size_t most = SIZE_MAX) const;
  bool truncated() const { return truncated_; }  // there were more than `bound` different values
  void set_truncated() { truncated_ = true; }
  // Without what is allocated by what is kept.
  size_t heap_bytes() const {
    return entries_.capacity() * sizeof(Entry) + index_.capacity() * sizeof(uint32_t) + text_bytes_;
  }

  // As bytes (docs/formats/image.md), after finish(), and back into an empty one; `type` is the
  // column's. encode_kept(kept) writes what is kept; decode_kept(&kept) reads it, or is false.
  // False for bytes that encode() does not write.
  template <typename EncodeKept>
  void encode(ColumnType type, ByteWriter* out, EncodeKept&& encode_kept) const;
  template <typename DecodeKept>
  bool decode(ColumnType type, ByteReader* in, DecodeKept&& decode_kept);

 private:
  static constexpr size_t kLeastSlots = 16;
  static constexpr size_t kTextInPlace = 15;  // bytes of a std::string without allocation
  static constexpr size_t kSlack = 8;         // entries beyond the bound that are let be

  static bool stays_before(const Entry& a, const Entry& b) {
    return a.hash != b.hash ? a.hash < b.hash : value_below(a.key(), b.key());
  }
  static size_t allocated_by(const std::string& text) {
    return text.capacity() > kTextInPlace ? text.capacity() + 1 : 0;
  }
  void index_all();
  void count_text_bytes();

  uint32_t bound_;
  bool truncated_ = false;
  uint64_t greatest_ = UINT64_MAX;  // a hash above it cannot stay
  std::vector<Entry> entries_;
  size_t text_bytes_ = 0;        // that texts have allocated
  std::vector<uint32_t> index_;  // by hash; size is a power of two; entry + 1, or 0
};

template <typename Kept>
template <typename Fresh>
size_t ValueTable<Kept>::find_or_add(const ValueKey& value, Fresh&& fresh) {
  if (value.hash > greatest_) return kRefused;
  if (index_.empty()) index_all();
  const size_t mask = index_.size() - 1;
  size_t i = value.hash & mask;
  for (; index_[i] != 0; i = (i + 1) & mask) {
    const size_t place = index_[i] - 1;
    const Entry& entry = entries_[place];
    if (entry.hash == value.hash && entry.number == value.number && entry.text == value.text) {
      return place;
    }
  }
  entries_.push_back({value.hash, value.number, std::string(value.text), fresh()});
  text_bytes_ += allocated_by(entries_.back().text);
  index_[i] = static_cast<uint32_t>(entries_.size());
  if (entries_.size() * 2 > index_.size()) index_all();
  return entries_.size() - 1;
}

template <typename Kept>
void ValueTable<Kept>::index_all() {
  size_t size = kLeastSlots;
  while (size < 2 * entries_.size()) size *= 2;
  index_.assign(size, 0);
  for (uint32_t at = 0; at < entries_.size(); ++at) {
    size_t i = entries_[at].hash & (size - 1);
    while (index_[i] != 0) i = (i + 1) & (size - 1);
    index_[i] = at + 1;
  }
}

template <typename Kept>
void ValueTable<Kept>::make_room() {
  if (entries_.size() < bound_ + bound_ / 2 + kSlack) return;
  const auto end = entries_.begin() + bound_;
  std::nth_element(entries_.begin(), end - 1, entries_.end(), stays_before);
  greatest_ = (end - 1)->hash;
  entries_.erase(end, entries_.end());
  truncated_ = true;
  count_text_bytes();
  index_all();
}

template <typename Kept>
void ValueTable<Kept>::count_text_bytes() {
  text_bytes_ = 0;
  for (const Entry& entry : entries_) text_bytes_ += allocated_by(entry.text);
}

template <typename Kept>
void ValueTable<Kept>::finish() {
  std::sort(entries_.begin(), entries_.end(), stays_before);
  if (entries_.size() > bound_) {
    entries_.erase(entries_.begin() + bound_, entries_.end());
    truncated_ = true;
  }
  entries_.shrink_to_fit();
  std::vector<uint32_t>().swap(index_);
  count_text_bytes();
}

template <typename Kept>
std::vector<const typename ValueTable<Kept>::Entry*> ValueTable<Kept>::by_value(size_t most) const {
  std::vector<const Entry*> out;
  for (const Entry& entry : entries_) {
    if (out.size() < most) out.push_back(&entry);
  }
  std::sort(out.begin(), out.end(),
            [](const Entry* a, const Entry* b) { return value_below(a->key(), b->key()); });
  return out;
}

template <typename Kept>
template <typename EncodeKept>
void ValueTable<Kept>::encode(ColumnType type, ByteWriter* out, EncodeKept&& encode_kept) const {
  out->put(static_cast<uint8_t>(truncated_ ? 1 : 0));
  out->put(static_cast<uint32_t>(entries_.size()));
  for (const Entry& entry : entries_) {
    if (storage_of(type) == Storage::kStrings) {
      out->put_string(entry.text);
    } else {
      out->put(entry.number);
    }
    encode_kept(entry.kept);
  }
}

template <typename Kept>
template <typename DecodeKept>
bool ValueTable<Kept>::decode(ColumnType type, ByteReader* in, DecodeKept&& decode_kept) {
  const auto truncated = in->get<uint8_t>();
  const auto count = in->get<uint32_t>();
  if (truncated > 1 || count > bound_ || (truncated == 1 && count < bound_)) return false;
  truncated_ = truncated == 1;
  for (uint32_t i = 0; i < count; ++i) {
    Entry entry;
    if (storage_of(type) == Storage::kStrings) {
      entry.text = in->get_string();
      entry.hash = hash_of_text(entry.text);
    } else {
      entry.number = in->get<int64_t>();
      entry.hash = hash_of_number(entry.number);
    }
    if (!decode_kept(&entry.kept) || !in->ok()) return false;
    if (!entries_.empty() && !stays_before(entries_.back(), entry)) return false;
    entries_.push_back(std::move(entry));
  }
  count_text_bytes();
  return in->ok();
}

}  // namespace tidemill
