// Reading and writing whole files of a Disk, a piece at a time. blocking
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/state/disk.h"

namespace rocksdb {
class Env;
class SequentialFile;
class WritableFile;
}  // namespace rocksdb

namespace tidemill {

bool is_directory(rocksdb::Env* env, const std::string& path);

class FileSource {
 public:
  FileSource(const Disk& disk, std::string path);
  ~FileSource();
  // kCorrupt: there is no such file.
  Status open();
  uint64_t size() const { return size_; }
  // The next bytes, as many as `into` takes; fewer only at the end.
  Result<size_t> read(std::span<uint8_t> into);

 private:
  const Disk& disk_;
  std::string path_;
  uint64_t size_ = 0;
  std::unique_ptr<rocksdb::SequentialFile> file_;
};

class FileSink {
 public:
  FileSink(const Disk& disk, std::string path);
  ~FileSink();
  // An empty file of that path, whatever was there. About so many bytes will be
  // appended; 0: unknown.
  Status open(uint64_t bytes);
  Status append(std::span<const uint8_t> bytes);
  // What was written is durable; not the file's name.
  Status finish();

 private:
  const Disk& disk_;
  std::string path_;
  std::unique_ptr<rocksdb::WritableFile> file_;
};

// Reads all of `source` through a buffer. Most files are far smaller than it may be.
template <typename Append>
Status copy(FileSource* source, Append append) {
  constexpr uint64_t kBufferBytesMax = uint64_t{1} << 20;
  const auto bytes = static_cast<size_t>(std::min(source->size() + 1, kBufferBytesMax));
  const auto buffer = std::make_unique_for_overwrite<uint8_t[]>(bytes);
  while (true) {
    const auto got = source->read({buffer.get(), bytes});
    if (!got) return got.error();
    if (*got == 0) return {};
    if (Status done = append(std::span<const uint8_t>(buffer.get(), *got)); !done) return done;
  }
}

}  // namespace tidemill
