#include "shared/source/open_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "shared/base/utf8.h"

namespace tidemill {
namespace {

constexpr unsigned kWanted = STATX_BASIC_STATS | STATX_BTIME;

Error file_error(const std::string& path, const char* doing) {
  return user_error(shown_path(path) + ": cannot " + doing + ": " + std::strerror(errno));
}

TimeUs to_us(const struct statx_timestamp& t) {
  return t.tv_sec * kMicrosPerSecond + t.tv_nsec / 1000;
}

FileStatus to_status(const struct statx& s) {
  FileStatus out;
  out.device = makedev(s.stx_dev_major, s.stx_dev_minor);
  out.inode = s.stx_ino;
  if ((s.stx_mask & STATX_BTIME) != 0) out.born_us = to_us(s.stx_btime);
  out.size = s.stx_size;
  out.changed_us = to_us(s.stx_ctime);
  return out;
}

}  // namespace

std::string shown_path(const std::string& path) { return printable(path, path.size()); }

Result<std::optional<FileStatus>> status_at(const std::string& path) {
  struct statx s {};
  if (::statx(AT_FDCWD, path.c_str(), 0, kWanted, &s) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::optional<FileStatus>();
    return file_error(path, "look at");
  }
  if (!S_ISREG(s.stx_mode)) return std::optional<FileStatus>();
  return std::optional<FileStatus>(to_status(s));
}

Result<OpenFile> OpenFile::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return file_error(path, "open");
  OpenFile file(path, fd);
  const auto status = file.status();
  if (!status.ok()) return status.error();
  return file;
}

OpenFile::~OpenFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<FileStatus> OpenFile::status() const {
  struct statx s {};
  if (::statx(fd_, "", AT_EMPTY_PATH, kWanted, &s) != 0) return file_error(path_, "look at");
  if (!S_ISREG(s.stx_mode)) return user_error(name() + ": is not a regular file");
  return to_status(s);
}

Result<size_t> OpenFile::read(uint64_t offset, char* to, size_t bytes) const {
  size_t got = 0;
  while (got < bytes) {
    const ssize_t n = ::pread(fd_, to + got, bytes - got, static_cast<off_t>(offset + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error(path_, "read");
    if (n == 0) break;
    got += static_cast<size_t>(n);
  }
  return got;
}

}  // namespace tidemill
