#include "cli/polling.h"

#include "cli/clock.h"

namespace tidemill::cli {
namespace {

constexpr int64_t kPollMs = 200;
constexpr int64_t kPatienceMs = 30'000;
constexpr int kUnavailable = 503;  // it starts, and waits for its members

}  // namespace

Reply poll_coordinator(const GlobalOptions& global, const std::string& path,
                       const std::function<bool(const nlohmann::json&)>& done) {
  int64_t reached_ms = monotonic_ms();
  for (;;) {
    Reply reply = get_coordinator(global, path);
    if (reply.ok()) {
      reached_ms = monotonic_ms();
      if (done(reply.json)) return reply;
    } else {
      const bool away = reply.status == 0 || reply.status == kUnavailable;
      if (!away || monotonic_ms() - reached_ms > kPatienceMs) return reply;
    }
    sleep_ms(kPollMs);
  }
}

}  // namespace tidemill::cli
