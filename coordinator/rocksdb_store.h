// The coordinator's metadata in an embedded RocksDB: <directory>/db, of one process at a time, and
// <directory>/GENERATION beside it, because RocksDB alone would open a truncated database as an
// empty one. Everything it acknowledges survives a crash of the process and of the machine.
#pragma once

#include <memory>
#include <string>

#include "coordinator/key_value_store.h"
#include "shared/state/disk.h"

namespace tidemill {

// Creates the directory if there is none.
Result<std::unique_ptr<KeyValueStore>> open_rocksdb_store(std::shared_ptr<Disk> disk,
                                                          const std::string& directory);

}  // namespace tidemill
