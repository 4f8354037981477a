// FaultPlan: which faults strike when, drawn from a seed as plain data, so that a harness can
// print it, leave parts of it out, and run it again. Everything is healed at its end.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "shared/runtime/sim/simulation.h"

namespace tidemill {

enum class FaultKind {
  kCutLink,       // a <-> b
  kCutOneWay,     // a -> b
  kClogLink,      // a -> b
  kNetworkPhase,  // drop, duplicate, reorder, delay on all links
  kFreeze,        // a
  kCrash,         // a, restarted at the end of the fault
  kClockJump,     // a's wall clock is off by `amount_us` until the end of the fault
};

struct Fault {
  FaultKind kind = FaultKind::kCutLink;
  int64_t at_us = 0;
  int64_t duration_us = 0;
  SimProcessId a;
  SimProcessId b;
  double drop = 0;
  double duplicate = 0;
  double reorder = 0;
  int64_t amount_us = 0;  // largest delay of a network phase; offset of a clock jump
};

std::string describe(const Fault& fault, const Simulation& sim);
// Before there is a simulation.
std::string describe(const Fault& fault, const std::function<std::string(SimProcessId)>& name_of);

struct FaultPlanConfig {
  int64_t start_us = 0;
  int64_t span_us = 30'000'000;
  // How many of each kind strike within the span.
  int cuts = 3;
  int one_way_cuts = 2;
  int clogs = 3;
  int network_phases = 3;
  int freezes = 2;
  int crashes = 3;
  int clock_jumps = 0;
  int64_t fault_us_min = 50'000;
  int64_t fault_us_max = 5'000'000;
  double drop_max = 0.1;
  double duplicate_max = 0.05;
  double reorder_max = 0.2;
  int64_t delay_us_max = 50'000;
  int64_t clock_jump_us_max = 2'000'000;
  // Who may be struck by a freeze, crash or clock jump; empty: any.
  std::vector<SimProcessId> victims;
};

// What a harness does in place of plain Simulation::crash and restart, such as tearing a disk.
struct FaultCallbacks {
  std::function<void(SimProcessId)> crash{};
  std::function<void(SimProcessId)> restart{};
  std::function<void(const Fault&)> fired{};
};

class FaultPlan {
 public:
  // `processes`: how many the simulation has. Pure: depends on its arguments only.
  static FaultPlan random(uint64_t seed, size_t processes, const FaultPlanConfig& config);
  explicit FaultPlan(std::vector<Fault> faults, int64_t end_us);

  const std::vector<Fault>& faults() const { return faults_; }
  // When everything is healed.
  int64_t end_us() const { return end_us_; }

  // Schedules it in `sim`, whose virtual time is before the first fault. Crashed processes that
  // the plan brought down are up again at end_us.
  void schedule(Simulation& sim, FaultCallbacks callbacks = {}) const;

 private:
  std::vector<Fault> faults_;  // by at_us
  int64_t end_us_;
};

}  // namespace tidemill
