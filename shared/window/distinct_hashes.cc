#include "shared/window/distinct_hashes.h"

#include <algorithm>
#include <array>
#include <bit>

#include "shared/base/hash.h"
#include "shared/window/collection.h"

namespace tidemill {
namespace {

constexpr size_t kLeastSlots = 16;
constexpr size_t kSlack = 64;  // hashes beyond those kept before they are looked through
constexpr int kBucketBits = 11;

}  // namespace

// The finalizer of MurmurHash3.
uint64_t hash_of_number(int64_t number) {
  auto x = static_cast<uint64_t>(number);
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdu;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53u;
  return x ^ x >> 33;
}

uint64_t hash_of_text(std::string_view text) { return hash_bytes(text, 0); }

uint64_t value_hash(const ChunkLayout& layout, const RowRef& row, uint32_t column) {
  if (storage_of(layout.type(column)) == Storage::kStrings) {
    return hash_of_text(layout.string_at(*row.chunk, column, row.row));
  }
  return hash_of_number(layout.number_at(*row.chunk, column, row.row));
}

void encode_hashes(std::span<const uint64_t> hashes, ByteWriter* out) {
  out->put(static_cast<uint32_t>(hashes.size()));
  for (const uint64_t hash : hashes) out->put(hash);
}

bool decode_hashes(ByteReader* in, uint32_t n, std::vector<uint64_t>* out) {
  const auto count = in->get<uint32_t>();
  if (count > uint64_t{n} + 1 || in->remaining() / sizeof(uint64_t) < count) return false;
  for (uint32_t i = 0; i < count; ++i) {
    const auto hash = in->get<uint64_t>();
    if (i > 0 && hash <= out->back()) return false;
    out->push_back(hash);
  }
  return true;
}

void DistinctHashes::reset(uint32_t n) {
  limit_ = static_cast<size_t>(n) + 1;
  greatest_ = UINT64_MAX;
  zero_ = false;
  hashes_.clear();
  slots_.clear();
}

void DistinctHashes::add(uint64_t hash) {
  if (hash > greatest_) return;
  if (hash == 0) {
    if (!zero_) hashes_.push_back(0);
    zero_ = true;
    return;
  }
  if (slots_.empty()) index_all();
  const size_t mask = slots_.size() - 1;
  size_t i = hash & mask;
  for (; slots_[i] != 0; i = (i + 1) & mask) {
    if (slots_[i] == hash) return;
  }
  slots_[i] = hash;
  hashes_.push_back(hash);
  if (hashes_.size() * 2 <= slots_.size()) return;
  if (hashes_.size() >= limit_ + limit_ / 2 + kSlack) {
    trim();
  } else {
    index_all();
  }
}

void DistinctHashes::add_rows(const ChunkLayout& layout, const Chunk& chunk, uint64_t mask,
                              uint32_t column) {
  if (layout.type(column) == ColumnType::kDouble) {
    const double* values = layout.doubles(chunk, column);
    each_row(mask, [&](uint32_t i) { add(hash_of_number(order_key(values[i]))); });
  } else {
    each_row(mask, [&](uint32_t i) { add(value_hash(layout, {&chunk, i}, column)); });
  }
}

void DistinctHashes::index_all() {
  size_t slots = kLeastSlots;
  while (slots < 2 * hashes_.size()) slots *= 4;
  slots_.assign(slots, 0);
  fill_slots();
}

void DistinctHashes::fill_slots() {
  const size_t mask = slots_.size() - 1;
  for (const uint64_t hash : hashes_) {
    if (hash == 0) continue;
    size_t i = hash & mask;
    while (slots_[i] != 0) i = (i + 1) & mask;
    slots_[i] = hash;
  }
}

// Forgets the hashes that are not among the smallest, and refuses their like from now on.
void DistinctHashes::trim() {
  greatest_ = nth_smallest(limit_);
  size_t kept = 0;
  for (const uint64_t hash : hashes_) {
    hashes_[kept] = hash;
    kept += hash <= greatest_ ? 1 : 0;
  }
  hashes_.resize(kept);
  std::fill(slots_.begin(), slots_.end(), 0);
  fill_slots();
}

// Of those held, which are at least n. Hashes are even, so that buckets of their leading bits leave
// few to be looked at; any others only take longer.
uint64_t DistinctHashes::nth_smallest(size_t n) const {
  const int shift = std::max(0, 64 - std::countl_zero(greatest_) - kBucketBits);
  std::array<uint32_t, size_t{1} << kBucketBits> counts{};
  for (const uint64_t hash : hashes_) ++counts[hash >> shift];
  size_t bucket = 0;
  for (; n > counts[bucket]; ++bucket) n -= counts[bucket];
  bucket_.clear();
  for (const uint64_t hash : hashes_) {
    if (hash >> shift == bucket) bucket_.push_back(hash);
  }
  const auto nth = bucket_.begin() + static_cast<ptrdiff_t>(n - 1);
  std::nth_element(bucket_.begin(), nth, bucket_.end());
  return *nth;
}

int64_t DistinctHashes::count() const {
  const size_t n = limit_ - 1;
  if (hashes_.size() <= n) return static_cast<int64_t>(hashes_.size());
  const uint64_t nth = nth_smallest(n);
  if (nth == 0) return static_cast<int64_t>(n);
  const unsigned __int128 estimate = (static_cast<unsigned __int128>(n - 1) << 64) / nth;
  if (estimate > static_cast<uint64_t>(INT64_MAX)) return INT64_MAX;
  return std::max(static_cast<int64_t>(estimate), static_cast<int64_t>(n));
}

void DistinctHashes::finish(std::vector<uint64_t>* out) const {
  *out = hashes_;
  std::sort(out->begin(), out->end());
  if (out->size() > limit_) out->resize(limit_);
}

void DistinctHashes::compact() {
  std::vector<uint64_t> kept;
  finish(&kept);
  kept.shrink_to_fit();
  hashes_ = std::move(kept);
  if (hashes_.size() == limit_) greatest_ = hashes_.back();
  std::vector<uint64_t>().swap(slots_);
  std::vector<uint64_t>().swap(bucket_);
}

}  // namespace tidemill
