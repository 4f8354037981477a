// StateDb: a RocksDB of the files of a state, for reading single keys. It holds links to the files
// and nothing of its own: its directory is thrown away with it, and nothing in it is ever synced.
#pragma once

#include <rocksdb/db.h>

#include <memory>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/state/disk.h"

namespace tidemill {

class StateDb {
 public:
  // In a new directory, of these files, oldest first.
  static Result<std::unique_ptr<StateDb>> open(std::shared_ptr<Disk> disk,
                                               const std::string& directory,
                                               const std::vector<std::string>& files);
  ~StateDb();

  // The newest file; it is not changed.
  Status ingest(const std::vector<std::string>& files);
  // Values by position; empty: none. `keys` as encode_state_key() makes them.
  Result<std::vector<std::string>> get(const std::vector<std::string>& keys);
  uint64_t memory_bytes() const;

 private:
  StateDb(std::shared_ptr<Disk> disk, std::string directory);

  std::shared_ptr<Disk> disk_;
  std::string directory_;
  std::unique_ptr<rocksdb::Env> unsynced_;
  std::shared_ptr<rocksdb::Cache> cache_;
  std::unique_ptr<rocksdb::DB> db_;
  uint64_t links_ = 0;
};

}  // namespace tidemill
