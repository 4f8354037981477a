// ByteWriter and ByteReader: little-endian fixed-width codec under every binary format of ours.
// The reader is safe on hostile bytes: past the end it yields zeros and remembers the failure, so
// decoders read straight through and check ok() once.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace tidemill {

class ByteWriter {
 public:
  template <typename T>
  requires std::is_arithmetic_v<T>
  void put(T value) {
    const size_t at = bytes_.size();
    bytes_.resize(at + sizeof(T));
    std::memcpy(bytes_.data() + at, &value, sizeof(T));
  }
  void put_bytes(std::span<const uint8_t> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  // u32 length, then the bytes.
  void put_string(std::string_view s) {
    put(static_cast<uint32_t>(s.size()));
    bytes_.insert(bytes_.end(), s.begin(), s.end());
  }
  // Zero bytes until the size is a multiple of `alignment`.
  void align(size_t alignment) {
    while (bytes_.size() % alignment != 0) bytes_.push_back(0);
  }
  // `length` zero bytes to be filled in place; the pointer is valid until the next put.
  uint8_t* reserve(size_t length) {
    const size_t at = bytes_.size();
    bytes_.resize(at + length);
    return bytes_.data() + at;
  }
  template <typename T>
  void patch(size_t at, T value) {
    std::memcpy(bytes_.data() + at, &value, sizeof(T));
  }

  size_t size() const { return bytes_.size(); }
  std::vector<uint8_t> take() { return std::move(bytes_); }
  const std::vector<uint8_t>& bytes() const { return bytes_; }
  void clear() { bytes_.clear(); }

 private:
  std::vector<uint8_t> bytes_;
};

class ByteReader {
 public:
  explicit ByteReader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  template <typename T>
  requires std::is_arithmetic_v<T> T get() {
    T value{};
    const auto raw = take(sizeof(T));
    if (raw.size() == sizeof(T)) std::memcpy(&value, raw.data(), sizeof(T));
    return value;
  }
  // The next `length` bytes, in place; empty and failed if there are fewer.
  std::span<const uint8_t> take(size_t length) {
    if (!ok_ || length > bytes_.size() - at_) {
      ok_ = false;
      return {};
    }
    const auto out = bytes_.subspan(at_, length);
    at_ += length;
    return out;
  }
  std::string_view get_string() {
    const auto raw = take(get<uint32_t>());
    return {reinterpret_cast<const char*>(raw.data()), raw.size()};
  }
  void align(size_t alignment) {
    const size_t past = at_ % alignment;
    if (past != 0) take(alignment - past);
  }
  void fail() { ok_ = false; }

  bool ok() const { return ok_; }
  size_t position() const { return at_; }
  size_t remaining() const { return ok_ ? bytes_.size() - at_ : 0; }

 private:
  std::span<const uint8_t> bytes_;
  size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace tidemill
