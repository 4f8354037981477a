#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "shared/dead_letter/letter_files.h"

namespace tidemill {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSuffix = ".ndjson";

Error failure(const std::string& what, const std::string& path) {
  return retryable_error("dead letters: " + what + " " + path + ": " + std::strerror(errno));
}

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;

  bool ok() const { return fd_ >= 0; }
  int get() const { return fd_; }

 private:
  int fd_;
};

Status sync_directory(const std::string& path) {
  const Descriptor directory(path, O_RDONLY | O_DIRECTORY);
  if (!directory.ok() || ::fsync(directory.get()) != 0) return failure("cannot sync", path);
  return {};
}

std::string parent_of(const std::string& path) {
  const std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

// Each directory that is made is durable in the one above it.
Status make_directories(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) == 0) {
    if (S_ISDIR(found.st_mode)) return {};
    errno = ENOTDIR;
    return failure("cannot use", path);
  }
  if (auto made = make_directories(parent_of(path)); !made) return made;
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return failure("cannot make", path);
  return sync_directory(parent_of(path));
}

class DirectoryFile : public LetterFile {
 public:
  explicit DirectoryFile(const std::string& path)
      : path_(path), descriptor_(path, O_WRONLY | O_CREAT) {}

  Status open() {
    struct stat found {};
    if (!descriptor_.ok() || ::fstat(descriptor_.get(), &found) != 0) {
      return failure("cannot open", path_);
    }
    size_ = static_cast<uint64_t>(found.st_size);
    return {};
  }

  uint64_t size() const override { return size_; }

  Status write(uint64_t offset, std::string_view bytes) override {
    struct stat found {};
    if (::fstat(descriptor_.get(), &found) != 0) return failure("cannot write", path_);
    if (found.st_nlink == 0) {
      return retryable_error("dead letters: " + path_ + " was deleted while it was written");
    }
    while (!bytes.empty()) {
      const ssize_t n =
          ::pwrite(descriptor_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failure("cannot write", path_);
      bytes.remove_prefix(static_cast<size_t>(n));
      offset += static_cast<uint64_t>(n);
    }
    if (::fdatasync(descriptor_.get()) != 0) return failure("cannot sync", path_);
    if (named_) return {};
    auto synced = sync_directory(parent_of(path_));
    named_ = synced.ok();
    return synced;
  }

 private:
  std::string path_;
  Descriptor descriptor_;
  uint64_t size_ = 0;
  bool named_ = false;  // its name is durable
};

class LetterDirectory : public LetterFiles {
 public:
  explicit LetterDirectory(std::string root) : root_(std::move(root)) {}

  Result<std::vector<std::string>> list(const std::string& directory) override {
    std::error_code error;
    std::vector<std::string> names;
    fs::directory_iterator entry(full_path(directory), error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
      names.push_back(entry->path().filename().string());
    }
    if (error && error != std::errc::no_such_file_or_directory) {
      return retryable_error("dead letters: cannot list " + full_path(directory) + ": " +
                             error.message());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<uint64_t> size(const std::string& path) override {
    struct stat found {};
    if (::stat(full_path(path).c_str(), &found) == 0) return static_cast<uint64_t>(found.st_size);
    if (errno == ENOENT) return uint64_t{0};
    return failure("cannot read", full_path(path));
  }

  Result<size_t> read(const std::string& path, uint64_t offset, std::span<char> into) override {
    const Descriptor file(full_path(path), O_RDONLY);
    if (!file.ok() && errno == ENOENT) return size_t{0};
    if (!file.ok()) return failure("cannot read", full_path(path));
    ssize_t n = 0;
    do {
      n = ::pread(file.get(), into.data(), into.size(), static_cast<off_t>(offset));
    } while (n < 0 && errno == EINTR);
    if (n < 0) return failure("cannot read", full_path(path));
    return static_cast<size_t>(n);
  }

  Status sync(const std::string& path) override {
    const std::string full = full_path(path);
    {
      const Descriptor file(full, O_RDONLY);
      if (!file.ok() && errno == ENOENT) return {};
      if (!file.ok() || ::fdatasync(file.get()) != 0) return failure("cannot sync", full);
    }
    if (auto synced = sync_directory(parent_of(full)); !synced) return synced;
    return sync_directory(root_);
  }

  Result<std::unique_ptr<LetterFile>> open(const std::string& path) override {
    const std::string full = full_path(path);
    if (auto made = make_directories(parent_of(full)); !made) return made.error();
    auto file = std::make_unique<DirectoryFile>(full);
    if (auto opened = file->open(); !opened) return opened.error();
    return std::unique_ptr<LetterFile>(std::move(file));
  }

  std::string full_path(const std::string& path) const override { return root_ + "/" + path; }

 private:
  std::string root_;
};

bool take_digits(std::string_view* text, size_t digits, uint64_t* value) {
  if (text->size() < digits) return false;
  const auto [end, error] = std::from_chars(text->data(), text->data() + digits, *value);
  if (error != std::errc() || end != text->data() + digits) return false;
  text->remove_prefix(digits);
  return true;
}

}  // namespace

std::shared_ptr<LetterFiles> letter_directory(std::string root) {
  return std::make_shared<LetterDirectory>(std::move(root));
}

std::string letter_directory_of(const std::string& job_name, uint32_t job) {
  return job_name + "-" + std::to_string(job);
}

std::string to_file_name(const LetterFileName& name) {
  char text[64];
  std::snprintf(text, sizeof(text), "%010u-%020llu%s", name.source_partition,
                static_cast<unsigned long long>(name.epoch), kSuffix);
  return text;
}

bool parse_file_name(std::string_view text, LetterFileName* name) {
  uint64_t source_partition = 0;
  if (!take_digits(&text, 10, &source_partition) || !text.starts_with('-')) return false;
  text.remove_prefix(1);
  if (!take_digits(&text, 20, &name->epoch) || text != kSuffix) return false;
  name->source_partition = static_cast<uint32_t>(source_partition);
  return name->source_partition == source_partition;
}

}  // namespace tidemill
