// BlockingPool: threads for work that may block. Work of one lane runs in order, one at a time;
// lanes are served in turn.
//
// thread-safe. The pool holds what it is given without a limit of its own: an actor bounds what
// it has in flight. Once stopping, queued work is forgotten and only what runs is waited for.
#pragma once

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

  explicit BlockingPool(uint16_t threads);
  ~BlockingPool();

  void submit(BlockingLane lane, Work work);
  // Refuses new work, forgets what is queued and waits for what runs. False if that has not
  // ended at the deadline (monotonic). Idempotent.
  bool stop(int64_t deadline_us);

 private:
  void serve();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<BlockingLane, std::deque<Work>> lanes_;  // those with work queued or running
  std::deque<BlockingLane> ready_;                  // with work queued and none running
  size_t serving_threads_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace tidemill
