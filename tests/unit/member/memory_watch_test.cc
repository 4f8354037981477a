#include "shared/member/memory_watch.h"

#include <gtest/gtest.h>

#include "shared/base/memory_account.h"
#include "shared/runtime/sim/simulation.h"

namespace tidemill {
namespace {

constexpr uint64_t kBudget = 100'000'000;

TEST(MemoryLimit, WithoutABudgetThereIsNone) {
  MemoryLimit limit(0, 1);
  EXPECT_FALSE(limit.bounded());
  EXPECT_EQ(limit.bytes(), UINT64_MAX);
  EXPECT_FALSE(limit.observe(UINT64_MAX / 2, 1));
  EXPECT_EQ(limit.bytes(), UINT64_MAX);
}

TEST(MemoryLimit, RisesWhileThereIsRoomUpToTheShare) {
  MemoryLimit limit(kBudget, 2);
  EXPECT_EQ(limit.share(), kBudget / 2);
  const uint64_t begun = limit.bytes();
  EXPECT_LT(begun, limit.share() / 4);
  EXPECT_FALSE(limit.observe(kBudget / 2, 0));
  EXPECT_GT(limit.bytes(), begun);
  for (int i = 0; i < 200; ++i) limit.observe(kBudget / 2, 0);
  EXPECT_EQ(limit.bytes(), limit.share());
}

TEST(MemoryLimit, FallsBelowWhatIsAccountedForWhenTheProcessNearsTheBudget) {
  MemoryLimit limit(kBudget, 1);
  for (int i = 0; i < 200; ++i) limit.observe(kBudget / 2, 0);
  EXPECT_TRUE(limit.observe(kBudget * 88 / 100, kBudget / 2));
  EXPECT_LT(limit.bytes(), kBudget / 2) << "what was allowed beyond that is not the cause";
  uint64_t before = limit.bytes();
  EXPECT_TRUE(limit.observe(kBudget * 80 / 100, kBudget / 4)) << "little room";
  EXPECT_EQ(limit.bytes(), before);
  for (int i = 0; i < 200; ++i) limit.observe(2 * kBudget, kBudget / 2);
  EXPECT_GT(limit.bytes(), 0u);
  EXPECT_LT(limit.bytes(), kBudget / 10);
}

// Accounts for a fixed number of bytes.
class Watcher : public Actor {
 public:
  Watcher(Runtime& runtime, uint64_t budget, ProcessMemory memory)
      : runtime_(runtime), watch(runtime, kSelf, budget, 1, std::move(memory)) {}
  void start() override { on_timer(0); }
  void receive(Message message) override {
    ASSERT(message.local != nullptr);
    EXPECT_TRUE(watch.receive(message.local.get(), kAccounted));
  }
  void on_timer(uint64_t) override {
    watch.tick(kAccounted);
    runtime_.start_timer(kSelf, 10'000, 0);
  }

  static constexpr ActorId kSelf{0, 5};
  static constexpr uint64_t kAccounted = 40'000'000;

 private:
  Runtime& runtime_;

 public:
  MemoryWatch watch;
};

class MemoryWatchTest : public testing::Test {
 protected:
  const MemoryWatch& watch(uint64_t budget, ProcessMemory memory) {
    const auto process =
        sim_.add_process({"p", "sim://p", NodeId(7), 1}, [budget, memory](ProcessHost& h) {
          h.spawn(Watcher::kSelf, [budget, memory](Runtime& r) {
            return std::make_unique<Watcher>(r, budget, memory);
          });
        });
    sim_.run_for(1'000'000);
    return static_cast<Watcher*>(sim_.actor(process, Watcher::kSelf))->watch;
  }
  ProcessMemory memory() {
    return {.resident_bytes = [this] { return ++looks_, resident_; },
            .release = [this] { ++releases_; }};
  }

  Simulation sim_{5};
  uint64_t resident_ = 0;
  int looks_ = 0;
  int releases_ = 0;
};

TEST_F(MemoryWatchTest, FollowsTheProcessAndHasMemoryGivenBackWhenThereIsNoRoom) {
  resident_ = kBudget;
  const MemoryWatch& watched = watch(kBudget, memory());
  EXPECT_TRUE(watched.bounded());
  EXPECT_EQ(watched.resident_bytes(), kBudget);
  EXPECT_LT(watched.limit(), kBudget / 8);
  EXPECT_GE(looks_, 8);
  EXPECT_LE(looks_, 11);
  EXPECT_GE(releases_, 8);
}

TEST_F(MemoryWatchTest, LeavesTheAllocatorAloneWhileThereIsRoom) {
  resident_ = kBudget / 2;
  const MemoryWatch& watched = watch(2 * kBudget, memory());
  EXPECT_GT(watched.limit(), kBudget / 4);
  // More is accounted for than may be at first.
  const int before = releases_;
  sim_.run_for(5'000'000);
  EXPECT_GT(watched.limit(), Watcher::kAccounted);
  const int after = releases_;
  sim_.run_for(1'000'000);
  EXPECT_EQ(releases_, after);
  EXPECT_GE(after, before);
}

TEST_F(MemoryWatchTest, WithoutABudgetItLooksOnlyToTellOthers) {
  resident_ = kBudget;
  const MemoryWatch& watched = watch(0, memory());
  EXPECT_FALSE(watched.bounded());
  EXPECT_EQ(watched.resident_bytes(), kBudget);
  EXPECT_LE(looks_, 2);
  EXPECT_EQ(releases_, 0);
}

TEST_F(MemoryWatchTest, SaysNothingOfWhatSeveralProcessesOfAProgramMayHave) {
  const HeldMemory held(MemoryConsumer::kUploads, 70);
  MemoryUse use;
  watch(0, memory()).add_process_use(&use);
  EXPECT_TRUE(use.empty());
}

TEST_F(MemoryWatchTest, SaysWhatNoShardAccountsForOfTheProgramsOnlyProcess) {
  const HeldMemory held(MemoryConsumer::kUploads, 70);
  MemoryUse use;
  ProcessMemory counted = memory();
  counted.counted = true;
  watch(0, counted).add_process_use(&use);
  EXPECT_EQ(use.at("uploads"), 70u);
  EXPECT_EQ(use.size(), static_cast<size_t>(MemoryConsumer::kCount));
}

TEST_F(MemoryWatchTest, TakesWhatIsAccountedForIfTheProcessCannotBeAsked) {
  EXPECT_EQ(watch(kBudget, {}).resident_bytes(), Watcher::kAccounted);
}

}  // namespace
}  // namespace tidemill
