// The machines of the simulated cluster: coordinator, workers and stores, each a process on a disk
// of its own, the storages they share, and a supervisor that starts again what has ended. How a
// machine goes down, and what it finds when it is up again.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/metadata_store.h"
#include "coordinator/source_catalog.h"
#include "shared/runtime/random.h"
#include "shared/runtime/sim/simulation.h"
#include "tests/simulation/sim_disk.h"
#include "tests/simulation/sim_invariants.h"
#include "tests/simulation/sim_letters.h"
#include "tests/simulation/sim_plan.h"
#include "tests/simulation/sim_storage.h"

namespace tidemill::test {

class SimMachines {
 public:
  SimMachines(uint64_t seed, const SimPlan& plan, Simulation* sim,
              std::shared_ptr<SourceCatalog> catalog);

  // All processes; those that join later do nothing yet.
  void start();

  SimProcessId process(size_t machine) const { return {machine}; }
  bool up(size_t machine) const;  // and not frozen
  // Whether a bit of its disk has flipped.
  bool damaged(size_t machine) const;
  // How often its disk was emptied.
  uint64_t wipes(size_t machine) const { return machines_[machine].wipes; }
  SimLimits limits() const;  // that the workers are configured with
  SimLetters& letters() { return letters_; }
  SimStorage& storage() { return storage_; }

  // Until `bring_up`, nobody starts the process again. With its power, a disk loses what was not
  // synced.
  void bring_down(size_t machine, bool power_lost);
  void bring_up(size_t machine);
  // The process ends now, or as soon as the handler that runs has returned; the supervisor starts
  // it again.
  void crash(size_t machine, bool power_lost);

  void begin(const Mishap& mishap);  // those of disks, storage and processes
  void end(const Mishap& mishap);
  void heal();

  // By kind, how often each struck.
  void add_counts(std::map<std::string, uint64_t>* counts) const;
  // Whether an object in snapshot storage is still as it was after a bit of it had flipped: it may
  // have been written again.
  bool is_damaged(const std::string& object);

 private:
  struct Machine {
    std::unique_ptr<SimDisk> disk;
    bool joined = true;
    bool held_down = false;
    uint64_t wipes = 0;
  };

  void add_coordinator();
  void add_worker(size_t machine);
  void add_store(size_t machine);
  bool can_start(size_t machine);
  void supervise();
  void arm_crash(const Mishap& mishap);
  void wipe(size_t machine);
  void flip_bit(size_t machine);
  void flip_bit_in_storage();
  void damage_object(const std::string& path);
  void lose_snapshots();
  std::string newest_file(const std::vector<std::string>& paths);

  SimPlan plan_;
  Simulation* sim_;
  Random random_;
  std::shared_ptr<SourceCatalog> catalog_;
  SimLetters letters_;
  SimStorage storage_;
  std::vector<Machine> machines_;
  std::shared_ptr<MetadataStore> metadata_;  // opened for the coordinator's next incarnation
  std::map<std::string, std::vector<uint8_t>> damaged_objects_;  // as they were then
  std::map<std::string, uint64_t> counts_;
};

}  // namespace tidemill::test
