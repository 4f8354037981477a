// Seeds that nobody has run before, for hours:  simulation_nightly HOURS [FIRST_SEED]
// Prints each failing seed with its fault plan and how to run it again, and at the end how often
// each kind of fault struck. Exit code 1 if a seed has failed.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "tests/simulation/seed_runner.h"

namespace {

using tidemill::test::SimOutcome;

void print_failure(uint64_t seed, const SimOutcome& outcome) {
  std::printf("FAILED seed %llu: %s\n%s%s\n", static_cast<unsigned long long>(seed),
              outcome.violation.c_str(), tidemill::test::describe_seed(seed).c_str(),
              tidemill::test::how_to_rerun(seed).c_str());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const double hours = argc > 1 ? std::strtod(argv[1], nullptr) : 0;
  if (hours <= 0) {
    std::fprintf(stderr, "usage: simulation_nightly HOURS [FIRST_SEED]\n");
    return 2;
  }
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double, std::ratio<3600>>(hours);
  tidemill::test::SeedRunnerConfig config;
  config.first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : std::random_device()();
  config.count = UINT64_MAX / 2;
  uint64_t seeds = 0;
  uint64_t failed = 0;
  std::map<std::string, uint64_t> counts;
  std::printf("from seed %llu\n", static_cast<unsigned long long>(config.first));
  tidemill::test::run_seeds(
      config, [](uint64_t seed) { return tidemill::test::simulate_cluster(seed); },
      [&](uint64_t seed, const SimOutcome& outcome) {
        ++seeds;
        for (const auto& [kind, n] : outcome.counts) counts[kind] += n;
        if (!outcome.violation.empty()) {
          ++failed;
          print_failure(seed, outcome);
        }
        return Clock::now() < end;
      });
  std::printf("%s%llu seeds, %llu failed\n", tidemill::test::count_table(counts).c_str(),
              static_cast<unsigned long long>(seeds), static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}
