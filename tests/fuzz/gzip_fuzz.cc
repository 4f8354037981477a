// Files in gzip format: whatever is read is the same however it is read, and again after going
// back.
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "shared/source/file_text.h"
#include "tests/fuzz/input.h"

namespace tidemill {
namespace {

constexpr uint64_t kMostText = 4 << 20;

int fd_of_input() {
  static const int fd = ::memfd_create("input", MFD_CLOEXEC);
  ASSERT(fd >= 0);
  return fd;
}

std::string read_from(uint64_t offset, size_t piece, FileText* text) {
  std::string out, block(piece, '\0');
  while (out.size() < kMostText) {
    const auto got = text->read(offset + out.size(), block.data(), block.size());
    if (!got.ok()) return out + "\n" + got.error().message();
    out.append(block, 0, *got);
    if (*got == 0) break;
  }
  if (out.size() < kMostText) ASSERT(text->end() == offset + out.size());
  return out;
}

}  // namespace
}  // namespace tidemill

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemill;
  ASSERT(::ftruncate(fd_of_input(), 0) == 0);
  ASSERT(::pwrite(fd_of_input(), data, size, 0) == static_cast<ssize_t>(size));
  auto file = OpenFile::open("/proc/self/fd/" + std::to_string(fd_of_input()));
  ASSERT(file.ok());
  const auto text = make_gzip_text(std::move(*file));
  ASSERT(text->refresh().ok());
  const std::string whole = read_from(0, 1 << 20, text.get());
  text->release(whole.size());
  const std::string again = read_from(0, 777, text.get());
  ASSERT(again.substr(0, kMostText) == whole.substr(0, kMostText));
  return 0;
}
