// Seeds of the whole cluster under faults. TIDEMILL_SIM_SEEDS: how many (default 200),
// TIDEMILL_SIM_FIRST: the first. Prints how often each kind of fault struck.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "tests/simulation/cluster_sim.h"

namespace tidemill::test {
namespace {

uint64_t setting(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::map<std::string, uint64_t> total_faults;
uint64_t total_answers = 0;
uint64_t total_before_growth = 0;
uint64_t total_seeds = 0;

class ClusterUnderFaults : public testing::TestWithParam<uint64_t> {
 public:
  static void TearDownTestSuite() {
    std::printf("seeds=%llu answers_compared_while_running=%llu before_growth=%llu",
                static_cast<unsigned long long>(total_seeds),
                static_cast<unsigned long long>(total_answers),
                static_cast<unsigned long long>(total_before_growth));
    for (const auto& [kind, count] : total_faults) {
      std::printf(" %s=%llu", kind.c_str(), static_cast<unsigned long long>(count));
    }
    std::printf("\n");
    if (total_seeds < 50) return;
    EXPECT_GT(total_before_growth, 0u);
    // Every kind of fault that the plans draw has struck.
    for (const char* kind :
         {"delayed", "reordered", "dropped", "duplicated", "cut", "one_way_cut", "crash", "restart",
          "freeze", "unfreeze", "dead_letters_half_written", "crash_writing_dead_letters"}) {
      EXPECT_GT(total_faults[kind], 0u) << kind;
    }
  }
};

TEST_P(ClusterUnderFaults, EqualsTheFold) {
  const SimOutcome outcome = simulate_cluster(GetParam());
  EXPECT_EQ(outcome.violation, "") << "seed " << GetParam();
  EXPECT_GE(outcome.events, 10'000u);
  EXPECT_GT(outcome.answers_at_end, 0u);
  for (const auto& [kind, count] : outcome.faults) total_faults[kind] += count;
  total_answers += outcome.answers_while_running;
  total_before_growth += outcome.answers_before_growth;
  ++total_seeds;
}

INSTANTIATE_TEST_SUITE_P(Seeds, ClusterUnderFaults,
                         testing::Range<uint64_t>(setting("TIDEMILL_SIM_FIRST", 1),
                                                  setting("TIDEMILL_SIM_FIRST", 1) +
                                                      setting("TIDEMILL_SIM_SEEDS", 200)));

TEST(Determinism, TheSameSeedTwiceGivesTheSameTrace) {
  const SimOutcome first = simulate_cluster(7);
  const SimOutcome second = simulate_cluster(7);
  EXPECT_EQ(first.trace_hash, second.trace_hash);
  EXPECT_NE(first.trace_hash, simulate_cluster(8).trace_hash);
}

}  // namespace
}  // namespace tidemill::test
