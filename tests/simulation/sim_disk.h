// SimDisk: the disk of one simulated machine. It outlives the processes that run there, keeps what
// POSIX promises to keep (sim_files.h), and fails as told: power is lost, a process ends in the
// middle of its n-th change, the disk is full, operations fail, a bit flips, everything is gone.
// Given to processes as the Disk they know, with RocksDB on top.
//
// Everything random follows from the seed. Operations may come from RocksDB's own threads as well,
// whose order is not ours: only those of the thread that made the disk are counted and struck.
// thread-safe; the harness's calls come from that one thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "shared/state/disk.h"

namespace tidemill::test {

enum class DiskFault {
  kCrash,       // of a process, in the middle of a change
  kPowerLost,   // with the machine
  kBytesLost,   // files that lost unsynced bytes with it
  kTorn,        // of these: some unsynced bytes were left, or garbage
  kNamesLost,   // unsynced changes of names that were lost with it
  kFull,        // writes refused for want of space
  kFailedRead,  // operations that failed
  kFailedWrite,
  kFailedSync,
  kBitFlipped,
  kBaseCut,  // no fault: a state was written whole
  kWiped,
  kCount
};

std::string_view disk_fault_name(DiskFault fault);

class SimDisk {
 public:
  explicit SimDisk(uint64_t seed);
  ~SimDisk();

  // The disk as one incarnation of a process sees it. Whoever mounted it before is gone: it gets
  // nothing but errors, and its locks are free.
  std::shared_ptr<Disk> mount();
  void unmount();

  // These unmount as well.
  void lose_power();
  void wipe();

  // The `change`-th change (from 1) that is made through the present mount does not get through, or
  // half, nothing after it does, and `crashed` is called from within it.
  void crash_at(uint64_t change, std::function<void()> crashed);
  // Changes made through the present mount.
  uint64_t changes() const;
  void set_full(bool full);
  // Of the reads, writes and syncs, by share.
  void set_failing(double share);
  void heal();  // neither full nor failing, no crash to come

  // One of its bits. False: there is no such file, or it is empty, or open for writing.
  bool flip_bit(const std::string& path);

  std::vector<std::string> paths() const;  // of all files, by name
  Result<std::string> read(const std::string& path) const;
  uint64_t bytes() const;  // of all files

  using Counts = std::array<uint64_t, static_cast<size_t>(DiskFault::kCount)>;
  Counts counts() const;

  struct Core;

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace tidemill::test
