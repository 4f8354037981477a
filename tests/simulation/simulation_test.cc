// Seeds of the whole cluster under faults, on all cores. TIDEMILL_SIM_SEEDS: how many (default
// 2,000), TIDEMILL_SIM_FIRST: the first. Prints how often each kind of fault struck, and each way
// of recovery was taken; over many seeds none may be missing.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "tests/simulation/seed_runner.h"

namespace tidemill::test {
namespace {

constexpr uint64_t kSeedsForAllKinds = 200;

uint64_t setting(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

SeedRunnerConfig settings() {
  SeedRunnerConfig config;
  config.first = setting("TIDEMILL_SIM_FIRST", 1);
  config.count = setting("TIDEMILL_SIM_SEEDS", 2'000);
  return config;
}

// What must have happened in many seeds: faults, and what was done about them.
constexpr const char* kKinds[] = {
    // Network and processes.
    "delayed", "reordered", "dropped", "duplicated", "cut", "one_way_cut", "crash", "restart",
    "freeze", "unfreeze", "clock_skew", "slow_blocking", "terminate", "broken_link",
    "false_broken_link",
    // Disks and storages.
    "disk_crash_in_change", "disk_power_lost", "disk_bytes_lost", "disk_torn_write",
    "disk_names_lost", "disk_full", "disk_failed_read", "disk_failed_write", "disk_failed_sync",
    "disk_bit_flipped", "disk_wiped", "storage_bit_flip", "snapshots_lost", "storage_refused",
    "storage_failed", "crash_using_storage", "dead_letters_half_written",
    "crash_writing_dead_letters",
    // Operators.
    "coordinator_away", "worker_joins", "drain_accepted", "rebalance_accepted",
    "snapshot_triggered", "savepoint_completed", "job_started_from_savepoint", "job_updated",
    // Queues that ran full.
    "mailbox_full", "link_full", "frozen_full",
    // Ways of recovering, and what was told on the way.
    "all_wiped", "log.standby_promoted", "log.key_partition_restored", "log.state_from_store",
    "log.state_handed_over", "log.key_partition_fenced", "log.member_fenced", "log.member_left",
    "log.snapshot_refused", "log.snapshot_failed", "log.state_damaged", "log.source_read_failed",
    "log.store_disk_failed", "log.store_disk_works", "log.unsent_rows_dropped",
    "snapshots_refused_in_restore", "followed_by_rows", "resumed_by_rows", "images_since_a_version",
    "images_of_all_keys", "session_gaps", "disk_bases_cut",
    // Windows and memory.
    "evicted_keys", "cold_reads", "freed_rows", "too_late_rows",
    // At the end.
    "snapshots_verified_at_end"};

// All seeds of this run, and what each came to.
const std::map<uint64_t, SimOutcome>& outcomes() {
  static const auto all = [] {
    std::map<uint64_t, SimOutcome> out;
    run_seeds(
        settings(), [](uint64_t seed) { return simulate_cluster(seed); },
        [&](uint64_t seed, const SimOutcome& outcome) {
          if (!outcome.violation.empty()) {
            std::printf("FAILED seed %llu: %.400s\n  %s\n", static_cast<unsigned long long>(seed),
                        outcome.violation.c_str(), how_to_rerun(seed).c_str());
            std::fflush(stdout);
          }
          out[seed] = outcome;
          return true;
        });
    return out;
  }();
  return all;
}

class ClusterUnderFaults : public testing::TestWithParam<uint64_t> {
 public:
  static void TearDownTestSuite() {
    std::map<std::string, uint64_t> counts;
    for (const auto& [seed, outcome] : outcomes()) {
      for (const auto& [kind, n] : outcome.counts) counts[kind] += n;
      counts["answers_compared_while_running"] += outcome.answers_while_running;
      counts["answers_before_growth"] += outcome.answers_before_growth;
      counts["answers_at_end"] += outcome.answers_at_end;
      counts["answers_not_ready"] += outcome.not_ready_answers;
    }
    std::printf("seeds=%zu\n%s", outcomes().size(), count_table(counts).c_str());
    if (outcomes().size() < kSeedsForAllKinds) return;
    EXPECT_GT(counts["answers_before_growth"], 0u);
    for (const char* kind : kKinds) EXPECT_GT(counts[kind], 0u) << kind;
    for (const auto& [kind, count] : counts) EXPECT_GT(count, 0u) << kind;
  }
};

TEST_P(ClusterUnderFaults, EqualsTheFold) {
  const auto found = outcomes().find(GetParam());
  ASSERT_NE(found, outcomes().end());
  const SimOutcome& outcome = found->second;
  EXPECT_EQ(outcome.violation, "") << "seed " << GetParam() << ": " << how_to_rerun(GetParam());
  EXPECT_GE(outcome.events, 1'400u);
  EXPECT_GT(outcome.answers_at_end, 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ClusterUnderFaults,
                         testing::Range<uint64_t>(settings().first,
                                                  settings().first + settings().count));

// One seed in this very process, with its fault plan and its log: TIDEMILL_SIM_SHOW=SEED.
TEST(OneSeed, WithItsLog) {
  const uint64_t seed = setting("TIDEMILL_SIM_SHOW", 0);
  if (seed == 0) GTEST_SKIP() << "TIDEMILL_SIM_SHOW names no seed";
  std::fputs(describe_seed(seed).c_str(), stderr);
  const SimOutcome outcome = simulate_cluster(seed, true);
  std::fputs(count_table(outcome.counts).c_str(), stderr);
  EXPECT_EQ(outcome.violation, "");
}

TEST(Determinism, TheSameSeedTwiceGivesTheSameTrace) {
  const SimOutcome first = simulate_cluster(7);
  const SimOutcome second = simulate_cluster(7);
  EXPECT_EQ(first.trace_hash, second.trace_hash);
  EXPECT_NE(first.trace_hash, simulate_cluster(8).trace_hash);
}

}  // namespace
}  // namespace tidemill::test
