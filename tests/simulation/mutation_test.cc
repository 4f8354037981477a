// Each deliberate bug (shared/base/mutation.h) is caught by a seed of the same simulation, and by
// nothing written for it. A bug that survives every seed fails its test.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/simulation/cluster_sim.h"

namespace tidemill::test {
namespace {

constexpr uint64_t kSeeds = 60;

struct Bug {
  Mutation mutation;
  const char* name;
};

class DeliberateBug : public testing::TestWithParam<Bug> {};

TEST_P(DeliberateBug, IsCaught) {
  active_mutation = GetParam().mutation;
  std::string violation;
  uint64_t seed = 1;
  for (; seed <= kSeeds && violation.empty(); ++seed) violation = simulate_cluster(seed).violation;
  active_mutation = Mutation::kNone;
  EXPECT_NE(violation, "") << GetParam().name << " survived " << kSeeds << " seeds";
  std::printf("%s: seed %llu: %.160s\n", GetParam().name, static_cast<unsigned long long>(seed - 1),
              violation.c_str());
}

INSTANTIATE_TEST_SUITE_P(
    Mutations, DeliberateBug,
    testing::Values(Bug{Mutation::kIgnoreGap, "ignore_gap"},
                    Bug{Mutation::kApplyTwice, "apply_twice"},
                    Bug{Mutation::kUnnumberedMark, "unnumbered_mark"},
                    Bug{Mutation::kFrameOnWrongVersion, "frame_on_wrong_version"},
                    Bug{Mutation::kAcceptOldEpoch, "accept_old_epoch"},
                    Bug{Mutation::kCloseImagesEarly, "close_images_early"},
                    Bug{Mutation::kDropLateByClock, "drop_late_by_clock"},
                    Bug{Mutation::kOrderDependentSum, "order_dependent_sum"},
                    Bug{Mutation::kMarkBeforeDeadLetters, "mark_before_dead_letters"},
                    Bug{Mutation::kCatchUpPastDeadLetters, "catch_up_past_dead_letters"},
                    Bug{Mutation::kRepeatDeadLetters, "repeat_dead_letters"},
                    Bug{Mutation::kForgetGrownOffsets, "forget_grown_offsets"},
                    Bug{Mutation::kIgnoreGrownOffsets, "ignore_grown_offsets"}),
    [](const testing::TestParamInfo<Bug>& bug) { return std::string(bug.param.name); });

}  // namespace
}  // namespace tidemill::test
