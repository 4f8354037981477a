#include "shared/runtime/real/blocking_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <future>
#include <string>

namespace tidemill {
namespace {

BlockingLane lane(uint64_t number) { return {{0, 1}, number}; }

// Holds work until it is opened, or the test is over.
class Gate {
 public:
  ~Gate() { open(); }
  void open() {
    if (!std::exchange(opened_, true)) promise_.set_value();
  }
  BlockingPool::Work work() {
    return [gate = gate_] { gate.wait(); };
  }

 private:
  bool opened_ = false;
  std::promise<void> promise_;
  std::shared_future<void> gate_ = promise_.get_future().share();
};

// Something that is to happen, and is waited for.
class Event {
 public:
  void happened() { promise_.set_value(); }
  void expect() {
    EXPECT_EQ(promise_.get_future().wait_for(std::chrono::seconds(60)), std::future_status::ready);
  }

 private:
  std::promise<void> promise_;
};

TEST(BlockingPool, WhatIsUrgentNowWaitsForNothingElse) {
  Gate gate;
  Event ran;
  BlockingPool pool(1);
  for (uint64_t i = 0; i < 10; ++i) {
    pool.submit(lane(i), i % 2 == 0 ? Urgency::kSoon : Urgency::kLater, gate.work());
  }
  pool.submit(lane(10), Urgency::kNow, [&] { ran.happened(); });
  ran.expect();
  gate.open();
}

TEST(BlockingPool, WhatIsUrgentSoonDoesNotWaitForWhatIsLater) {
  for (const uint16_t threads : {1, 2, 4}) {
    Gate gate;
    Event ran;
    BlockingPool pool(threads);
    for (uint64_t i = 0; i < 10; ++i) pool.submit(lane(i), Urgency::kLater, gate.work());
    pool.submit(lane(10), Urgency::kSoon, [&] { ran.happened(); });
    ran.expect();
    gate.open();
  }
}

TEST(BlockingPool, ALaneIsAsUrgentAsTheMostUrgentWorkInIt) {
  Gate gate;
  Event ran;
  std::string order;
  BlockingPool pool(1);
  for (uint64_t i = 0; i < 3; ++i) pool.submit(lane(i), Urgency::kLater, gate.work());
  pool.submit(lane(3), Urgency::kLater, [&] { order += "later "; });
  pool.submit(lane(3), Urgency::kSoon, [&] { order += "soon "; });
  pool.submit(lane(3), Urgency::kNow, [&] {
    order += "now";
    ran.happened();
  });
  ran.expect();
  EXPECT_EQ(order, "later soon now");
  gate.open();
}

TEST(BlockingPool, WhatIsNotUrgentNowLeavesTheProcessorToOthers) {
  std::array<int, 4> nice{};
  std::array<Event, 4> ran;
  BlockingPool pool(1);
  for (const Urgency urgency :
       {Urgency::kNow, Urgency::kRestore, Urgency::kSoon, Urgency::kLater}) {
    const auto u = static_cast<size_t>(urgency);
    pool.submit(lane(u), urgency, [&nice, &ran, u] {
      nice[u] = getpriority(PRIO_PROCESS, static_cast<id_t>(gettid()));
      ran[u].happened();
    });
  }
  for (Event& event : ran) event.expect();
  const int own = getpriority(PRIO_PROCESS, static_cast<id_t>(gettid()));
  EXPECT_EQ(nice[0], own);
  EXPECT_EQ(nice[1], own);
  EXPECT_GT(nice[2], own);
  EXPECT_GT(nice[3], nice[2]);
}

// It takes long: what is read next must not wait for it.
TEST(BlockingPool, RestoringHasThreadsOfItsOwn) {
  Gate gate;
  Event read;
  Event restored;
  BlockingPool pool(2);
  for (uint64_t i = 0; i < 10; ++i) pool.submit(lane(i), Urgency::kSoon, gate.work());
  pool.submit(lane(10), Urgency::kRestore, [&] { restored.happened(); });
  restored.expect();
  for (uint64_t i = 11; i < 20; ++i) pool.submit(lane(i), Urgency::kRestore, gate.work());
  pool.submit(lane(20), Urgency::kNow, [&] { read.happened(); });
  read.expect();
  gate.open();
}

}  // namespace
}  // namespace tidemill
