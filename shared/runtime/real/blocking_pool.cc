#include "shared/runtime/real/blocking_pool.h"

#include <limits>

#include "shared/runtime/real/clock.h"

namespace tidemill {

BlockingPool::BlockingPool(uint16_t threads) : serving_threads_(threads) {
  ASSERT(threads > 0);
  for (uint16_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { serve(); });
  }
}

BlockingPool::~BlockingPool() {
  stop(std::numeric_limits<int64_t>::max());
  for (std::thread& t : threads_) t.join();
}

void BlockingPool::submit(BlockingLane lane, Work work) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  const auto [it, idle] = lanes_.try_emplace(lane);
  it->second.push_back(std::move(work));
  if (!idle) return;
  ready_.push_back(lane);
  changed_.notify_one();
}

void BlockingPool::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !ready_.empty(); });
    if (stopping_) break;
    const BlockingLane lane = ready_.front();
    ready_.pop_front();
    Work work = std::move(lanes_.at(lane).front());
    lanes_.at(lane).pop_front();
    lock.unlock();
    work();
    work = nullptr;  // what it captured is released outside the lock
    lock.lock();
    const auto it = lanes_.find(lane);
    if (it == lanes_.end()) continue;  // forgotten by stop
    if (it->second.empty()) {
      lanes_.erase(it);
    } else {
      ready_.push_back(lane);
      changed_.notify_one();
    }
  }
  --serving_threads_;
  changed_.notify_all();
}

bool BlockingPool::stop(int64_t deadline_us) {
  std::map<BlockingLane, std::deque<Work>> forgotten;  // released outside the lock
  std::unique_lock lock(mutex_);
  stopping_ = true;
  forgotten.swap(lanes_);
  ready_.clear();
  changed_.notify_all();
  const auto ended = [this] { return serving_threads_ == 0; };
  if (deadline_us == std::numeric_limits<int64_t>::max()) {
    changed_.wait(lock, ended);
    return true;
  }
  const auto deadline =
      std::chrono::steady_clock::time_point(std::chrono::microseconds(deadline_us));
  const bool in_time = changed_.wait_until(lock, deadline, ended);
  lock.unlock();
  return in_time;
}

}  // namespace tidemill
