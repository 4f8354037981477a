// SpillFile: bytes that do not fit in memory, in a file without a name that is gone with the
// process. Appended to and read at offsets. thread-safe
//
// Failure: a full or failing disk is kRetryable, a directory that cannot be written kUser.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "shared/base/result.h"

namespace tidemill::training {

class SpillFile {
 public:
  static Result<std::unique_ptr<SpillFile>> open(const std::string& directory);
  ~SpillFile();
  SpillFile(const SpillFile&) = delete;
  SpillFile& operator=(const SpillFile&) = delete;

  // Where the bytes are now.
  Result<uint64_t> append(std::span<const uint8_t> bytes);
  Status read(uint64_t offset, std::span<uint8_t> to) const;
  uint64_t size() const { return size_; }

 private:
  SpillFile(int fd, std::string directory) : fd_(fd), directory_(std::move(directory)) {}

  int fd_;
  std::string directory_;
  std::atomic<uint64_t> size_ = 0;
};

}  // namespace tidemill::training
