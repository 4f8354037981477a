// Each deliberate bug listed here is caught by a seed of the same simulation, and by
// nothing written for it. A bug that survives every seed fails its test. An assertion of the
// product that ends the process has caught it, too.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/simulation/seed_runner.h"

namespace tidemill::test {
namespace {

constexpr uint64_t kSeeds = 60;

struct Bug {
  Mutation mutation;
  const char* name;
};

class DeliberateBug : public testing::TestWithParam<Bug> {};

TEST_P(DeliberateBug, IsCaught) {
  SeedRunnerConfig config;
  config.count = kSeeds;
  uint64_t caught_by = 0;
  std::string violation;
  run_seeds(
      config,
      [](uint64_t seed) {
        active_mutation = GetParam().mutation;
        return simulate_cluster(seed);
      },
      [&](uint64_t seed, const SimOutcome& outcome) {
        if (outcome.violation.empty()) return true;
        caught_by = seed;
        violation = outcome.violation;
        return false;
      });
  EXPECT_NE(violation, "") << GetParam().name << " survived " << kSeeds << " seeds";
  std::printf("%s: seed %llu: %.160s\n", GetParam().name,
              static_cast<unsigned long long>(caught_by), violation.c_str());
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
                    Bug{Mutation::kIgnoreGrownOffsets, "ignore_grown_offsets"},
                    Bug{Mutation::kCompareStamps, "compare_stamps"},
                    Bug{Mutation::kOpenOneOffsetLate, "open_one_offset_late"},
                    Bug{Mutation::kPublishBeforeReplica, "publish_before_replica"},
                    Bug{Mutation::kDeleteNamedFile, "delete_named_file"},
                    Bug{Mutation::kDropPendingOnSnapshot, "drop_pending_on_snapshot"}),
    [](const testing::TestParamInfo<Bug>& bug) { return std::string(bug.param.name); });

}  // namespace
}  // namespace tidemill::test
