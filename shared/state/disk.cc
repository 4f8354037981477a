#include "shared/state/disk.h"

#include <rocksdb/env.h>

#include <utility>

#include "shared/state/direct_files.h"

namespace tidemill {

Disk::Disk(std::shared_ptr<rocksdb::Env> env) : env_(std::move(env)) {}
Disk::~Disk() = default;

std::shared_ptr<Disk> Disk::real() { return std::make_shared<Disk>(direct_files_env()); }

std::shared_ptr<Disk> Disk::in_memory() {
  return std::make_shared<Disk>(
      std::shared_ptr<rocksdb::Env>(rocksdb::NewMemEnv(rocksdb::Env::Default())));
}

}  // namespace tidemill
