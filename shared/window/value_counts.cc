#include "shared/window/value_counts.h"

#include <algorithm>

#include "shared/window/distinct_hashes.h"

namespace tidemill {
namespace {

constexpr size_t kLeastSlots = 16;
constexpr size_t kTextInPlace = 15;  // bytes of a std::string without allocation
constexpr size_t kSlack = 64;        // entries beyond the bound before they are looked through

size_t allocated_by(const std::string& text) {
  return text.capacity() > kTextInPlace ? text.capacity() + 1 : 0;
}

bool kept_before(const ValueCounts::Entry& a, const ValueCounts::Entry& b) {
  return a.hash != b.hash ? a.hash < b.hash : value_below(a, b);
}

}  // namespace

void ValueCounts::add_rows(const ChunkLayout& layout, const Chunk& chunk, uint64_t mask,
                           uint32_t column) {
  const bool text = storage_of(layout.type(column)) == Storage::kStrings;
  each_row(mask, [&](uint32_t i) {
    Value value{value_hash(layout, {&chunk, i}, column), 0, {}};
    if (text) {
      value.text = layout.string_at(chunk, column, i);
    } else {
      value.number = layout.number_at(chunk, column, i);
    }
    add(value, 1);
  });
}

void ValueCounts::merge(const ValueCounts& other) {
  truncated_ |= other.truncated_;
  for (const Entry& entry : other.entries_) {
    add({entry.hash, entry.number, entry.text}, entry.count);
  }
}

void ValueCounts::add(const Value& value, uint64_t count) {
  if (index_.empty()) index_all(std::max(kLeastSlots, 4 * entries_.size()));
  const size_t mask = index_.size() - 1;
  size_t i = value.hash & mask;
  for (; index_[i] != 0; i = (i + 1) & mask) {
    Entry& entry = entries_[index_[i] - 1];
    if (entry.hash != value.hash || entry.number != value.number || entry.text != value.text) {
      continue;
    }
    entry.count += count;
    return;
  }
  entries_.push_back({value.hash, count, value.number, std::string(value.text)});
  text_bytes_ += allocated_by(entries_.back().text);
  index_[i] = static_cast<uint32_t>(entries_.size());
  if (entries_.size() * 2 <= index_.size()) return;
  trim();
  index_all(index_.size() * (entries_.size() * 4 > index_.size() ? 2 : 1));
}

void ValueCounts::index_all(size_t slots) {
  size_t size = kLeastSlots;
  while (size < slots) size *= 2;
  index_.assign(size, 0);
  for (uint32_t at = 0; at < entries_.size(); ++at) {
    size_t i = entries_[at].hash & (size - 1);
    while (index_[i] != 0) i = (i + 1) & (size - 1);
    index_[i] = at + 1;
  }
}

// Forgets values that cannot be among those kept, once there are many.
void ValueCounts::trim() {
  if (entries_.size() < bound_ + bound_ / 2 + kSlack) return;
  const auto end = entries_.begin() + bound_;
  std::nth_element(entries_.begin(), end, entries_.end(), kept_before);
  entries_.erase(end, entries_.end());
  truncated_ = true;
  count_text_bytes();
}

void ValueCounts::count_text_bytes() {
  text_bytes_ = 0;
  for (const Entry& entry : entries_) text_bytes_ += allocated_by(entry.text);
}

void ValueCounts::finish() {
  std::sort(entries_.begin(), entries_.end(), kept_before);
  if (entries_.size() > bound_) {
    entries_.resize(bound_);
    truncated_ = true;
  }
  entries_.shrink_to_fit();
  std::vector<uint32_t>().swap(index_);
  count_text_bytes();
}

size_t ValueCounts::heap_bytes() const {
  return entries_.capacity() * sizeof(Entry) + index_.capacity() * sizeof(uint32_t) + text_bytes_;
}

void ValueCounts::encode(ColumnType type, ByteWriter* out) const {
  out->put(static_cast<uint8_t>(truncated_ ? 1 : 0));
  out->put(static_cast<uint32_t>(entries_.size()));
  for (const Entry& entry : entries_) {
    if (storage_of(type) == Storage::kStrings) {
      out->put_string(entry.text);
    } else {
      out->put(entry.number);
    }
    out->put(entry.count);
  }
}

bool ValueCounts::decode(ColumnType type, ByteReader* in) {
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
    entry.count = in->get<uint64_t>();
    constexpr uint64_t kMost = uint64_t{1} << 62;
    if (!in->ok() || entry.count == 0 || entry.count > kMost) return false;
    if (!entries_.empty() && !kept_before(entries_.back(), entry)) return false;
    entries_.push_back(std::move(entry));
  }
  count_text_bytes();
  return in->ok();
}

}  // namespace tidemill
