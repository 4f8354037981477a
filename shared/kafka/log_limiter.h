// KafkaLogLimiter: how often librdkafka may say a thing. It repeats itself with every attempt to
// connect, from several threads. Per kind of message a few lines pass, then one every ten seconds.
// thread-safe
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace tidemill {

class KafkaLogLimiter {
 public:
  static constexpr int kBurst = 3;
  static constexpr int64_t kIntervalMs = 10'000;

  // Whether a line of `kind` may be written at `now_ms`; `*suppressed` are those that were not
  // since the last one that was.
  bool pass(const std::string& kind, int64_t now_ms, uint64_t* suppressed);

 private:
  static constexpr size_t kKindsMax = 256;  // librdkafka has some dozens
  struct Kind {
    int lines = 0;
    int64_t last_ms = 0;
    uint64_t suppressed = 0;
  };
  std::mutex mutex_;
  std::map<std::string, Kind> kinds_;
};

}  // namespace tidemill
