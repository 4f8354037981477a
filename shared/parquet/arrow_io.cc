#include "shared/parquet/arrow_io.h"

#include <arrow/buffer.h>

#include <algorithm>

namespace tidemill {
namespace {

constexpr size_t kMaxWords = 300;

}  // namespace

arrow::Result<int64_t> ArrowInput::ReadAt(int64_t position, int64_t bytes, void* out) {
  const auto size = static_cast<int64_t>(file_->size());
  if (position < 0 || bytes < 0 || position > size) {
    return arrow::Status::IOError("it asks for bytes outside of the file");
  }
  const int64_t there = std::min(bytes, size - position);
  const Status read = file_->read(static_cast<uint64_t>(position), static_cast<char*>(out),
                                  static_cast<size_t>(there));
  if (read.ok()) return there;
  failure_ = read.error();
  return arrow::Status::IOError(read.error().message());
}

arrow::Result<std::shared_ptr<arrow::Buffer>> ArrowInput::ReadAt(int64_t position, int64_t bytes) {
  const int64_t size = static_cast<int64_t>(file_->size());
  const int64_t there = std::clamp<int64_t>(size - position, 0, std::max<int64_t>(bytes, 0));
  ARROW_ASSIGN_OR_RAISE(auto buffer, arrow::AllocateResizableBuffer(there));
  ARROW_ASSIGN_OR_RAISE(const int64_t got, ReadAt(position, there, buffer->mutable_data()));
  ARROW_RETURN_NOT_OK(buffer->Resize(got));
  return std::shared_ptr<arrow::Buffer>(std::move(buffer));
}

arrow::Result<int64_t> ArrowInput::Read(int64_t bytes, void* out) {
  ARROW_ASSIGN_OR_RAISE(const int64_t got, ReadAt(at_, bytes, out));
  at_ += got;
  return got;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> ArrowInput::Read(int64_t bytes) {
  ARROW_ASSIGN_OR_RAISE(auto buffer, ReadAt(at_, bytes));
  at_ += buffer->size();
  return buffer;
}

arrow::Status ArrowOutput::Write(const void* data, int64_t bytes) {
  const Status written = out_->write({static_cast<const char*>(data), static_cast<size_t>(bytes)});
  if (!written.ok()) {
    failure_ = written.error();
    return arrow::Status::IOError(written.error().message());
  }
  at_ += bytes;
  return arrow::Status::OK();
}

arrow::Status LimitedPool::take(int64_t size) {
  if (size > limit_ - held_) {
    return arrow::Status::OutOfMemory("more than ", limit_ >> 20, " MB are needed");
  }
  ++allocations_;
  total_ += size;
  held_ += size;
  return arrow::Status::OK();
}

arrow::Status LimitedPool::Allocate(int64_t size, int64_t alignment, uint8_t** out) {
  ARROW_RETURN_NOT_OK(take(size));
  const auto status = arrow::system_memory_pool()->Allocate(size, alignment, out);
  if (!status.ok()) held_ -= size;
  return status;
}

arrow::Status LimitedPool::Reallocate(int64_t old_size, int64_t new_size, int64_t alignment,
                                      uint8_t** at) {
  ARROW_RETURN_NOT_OK(take(new_size - old_size));
  const auto status = arrow::system_memory_pool()->Reallocate(old_size, new_size, alignment, at);
  if (!status.ok()) held_ -= new_size - old_size;
  return status;
}

void LimitedPool::Free(uint8_t* at, int64_t size, int64_t alignment) {
  arrow::system_memory_pool()->Free(at, size, alignment);
  held_ -= size;
}

std::string words_of(const arrow::Status& status) {
  std::string out = status.message().substr(0, kMaxWords);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) > '~') c = ' ';
  }
  return out;
}

}  // namespace tidemill
