#include "shared/wire/held_acks.h"

#include <iterator>

namespace tidemill {

void HeldAcks::add(const ActorAddress& to, uint64_t link, uint16_t type, Buffer ack) {
  links_[{to, link}].acks.emplace_back(type, std::move(ack));
}

void HeldAcks::send(bool hold) {
  const int64_t now_us = runtime_.monotonic_us();
  for (auto it = links_.begin(); it != links_.end();) {
    Waiting& waiting = it->second;
    while (!waiting.acks.empty() && (!hold || now_us - waiting.sent_us >= interval_us_)) {
      auto& [type, body] = waiting.acks.front();
      runtime_.send(self_, it->first.first, type, std::move(body));
      waiting.acks.pop_front();
      waiting.sent_us = now_us;
    }
    // When one was last sent is remembered for as long as it matters.
    const bool over = waiting.acks.empty() && now_us - waiting.sent_us >= interval_us_;
    it = over ? links_.erase(it) : std::next(it);
  }
}

}  // namespace tidemill
