#include "shared/source/file_cursor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "shared/base/assert.h"

namespace tidemill {
namespace {

constexpr size_t kBlockBytes = 1 << 20;
constexpr size_t kLargestWindow = 64 << 20;
constexpr size_t kSmallestWindow = 512;

Error file_error(const std::string& path, const char* doing) {
  return user_error(path + ": cannot " + doing + ": " + std::strerror(errno));
}

// Makes room for a window; text once in it stays.
void reserve_window(std::string* text, size_t bytes) {
  if (text->size() < bytes + kWindowPadding) text->resize(bytes + kWindowPadding);
}

}  // namespace

Result<std::unique_ptr<SourceCursor>> FileCursor::open(const proto::Source& source,
                                                       const std::string& path, uint64_t offset) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return file_error(path, "open");
  std::unique_ptr<FileCursor> cursor(new FileCursor(source, path, fd));
  Status started = cursor->start(offset);
  if (!started.ok()) return started.error();
  return std::unique_ptr<SourceCursor>(std::move(cursor));
}

FileCursor::~FileCursor() { ::close(fd_); }

Status FileCursor::start(uint64_t offset) {
  offset_ = offset;
  const auto size = current_size();
  if (!size.ok()) return size.error();
  ::posix_fadvise(fd_, 0, 0, POSIX_FADV_SEQUENTIAL);
  if (source_.files().format() == proto::FilesInput::CSV) return start_csv(*size);
  if (source_.files().format() != proto::FilesInput::NDJSON) {
    return user_error(path_ + ": the format of the files is not set; it is csv or ndjson");
  }
  auto parser = make_ndjson_parser(source_);
  if (!parser.ok()) return parser.error();
  parser_ = std::move(*parser);
  char before = '\n';
  if (offset > 0 && offset < *size) {
    Status status = read_at(offset - 1, &before, 1);
    if (!status.ok()) return status;
  }
  if (before == '\n') return {};
  return user_error(path_ + ": no record starts at offset " + std::to_string(offset) +
                    "; the file is not the one that was read before");
}

Status FileCursor::start_csv(uint64_t size) {
  std::string head;
  head.resize(static_cast<size_t>(std::min<uint64_t>(size, kDecidingBytes)));
  Status status = read_at(0, head.data(), head.size());
  if (!status.ok()) return status;
  auto parser = make_csv_parser(source_, head, &header_bytes_);
  if (!parser.ok()) return parser.error().within(path_);
  parser_ = std::move(*parser);
  if (offset_ == 0 || offset_ == header_bytes_ || offset_ == size) return {};
  char before = 0;
  status = read_at(offset_ - 1, &before, 1);
  if (!status.ok()) return status;
  if (offset_ > header_bytes_ && before == '\n') return {};
  return user_error(path_ + ": no record starts at offset " + std::to_string(offset_) +
                    "; the file is not the one that was read before");
}

Result<uint64_t> FileCursor::current_size() const {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return file_error(path_, "look at");
  if (!S_ISREG(status.st_mode)) return user_error(path_ + ": is not a regular file");
  const auto size = static_cast<uint64_t>(status.st_size);
  if (size >= offset_) return size;
  return user_error(path_ + ": the file shrank to " + std::to_string(size) +
                    " bytes, but was read up to offset " + std::to_string(offset_) +
                    "; put the whole file back, or submit the job anew");
}

Status FileCursor::read_at(uint64_t offset, char* to, size_t bytes) const {
  while (bytes > 0) {
    const ssize_t got = ::pread(fd_, to, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error(path_, "read");
    if (got == 0) {
      return user_error(path_ + ": the file shrank to less than " + std::to_string(offset + bytes) +
                        " bytes while it was read");
    }
    to += got;
    offset += static_cast<uint64_t>(got);
    bytes -= static_cast<size_t>(got);
  }
  return {};
}

Status FileCursor::read(size_t max_records, size_t max_bytes, EventBatch* batch) {
  const uint64_t begin = offset_;
  BatchWriter writer(source_.schema(), begin, max_records, batch);
  const auto size = current_size();
  if (!size.ok()) return size.error();
  size_t window = std::clamp<size_t>(max_bytes, 1, kLargestWindow);
  offset_ = std::max(offset_, header_bytes_);
  while (offset_ < *size && max_records > 0) {
    const auto consumed = read_window(window, *size, max_records, &writer, &batch->text);
    if (!consumed.ok()) return consumed.error();
    if (*consumed > 0) break;
    if (window >= kDecidingBytes) {
      Status skipped = skip_record(*size, &writer, &batch->text);
      if (!skipped.ok()) return skipped;
      break;
    }
    window = std::min(std::max(2 * window, kSmallestWindow), kDecidingBytes);
  }
  if (writer.records() > 0) {
    record_bytes_ = std::max<size_t>(static_cast<size_t>(offset_ - begin) / writer.records(), 1);
  }
  writer.finish(offset_, offset_ == *size);
  return {};
}

Result<size_t> FileCursor::read_window(size_t window, uint64_t size, size_t max_records,
                                       BatchWriter* writer, std::string* text) {
  const size_t wanted = static_cast<size_t>(std::min<uint64_t>(window, size - offset_));
  reserve_window(text, wanted);
  const uint64_t begin = offset_;
  size_t filled = 0;
  size_t parsed = 0;
  // A block at a time: it is parsed while it is in the cache.
  while (filled < wanted && !writer->full()) {
    const size_t records_left = max_records - writer->records();
    size_t block = std::min(wanted - filled, kBlockBytes);
    if (records_left < kBlockBytes / record_bytes_) {
      const size_t enough = records_left * record_bytes_ + kSmallestWindow;
      block = std::min(block, parsed > 0 ? enough : std::max(enough, filled));
    }
    Status status = read_at(begin + filled, text->data() + filled, block);
    if (!status.ok()) return status.error();
    filled += block;
    const bool at_end = begin + filled == size;
    parsed +=
        parser_->parse({text->data() + parsed, filled - parsed, begin + parsed, at_end}, writer);
  }
  offset_ = begin + parsed;
  return parsed;
}

Status FileCursor::skip_record(uint64_t size, BatchWriter* writer, std::string* text) {
  ASSERT(size - offset_ >= kDecidingBytes);
  const std::string_view head{text->data(), kBadRecordHeadBytes};
  writer->bad(offset_, "the record is larger than 1 MB; end each record with a newline", head);
  uint64_t at = offset_;
  offset_ = size;
  while (at < size) {
    const auto block = static_cast<size_t>(std::min<uint64_t>(kBlockBytes, size - at));
    reserve_window(text, block);
    Status status = read_at(at, text->data(), block);
    if (!status.ok()) return status;
    const void* newline = std::memchr(text->data(), '\n', block);
    if (newline != nullptr) {
      offset_ = at + static_cast<uint64_t>(static_cast<const char*>(newline) - text->data()) + 1;
      break;
    }
    at += block;
  }
  return {};
}

}  // namespace tidemill
