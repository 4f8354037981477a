// What a SimDisk and its mounts share: the files, the faults to come, and those that struck.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "tests/simulation/sim_disk.h"
#include "tests/simulation/sim_files.h"

namespace rocksdb {
class Env;
}

namespace tidemill::test {

// What one incarnation of a process has of the disk.
struct SimMount {
  bool gone = false;
  uint64_t changes = 0;
  std::set<std::string> locks;
};

enum class DiskOp {
  kLook,   // at names and sizes
  kRead,   // bytes
  kWrite,  // bytes
  kSync,
  kName,    // a name changes
  kNewName  // which takes space
};
enum class DiskVerdict { kPass, kGone, kTorn, kFull, kFailed };

// All under `mutex`.
struct SimDisk::Core {
  explicit Core(uint64_t seed) : random(seed) {}

  // What becomes of an operation; counts it.
  DiskVerdict admit(SimMount* mount, DiskOp op);
  void count(DiskFault fault, uint64_t n = 1) { counts[static_cast<size_t>(fault)] += n; }

  std::mutex mutex;
  const std::thread::id owner = std::this_thread::get_id();
  Random random;
  SimFiles files;
  std::shared_ptr<SimMount> mounted;
  uint64_t crash_at = 0;  // 0: none to come
  std::function<void()> crashed;
  bool full = false;
  double failing = 0;
  SimDisk::Counts counts{};
};

// `core`'s files as a RocksDB file system.
std::shared_ptr<rocksdb::Env> make_sim_env(std::shared_ptr<SimDisk::Core> core,
                                           std::shared_ptr<SimMount> mount);

}  // namespace tidemill::test
