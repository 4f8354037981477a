#include "shared/runtime/real/timer_heap.h"

#include <algorithm>

namespace tidemill {
namespace {

constexpr size_t kLeftoversMin = 64;

bool later(const DueTimer& a, const DueTimer& b) {
  return a.due_us != b.due_us ? a.due_us > b.due_us : a.id > b.id;
}

}  // namespace

TimerId TimerHeap::start(int64_t due_us, ActorId actor, uint64_t token) {
  const TimerId id = next_id_++;
  heap_.push_back({due_us, id, actor, token});
  std::push_heap(heap_.begin(), heap_.end(), later);
  live_.insert(id);
  return id;
}

void TimerHeap::cancel(TimerId id) {
  live_.erase(id);
  if (heap_.size() > 2 * live_.size() + kLeftoversMin) compact();
}

void TimerHeap::compact() {
  std::erase_if(heap_, [this](const DueTimer& t) { return !live_.contains(t.id); });
  std::make_heap(heap_.begin(), heap_.end(), later);
}

void TimerHeap::drop_cancelled_top() {
  while (!heap_.empty() && !live_.contains(heap_.front().id)) {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    heap_.pop_back();
  }
}

std::optional<int64_t> TimerHeap::next_due_us() {
  drop_cancelled_top();
  if (heap_.empty()) return std::nullopt;
  return heap_.front().due_us;
}

std::optional<DueTimer> TimerHeap::pop_due(int64_t now_us) {
  drop_cancelled_top();
  if (heap_.empty() || heap_.front().due_us > now_us) return std::nullopt;
  std::pop_heap(heap_.begin(), heap_.end(), later);
  const DueTimer timer = heap_.back();
  heap_.pop_back();
  live_.erase(timer.id);
  return timer;
}

}  // namespace tidemill
