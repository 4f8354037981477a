#include "shared/base/buffer_arena.h"

#include <sys/mman.h>

#include <cstring>

namespace tidemill {
namespace {

constexpr size_t kAlignment = 8;

// Null if the system has none.
std::shared_ptr<uint8_t> map_chunk(size_t bytes) {
  void* const memory =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  ::madvise(memory, bytes, MADV_NOHUGEPAGE);  // best effort: a chunk is often filled by a part only
  return {static_cast<uint8_t*>(memory), [bytes](uint8_t* m) { ::munmap(m, bytes); }};
}

Buffer buffer_in(const std::shared_ptr<uint8_t>& chunk, size_t at, std::span<const uint8_t> bytes) {
  std::memcpy(chunk.get() + at, bytes.data(), bytes.size());
  return {chunk, {chunk.get() + at, bytes.size()}};
}

}  // namespace

Buffer BufferArena::copy(std::span<const uint8_t> bytes) {
  if (bytes.empty()) return {};
  // What is large has a chunk of its own: it would leave much of another one empty.
  if (bytes.size() > kChunkBytes / 4) {
    const auto own = map_chunk(bytes.size());
    return own ? buffer_in(own, 0, bytes)
               : Buffer(std::vector<uint8_t>(bytes.begin(), bytes.end()));
  }
  if (chunk_ == nullptr || used_ + bytes.size() > kChunkBytes) {
    chunk_ = map_chunk(kChunkBytes);
    used_ = 0;
    if (chunk_ == nullptr) return Buffer(std::vector<uint8_t>(bytes.begin(), bytes.end()));
  }
  const Buffer out = buffer_in(chunk_, used_, bytes);
  used_ += (bytes.size() + kAlignment - 1) / kAlignment * kAlignment;
  return out;
}

void BufferArena::cut() { chunk_.reset(); }

}  // namespace tidemill
