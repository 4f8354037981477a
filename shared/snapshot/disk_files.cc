#include "shared/snapshot/disk_files.h"

#include <rocksdb/env.h>

#include "shared/base/mutation.h"
#include "shared/state/direct_files.h"
#include "shared/state/env_files.h"

namespace tidemill {

namespace {

// Whatever stands in the way of writing says nothing about what was to be written.
Status write_status(const std::string& doing, const rocksdb::Status& status) {
  return status.ok() ? Status{} : Status{retryable_error(doing + ": " + status.ToString())};
}

}  // namespace

bool is_directory(rocksdb::Env* env, const std::string& path) {
  bool is = false;
  if (const rocksdb::Status asked = env->IsDirectory(path, &is); !asked.IsNotSupported()) {
    return asked.ok() && is;
  }
  // RocksDB's file system in memory cannot say it.
  std::vector<std::string> children;
  return env->GetChildren(path, &children).ok() && !children.empty();
}

FileSource::FileSource(const Disk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
FileSource::~FileSource() = default;

Status FileSource::open() {
  if (is_directory(disk_.env(), path_)) {
    return corrupt_error(path_ + " is a directory where a file should be");
  }
  rocksdb::Status done = disk_.env()->GetFileSize(path_, &size_);
  if (done.ok()) done = disk_.env()->NewSequentialFile(path_, &file_, streaming_options(size_));
  return to_status("opening " + path_, done);
}

Result<size_t> FileSource::read(std::span<uint8_t> into) {
  size_t filled = 0;
  while (filled < into.size()) {
    rocksdb::Slice got;
    char* const scratch = reinterpret_cast<char*>(into.data() + filled);
    const rocksdb::Status done = file_->Read(into.size() - filled, &got, scratch);
    if (!done.ok()) return disk_error("reading " + path_, done);
    if (got.empty()) break;
    // A file system in memory may point into itself.
    if (got.data() != scratch) std::memcpy(scratch, got.data(), got.size());
    filled += got.size();
  }
  return filled;
}

FileSink::FileSink(const Disk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
FileSink::~FileSink() = default;

Status FileSink::open(uint64_t bytes) {
  file_.reset();
  const rocksdb::Status done =
      disk_.env()->NewWritableFile(path_, &file_, streaming_options(bytes));
  return write_status("making " + path_, done);
}

Status FileSink::append(std::span<const uint8_t> bytes) {
  const rocksdb::Status done =
      file_->Append({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return write_status("writing " + path_, done);
}

Status FileSink::finish() {
  rocksdb::Status done = file_->Flush();
  if (done.ok() && !mutated(Mutation::kSkipFsync)) done = file_->Sync();
  if (done.ok()) done = file_->Close();
  file_.reset();
  return write_status("writing " + path_, done);
}

}  // namespace tidemill
