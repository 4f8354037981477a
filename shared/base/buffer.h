// Buffer: immutable bytes with a shared owner. Copies and slices share the bytes, so a message
// travels between shards, and from a source batch into a frame, without being copied.
// thread-safe (the reference count is atomic; the bytes never change)
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shared/base/assert.h"

namespace tidemill {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::vector<uint8_t> bytes) {
    auto owner = std::make_shared<const std::vector<uint8_t>>(std::move(bytes));
    bytes_ = {owner->data(), owner->size()};
    owner_ = std::move(owner);
  }
  explicit Buffer(std::string bytes) {
    auto owner = std::make_shared<const std::string>(std::move(bytes));
    bytes_ = {reinterpret_cast<const uint8_t*>(owner->data()), owner->size()};
    owner_ = std::move(owner);
  }
  // Bytes kept alive by `owner`, such as a received network message.
  Buffer(std::shared_ptr<const void> owner, std::span<const uint8_t> bytes)
      : owner_(std::move(owner)), bytes_(bytes) {}

  std::span<const uint8_t> bytes() const { return bytes_; }
  const uint8_t* data() const { return bytes_.data(); }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }

  Buffer slice(size_t offset, size_t length) const {
    ASSERT(offset <= size() && length <= size() - offset);
    return {owner_, bytes_.subspan(offset, length)};
  }

 private:
  std::shared_ptr<const void> owner_;
  std::span<const uint8_t> bytes_;
};

}  // namespace tidemill
