// AppliedOffset: up to where every receiver of a reader's main read has applied it, as far as the
// acknowledgements of its links tell. For tools that watch the lag of a consumer group.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <utility>

#include "shared/runtime/runtime.h"

namespace tidemill {

class AppliedOffset {
 public:
  // Message `link_seq` of the link to `host` brings it up to `end`.
  void sent(const ActorAddress& host, uint64_t link_seq, uint64_t end) {
    links_[host].in_flight.emplace_back(link_seq, end);
  }
  void acknowledged(const ActorAddress& host, uint64_t link_seq) {
    const auto it = links_.find(host);
    if (it == links_.end()) return;
    auto& [in_flight, applied] = it->second;
    for (; !in_flight.empty() && in_flight.front().first <= link_seq; in_flight.pop_front()) {
      applied = in_flight.front().second;
    }
  }
  void forget(const ActorAddress& host) { links_.erase(host); }

  // The least over all receivers; 0 while one of them has acknowledged nothing.
  uint64_t least() const {
    if (links_.empty()) return 0;
    uint64_t out = UINT64_MAX;
    for (const auto& [host, link] : links_) out = std::min(out, link.applied);
    return out;
  }

 private:
  struct Link {
    std::deque<std::pair<uint64_t, uint64_t>> in_flight;  // (number, end)
    uint64_t applied = 0;
  };
  std::map<ActorAddress, Link> links_;
};

}  // namespace tidemill
