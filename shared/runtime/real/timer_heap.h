// TimerHeap: the timers of one shard, by due time. A cancelled timer stays in the heap until it
// is due or until such leftovers outnumber the live ones.
// shard-affine
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_set>
#include <vector>

#include "shared/runtime/runtime.h"

namespace tidemill {

struct DueTimer {
  int64_t due_us;
  TimerId id;  // grows, so that timers due together fire in the order they were started
  ActorId actor;
  uint64_t token;
};

class TimerHeap {
 public:
  TimerId start(int64_t due_us, ActorId actor, uint64_t token);
  void cancel(TimerId id);

  // When the next live timer is due.
  std::optional<int64_t> next_due_us();
  // The next timer with due time <= now_us; it is not live any more.
  std::optional<DueTimer> pop_due(int64_t now_us);
  size_t live() const { return live_.size(); }

 private:
  void drop_cancelled_top();
  void compact();

  std::vector<DueTimer> heap_;
  std::unordered_set<TimerId> live_;  // looked up, never walked
  TimerId next_id_ = 1;
};

}  // namespace tidemill
