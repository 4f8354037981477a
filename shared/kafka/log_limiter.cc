#include "shared/kafka/log_limiter.h"

#include <utility>

namespace tidemill {

bool KafkaLogLimiter::pass(const std::string& kind, int64_t now_ms, uint64_t* suppressed) {
  const std::lock_guard lock(mutex_);
  if (kinds_.size() >= kKindsMax && !kinds_.contains(kind)) return false;
  Kind& k = kinds_[kind];
  if (k.lines >= kBurst && now_ms - k.last_ms < kIntervalMs) {
    ++k.suppressed;
    return false;
  }
  ++k.lines;
  k.last_ms = now_ms;
  *suppressed = std::exchange(k.suppressed, 0);
  return true;
}

}  // namespace tidemill
