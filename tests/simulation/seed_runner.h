// Seeds of the simulation on all cores: each core runs them in a child process of its own, so that
// one that ends in an assertion, or never, is the failure of its seed and of nothing else.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "tests/simulation/cluster_sim.h"

namespace tidemill::test {

struct SeedRunnerConfig {
  uint64_t first = 1;
  uint64_t count = 1;
  size_t jobs = 0;                 // children at a time; 0: as many as there are cores
  uint32_t cpu_seconds_max = 120;  // of a seed
};

using RunSeed = std::function<SimOutcome(uint64_t seed)>;
// Called in the caller's process, in the order in which seeds end; false: no more are begun.
using SeedEnded = std::function<bool(uint64_t seed, const SimOutcome& outcome)>;

// A seed whose child died has a violation that says how, with the end of what it wrote to stderr.
void run_seeds(const SeedRunnerConfig& config, const RunSeed& run, const SeedEnded& ended);

// The command that runs a seed alone, with its log.
std::string how_to_rerun(uint64_t seed);
// A line for each.
std::string count_table(const std::map<std::string, uint64_t>& counts);

}  // namespace tidemill::test
