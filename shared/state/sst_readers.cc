#include "shared/state/sst_readers.h"

#include <rocksdb/env.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/table_properties.h>

#include <utility>

#include "shared/state/env_files.h"
#include "shared/state/sst_file.h"

namespace tidemill {
namespace {

constexpr uint64_t kReaderBytes = 24u << 10;  // options, properties, handles, as measured

uint64_t memory_of(const rocksdb::SstFileReader& reader) {
  const auto properties = reader.GetTableProperties();
  return kReaderBytes + properties->index_size + properties->filter_size;
}

}  // namespace

SstReaders::SstReaders(uint64_t max_bytes, size_t max_files)
    : max_bytes_(max_bytes), max_files_(max_files) {}

// Opened without the lock: two who open the same file at the same time both may.
Result<SstReaders::Reader> SstReaders::open(rocksdb::Env* env, const std::string& path) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = by_path_.find(path);
    if (found != by_path_.end()) {
      order_.splice(order_.begin(), order_, found->second);
      return found->second->reader;
    }
  }
  auto reader = std::make_shared<rocksdb::SstFileReader>(state_options(env));
  if (auto s = reader->Open(path); !s.ok()) return disk_error("reading " + path, s);
  const uint64_t bytes = memory_of(*reader);
  const std::lock_guard lock(mutex_);
  if (by_path_.contains(path)) return reader;
  order_.push_front({path, reader, bytes});
  by_path_[path] = order_.begin();
  bytes_ += bytes;
  while (order_.size() > 1 && (bytes_ > max_bytes_ || order_.size() > max_files_)) {
    remove(std::prev(order_.end()));
  }
  return reader;
}

void SstReaders::forget(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto found = by_path_.find(path);
  if (found != by_path_.end()) remove(found->second);
}

void SstReaders::remove(Order::iterator entry) {
  bytes_ -= entry->bytes;
  by_path_.erase(entry->path);
  order_.erase(entry);
}

uint64_t SstReaders::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

uint64_t SstReaders::bytes_of(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? 0 : found->second->bytes;
}

size_t SstReaders::files() const {
  const std::lock_guard lock(mutex_);
  return order_.size();
}

}  // namespace tidemill
