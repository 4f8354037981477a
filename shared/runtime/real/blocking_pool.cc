#include "shared/runtime/real/blocking_pool.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "shared/runtime/real/clock.h"

namespace tidemill {
namespace {

// Added to the process's own niceness, by urgency: while others want the processor, such a thread
// weighs a third and a tenth of what is normal, and gives way to what wakes up. Restoring does not:
// beside other busy processes it would take for ever. It has fewer threads instead.
constexpr std::array<int, 4> kNice{0, 0, 5, 10};

// On Linux each thread has a niceness of its own. Where that is not allowed, it goes on as it is.
void lower_priority(int by) {
  const auto self = static_cast<id_t>(gettid());
  if (by > 0) setpriority(PRIO_PROCESS, self, getpriority(PRIO_PROCESS, self) + by);
}

}  // namespace

BlockingPool::BlockingPool(uint16_t threads, uint16_t later_threads) {
  ASSERT(threads > 0 && later_threads > 0);
  const auto restoring = static_cast<uint16_t>((threads + 1) / 2);
  const std::array<uint16_t, 4> counts{threads, restoring, threads, later_threads};
  for (const uint16_t count : counts) serving_threads_ += count;
  for (size_t urgency = 0; urgency < counts.size(); ++urgency) {
    for (size_t i = 0; i < counts[urgency]; ++i) {
      threads_.emplace_back([this, urgency] {
        lower_priority(kNice[urgency]);
        serve(static_cast<Urgency>(urgency));
      });
    }
  }
}

BlockingPool::~BlockingPool() {
  stop(std::numeric_limits<int64_t>::max());
  for (std::thread& t : threads_) t.join();
}

void BlockingPool::submit(BlockingLane id, Urgency urgency, Work work) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  const auto [it, is_new] = lanes_.try_emplace(id);
  Lane& lane = it->second;
  lane.tasks.push_back({urgency, std::move(work)});
  if (lane.running || (!is_new && urgency >= lane.urgency)) return;
  if (!is_new) std::erase(ready(lane.urgency).lanes, id);
  make_ready(id, &lane);
}

void BlockingPool::make_ready(const BlockingLane& id, Lane* lane) {
  lane->urgency = Urgency::kLater;
  for (const Task& task : lane->tasks) lane->urgency = std::min(lane->urgency, task.urgency);
  ready(lane->urgency).lanes.push_back(id);
  ready(lane->urgency).changed.notify_one();
}

void BlockingPool::serve(Urgency urgency) {
  Ready& mine = ready(urgency);
  std::unique_lock lock(mutex_);
  for (;;) {
    mine.changed.wait(lock, [&] { return stopping_ || !mine.lanes.empty(); });
    if (stopping_) break;
    const BlockingLane id = mine.lanes.front();
    mine.lanes.pop_front();
    run_first(id, &lock);
  }
  --serving_threads_;
  ended_.notify_all();
}

void BlockingPool::run_first(const BlockingLane& id, std::unique_lock<std::mutex>* lock) {
  Lane& lane = lanes_.at(id);
  Work work = std::move(lane.tasks.front().work);
  lane.tasks.pop_front();
  lane.running = true;
  lock->unlock();
  work();
  work = nullptr;  // what it captured is released outside the lock
  lock->lock();
  const auto it = lanes_.find(id);
  if (it == lanes_.end()) return;  // forgotten by stop
  it->second.running = false;
  if (it->second.tasks.empty()) {
    lanes_.erase(it);
  } else {
    make_ready(id, &it->second);
  }
}

bool BlockingPool::stop(int64_t deadline_us) {
  Lanes forgotten;  // released outside the lock
  std::unique_lock lock(mutex_);
  stopping_ = true;
  forgotten.swap(lanes_);
  for (Ready& ready : ready_) {
    ready.lanes.clear();
    ready.changed.notify_all();
  }
  const auto ended = [this] { return serving_threads_ == 0; };
  if (deadline_us == std::numeric_limits<int64_t>::max()) {
    ended_.wait(lock, ended);
    return true;
  }
  const auto deadline =
      std::chrono::steady_clock::time_point(std::chrono::microseconds(deadline_us));
  const bool in_time = ended_.wait_until(lock, deadline, ended);
  lock.unlock();
  return in_time;
}

}  // namespace tidemill
