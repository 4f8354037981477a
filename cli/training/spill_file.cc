#include "cli/training/spill_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tidemill::training {

Result<std::unique_ptr<SpillFile>> SpillFile::open(const std::string& directory) {
  std::string name = directory + "/tidemill-training-XXXXXX";
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) {
    return user_error("nothing can be written to " + directory + " (" + std::strerror(errno) +
                      "); name another directory with --spill-dir");
  }
  ::unlink(name.c_str());
  return std::unique_ptr<SpillFile>(new SpillFile(fd, directory));
}

SpillFile::~SpillFile() { ::close(fd_); }

Result<uint64_t> SpillFile::append(std::span<const uint8_t> bytes) {
  const uint64_t begin = size_.fetch_add(bytes.size());
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n =
        ::pwrite(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(begin + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      return retryable_error("writing to " + directory_ + ": " + std::strerror(errno) +
                             "; it holds what exceeds --memory-budget-bytes: make room, or name "
                             "another directory with --spill-dir");
    }
    done += static_cast<size_t>(n);
  }
  return begin;
}

Status SpillFile::read(uint64_t offset, std::span<uint8_t> to) const {
  for (size_t done = 0; done < to.size();) {
    const ssize_t n =
        ::pread(fd_, to.data() + done, to.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      return retryable_error("reading what was spilled to " + directory_ + ": " +
                             (n == 0 ? "it is cut off" : std::strerror(errno)));
    }
    done += static_cast<size_t>(n);
  }
  return {};
}

}  // namespace tidemill::training
