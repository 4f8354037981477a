// Arena: room for strings that are made while a batch of events is worked on.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace tidemill {

// Bytes of strings that working on a batch makes. They stay where they are until reset(), which
// keeps the memory for the next batch.
class Arena {
 public:
  // Room for `size` bytes at the end; give_back() what was not needed of the last room.
  char* take(size_t size) {
    while (block_ < blocks_.size() && used_ + size > blocks_[block_].size) {
      ++block_;
      used_ = 0;
    }
    if (block_ == blocks_.size()) add_block(size);
    char* at = blocks_[block_].bytes.get() + used_;
    used_ += size;
    return at;
  }
  void give_back(size_t size) { used_ -= size; }
  std::string_view copy(std::string_view text) {
    char* at = take(text.size());
    if (!text.empty()) std::memcpy(at, text.data(), text.size());
    return {at, text.size()};
  }
  void reset() { block_ = used_ = 0; }
  // Kept, whether it is used now or not.
  size_t capacity() const {
    size_t bytes = 0;
    for (const Block& block : blocks_) bytes += block.size;
    return bytes;
  }

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    size_t size;
  };
  void add_block(size_t least) {
    constexpr size_t kLeast = 16 << 10;
    const size_t twice = blocks_.empty() ? kLeast : 2 * blocks_.back().size;
    const size_t size = std::max(std::min<size_t>(twice, 4 << 20), least);
    blocks_.push_back({std::make_unique<char[]>(size), size});
    used_ = 0;
  }

  std::vector<Block> blocks_;
  size_t block_ = 0;
  size_t used_ = 0;
};

}  // namespace tidemill
