#include "shared/state/disk.h"

#include <rocksdb/env.h>

#include <utility>

namespace tidemill {

Disk::Disk(std::shared_ptr<rocksdb::Env> env) : env_(std::move(env)) {}
Disk::~Disk() = default;

std::shared_ptr<Disk> Disk::real() {
  // Env::Default() lives as long as the process.
  return std::make_shared<Disk>(
      std::shared_ptr<rocksdb::Env>(rocksdb::Env::Default(), [](rocksdb::Env*) {}));
}

std::shared_ptr<Disk> Disk::in_memory() {
  return std::make_shared<Disk>(
      std::shared_ptr<rocksdb::Env>(rocksdb::NewMemEnv(rocksdb::Env::Default())));
}

}  // namespace tidemill
