// BlockingPool: threads for work that may block. Work of one lane runs in order, one at a time;
// lanes of one urgency are served in turn, and a lane is as urgent as the most urgent work in it.
//
// Each urgency has threads of its own, so that nothing waits for less urgent work to end, and the
// less urgent they are, the lower their priority: the processors are left to what is urgent now and
// to the shards.
//
// thread-safe. The pool holds what it is given without a limit of its own: an actor bounds what
// it has in flight. Once stopping, queued work is forgotten and only what runs is waited for.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "shared/runtime/runtime.h"

namespace tidemill {

struct BlockingLane {
  ActorId actor;
  uint64_t lane = 0;
  friend auto operator<=>(const BlockingLane&, const BlockingLane&) = default;
};

class BlockingPool {
 public:
  using Work = std::function<void()>;

  // `threads` for what is urgent now, as many for what is urgent soon, and half as many for
  // restoring, at the priority of what is urgent now.
  explicit BlockingPool(uint16_t threads, uint16_t later_threads = 1);
  ~BlockingPool();

  void submit(BlockingLane lane, Urgency urgency, Work work);
  // Refuses new work, forgets what is queued and waits for what runs. False if that has not
  // ended at the deadline (monotonic). Idempotent.
  bool stop(int64_t deadline_us);

 private:
  struct Task {
    Urgency urgency;
    Work work;
  };
  struct Lane {
    std::deque<Task> tasks;
    bool running = false;
    Urgency urgency = Urgency::kLater;  // in which queue it waits, or waited before it ran
  };
  using Lanes = std::map<BlockingLane, Lane>;
  using Queue = std::deque<BlockingLane>;
  struct Ready {
    Queue lanes;  // with work queued and none running
    std::condition_variable changed;
  };

  void serve(Urgency urgency);
  Ready& ready(Urgency urgency) { return ready_[static_cast<size_t>(urgency)]; }
  void make_ready(const BlockingLane& id, Lane* lane);
  void run_first(const BlockingLane& id, std::unique_lock<std::mutex>* lock);

  std::mutex mutex_;
  std::condition_variable ended_;  // a thread has
  Lanes lanes_;                    // those with work queued or running
  std::array<Ready, 4> ready_;     // by urgency
  size_t serving_threads_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace tidemill
