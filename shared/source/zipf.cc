#include "shared/source/zipf.h"

#include <algorithm>
#include <cstddef>

#include "shared/base/assert.h"
#include "shared/source/exact_math.h"

namespace tidemill {
namespace {

constexpr uint64_t kSingleRanks = 4096;
constexpr uint64_t kRunsPerDoubling = 64;
constexpr int kGuideBits = 12;
constexpr double kTwoTo64 = 18446744073709551616.0;

}  // namespace

ZipfTable::ZipfTable(uint64_t n, double exponent) {
  ASSERT(n >= 1 && n <= uint64_t{1} << 32 && exponent >= 0 && exponent <= 10);
  std::vector<double> weights;
  double total = 0;
  for (uint64_t first = 1; first <= n;) {
    uint64_t ranks = 1;
    if (exponent == 0) {
      ranks = n;
    } else if (first > kSingleRanks) {
      ranks = std::min(first / kRunsPerDoubling, n - first + 1);
    }
    const double middle = static_cast<double>(first) + static_cast<double>(ranks - 1) / 2;
    const double weight = static_cast<double>(ranks) * exact_pow(middle, -exponent);
    runs_.push_back({0, first, ranks});
    weights.push_back(weight);
    total += weight;
    first += ranks;
  }
  double sum = 0;
  for (size_t i = 0; i < runs_.size(); ++i) {
    sum += weights[i];
    const double end = sum / total * kTwoTo64;
    runs_[i].last_hash = end < kTwoTo64 ? static_cast<uint64_t>(end) : UINT64_MAX;
  }
  runs_.back().last_hash = UINT64_MAX;
  uint32_t run = 0;
  for (uint64_t i = 0; i < uint64_t{1} << kGuideBits; ++i) {
    while (runs_[run].last_hash < i << (64 - kGuideBits)) ++run;
    guide_.push_back(run);
  }
}

uint64_t ZipfTable::rank(uint64_t hash, uint64_t within) const {
  const size_t slot = hash >> (64 - kGuideBits);
  auto begin = runs_.begin() + guide_[slot];
  const auto end = slot + 1 < guide_.size() ? runs_.begin() + guide_[slot + 1] : runs_.end() - 1;
  const auto run =
      std::lower_bound(begin, end, hash, [](const Run& r, uint64_t h) { return r.last_hash < h; });
  return run->first_rank + (run->ranks == 1 ? 0 : scale_hash(within, run->ranks));
}

}  // namespace tidemill
