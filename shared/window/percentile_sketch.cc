#include "shared/window/percentile_sketch.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "shared/base/assert.h"
#include "shared/window/big_unsigned.h"
#include "shared/window/decimal_column.h"
#include "shared/window/double_parts.h"

namespace tidemill {
namespace {

using uint128 = unsigned __int128;

constexpr size_t kLeastPending = 64, kMostPending = 1024;
constexpr int kMostCollapses = 24;
constexpr uint64_t kMostCount = uint64_t{1} << 62;
constexpr int kLeastExponent = -1074, kMostExponent = 1023;

int32_t floor_shift(int32_t index, int by) { return by >= 31 ? (index < 0 ? -1 : 0) : index >> by; }

}  // namespace

uint32_t buckets_per_octave(uint32_t accuracy_millionths) {
  ASSERT(accuracy_millionths > 0);
  const uint32_t twice = 2 * accuracy_millionths;
  return std::max<uint32_t>(1, (1'000'000 - accuracy_millionths + twice - 1) / twice);
}

void PercentileSketch::add(double x) {
  const DoubleParts p = parts_of(x);
  if (!p.finite) {
    ++apart_[std::isnan(x) ? kNan : p.negative ? kMinusInfinity : kPlusInfinity];
    return;
  }
  if (p.mantissa == 0) {
    ++apart_[kZero];
    return;
  }
  const int top = 63 - std::countl_zero(p.mantissa);
  const uint64_t fraction = p.mantissa ^ (uint64_t{1} << top);
  const auto part = static_cast<int32_t>(static_cast<uint128>(fraction) * per_octave_ >> top);
  push(p.negative, (p.exponent + top) * static_cast<int32_t>(per_octave_) + part);
}

void PercentileSketch::add(int64_t x) {
  if (x == 0) {
    ++apart_[kZero];
    return;
  }
  const uint64_t magnitude = x < 0 ? -static_cast<uint64_t>(x) : static_cast<uint64_t>(x);
  const int top = 63 - std::countl_zero(magnitude);
  const uint64_t fraction = magnitude ^ (uint64_t{1} << top);
  const auto part = static_cast<int32_t>(static_cast<uint128>(fraction) * per_octave_ >> top);
  push(x < 0, top * static_cast<int32_t>(per_octave_) + part);
}

void PercentileSketch::push(bool negative, int32_t index) {
  std::vector<int32_t>& pending = pending_[negative ? 1 : 0];
  pending.push_back(index);
  // As many as there are buckets, so that sorting both costs each number the same and a small
  // sketch stays small.
  if (pending.size() >= std::clamp(size(), kLeastPending, kMostPending)) take_pending();
}

void PercentileSketch::add_rows(const ChunkLayout& layout, const Chunk& chunk, uint64_t mask,
                                uint32_t column) {
  if (layout.type(column) == ColumnType::kDouble) {
    const double* values = layout.doubles(chunk, column);
    each_row(mask, [&](uint32_t i) { add(values[i]); });
  } else if (layout.type(column) == ColumnType::kDecimal) {
    each_row(mask, [&](uint32_t i) {
      add(decimal_to_double(decimal_at(layout, chunk, column, i)));
    });
  } else {
    each_row(mask, [&](uint32_t i) { add(layout.number_at(chunk, column, i)); });
  }
}

// Sorts, and makes one of those with the same index.
void PercentileSketch::gather(Buckets* buckets) {
  std::sort(buckets->begin(), buckets->end(),
            [](const Bucket& a, const Bucket& b) { return a.index < b.index; });
  size_t kept = 0;
  for (size_t i = 0; i < buckets->size(); ++i) {
    if (kept > 0 && (*buckets)[kept - 1].index == (*buckets)[i].index) {
      (*buckets)[kept - 1].count += (*buckets)[i].count;
    } else {
      (*buckets)[kept++] = (*buckets)[i];
    }
  }
  buckets->resize(kept);
}

void PercentileSketch::take_pending() {
  for (int sign = 0; sign < 2; ++sign) {
    for (const int32_t index : pending_[sign]) {
      buckets_[sign].push_back({floor_shift(index, level_), 1});
    }
    pending_[sign].clear();
    gather(&buckets_[sign]);
  }
  while (size() > most_) collapse_to(level_ + 1);
}

void PercentileSketch::collapse_to(int level) {
  ASSERT(level <= kMostCollapses);
  for (Buckets& buckets : buckets_) {
    for (Bucket& bucket : buckets) bucket.index = floor_shift(bucket.index, level - level_);
    gather(&buckets);
  }
  level_ = level;
}

void PercentileSketch::merge(const PercentileSketch& other) {
  for (int i = 0; i < kAparts; ++i) apart_[i] += other.apart_[i];
  for (int sign = 0; sign < 2; ++sign) {
    const std::vector<int32_t>& more = other.pending_[sign];
    pending_[sign].insert(pending_[sign].end(), more.begin(), more.end());
  }
  take_pending();
  if (other.level_ > level_) collapse_to(other.level_);
  for (int sign = 0; sign < 2; ++sign) {
    for (const Bucket& bucket : other.buckets_[sign]) {
      buckets_[sign].push_back({floor_shift(bucket.index, level_ - other.level_), bucket.count});
    }
  }
  take_pending();
}

void PercentileSketch::finish() {
  take_pending();
  for (int sign = 0; sign < 2; ++sign) {
    buckets_[sign].shrink_to_fit();
    std::vector<int32_t>().swap(pending_[sign]);
  }
}

uint64_t PercentileSketch::count() const {
  uint64_t out = 0;
  for (const uint64_t count : apart_) out += count;
  for (const Buckets& buckets : buckets_) {
    for (const Bucket& bucket : buckets) out += bucket.count;
  }
  return out;
}

double PercentileSketch::at(uint32_t percentile_millionths) const {
  const uint128 scaled = static_cast<uint128>(count() - 1) * percentile_millionths;
  auto rank = static_cast<uint64_t>(scaled / 1'000'000);
  const auto within = [&](uint64_t count) {
    if (rank < count) return true;
    rank -= count;
    return false;
  };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (within(apart_[kMinusInfinity])) return -kInfinity;
  for (auto bucket = buckets_[1].rbegin(); bucket != buckets_[1].rend(); ++bucket) {
    if (within(bucket->count)) return -middle(bucket->index);
  }
  if (within(apart_[kZero])) return 0.0;
  for (const Bucket& bucket : buckets_[0]) {
    if (within(bucket.count)) return middle(bucket.index);
  }
  if (within(apart_[kPlusInfinity])) return kInfinity;
  return std::numeric_limits<double>::quiet_NaN();
}

// A bucket ends at 2^e (M + j) / M for number e M + j.
double PercentileSketch::middle(int32_t index) const {
  const int64_t m = per_octave_;
  int exponent[2];
  uint64_t part[2];
  for (int end = 0; end < 2; ++end) {
    const int64_t number = (static_cast<int64_t>(index) + end) << level_;
    const int64_t rest = (number % m + m) % m;
    exponent[end] = static_cast<int>((number - rest) / m);
    part[end] = static_cast<uint64_t>(m + rest);
  }
  BigUnsigned product({&part[0], 1});
  product.multiply(2 * part[1]);
  BigUnsigned sum({&part[1], 1});
  sum.shift_left(exponent[1] - exponent[0]);
  sum.add(BigUnsigned({&part[0], 1}));
  sum.multiply(per_octave_);
  return std::min(round_ratio(product, sum, exponent[1], false),
                  std::numeric_limits<double>::max());
}

size_t PercentileSketch::heap_bytes() const {
  size_t bytes = 0;
  for (int sign = 0; sign < 2; ++sign) {
    bytes += buckets_[sign].capacity() * sizeof(Bucket) + pending_[sign].capacity() * 4;
  }
  return bytes;
}

void PercentileSketch::encode(ByteWriter* out) const {
  out->put(static_cast<uint8_t>(level_));
  for (const uint64_t count : apart_) out->put(count);
  for (const Buckets& buckets : buckets_) {
    out->put(static_cast<uint32_t>(buckets.size()));
    for (const Bucket& bucket : buckets) {
      out->put(bucket.index);
      out->put(bucket.count);
    }
  }
}

bool PercentileSketch::decode(ByteReader* in) {
  level_ = in->get<uint8_t>();
  // No bucket is wider than all there is.
  constexpr int64_t kOctaves = kMostExponent - kLeastExponent + 1;
  if (level_ > kMostCollapses || int64_t{1} << level_ > kOctaves * per_octave_) return false;
  for (uint64_t& count : apart_) {
    count = in->get<uint64_t>();
    if (count > kMostCount) return false;
  }
  for (Buckets& buckets : buckets_) {
    if (!decode_buckets(in, &buckets)) return false;
  }
  return in->ok() && size() <= most_ && count() <= kMostCount;
}

bool PercentileSketch::decode_buckets(ByteReader* in, Buckets* out) const {
  const auto count = in->get<uint32_t>();
  if (count > most_) return false;
  const auto m = static_cast<int32_t>(per_octave_);
  const int32_t least = floor_shift(kLeastExponent * m, level_);
  const int32_t most = floor_shift((kMostExponent + 1) * m - 1, level_);
  for (uint32_t i = 0; i < count; ++i) {
    const auto index = in->get<int32_t>();
    const auto numbers = in->get<uint64_t>();
    if (!in->ok() || index < least || index > most) return false;
    if (numbers == 0 || numbers > kMostCount) return false;
    if (!out->empty() && index <= out->back().index) return false;
    out->push_back({index, numbers});
  }
  return true;
}

}  // namespace tidemill
