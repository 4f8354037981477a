// OpenFile: an open regular file and what the file system says of it. Names come and go under a
// reader (rotation renames, compresses, deletes); a descriptor stays with its file.
// Blocking. Failure: errors name the path.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "shared/base/result.h"
#include "shared/base/time.h"

namespace tidemill {

struct FileStatus {
  uint64_t device = 0;
  uint64_t inode = 0;
  TimeUs born_us = 0;  // when the inode was made, which tells its later uses apart; 0: not known
  uint64_t size = 0;
  TimeUs changed_us = 0;  // last write, rename or removal, by the file system's clock

  bool same_file(const FileStatus& other) const {
    return device == other.device && inode == other.inode && born_us == other.born_us;
  }
};

// Of what is at `path`: std::nullopt if there is nothing, or no regular file.
Result<std::optional<FileStatus>> status_at(const std::string& path);

// A path as messages have it: names of files may be any bytes, messages are UTF-8.
std::string shown_path(const std::string& path);

class OpenFile {
 public:
  // Opens for reading. kUser if there is no such file, it cannot be read, or is not a regular one.
  static Result<OpenFile> open(const std::string& path);
  OpenFile(OpenFile&& other) noexcept : path_(std::move(other.path_)), fd_(other.fd_) {
    other.fd_ = -1;
  }
  OpenFile& operator=(OpenFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~OpenFile();

  const std::string& path() const { return path_; }
  std::string name() const { return shown_path(path_); }  // for messages
  int fd() const { return fd_; }
  Result<FileStatus> status() const;
  // Up to `bytes` at `offset`; fewer only at the end of the file.
  Result<size_t> read(uint64_t offset, char* to, size_t bytes) const;

 private:
  OpenFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  std::string path_;  // under which it was opened
  int fd_ = -1;
};

}  // namespace tidemill
