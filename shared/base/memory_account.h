// MemoryAccount: memory of this process that no actor accounts for, by what takes it: libraries'
// queues, buffers of blocking work, messages on their way. A part may be counted twice where two
// hold it: a message that waits at two actors.
//
// One for the process, as the memory is; for reports alone, nothing is decided by it. thread-safe
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace tidemill {

enum class MemoryConsumer : uint8_t {
  kKafka,    // records in librdkafka's queues, and those taken from them
  kNetwork,  // bodies of messages in mailboxes and on their way to other processes
  kReads,    // batches that were read and are evaluated or sent
  kSorting,  // logs of changes that are sorted on their way into files
  kUploads,  // what is sent to snapshot storage
  kCount
};

class MemoryAccount {
 public:
  static void add(MemoryConsumer consumer, int64_t bytes) {
    of(consumer).fetch_add(bytes, std::memory_order_relaxed);
  }
  static uint64_t bytes(MemoryConsumer consumer) {
    const int64_t bytes = of(consumer).load(std::memory_order_relaxed);
    return bytes < 0 ? 0 : static_cast<uint64_t>(bytes);
  }
  static constexpr const char* name(MemoryConsumer consumer) {
    constexpr std::array<const char*, static_cast<size_t>(MemoryConsumer::kCount)> kNames{
        "kafka", "network", "reads", "sorting", "uploads"};
    return kNames[static_cast<size_t>(consumer)];
  }

 private:
  static std::atomic<int64_t>& of(MemoryConsumer consumer) {
    static std::array<std::atomic<int64_t>, static_cast<size_t>(MemoryConsumer::kCount)> all{};
    return all[static_cast<size_t>(consumer)];
  }
};

// Bytes that are accounted for as long as it lives.
class HeldMemory {
 public:
  explicit HeldMemory(MemoryConsumer consumer, uint64_t bytes = 0) : consumer_(consumer) {
    resize(bytes);
  }
  ~HeldMemory() { resize(0); }
  HeldMemory(HeldMemory&& other) noexcept
      : consumer_(other.consumer_), bytes_(std::exchange(other.bytes_, 0)) {}
  HeldMemory& operator=(HeldMemory&& other) noexcept {
    resize(0);
    consumer_ = other.consumer_;
    bytes_ = std::exchange(other.bytes_, 0);
    return *this;
  }

  void resize(uint64_t bytes) {
    if (bytes == bytes_) return;
    MemoryAccount::add(consumer_, static_cast<int64_t>(bytes) - static_cast<int64_t>(bytes_));
    bytes_ = bytes;
  }
  uint64_t bytes() const { return bytes_; }

 private:
  MemoryConsumer consumer_;
  uint64_t bytes_ = 0;
};

}  // namespace tidemill
