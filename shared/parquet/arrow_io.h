// Arrow's side of files, memory and errors: its interfaces over ours. Part of
// libtidemill_parquet.so.
#pragma once

#include <arrow/io/interfaces.h>
#include <arrow/memory_pool.h>
#include <arrow/status.h>

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "shared/parquet/parquet_file.h"

namespace tidemill {

class ArrowInput : public arrow::io::RandomAccessFile {
 public:
  explicit ArrowInput(std::unique_ptr<ParquetInput> file) : file_(std::move(file)) {}

  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }
  arrow::Result<int64_t> Tell() const override { return at_; }
  arrow::Status Seek(int64_t position) override {
    at_ = position;
    return arrow::Status::OK();
  }
  arrow::Result<int64_t> GetSize() override { return static_cast<int64_t>(file_->size()); }
  using arrow::io::RandomAccessFile::Read;
  using arrow::io::RandomAccessFile::ReadAt;
  arrow::Result<int64_t> ReadAt(int64_t position, int64_t bytes, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t position, int64_t bytes) override;
  arrow::Result<int64_t> Read(int64_t bytes, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t bytes) override;

  // Why reading failed, if it did since the last time it was asked.
  std::optional<Error> take_failure() { return std::exchange(failure_, std::nullopt); }

 private:
  std::unique_ptr<ParquetInput> file_;
  int64_t at_ = 0;
  bool closed_ = false;
  std::optional<Error> failure_;
};

class ArrowOutput : public arrow::io::OutputStream {
 public:
  explicit ArrowOutput(ParquetOutput* out) : out_(out) {}

  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }
  arrow::Result<int64_t> Tell() const override { return at_; }
  arrow::Status Write(const void* data, int64_t bytes) override;

  const std::optional<Error>& failure() const { return failure_; }

 private:
  ParquetOutput* out_;
  int64_t at_ = 0;
  bool closed_ = false;
  std::optional<Error> failure_;
};

// The process's allocator, up to a limit: what a file says of itself decides how much is asked for.
class LimitedPool : public arrow::MemoryPool {
 public:
  explicit LimitedPool(int64_t limit) : limit_(limit) {}

  using arrow::MemoryPool::Allocate;
  using arrow::MemoryPool::Free;
  using arrow::MemoryPool::Reallocate;
  arrow::Status Allocate(int64_t size, int64_t alignment, uint8_t** out) override;
  arrow::Status Reallocate(int64_t old_size, int64_t new_size, int64_t alignment,
                           uint8_t** at) override;
  void Free(uint8_t* at, int64_t size, int64_t alignment) override;
  int64_t bytes_allocated() const override { return held_; }
  int64_t total_bytes_allocated() const override { return total_; }
  int64_t num_allocations() const override { return allocations_; }
  std::string backend_name() const override { return "limited"; }

 private:
  arrow::Status take(int64_t size);

  const int64_t limit_;
  std::atomic<int64_t> held_ = 0;
  std::atomic<int64_t> total_ = 0;
  std::atomic<int64_t> allocations_ = 0;
};

// What Arrow's calls throw, as a status: no exception leaves this library.
template <typename Call>
arrow::Status guarded(const Call& call) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return arrow::Status::OutOfMemory("out of memory");
  } catch (const std::exception& e) {
    return arrow::Status::IOError(e.what());
  }
}

// Arrow's words, on one line.
std::string words_of(const arrow::Status& status);

}  // namespace tidemill
