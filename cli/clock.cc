#include "cli/clock.h"

#include <ctime>

namespace tidemill::cli {

int64_t monotonic_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

void sleep_ms(int64_t ms) {
  const timespec wait{ms / 1000, (ms % 1000) * 1'000'000};
  nanosleep(&wait, nullptr);
}

}  // namespace tidemill::cli
