// The source of the simulated job, as the coordinator sees it from outside: a generator that has
// three partitions at first and gets a fourth and a fifth at times that follow from the seed, while
// faults strike. What a partition holds does not depend on how many others there are.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "coordinator/source_catalog.h"

namespace tidemill::test {

inline constexpr uint32_t kPartitionsAtFirst = 3;
inline constexpr uint32_t kPartitionsAtLast = 5;

class GrowingSource : public SourceCatalog {
 public:
  // `now_us`: virtual time since the start.
  GrowingSource(uint64_t seed, std::function<int64_t()> now_us);

  Status bind(proto::Source* source) override;
  Status discover(proto::Source* source) override;

 private:
  std::function<int64_t()> now_us_;
  std::array<int64_t, kPartitionsAtLast - kPartitionsAtFirst> added_at_us_{};
};

}  // namespace tidemill::test
