// BufferArena: copies of bytes that are kept for about as long as each other, such as the changes
// of one key partition until they are on disk. They lie one behind the other in chunks that come
// from the system and go back to it as a whole, from whatever thread, when the last copy in them is
// gone: an allocator would mix them with those of others, and keep the memory of all until all are
// gone.
//
// Used by one thread; the copies, like all buffers, by any.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "shared/base/buffer.h"

namespace tidemill {

class BufferArena {
 public:
  // A chunk is so much address space, and takes memory as it is filled.
  static constexpr size_t kChunkBytes = 1u << 20;

  // Aligned to 8 bytes.
  Buffer copy(std::span<const uint8_t> bytes);
  // What is copied from now on keeps nothing of what was copied before.
  void cut();

 private:
  std::shared_ptr<uint8_t> chunk_;  // null: none yet, or the last is full
  size_t used_ = 0;
};

}  // namespace tidemill
