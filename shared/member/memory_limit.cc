#include "shared/member/memory_limit.h"

#include <algorithm>

namespace tidemill {
namespace {

// The rest of the budget is for what comes in bursts and is gone at once, as logs that are sorted.
constexpr double kHigh = 0.82;   // of the budget: the limit falls
constexpr double kLow = 0.77;    // of the budget: the limit rises
constexpr double kRise = 0.01;   // of the share, at each look
constexpr double kFall = 0.10;   // of what is accounted for, at most at each look
constexpr double kLeast = 0.05;  // of the share: even if something else takes the memory

}  // namespace

MemoryLimit::MemoryLimit(uint64_t budget_bytes, uint16_t shards)
    : budget_(budget_bytes),
      share_(budget_bytes / shards),
      limit_(budget_bytes == 0 ? UINT64_MAX : share_ / 8) {}

bool MemoryLimit::observe(uint64_t process_bytes, uint64_t accounted_bytes) {
  if (!bounded()) return false;
  const auto share = static_cast<double>(share_);
  const double taken = static_cast<double>(process_bytes) / static_cast<double>(budget_);
  auto limit = static_cast<double>(limit_);
  if (taken > kHigh) {
    // From what is accounted for: what is allowed beyond that has not been the cause.
    const double from = std::min(limit, static_cast<double>(accounted_bytes));
    limit = from * (1 - std::min(kFall, taken - kHigh));
  } else if (taken < kLow) {
    limit += kRise * share;
  }
  limit_ = static_cast<uint64_t>(std::clamp(limit, kLeast * share, share));
  return taken >= kLow || accounted_bytes >= limit_;
}

}  // namespace tidemill
