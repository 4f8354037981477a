#include "tests/simulation/growing_source.h"

#include <algorithm>

#include "shared/runtime/random.h"

namespace tidemill::test {
namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kFrom = kSecond;      // the job may have nobody yet to read it
constexpr int64_t kSpan = 9 * kSecond;  // within the time of the faults
// In one of so many runs the last one is added when all others have been read to their ends.
constexpr uint64_t kAfterTheEnd = 8;
constexpr int64_t kEnd = 15 * kSecond;

}  // namespace

GrowingSource::GrowingSource(uint64_t seed, std::function<int64_t()> now_us)
    : now_us_(std::move(now_us)) {
  Random random(seed * 2 + 0x67726f77);
  for (int64_t& at : added_at_us_) at = kFrom + static_cast<int64_t>(random.below(kSpan));
  if (random.below(kAfterTheEnd) == 0) {
    added_at_us_.back() = kEnd + static_cast<int64_t>(random.below(2 * kSecond));
  }
}

Status GrowingSource::bind(proto::Source* source) {
  source->mutable_generator()->set_partitions_at_most(kPartitionsAtLast);
  return {};
}

Status GrowingSource::discover(proto::Source* source) {
  const auto added = std::count_if(added_at_us_.begin(), added_at_us_.end(),
                                   [now = now_us_()](int64_t at) { return at <= now; });
  auto* generator = source->mutable_generator();
  generator->set_partitions(
      std::max(generator->partitions(), kPartitionsAtFirst + static_cast<uint32_t>(added)));
  return {};
}

}  // namespace tidemill::test
