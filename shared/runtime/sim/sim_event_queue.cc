#include "shared/runtime/sim/sim_event_queue.h"

#include <algorithm>

namespace tidemill {

void SimEventQueue::push(int64_t time_us, SimEvent event) {
  size_t slot = slots_.size();
  if (free_slots_.empty()) {
    slots_.push_back(std::move(event));
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
    slots_[slot] = std::move(event);
  }
  heap_.push_back({time_us, next_sequence_++, slot});
  std::push_heap(heap_.begin(), heap_.end(), later);
}

SimEvent SimEventQueue::pop() {
  std::pop_heap(heap_.begin(), heap_.end(), later);
  const size_t slot = heap_.back().slot;
  heap_.pop_back();
  free_slots_.push_back(slot);
  return std::exchange(slots_[slot], SimEvent{});
}

}  // namespace tidemill
