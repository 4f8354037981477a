// SimSnapshots: at the end, every snapshot that the registry retains is there, verifies unless the
// fault plan has damaged it, and restores to the state of its V: the fold of the events below it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "shared/plan/plan.h"
#include "shared/state/state_head.h"
#include "shared/window/partition_state.h"
#include "tests/simulation/sim_machines.h"
#include "tests/simulation/sim_operator.h"
#include "tests/simulation/sim_reads.h"

namespace tidemill::test {

class SimSnapshots {
 public:
  using Fail = std::function<void(const std::string&)>;

  SimSnapshots(Simulation* sim, SimMachines* machines, SimOperator* people, Fail fail)
      : sim_(sim), machines_(machines), people_(people), fail_(std::move(fail)) {}

  void check_all(const Plan& plan, SimReads* reads);
  void add_counts(std::map<std::string, uint64_t>* counts) const;

 private:
  struct Registered {
    uint32_t key_partition = 0;
    std::string manifest;
  };

  std::vector<Registered> list_registered(uint32_t key_partitions);
  bool is_registered(const Registered& one, uint32_t key_partitions);
  bool is_damaged(const std::string& manifest);
  void check(const Registered& registered, const Plan& plan, SimReads* reads);
  void compare(const Registered& registered, const Plan& plan, const StateHead& head,
               const PartitionState& state, SimReads* reads);

  Simulation* sim_;
  SimMachines* machines_;
  SimOperator* people_;
  Fail fail_;
  uint64_t verified_ = 0;
  uint64_t damaged_ = 0;
  uint64_t keys_compared_ = 0;
};

}  // namespace tidemill::test
