// A key partition's disk with states on it, for tests of snapshots.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "shared/snapshot/snapshots.h"

namespace tidemill::testing {

inline constexpr JobId kJob{3};
inline constexpr KeyPartitionId kPartition{17};

TableSchemas count_schemas();  // one table without columns

// An owner, or whoever writes the state of kPartition, with a disk of its own in memory.
class StateWriter {
 public:
  // `max_increments`: a base is cut when there are more.
  explicit StateWriter(JobId job = kJob, uint32_t max_increments = 64);
  ~StateWriter();
  StateWriter(StateWriter&&) = default;
  StateWriter& operator=(StateWriter&&) = default;

  PartitionDisk* disk() { return partition_.get(); }
  const std::shared_ptr<Disk>& files() const { return disk_; }
  std::string directory() const;
  // Counted up by one and written under that grant: `rows` rows of a key of its own.
  void write(Epoch epoch, size_t rows = 3);
  // As after a restart of the process.
  void reopen();
  // All that is held, as images; empty: nothing.
  std::vector<uint8_t> contents();

 private:
  std::shared_ptr<Disk> disk_;
  PartitionDiskConfig config_;
  std::unique_ptr<PartitionDisk> partition_;
};

std::vector<uint8_t> read_file(const Disk& disk, const std::string& path);
void write_file(const Disk& disk, const std::string& path, const std::vector<uint8_t>& bytes);

}  // namespace tidemill::testing
