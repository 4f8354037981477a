#include "shared/state/direct_files.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace tidemill {
namespace {

constexpr uint64_t kDirectBytes = 256u << 10;  // smaller files cost less in the page cache
constexpr size_t kBufferBytes = 1u << 20;
constexpr size_t kAlignment = 4096;  // of offsets, lengths and memory: what any disk wants

struct Free {
  void operator()(char* bytes) const { std::free(bytes); }
};
using AlignedBytes = std::unique_ptr<char, Free>;

AlignedBytes aligned_buffer() {
  return AlignedBytes(static_cast<char*>(std::aligned_alloc(kAlignment, kBufferBytes)));
}

size_t aligned_up(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// Whole blocks are written from a buffer. The last one is filled up with zeros, which are cut off
// when the file is synced or closed; it stays in the buffer, as more may follow.
class DirectWritableFile final : public rocksdb::WritableFileWrapper {
 public:
  explicit DirectWritableFile(std::unique_ptr<rocksdb::WritableFile> file)
      : WritableFileWrapper(file.get()), file_(std::move(file)), buffer_(aligned_buffer()) {}

  rocksdb::Status Append(const rocksdb::Slice& data) override {
    rocksdb::Slice rest = data;
    while (!rest.empty()) {
      const size_t taken = std::min(rest.size(), kBufferBytes - held_);
      std::memcpy(buffer_.get() + held_, rest.data(), taken);
      held_ += taken;
      rest.remove_prefix(taken);
      if (held_ < kBufferBytes) continue;
      if (auto s = file_->PositionedAppend({buffer_.get(), held_}, offset_); !s.ok()) return s;
      offset_ += held_;
      held_ = 0;
    }
    return rocksdb::Status::OK();
  }
  rocksdb::Status Append(const rocksdb::Slice& data,
                         const rocksdb::DataVerificationInfo& /*info*/) override {
    return Append(data);
  }
  rocksdb::Status Flush() override { return rocksdb::Status::OK(); }
  rocksdb::Status Sync() override {
    const auto s = write_end();
    return s.ok() ? file_->Sync() : s;
  }
  rocksdb::Status Fsync() override {
    const auto s = write_end();
    return s.ok() ? file_->Fsync() : s;
  }
  rocksdb::Status Close() override {
    const auto s = write_end();
    const auto closed = file_->Close();
    return s.ok() ? closed : s;
  }
  uint64_t GetFileSize() override { return offset_ + held_; }
  bool use_direct_io() const override { return false; }  // as far as its user is concerned

 private:
  rocksdb::Status write_end() {
    if (held_ > 0) {
      const size_t padded = aligned_up(held_);
      std::memset(buffer_.get() + held_, 0, padded - held_);
      if (auto s = file_->PositionedAppend({buffer_.get(), padded}, offset_); !s.ok()) return s;
      const size_t whole = held_ / kAlignment * kAlignment;
      std::memmove(buffer_.get(), buffer_.get() + whole, held_ - whole);
      offset_ += whole;
      held_ -= whole;
    }
    return file_->Truncate(offset_ + held_);
  }

  std::unique_ptr<rocksdb::WritableFile> file_;
  AlignedBytes buffer_;
  size_t held_ = 0;      // bytes in the buffer
  uint64_t offset_ = 0;  // of the buffer in the file
};

class DirectSequentialFile final : public rocksdb::SequentialFileWrapper {
 public:
  explicit DirectSequentialFile(std::unique_ptr<rocksdb::SequentialFile> file)
      : SequentialFileWrapper(file.get()), file_(std::move(file)), buffer_(aligned_buffer()) {}

  rocksdb::Status Read(size_t n, rocksdb::Slice* result, char* scratch) override {
    size_t filled = 0;
    while (filled < n) {
      if (at_ == ahead_.size()) {
        if (at_end_) break;
        offset_ += ahead_.size();
        at_ = 0;
        const auto s = file_->PositionedRead(offset_, kBufferBytes, &ahead_, buffer_.get());
        if (!s.ok()) return s;
        at_end_ = ahead_.size() < kBufferBytes;
      }
      const size_t taken = std::min(n - filled, ahead_.size() - at_);
      std::memcpy(scratch + filled, ahead_.data() + at_, taken);
      at_ += taken;
      filled += taken;
    }
    *result = {scratch, filled};
    return rocksdb::Status::OK();
  }
  rocksdb::Status Skip(uint64_t n) override {
    rocksdb::Slice skipped;
    char scratch[kAlignment];
    for (; n > 0; n -= skipped.size()) {
      const auto s = Read(std::min<uint64_t>(n, sizeof scratch), &skipped, scratch);
      if (!s.ok() || skipped.empty()) return s;
    }
    return rocksdb::Status::OK();
  }
  bool use_direct_io() const override { return false; }  // as far as its user is concerned

 private:
  std::unique_ptr<rocksdb::SequentialFile> file_;
  AlignedBytes buffer_;
  rocksdb::Slice ahead_;  // what was read last
  size_t at_ = 0;         // how much of it was taken
  uint64_t offset_ = 0;   // of it in the file
  bool at_end_ = false;   // it ends where the file does
};

class DirectFilesEnv final : public rocksdb::EnvWrapper {
 public:
  DirectFilesEnv() : EnvWrapper(rocksdb::Env::Default()) {}

  rocksdb::Status NewWritableFile(const std::string& path,
                                  std::unique_ptr<rocksdb::WritableFile>* file,
                                  const rocksdb::EnvOptions& options) override {
    if (options.use_direct_writes) {
      std::unique_ptr<rocksdb::WritableFile> direct;
      if (target()->NewWritableFile(path, &direct, options).ok() && direct->use_direct_io()) {
        *file = std::make_unique<DirectWritableFile>(std::move(direct));
        return rocksdb::Status::OK();
      }
    }
    return target()->NewWritableFile(path, file, buffered(options));
  }
  rocksdb::Status NewSequentialFile(const std::string& path,
                                    std::unique_ptr<rocksdb::SequentialFile>* file,
                                    const rocksdb::EnvOptions& options) override {
    if (options.use_direct_reads) {
      std::unique_ptr<rocksdb::SequentialFile> direct;
      if (target()->NewSequentialFile(path, &direct, options).ok() && direct->use_direct_io()) {
        *file = std::make_unique<DirectSequentialFile>(std::move(direct));
        return rocksdb::Status::OK();
      }
    }
    return target()->NewSequentialFile(path, file, buffered(options));
  }

 private:
  static rocksdb::EnvOptions buffered(rocksdb::EnvOptions options) {
    options.use_direct_writes = false;
    options.use_direct_reads = false;
    return options;
  }
};

}  // namespace

std::shared_ptr<rocksdb::Env> direct_files_env() {
  // RocksDB's threads may use it as long as the process lives.
  static DirectFilesEnv* const env = new DirectFilesEnv();
  return {env, [](rocksdb::Env*) {}};
}

rocksdb::EnvOptions streaming_options(uint64_t bytes) {
  rocksdb::EnvOptions options;
  options.use_mmap_writes = false;
  options.use_direct_writes = bytes >= kDirectBytes;
  options.use_direct_reads = bytes >= kDirectBytes;
  return options;
}

}  // namespace tidemill
