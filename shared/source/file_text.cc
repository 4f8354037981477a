#include "shared/source/file_text.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "shared/plan/file_pattern.h"

namespace tidemill {
namespace {

class PlainText : public FileText {
 public:
  explicit PlainText(OpenFile file) : file_(std::move(file)) {
    ::posix_fadvise(file_.fd(), 0, 0, POSIX_FADV_SEQUENTIAL);
  }

  Status refresh() override {
    const auto status = file_.status();
    if (!status.ok()) return status.error();
    end_ = status->size;
    return {};
  }
  uint64_t end() const override { return end_; }
  Result<size_t> read(uint64_t offset, char* to, size_t bytes) override {
    if (offset >= end_) return size_t{0};
    bytes = static_cast<size_t>(std::min<uint64_t>(bytes, end_ - offset));
    auto got = file_.read(offset, to, bytes);
    if (!got.ok() || *got == bytes) return got;
    return source_changed_error(file_.name() + ": the file shrank to less than " +
                                std::to_string(offset + bytes) + " bytes while it was read");
  }
  const OpenFile& file() const override { return file_; }

 private:
  OpenFile file_;
  uint64_t end_ = 0;
};

}  // namespace

std::unique_ptr<FileText> make_file_text(OpenFile file) {
  if (is_compressed(file.path())) return make_gzip_text(std::move(file));
  return std::make_unique<PlainText>(std::move(file));
}

}  // namespace tidemill
