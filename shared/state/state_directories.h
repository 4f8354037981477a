// A process's data directory, and those of key partitions below it. blocking
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "shared/base/ids.h"
#include "shared/base/result.h"
#include "shared/state/disk.h"

namespace tidemill {

// Those that partition_directory() names and that exist, in order. None if there is no `data_dir`.
Result<std::vector<std::pair<JobId, KeyPartitionId>>> held_directories(const Disk& disk,
                                                                       const std::string& data_dir);

// Makes the directory with those above it, and holds it for this process until the result is
// dropped; released when the process ends in whatever way. kUser: another process holds it.
Result<std::shared_ptr<void>> lock_data_directory(std::shared_ptr<Disk> disk,
                                                  const std::string& directory);

// A directory with everything in it. What is not there is no error.
Status remove_directory(const Disk& disk, const std::string& directory);

}  // namespace tidemill
