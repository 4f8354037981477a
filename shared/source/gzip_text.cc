// Text in gzip format (RFC 1952) by zlib: members one after another, zero bytes behind the last.
// Goes forward; what was asked for since release() is held, so that windows may overlap.
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "shared/base/assert.h"
#include "shared/source/file_text.h"
#include "shared/source/gzip_faults.h"

namespace tidemill {
namespace {

constexpr size_t kInputBytes = 128 << 10;
constexpr size_t kBlockBytes = 256 << 10;  // of text
constexpr int kGzipWindow = 15 + 16;       // the largest window, gzip and nothing else

class GzipText : public FileText {
 public:
  explicit GzipText(OpenFile file) : file_(std::move(file)), input_(kInputBytes, 0) {
    ::memset(&stream_, 0, sizeof(stream_));
    ASSERT(::inflateInit2(&stream_, kGzipWindow) == Z_OK);
  }
  ~GzipText() override { ::inflateEnd(&stream_); }
  GzipText(const GzipText&) = delete;
  GzipText& operator=(const GzipText&) = delete;

  Status refresh() override;
  uint64_t end() const override { return ended_ ? held_end() : kUnknownEnd; }
  Result<size_t> read(uint64_t offset, char* to, size_t bytes) override;
  void release(uint64_t offset) override { released_ = offset; }
  Status known_fault(uint64_t offset) const override {
    return known_gzip_fault({file_.path(), status_, offset});
  }
  void note_fault(uint64_t offset, const Error& error) override {
    if (faulty_) note_gzip_fault({file_.path(), status_, offset}, error);
  }
  const OpenFile& file() const override { return file_; }

 private:
  uint64_t held_end() const { return held_begin_ + held_.size(); }
  uint64_t compressed_offset() const { return input_offset_ - stream_.avail_in; }
  void restart();
  void drop_released();
  // Appends up to a block to what is held, or notes the end.
  Status inflate_block();
  Status inflate_some();
  Status refill();
  Status begin_member();
  Error cut_off();
  Error corrupt(const char* what);

  OpenFile file_;
  std::string input_;
  uint64_t input_offset_ = 0;  // of the byte behind the input
  FileStatus status_;          // of the file when last looked at
  z_stream stream_;
  bool in_member_ = false;
  bool any_member_ = false;
  bool ended_ = false;
  bool faulty_ = false;  // it was met that the file is cut off or damaged
  Status damaged_;       // nothing behind it is text, whatever is appended
  std::string held_;     // text from held_begin_ on
  uint64_t held_begin_ = 0;
  uint64_t released_ = 0;
};

Status GzipText::refresh() {
  const auto status = file_.status();
  if (!status.ok()) return status.error();
  if (status->size < status_.size) {
    return source_changed_error(
        file_.name() + ": the file shrank from " + std::to_string(status_.size) + " to " +
        std::to_string(status->size) + " bytes; put the whole file back, or submit the job anew");
  }
  if (status->size != status_.size) faulty_ = false;
  status_ = *status;
  return {};
}

Result<size_t> GzipText::read(uint64_t offset, char* to, size_t bytes) {
  if (offset < held_begin_) restart();
  released_ = std::min(released_, offset);
  Status failed;
  // One byte more than is asked for: where the text ends is known when it is reached.
  while (!ended_ && failed.ok() && held_end() <= offset + bytes) {
    if (held_end() < offset) released_ = std::max(released_, held_end());
    failed = inflate_block();
  }
  const uint64_t got =
      offset < held_end() ? std::min<uint64_t>(bytes, held_end() - offset) : uint64_t{0};
  if (!failed.ok() && (got == 0 || held_end() <= offset)) return failed.error();
  if (got > 0) std::memcpy(to, held_.data() + (offset - held_begin_), got);
  return static_cast<size_t>(got);
}

void GzipText::restart() {
  ASSERT(::inflateReset2(&stream_, kGzipWindow) == Z_OK);
  stream_.avail_in = 0;
  input_offset_ = 0;
  in_member_ = any_member_ = ended_ = faulty_ = false;
  damaged_ = {};
  held_.clear();
  held_begin_ = released_ = 0;
}

void GzipText::drop_released() {
  if (released_ <= held_begin_) return;
  const auto n = static_cast<size_t>(std::min(released_, held_end()) - held_begin_);
  held_.erase(0, n);
  held_begin_ += n;
}

Status GzipText::inflate_block() {
  drop_released();
  const size_t before = held_.size();
  held_.resize(before + kBlockBytes);
  stream_.next_out = reinterpret_cast<Bytef*>(held_.data() + before);
  stream_.avail_out = kBlockBytes;
  Status status;
  while (status.ok() && stream_.avail_out > 0 && !ended_) status = inflate_some();
  held_.resize(before + kBlockBytes - stream_.avail_out);
  // What came before the fault is text; asked for more, it is met again.
  if (held_.size() > before) return {};
  return status;
}

Status GzipText::inflate_some() {
  if (!damaged_.ok()) return damaged_;
  if (stream_.avail_in == 0) {
    Status filled = refill();
    if (!filled.ok()) return filled;
  }
  if (!in_member_) return begin_member();
  if (stream_.avail_in == 0) return cut_off();
  const int rc = ::inflate(&stream_, Z_NO_FLUSH);
  if (rc == Z_STREAM_END) in_member_ = false;
  if (rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR) return {};
  return corrupt(stream_.msg != nullptr ? stream_.msg : "it cannot be decompressed");
}

Status GzipText::refill() {
  const auto got = file_.read(input_offset_, input_.data(), input_.size());
  if (!got.ok()) return got.error();
  input_offset_ += *got;
  stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
  stream_.avail_in = static_cast<uInt>(*got);
  return {};
}

Status GzipText::begin_member() {
  while (any_member_ && stream_.avail_in > 0 && *stream_.next_in == 0) {
    ++stream_.next_in;
    --stream_.avail_in;
    if (stream_.avail_in > 0) continue;
    Status filled = refill();
    if (!filled.ok()) return filled;
  }
  if (stream_.avail_in == 0) {
    if (!any_member_) return cut_off();
    ended_ = true;
    return {};
  }
  if (any_member_ && *stream_.next_in != 0x1F) {
    return corrupt("behind the compressed text are bytes of something else");
  }
  ASSERT(::inflateReset2(&stream_, kGzipWindow) == Z_OK);
  in_member_ = any_member_ = true;
  return {};
}

Error GzipText::cut_off() {
  faulty_ = true;
  return user_error(file_.name() + ": the gzip file ends within its compressed text, after " +
                    std::to_string(input_offset_) +
                    " bytes; it was cut off, or is still being "
                    "written: complete it");
}

Error GzipText::corrupt(const char* what) {
  faulty_ = true;
  damaged_ = corrupt_error(file_.name() + ": the gzip file is damaged before its byte " +
                           std::to_string(compressed_offset()) + " (" + what +
                           "); submit the job anew with a sound file");
  return damaged_.error();
}

}  // namespace

std::unique_ptr<FileText> make_gzip_text(OpenFile file) {
  return std::make_unique<GzipText>(std::move(file));
}

}  // namespace tidemill
