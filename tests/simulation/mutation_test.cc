// Each deliberate bug listed here is caught by a seed of the same simulation, and by nothing written
// for it: by a seed that is clean without the bug, with a violation of the kind that the bug should
// lead to. A bug that survives every seed fails its test.
#include <gtest/gtest.h>

#include <cstdio>
#include <optional>

#include "tests/simulation/seed_runner.h"

namespace tidemill::test {
namespace {

// Seeds that are looked through if the one that is known no longer catches a bug: what seeds mean
// changes with the simulation.
constexpr uint64_t kSeeds = 60;

// What violations say: an answer or a snapshot differs from the fold of the events; ...
constexpr const char* kValue = "the fold is";
constexpr const char* kMaxEventTime = "the largest event time below";
constexpr const char* kDamaged = "is damaged";
constexpr const char* kDeadLetters = "dead letter";

struct Bug {
  Mutation mutation;
  const char* name;
  uint64_t seed;     // that caught it when it was last looked for
  const char* sign;  // in the violation
};

struct Caught {
  uint64_t seed = 0;
  std::string violation;
};

std::optional<Caught> look_for(Mutation mutation, const char* sign, uint64_t first,
                               uint64_t count) {
  SeedRunnerConfig config;
  config.first = first;
  config.count = count;
  std::optional<Caught> caught;
  run_seeds(
      config,
      [mutation](uint64_t seed) {
        active_mutation = mutation;
        return simulate_cluster(seed);
      },
      [&](uint64_t seed, const SimOutcome& outcome) {
        if (outcome.violation.find(sign) == std::string::npos) return true;
        if (outcome.violation.empty()) return true;
        caught = Caught{seed, outcome.violation};
        return false;
      });
  return caught;
}

class DeliberateBug : public testing::TestWithParam<Bug> {};

TEST_P(DeliberateBug, IsCaught) {
  const Bug& bug = GetParam();
  std::optional<Caught> caught = look_for(bug.mutation, bug.sign, bug.seed, 1);
  if (!caught) caught = look_for(bug.mutation, bug.sign, 1, kSeeds);
  ASSERT_TRUE(caught) << bug.name << " survived seed " << bug.seed << " and " << kSeeds << " more";
  std::printf("%s: seed %llu: %.160s\n", bug.name, static_cast<unsigned long long>(caught->seed),
              caught->violation.c_str());
  const auto without = look_for(Mutation::kNone, "", caught->seed, 1);
  EXPECT_FALSE(without) << "seed " << caught->seed << " without any bug: " << without->violation;
}
