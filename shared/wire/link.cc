#include "shared/wire/link.h"

namespace tidemill {

uint64_t SendLink::sent(uint64_t bytes, int64_t now_us) {
  if (in_flight_.empty()) waiting_since_us_ = now_us;
  in_flight_.push_back({next_seq_, bytes});
  in_flight_bytes_ += bytes;
  last_sent_us_ = now_us;
  return next_seq_++;
}

void SendLink::acknowledged(uint64_t link_seq, int64_t now_us) {
  while (!in_flight_.empty() && in_flight_.front().seq <= link_seq) {
    in_flight_bytes_ -= in_flight_.front().bytes;
    in_flight_.pop_front();
    waiting_since_us_ = now_us;
  }
}

bool SendLink::stalled(int64_t now_us, int64_t stall_us) const {
  return !in_flight_.empty() && now_us - waiting_since_us_ > stall_us;
}

void SendLink::reset() {
  in_flight_.clear();
  in_flight_bytes_ = 0;
}

}  // namespace tidemill
