// One simulated life of a whole cluster: the real coordinator, workers and stores run a job on
// generated events while faults strike and operators work, from one seed. Answers read meanwhile
// and at the end are compared with the brute-force fold, and so is every snapshot that is left.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "shared/base/mutation.h"

namespace tidemill::test {

struct SimOutcome {
  std::string violation;  // empty: none
  uint64_t trace_hash = 0;
  uint64_t events = 0;  // of the job
  uint64_t answers_while_running = 0;
  uint64_t answers_before_growth = 0;  // of these: with a V for fewer source partitions
  uint64_t answers_at_end = 0;
  uint64_t not_ready_answers = 0;
  // How often each kind of fault struck, and each way of recovering from them was taken.
  std::map<std::string, uint64_t> counts;
};

SimOutcome simulate_cluster(uint64_t seed, bool print_log = false);

// The settings, faults and operations of a seed, a line each.
std::string describe_seed(uint64_t seed);

}  // namespace tidemill::test
