// SimFiles behind RocksDB's FileSystem. Bytes are read into the caller's memory, also where that
// could be spared: what reads ahead expects to find them there.
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/system_clock.h>

#include <algorithm>

#include "tests/simulation/sim_disk_core.h"

namespace tidemill::test {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

constexpr size_t kAtEnd = SIZE_MAX;
constexpr uint64_t kFreeBytes = 1ull << 40;
constexpr int64_t kUnixTime = 1'900'000'000;  // wherever RocksDB notes the time

std::string_view view(const Slice& slice) { return {slice.data(), slice.size()}; }

IOStatus to_status(SimFileError error, const std::string& path) {
  switch (error) {
    case SimFileError::kNone:
      return IOStatus::OK();
    case SimFileError::kNotFound:
      return IOStatus::PathNotFound(path, "no such file or directory");
    case SimFileError::kExists:
      return IOStatus::IOError(path, "exists");
    case SimFileError::kNotDirectory:
      return IOStatus::IOError(path, "is no directory");
    case SimFileError::kIsDirectory:
      return IOStatus::IOError(path, "is a directory");
    case SimFileError::kNotEmpty:
      break;
  }
  return IOStatus::IOError(path, "is not empty");
}

IOStatus to_status(DiskVerdict verdict, const std::string& path) {
  switch (verdict) {
    case DiskVerdict::kPass:
      return IOStatus::OK();
    case DiskVerdict::kFull:
      return IOStatus::NoSpace(path, "no space left on device");
    case DiskVerdict::kFailed:
      return IOStatus::IOError(path, "input/output error");
    case DiskVerdict::kGone:
    case DiskVerdict::kTorn:
      break;
  }
  return IOStatus::IOError(path, "the process is gone");
}

// One mount of a disk. An operation holds the disk's mutex from its admission to its end.
class Mounted {
 public:
  Mounted(std::shared_ptr<SimDisk::Core> core, std::shared_ptr<SimMount> mount)
      : core_(std::move(core)), mount_(std::move(mount)) {}

  template <typename Body>
  IOStatus run(DiskOp op, const std::string& path, Body&& body) const {
    const std::lock_guard<std::mutex> lock(core_->mutex);
    const DiskVerdict verdict = core_->admit(mount_.get(), op);
    return verdict == DiskVerdict::kPass ? body(&core_->files) : to_status(verdict, path);
  }

  // Half of what is written may get through if it fails.
  IOStatus write(SimNode* file, const std::string& path, size_t offset,
                 std::string_view bytes) const {
    const std::lock_guard<std::mutex> lock(core_->mutex);
    const DiskVerdict verdict = core_->admit(mount_.get(), DiskOp::kWrite);
    if (verdict == DiskVerdict::kGone) return to_status(verdict, path);
    if (verdict != DiskVerdict::kPass)
      bytes = bytes.substr(0, core_->random.below(bytes.size() + 1));
    if (offset == kAtEnd) {
      SimFiles::append(file, bytes);
    } else {
      SimFiles::write(file, offset, bytes);
    }
    return to_status(verdict, path);
  }

  IOStatus sync(SimNode* file, const std::string& path) const {
    const std::lock_guard<std::mutex> lock(core_->mutex);
    const DiskVerdict verdict = core_->admit(mount_.get(), DiskOp::kSync);
    if (verdict == DiskVerdict::kFailed) file->sync_failed = true;
    if (verdict == DiskVerdict::kPass) SimFiles::sync(file);
    return to_status(verdict, path);
  }

  SimMount* mount() const { return mount_.get(); }
  SimDisk::Core* core() const { return core_.get(); }

 private:
  std::shared_ptr<SimDisk::Core> core_;
  std::shared_ptr<SimMount> mount_;
};

struct OpenFile {
  Mounted at;
  SimNodePtr file;
  std::string path;

  IOStatus read(uint64_t offset, size_t n, Slice* result, char* scratch) const {
    return at.run(DiskOp::kRead, path, [&](SimFiles*) {
      const std::string& bytes = file->bytes;
      const size_t begin = std::min<uint64_t>(offset, bytes.size());
      n = std::min(n, bytes.size() - begin);
      std::copy_n(bytes.data() + begin, n, scratch);
      *result = Slice(scratch, n);
      return IOStatus::OK();
    });
  }
};

class SimSequentialFile : public rocksdb::FSSequentialFile {
 public:
  explicit SimSequentialFile(OpenFile open) : open_(std::move(open)) {}
  IOStatus Read(size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) override {
    IOStatus s = open_.read(at_, n, result, scratch);
    if (s.ok()) at_ += result->size();
    return s;
  }
  IOStatus Skip(uint64_t n) override {
    at_ += n;
    return IOStatus::OK();
  }

 private:
  OpenFile open_;
  uint64_t at_ = 0;
};

class SimRandomAccessFile : public rocksdb::FSRandomAccessFile {
 public:
  explicit SimRandomAccessFile(OpenFile open) : open_(std::move(open)) {}
  IOStatus Read(uint64_t offset, size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) const override {
    return open_.read(offset, n, result, scratch);
  }

 private:
  OpenFile open_;
};

// Counts itself among the writers of its file.
struct WrittenFile {
  explicit WrittenFile(OpenFile file) : open(std::move(file)) {}
  WrittenFile(const WrittenFile&) = delete;
  WrittenFile& operator=(const WrittenFile&) = delete;
  ~WrittenFile() { close(); }
  void close() {
    const std::lock_guard<std::mutex> lock(open.at.core()->mutex);
    if (!closed) --open.file->writers;
    closed = true;
  }

  OpenFile open;
  bool closed = false;
};

class SimWritableFile : public rocksdb::FSWritableFile {
 public:
  SimWritableFile(OpenFile open, const FileOptions& options)
      : FSWritableFile(options), to_(std::move(open)) {}
  using FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
    return at().write(file(), to_.open.path, kAtEnd, view(data));
  }
  IOStatus Truncate(uint64_t size, const IOOptions&, IODebugContext*) override {
    return at().run(DiskOp::kWrite, to_.open.path, [&](SimFiles*) {
      SimFiles::resize(file(), size);
      return IOStatus::OK();
    });
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override {
    to_.close();
    return IOStatus::OK();
  }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    return at().sync(file(), to_.open.path);
  }
  // As bytes_per_sync would: a hint to the kernel, and no promise.
  IOStatus RangeSync(uint64_t, uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }
  bool IsSyncThreadSafe() const override { return true; }
  uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return file()->bytes.size(); }

 private:
  const Mounted& at() const { return to_.open.at; }
  SimNode* file() const { return to_.open.file.get(); }

  WrittenFile to_;
};

class SimRandomRWFile : public rocksdb::FSRandomRWFile {
 public:
  explicit SimRandomRWFile(OpenFile open) : to_(std::move(open)) {}
  IOStatus Write(uint64_t offset, const Slice& data, const IOOptions&, IODebugContext*) override {
    return to_.open.at.write(to_.open.file.get(), to_.open.path, offset, view(data));
  }
  IOStatus Read(uint64_t offset, size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) const override {
    return to_.open.read(offset, n, result, scratch);
  }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    return to_.open.at.sync(to_.open.file.get(), to_.open.path);
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override {
    to_.close();
    return IOStatus::OK();
  }

 private:
  WrittenFile to_;
};

class SimDirectory : public rocksdb::FSDirectory {
 public:
  explicit SimDirectory(OpenFile open) : open_(std::move(open)) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    return open_.at.run(DiskOp::kSync, open_.path, [&](SimFiles*) {
      SimFiles::sync_names(open_.file.get());
      return IOStatus::OK();
    });
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  OpenFile open_;
};

struct SimLock : public rocksdb::FileLock {
  explicit SimLock(std::string locked) : path(std::move(locked)) {}
  std::string path;
};

class Silence : public rocksdb::Logger {
 public:
  Silence() : Logger(rocksdb::InfoLogLevel::FATAL_LEVEL) {}
  using Logger::Logv;
  void Logv(const char*, va_list) override {}
};

class SimFileSystem : public rocksdb::FileSystem {
 public:
  explicit SimFileSystem(Mounted mounted) : at_(std::move(mounted)) {}
  const char* Name() const override { return "SimFileSystem"; }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions&,
                             std::unique_ptr<rocksdb::FSSequentialFile>* result,
                             IODebugContext*) override {
    return open(path, false, [&](OpenFile file) {
      *result = std::make_unique<SimSequentialFile>(std::move(file));
    });
  }
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions&,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                               IODebugContext*) override {
    return open(path, false, [&](OpenFile file) {
      *result = std::make_unique<SimRandomAccessFile>(std::move(file));
    });
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions&,
                        std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext*) override {
    return open(path, true,
                [&](OpenFile file) { *result = std::make_unique<SimDirectory>(std::move(file)); });
  }
  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext*) override {
    return create(path, true, [&](OpenFile file) {
      *result = std::make_unique<SimWritableFile>(std::move(file), options);
      if (path.find("/base-") != std::string::npos) at_.core()->count(DiskFault::kBaseCut);
    });
  }
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions& options,
                              std::unique_ptr<rocksdb::FSWritableFile>* result,
                              IODebugContext*) override {
    return create(path, false, [&](OpenFile file) {
      *result = std::make_unique<SimWritableFile>(std::move(file), options);
    });
  }
  IOStatus NewRandomRWFile(const std::string& path, const FileOptions&,
                           std::unique_ptr<rocksdb::FSRandomRWFile>* result,
                           IODebugContext*) override {
    return create(path, false, [&](OpenFile file) {
      *result = std::make_unique<SimRandomRWFile>(std::move(file));
    });
  }

  IOStatus FileExists(const std::string& path, const IOOptions&, IODebugContext*) override {
    return at_.run(DiskOp::kLook, path, [&](const SimFiles* files) {
      return files->find(path) != nullptr ? IOStatus::OK() : IOStatus::NotFound(path);
    });
  }
  IOStatus GetChildren(const std::string& path, const IOOptions&, std::vector<std::string>* result,
                       IODebugContext*) override {
    result->clear();
    return with(path, [&](const SimNode& node) {
      if (!node.directory) return to_status(SimFileError::kNotDirectory, path);
      for (const auto& [name, child] : node.entries) result->push_back(name);
      return IOStatus::OK();
    });
  }
  IOStatus GetFileSize(const std::string& path, const IOOptions&, uint64_t* size,
                       IODebugContext*) override {
    return with(path, [&](const SimNode& node) {
      *size = node.bytes.size();
      return IOStatus::OK();
    });
  }
  IOStatus GetFileModificationTime(const std::string& path, const IOOptions&, uint64_t* time,
                                   IODebugContext*) override {
    return with(path, [&](const SimNode&) {
      *time = kUnixTime;
      return IOStatus::OK();
    });
  }
  IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* is,
                       IODebugContext*) override {
    return with(path, [&](const SimNode& node) {
      *is = node.directory;
      return IOStatus::OK();
    });
  }
  IOStatus NumFileLinks(const std::string& path, const IOOptions&, uint64_t* count,
                        IODebugContext*) override {
    return with(path, [&](const SimNode& node) {
      *count = static_cast<uint64_t>(node.names);
      return IOStatus::OK();
    });
  }
  IOStatus AreFilesSame(const std::string& first, const std::string& second, const IOOptions&,
                        bool* same, IODebugContext*) override {
    return at_.run(DiskOp::kLook, first, [&](const SimFiles* files) {
      const SimNodePtr file = files->find(first);
      *same = file != nullptr && file == files->find(second);
      return to_status(file == nullptr ? SimFileError::kNotFound : SimFileError::kNone, first);
    });
  }
  IOStatus GetFreeSpace(const std::string&, const IOOptions&, uint64_t* free,
                        IODebugContext*) override {
    const std::lock_guard<std::mutex> lock(at_.core()->mutex);
    *free = at_.core()->full ? 0 : kFreeBytes;
    return IOStatus::OK();
  }

  IOStatus DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
    return change(DiskOp::kName, path, [&](SimFiles* files) { return files->remove(path); });
  }
  IOStatus Truncate(const std::string& path, size_t size, const IOOptions&,
                    IODebugContext*) override {
    return change(DiskOp::kName, path, [&](const SimFiles* files) {
      const SimNodePtr file = files->find(path);
      if (file == nullptr) return SimFileError::kNotFound;
      if (file->directory) return SimFileError::kIsDirectory;
      SimFiles::resize(file.get(), size);
      return SimFileError::kNone;
    });
  }
  IOStatus CreateDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return change(DiskOp::kNewName, path,
                  [&](SimFiles* files) { return files->make_directory(path); });
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions&, IODebugContext*) override {
    return change(DiskOp::kNewName, path, [&](SimFiles* files) {
      const SimNodePtr there = files->find(path);
      if (there == nullptr) return files->make_directory(path);
      return there->directory ? SimFileError::kNone : SimFileError::kNotDirectory;
    });
  }
  IOStatus DeleteDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return change(DiskOp::kName, path,
                  [&](SimFiles* files) { return files->remove_directory(path); });
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&,
                      IODebugContext*) override {
    return change(DiskOp::kName, from, [&](SimFiles* files) { return files->rename(from, to); });
  }
  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions&,
                    IODebugContext*) override {
    return change(DiskOp::kNewName, from, [&](SimFiles* files) { return files->link(from, to); });
  }

  IOStatus LockFile(const std::string& path, const IOOptions&, rocksdb::FileLock** lock,
                    IODebugContext*) override {
    return at_.run(DiskOp::kNewName, path, [&](SimFiles* files) {
      SimNodePtr file = files->find(path);
      if (file == nullptr) {
        const SimFileError made = files->create(path, &file);
        if (made != SimFileError::kNone) return to_status(made, path);
      }
      if (!at_.mount()->locks.insert(path).second) {
        return IOStatus::IOError(path, "is locked already");
      }
      *lock = new SimLock(path);
      return IOStatus::OK();
    });
  }
  IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) override {
    const std::lock_guard<std::mutex> guard(at_.core()->mutex);
    const auto* held = static_cast<SimLock*>(lock);
    at_.mount()->locks.erase(held->path);
    delete held;
    return IOStatus::OK();
  }

  IOStatus GetTestDirectory(const IOOptions&, std::string* path, IODebugContext*) override {
    *path = "/test";
    return IOStatus::OK();
  }
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* out,
                           IODebugContext*) override {
    *out = path.starts_with('/') ? path : "/" + path;
    return IOStatus::OK();
  }
  IOStatus NewLogger(const std::string&, const IOOptions&, std::shared_ptr<rocksdb::Logger>* result,
                     IODebugContext*) override {
    *result = std::make_shared<Silence>();
    return IOStatus::OK();
  }

 private:
  template <typename Use>
  IOStatus open(const std::string& path, bool directory, const Use& use) {
    return at_.run(DiskOp::kLook, path, [&](const SimFiles* files) {
      const SimNodePtr node = files->find(path);
      if (node == nullptr) return to_status(SimFileError::kNotFound, path);
      if (node->directory != directory) {
        return to_status(directory ? SimFileError::kNotDirectory : SimFileError::kIsDirectory,
                         path);
      }
      use({at_, node, path});
      return IOStatus::OK();
    });
  }

  template <typename Use>
  IOStatus create(const std::string& path, bool empty, const Use& use) {
    return at_.run(DiskOp::kNewName, path, [&](SimFiles* files) {
      SimNodePtr node = files->find(path);
      if (node == nullptr || node->directory || empty) {
        const SimFileError made = files->create(path, &node);
        if (made != SimFileError::kNone) return to_status(made, path);
      }
      ++node->writers;
      use({at_, node, path});
      return IOStatus::OK();
    });
  }

  template <typename Look>
  IOStatus with(const std::string& path, const Look& look) {
    return at_.run(DiskOp::kLook, path, [&](const SimFiles* files) {
      const SimNodePtr node = files->find(path);
      return node == nullptr ? to_status(SimFileError::kNotFound, path) : look(*node);
    });
  }

  template <typename Change>
  IOStatus change(DiskOp op, const std::string& path, const Change& make) {
    return at_.run(op, path, [&](SimFiles* files) { return to_status(make(files), path); });
  }

  Mounted at_;
};

// What is written must not hold the time of the day at which a test ran.
class SimClock : public rocksdb::SystemClockWrapper {
 public:
  SimClock() : SystemClockWrapper(rocksdb::SystemClock::Default()) {}
  const char* Name() const override { return "SimClock"; }
  rocksdb::Status GetCurrentTime(int64_t* unix_time) override {
    *unix_time = kUnixTime;
    return rocksdb::Status::OK();
  }
};

class SimEnv : public rocksdb::EnvWrapper {
 public:
  explicit SimEnv(const std::shared_ptr<rocksdb::FileSystem>& files)
      : EnvWrapper(rocksdb::NewCompositeEnv(files)) {
    file_system_ = files;
    system_clock_ = std::make_shared<SimClock>();
  }
};

}  // namespace

std::shared_ptr<rocksdb::Env> make_sim_env(std::shared_ptr<SimDisk::Core> core,
                                           std::shared_ptr<SimMount> mount) {
  return std::make_shared<SimEnv>(
      std::make_shared<SimFileSystem>(Mounted(std::move(core), std::move(mount))));
}

}  // namespace tidemill::test
