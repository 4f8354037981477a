// Each deliberate bug listed here is caught by a seed of the same simulation, and by nothing
// written for it: by a seed that is clean without the bug, through the check that the bug should
// run into. A bug that survives every seed fails its test.
#include <gtest/gtest.h>

#include <cstdio>
#include <optional>

#include "tests/simulation/seed_runner.h"

namespace tidemill::test {
namespace {

// Seeds that are looked through if the one that is known catches a bug no longer: what a seed means
// changes with the simulation.
constexpr uint64_t kSeeds = 200;

// Checks of the simulation, by what they say.
using Check = std::vector<const char*>;
const Check kAnswers{"the fold is", "is PRESENT without rows", "though the key has rows"};
const Check kOffsets{"the largest event time below", "the fold is"};
const Check kDeadLetters{"dead letter"};
const Check kSnapshots{"is damaged", "verifies although", "cannot be restored"};
const Check kPowerLoss{"a loss of power has cost"};
const Check kHorizons{"the horizon has fallen", "the fold is"};

struct Bug {
  Mutation mutation;
  const char* name;
  uint64_t seed;  // that caught it when it was last looked for
  const Check& check;
};

struct Caught {
  uint64_t seed = 0;
  std::string violation;
};

bool says(const std::string& violation, const Check& check) {
  return std::any_of(check.begin(), check.end(),
                     [&](const char* text) { return violation.find(text) != std::string::npos; });
}

// The first of some seeds whose violation is of that check.
std::optional<Caught> look_for(const Bug& bug, uint64_t first, uint64_t count) {
  SeedRunnerConfig config;
  config.first = first;
  config.count = count;
  std::optional<Caught> caught;
  run_seeds(
      config,
      [&bug](uint64_t seed) {
        active_mutation = bug.mutation;
        return simulate_cluster(seed);
      },
      [&](uint64_t seed, const SimOutcome& outcome) {
        if (!says(outcome.violation, bug.check)) return true;
        caught = Caught{seed, outcome.violation};
        return false;
      });
  return caught;
}

// What is wrong with a seed without any bug.
std::string violation_without(uint64_t seed) {
  SeedRunnerConfig config;
  config.first = seed;
  std::string violation;
  run_seeds(
      config,
      [](uint64_t s) {
        active_mutation = Mutation::kNone;
        return simulate_cluster(s);
      },
      [&](uint64_t, const SimOutcome& outcome) {
        violation = outcome.violation;
        return true;
      });
  return violation;
}

class DeliberateBug : public testing::TestWithParam<Bug> {};

TEST_P(DeliberateBug, IsCaught) {
  const Bug& bug = GetParam();
  std::optional<Caught> caught = look_for(bug, bug.seed, 1);
  if (!caught) caught = look_for(bug, 1, kSeeds);
  ASSERT_TRUE(caught) << bug.name << " survived seed " << bug.seed << " and seeds 1 to " << kSeeds;
  std::printf("%s: seed %llu: %.160s\n", bug.name, static_cast<unsigned long long>(caught->seed),
              caught->violation.c_str());
  EXPECT_EQ(violation_without(caught->seed), "") << "seed " << caught->seed << " without the bug";
}

INSTANTIATE_TEST_SUITE_P(
    Mutations, DeliberateBug,
    testing::Values(
        Bug{Mutation::kIgnoreGap, "ignore_gap", 2, kAnswers},
        Bug{Mutation::kApplyTwice, "apply_twice", 2, kAnswers},
        Bug{Mutation::kUnnumberedMark, "unnumbered_mark", 2, kAnswers},
        Bug{Mutation::kFrameOnWrongVersion, "frame_on_wrong_version", 2, kAnswers},
        Bug{Mutation::kAcceptOldEpoch, "accept_old_epoch", 2, kAnswers},
        Bug{Mutation::kCloseImagesEarly, "close_images_early", 1, kAnswers},
        Bug{Mutation::kDropLateByClock, "drop_late_by_clock", 2, kAnswers},
        Bug{Mutation::kOrderDependentSum, "order_dependent_sum", 1, kAnswers},
        Bug{Mutation::kMarkBeforeDeadLetters, "mark_before_dead_letters", 2, kDeadLetters},
        Bug{Mutation::kCatchUpPastDeadLetters, "catch_up_past_dead_letters", 2, kDeadLetters},
        Bug{Mutation::kRepeatDeadLetters, "repeat_dead_letters", 2, kDeadLetters},
        Bug{Mutation::kForgetGrownOffsets, "forget_grown_offsets", 1, kAnswers},
        Bug{Mutation::kIgnoreGrownOffsets, "ignore_grown_offsets", 1, kAnswers},
        Bug{Mutation::kSkipFsync, "skip_fsync", 2, kPowerLoss},
        Bug{Mutation::kReadVBeforeRegistering, "read_v_before_registering", 28, kAnswers},
        Bug{Mutation::kCompareStamps, "compare_stamps", 2, kAnswers},
        Bug{Mutation::kOpenOneOffsetLate, "open_one_offset_late", 1, kOffsets},
        Bug{Mutation::kPublishBeforeReplica, "publish_before_replica", 2, kAnswers},
        Bug{Mutation::kForgetUnpublished, "forget_unpublished", 1, kAnswers},
        Bug{Mutation::kEvictUncovered, "evict_uncovered", 1, kAnswers},
        Bug{Mutation::kDeleteNamedFile, "delete_named_file", 2, kSnapshots},
        Bug{Mutation::kForgetMaxEventTime, "forget_max_event_time", 1, kOffsets},
        Bug{Mutation::kHorizonFallsOnRecovery, "horizon_falls_on_recovery", 2, kHorizons},
        Bug{Mutation::kIgnoreCuts, "ignore_cuts", 2, kAnswers},
        Bug{Mutation::kTrustDamagedManifest, "trust_damaged_manifest", 3, kSnapshots},
        Bug{Mutation::kDropPendingOnSnapshot, "drop_pending_on_snapshot", 1, kAnswers},
        Bug{Mutation::kImagesWithoutFloors, "images_without_floors", 108, kAnswers},
        Bug{Mutation::kForgetFloorOnPromotion, "forget_floor_on_promotion", 4, kAnswers},
        Bug{Mutation::kHandOverHeadOnly, "hand_over_head_only", 17, kAnswers}),
    [](const testing::TestParamInfo<Bug>& bug) { return std::string(bug.param.name); });

}  // namespace
}  // namespace tidemill::test
