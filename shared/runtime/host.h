// ProcessHost: what a main file needs to bring a process to life under either runtime: spawn the
// actors of each shard. The role's wiring (worker/wiring.h, coordinator/wiring.h, serving/wiring.h)
// is written against this, so that the same processes run for real and in simulation.
#pragma once

#include <functional>
#include <memory>

#include "shared/runtime/runtime.h"

namespace tidemill {

using ActorFactory = std::function<std::unique_ptr<Actor>(Runtime&)>;

class ProcessHost {
 public:
  virtual ~ProcessHost() = default;
  virtual uint16_t shards() const = 0;
  // Before the process runs: `id.shard` < shards(), one actor per id. `mailbox_limit` bounds the
  // messages waiting for it; beyond it senders are told kFull.
  virtual void spawn(ActorId id, ActorFactory factory, size_t mailbox_limit = 4096) = 0;
};

}  // namespace tidemill
