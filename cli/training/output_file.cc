#include "cli/training/output_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tidemill::training {
namespace {

constexpr size_t kBufferBytes = 1 << 20;

}  // namespace

OutputFile::~OutputFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Error OutputFile::failed(const std::string& what) const {
  return user_error(what + ": " + std::strerror(errno) +
                    "; --out names a file in a directory that can be written");
}

Status OutputFile::open() {
  temporary_ = path_ + ".XXXXXX";
  fd_ = ::mkostemp(temporary_.data(), O_CLOEXEC);
  if (fd_ < 0) {
    temporary_.clear();
    return failed("cannot write beside " + path_);
  }
  // As any program makes a file: mkostemp's is its owner's alone.
  const mode_t mask = ::umask(0);
  ::umask(mask);
  ::fchmod(fd_, 0666 & ~mask);
  return {};
}

Status OutputFile::write(std::string_view bytes) {
  buffer_.append(bytes);
  return buffer_.size() >= kBufferBytes ? flush() : Status{};
}

Status OutputFile::flush() {
  for (size_t done = 0; done < buffer_.size();) {
    const ssize_t n = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("writing " + temporary_);
    done += static_cast<size_t>(n);
  }
  buffer_.clear();
  return {};
}

Status OutputFile::finish() {
  if (Status flushed = flush(); !flushed) return flushed;
  if (::fsync(fd_) != 0) return failed("writing " + temporary_);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return failed("renaming to " + path_);
  temporary_.clear();
  return {};
}

}  // namespace tidemill::training
