#include "shared/runtime/real/blocking_pool.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "shared/runtime/real/clock.h"

namespace tidemill {
namespace {

// Weighs a third of what is normal while others want the processor, and gives way to what wakes up.
constexpr int kLowNice = 5;

// Of the calling thread: on Linux each has a niceness of its own. Where that is not allowed, the
// thread goes on as it is.
void lower_priority() { setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kLowNice); }

}  // namespace

BlockingPool::BlockingPool(uint16_t threads)
    : low_threads_(std::max<size_t>(threads, 2)), serving_threads_(threads + low_threads_) {
  ASSERT(threads > 0);
  for (size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { serve(Priority::kNormal); });
  }
  for (size_t i = 0; i < low_threads_; ++i) {
    threads_.emplace_back([this] {
      lower_priority();
      serve(Priority::kLow);
    });
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
  if (!is_new) std::erase(queue(lane.urgency), id);
  make_ready(id, &lane);
}

void BlockingPool::make_ready(const BlockingLane& id, Lane* lane) {
  lane->urgency = Urgency::kLater;
  for (const Task& task : lane->tasks) lane->urgency = std::min(lane->urgency, task.urgency);
  queue(lane->urgency).push_back(id);
  (lane->urgency == Urgency::kNow ? normal_changed_ : low_changed_).notify_one();
}

// Where the next lane for such a thread is; null if there is none.
BlockingPool::Queue* BlockingPool::next(Priority priority) {
  if (priority == Priority::kNormal) {
    return queue(Urgency::kNow).empty() ? nullptr : &queue(Urgency::kNow);
  }
  if (!queue(Urgency::kSoon).empty()) return &queue(Urgency::kSoon);
  const bool may = running_later_ + 1 < low_threads_ && !queue(Urgency::kLater).empty();
  return may ? &queue(Urgency::kLater) : nullptr;
}

void BlockingPool::serve(Priority priority) {
  std::condition_variable& changed = priority == Priority::kNormal ? normal_changed_ : low_changed_;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed.wait(lock, [&] { return stopping_ || next(priority) != nullptr; });
    if (stopping_) break;
    Queue* const from = next(priority);
    const BlockingLane id = from->front();
    from->pop_front();
    const bool later = from == &queue(Urgency::kLater);
    if (later) ++running_later_;
    run_first(id, &lock);
    if (!later) continue;
    --running_later_;
    low_changed_.notify_one();
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
  for (Queue& ready : ready_) ready.clear();
  normal_changed_.notify_all();
  low_changed_.notify_all();
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
