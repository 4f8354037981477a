// One simulated life of a whole cluster: the real coordinator, three workers and a store run a job
// on generated events while faults strike, from one seed. Answers read meanwhile and at the end
// are compared with the brute-force fold.
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
  std::map<std::string, uint64_t> faults;  // by kind, how often each struck
};

SimOutcome simulate_cluster(uint64_t seed, bool print_log = false);

}  // namespace tidemill::test
