// HeldAcks: acknowledgements of what has been received, which return credit to its senders. While
// the receiver has no room they wait, so that senders send no more than it can take.
//
// shard-affine: part of the actor that acknowledges.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <utility>

#include "shared/base/buffer.h"
#include "shared/runtime/runtime.h"

namespace tidemill {

class HeldAcks {
 public:
  // `interval_us`: so often one goes all the same on each link that has some waiting. Less than
  // what the senders wait for before they give a link up.
  HeldAcks(Runtime& runtime, ActorId self, int64_t interval_us)
      : runtime_(runtime), self_(self), interval_us_(interval_us) {}

  // A message for one link: `link` tells the links of one sender apart.
  void add(const ActorAddress& to, uint64_t link, uint16_t type, Buffer ack);
  // Sends what waits, of each link in its order; while `hold`, only what the interval lets through.
  void send(bool hold);

 private:
  struct Waiting {
    std::deque<std::pair<uint16_t, Buffer>> acks;
    int64_t sent_us = 0;
  };

  Runtime& runtime_;
  ActorId self_;
  int64_t interval_us_;
  std::map<std::pair<ActorAddress, uint64_t>, Waiting> links_;
};

}  // namespace tidemill
