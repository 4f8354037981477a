// SnapshotStorage: where snapshots are kept for a lost machine: named immutable objects. A
// directory that all workers reach, or S3-compatible storage. Names are path-like,
// `job-00000001/k-00017/...`.
//
// Names have A-Z a-z 0-9 . _ - and / between parts, none of which is empty, begins with a dot, or
// ends in `.partial`; at most 512 bytes.
//
// thread-safe, blocking. Failure: kRetryable where trying again may help; kCorrupt where an object
// is not there, or its name cannot be one; kUser where credentials or the bucket are wrong. An
// object appears whole or not at all. Nothing rests on create-if-absent: that names never clash is
// the writers' doing.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/state/disk.h"

namespace tidemill {

struct StoredObject {
  std::string name;
  uint64_t bytes = 0;
};

class SnapshotStorage {
 public:
  virtual ~SnapshotStorage() = default;
  // Durable on return; replaces an object of that name.
  virtual Status put(const std::string& name, std::span<const uint8_t> bytes) = 0;
  virtual Status put_file(const std::string& name, const Disk& disk, const std::string& path) = 0;
  virtual Result<std::vector<uint8_t>> get(const std::string& name) = 0;
  // The file is synced on return.
  virtual Status get_file(const std::string& name, const Disk& disk, const std::string& path) = 0;
  // Whose names begin with `prefix`, by name. What a broken put has left is listed as well, under
  // the object's name and `.partial`, so that it can be removed.
  virtual Result<std::vector<StoredObject>> list(const std::string& prefix) = 0;
  // What is not there is no error.
  virtual Status remove(const std::string& name) = 0;
};

// `location`: a directory, or s3://BUCKET/PREFIX?endpoint=URL&region=R with the credentials in the
// environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN). kUser: not understood.
// `memory_budget_bytes`: of the process, 0: no bound; uploads keep to their part of it.
Result<std::shared_ptr<SnapshotStorage>> open_snapshot_storage(const std::string& location,
                                                               uint64_t memory_budget_bytes = 0);
// A directory on a disk of one's own.
std::shared_ptr<SnapshotStorage> directory_storage(std::shared_ptr<Disk> disk,
                                                   const std::string& directory);

}  // namespace tidemill
