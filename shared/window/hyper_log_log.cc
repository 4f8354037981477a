#include "shared/window/hyper_log_log.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "shared/window/distinct_hashes.h"

namespace tidemill {
namespace {

constexpr size_t kPending = 128;  // that may wait to be sorted in

// x + sum over k of x^(2^k) 2^(k-1), for the registers that are 0.
double sigma(double x) {
  double y = 1, z = x, before = 0;
  do {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  } while (z != before);
  return z;
}

// (1 - x - sum over k of (1 - x^(2^-k))² 2^-k) / 3, for the registers that are full.
double tau(double x) {
  if (x == 0 || x == 1) return 0;
  double y = 1, z = 1 - x, before = 0;
  do {
    x = std::sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  } while (z != before);
  return z / 3;
}

}  // namespace

void HyperLogLog::add(uint64_t hash) {
  const auto at = static_cast<uint32_t>(hash >> (64 - precision_));
  const uint64_t rest = hash << precision_;
  const uint32_t zeros =
      rest == 0 ? 64 - precision_ : static_cast<uint32_t>(std::countl_zero(rest));
  set(at, static_cast<uint8_t>(zeros + 1));
}

void HyperLogLog::set(uint32_t at, uint8_t rank) {
  if (!dense_.empty()) {
    dense_[at] = std::max(dense_[at], rank);
    return;
  }
  sparse_.push_back(at << 8 | rank);
  if (sparse_.size() >= 2 * sorted_ + kPending) sort_sparse();
}

// One entry a register; all of them as bytes once that is smaller.
void HyperLogLog::sort_sparse() {
  std::sort(sparse_.begin(), sparse_.end());
  size_t kept = 0;
  for (size_t i = 0; i < sparse_.size(); ++i) {
    const bool last = i + 1 == sparse_.size() || sparse_[i] >> 8 != sparse_[i + 1] >> 8;
    if (last) sparse_[kept++] = sparse_[i];
  }
  sparse_.resize(kept);
  sorted_ = kept;
  if (kept * sizeof(uint32_t) <= registers()) return;
  dense_.assign(registers(), 0);
  for (const uint32_t entry : sparse_) dense_[entry >> 8] = static_cast<uint8_t>(entry);
  std::vector<uint32_t>().swap(sparse_);
  sorted_ = 0;
}

void HyperLogLog::add_rows(const ChunkLayout& layout, const Chunk& chunk, uint64_t mask,
                           uint32_t column) {
  each_row(mask, [&](uint32_t i) { add(value_hash(layout, {&chunk, i}, column)); });
}

void HyperLogLog::merge(const HyperLogLog& other) {
  for (const uint32_t entry : other.sparse_) set(entry >> 8, static_cast<uint8_t>(entry));
  for (uint32_t at = 0; at < other.dense_.size(); ++at) {
    if (other.dense_[at] != 0) set(at, other.dense_[at]);
  }
}

void HyperLogLog::finish() {
  if (dense_.empty()) sort_sparse();
  sparse_.shrink_to_fit();
}

int64_t HyperLogLog::count() const {
  uint32_t of_rank[66] = {};
  for (const uint32_t entry : sparse_) ++of_rank[entry & 0xff];
  for (const uint8_t rank : dense_) ++of_rank[rank];
  if (dense_.empty()) of_rank[0] = static_cast<uint32_t>(registers() - sparse_.size());
  const auto m = static_cast<double>(registers());
  if (of_rank[0] == registers()) return 0;
  const uint32_t most = most_rank();
  double z = m * tau(1 - of_rank[most] / m);
  for (uint32_t k = most - 1; k >= 1; --k) z = 0.5 * (z + of_rank[k]);
  z += m * sigma(of_rank[0] / m);
  constexpr double kAlpha = 0.72134752044448170;  // 1 / (2 ln 2)
  const double estimate = std::floor(kAlpha * m * m / z + 0.5);
  return estimate < 0x1p63 ? static_cast<int64_t>(estimate) : INT64_MAX;
}

void HyperLogLog::encode(ByteWriter* out) const {
  out->put(static_cast<uint32_t>(sparse_.size()));
  out->put(static_cast<uint8_t>(dense_.empty() ? 0 : 1));
  for (const uint32_t entry : sparse_) out->put(entry);
  out->put_bytes(dense_);
}

bool HyperLogLog::decode(ByteReader* in) {
  const auto count = in->get<uint32_t>();
  const auto dense = in->get<uint8_t>();
  if (dense > 1 || (dense == 1 && count != 0) || count * sizeof(uint32_t) > registers()) {
    return false;
  }
  const auto valid = [&](uint32_t rank) { return rank <= most_rank(); };
  for (uint32_t i = 0; i < count; ++i) {
    const auto entry = in->get<uint32_t>();
    if (entry >> 8 >= registers() || !valid(entry & 0xff) || (entry & 0xff) == 0) return false;
    if (i > 0 && entry >> 8 <= sparse_.back() >> 8) return false;
    sparse_.push_back(entry);
  }
  sorted_ = sparse_.size();
  if (dense == 0) return in->ok();
  if (in->remaining() < registers()) return false;
  size_t used = 0;
  dense_.resize(registers());
  for (uint8_t& rank : dense_) {
    rank = in->get<uint8_t>();
    if (!valid(rank)) return false;
    used += rank != 0 ? 1 : 0;
  }
  return in->ok() && used * sizeof(uint32_t) > registers();
}

}  // namespace tidemill
