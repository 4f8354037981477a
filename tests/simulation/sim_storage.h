// SimStorage: the snapshot storage that all simulated processes share: a directory on a disk of its
// own, as the product keeps it. It is away for a while, calls fail before or after they did their
// work, and a process may crash within one.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "shared/base/time.h"
#include "shared/runtime/random.h"
#include "shared/runtime/sim/simulation.h"
#include "shared/snapshot/snapshot_storage.h"
#include "shared/wire/stamp.h"
#include "tests/simulation/sim_disk.h"

namespace tidemill::test {

class SimStorage {
 public:
  // `crash` ends that process as soon as the handler that runs has returned.
  SimStorage(uint64_t seed, std::function<void(SimProcessId)> crash);

  // As a process sees it.
  std::shared_ptr<SnapshotStorage> storage_of(SimProcessId process);
  // As it is, without faults.
  SnapshotStorage* plain() { return directory_.get(); }
  SimDisk* disk() { return &disk_; }
  // The object that a file on its disk holds.
  static std::string object_of(const std::string& path);

  void set_away(bool away) { away_ = away; }
  void set_failing(double share) { failing_ = share; }
  void lose_power();
  void heal();

  uint64_t refused_calls() const { return refused_; }  // while it was away
  uint64_t failed_calls() const { return failed_; }
  uint64_t crashes() const { return crashes_; }
  // What no storage and no worker may do, the first time it was done: an object that somebody was
  // told is durable is lost with the power; the horizon of a state falls from one of its snapshots
  // to the next.
  const std::string& wrong() const { return wrong_; }

 private:
  class OfProcess;
  struct SnapshotOfState {
    Stamp stamp;
    TimeUs horizon = kMinTime;
    bool of_store = false;
  };
  enum class Fate { kDone, kFailsBefore, kFailsAfter };

  Fate fate_of_call(SimProcessId process, bool changes);
  void open();
  void note_object(const std::string& name);
  void check_horizon(const std::string& name, bool of_store);

  SimDisk disk_;
  std::shared_ptr<SnapshotStorage> directory_;
  std::function<void(SimProcessId)> crash_;
  Random random_;
  bool away_ = false;
  double failing_ = 0;
  std::set<std::string> durable_;  // objects, as those who put them were told
  std::map<std::pair<uint32_t, uint32_t>, std::vector<SnapshotOfState>> states_;  // by job, k
  std::string wrong_;
  uint64_t refused_ = 0;
  uint64_t failed_ = 0;
  uint64_t crashes_ = 0;
};

}  // namespace tidemill::test
