// SstReaders: the SST files that are open for reading single keys, of all states of a process. What
// is held of a file is its index and its filter; blocks of rows stay in the operating system's page
// cache. Files that were not read for longest are closed when the bound is reached, and opened
// again when they are asked for.
//
// thread-safe; opening a file blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "shared/base/result.h"

namespace rocksdb {
class Env;
class SstFileReader;
}  // namespace rocksdb

namespace tidemill {

class SstReaders {
 public:
  using Reader = std::shared_ptr<rocksdb::SstFileReader>;
  static constexpr uint64_t kDefaultBytes = 64u << 20;
  static constexpr size_t kDefaultFiles = 512;

  // At most about `max_bytes` of memory, and `max_files` open files; but always one file.
  explicit SstReaders(uint64_t max_bytes = kDefaultBytes, size_t max_files = kDefaultFiles);

  // The file stays open at least as long as the reader is held.
  Result<Reader> open(rocksdb::Env* env, const std::string& path);
  // The file is about to be removed, and its name may be used again.
  void forget(const std::string& path);

  uint64_t bytes() const;
  uint64_t bytes_of(const std::string& path) const;  // 0: not open
  size_t files() const;

 private:
  struct Open {
    std::string path;
    Reader reader;
    uint64_t bytes = 0;
  };
  using Order = std::list<Open>;

  void remove(Order::iterator entry);

  const uint64_t max_bytes_;
  const size_t max_files_;
  mutable std::mutex mutex_;
  Order order_;  // the one read last is first
  std::unordered_map<std::string, Order::iterator> by_path_;
  uint64_t bytes_ = 0;
};

}  // namespace tidemill
