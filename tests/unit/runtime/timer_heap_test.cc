#include "shared/runtime/real/timer_heap.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "shared/runtime/random.h"

namespace tidemill {
namespace {

// Against a plain map: the same timers fire in the same order, whatever is started and cancelled.
TEST(TimerHeap, FiresWhatASortedMapWould) {
  EXPECT_TRUE(rc::check([](uint64_t seed) {
    Random random(seed);
    TimerHeap heap;
    std::map<std::pair<int64_t, TimerId>, uint64_t> model;
    int64_t now_us = 0;
    for (uint64_t step = 0; step < 1000; ++step) {
      const uint64_t what = random.below(10);
      if (what < 5) {
        const int64_t due_us = now_us + random.between(0, 50);
        model[{due_us, heap.start(due_us, ActorId{0, 1}, step)}] = step;
      } else if (what < 9 && !model.empty()) {
        auto it = std::next(model.begin(), static_cast<int64_t>(random.below(model.size())));
        heap.cancel(it->first.second);
        model.erase(it);
      } else {
        now_us += random.between(0, 20);
        while (!model.empty() && model.begin()->first.first <= now_us) {
          const auto timer = heap.pop_due(now_us);
          RC_ASSERT(timer.has_value());
          RC_ASSERT(timer->token == model.begin()->second);
          model.erase(model.begin());
        }
        RC_ASSERT(!heap.pop_due(now_us).has_value());
      }
      RC_ASSERT(heap.live() == model.size());
      const auto next = heap.next_due_us();
      RC_ASSERT(next.has_value() == !model.empty());
      if (next.has_value()) RC_ASSERT(*next == model.begin()->first.first);
    }
  }));
}

}  // namespace
}  // namespace tidemill
