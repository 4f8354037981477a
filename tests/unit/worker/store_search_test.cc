// From which store a new owner without a snapshot takes its state, and when it stops looking.
#include "worker/store_search.h"

#include <gtest/gtest.h>

#include <deque>
#include <optional>

namespace tidemill::test {
namespace {

using What = StoreSearch::Step::What;
using Outcome = StateWritten::Outcome;

constexpr int64_t kSecond = 1'000'000;

ActorAddress store(uint64_t node) { return {NodeId(node), {0, 4}}; }

ReplicaState holding(uint64_t version, std::vector<uint64_t> offsets) {
  ReplicaState out;
  out.holds_state = !offsets.empty();
  out.epoch = Epoch(3);
  out.version = version;
  for (const uint64_t offset : offsets) out.offsets.push_back({offset});
  return out;
}

class StoreSearchTest : public testing::Test {
 protected:
  // A replica that has answered, or has not.
  void add(uint64_t node, std::optional<ReplicaState> state) {
    states_.push_back(std::move(state));
    stores_.clear();
    nodes_.push_back(node);
    for (size_t i = 0; i < states_.size(); ++i) {
      stores_.push_back(
          {store(nodes_[i]), states_[i].has_value(), states_[i] ? &*states_[i] : nullptr});
    }
  }
  StoreSearch::Step next(int64_t us) { return search_.next(stores_, us); }
  bool answer(uint64_t node, Outcome outcome, int64_t us, uint64_t version = 9) {
    StateWritten m;
    m.stamp = {Epoch(3), version};
    m.outcome = outcome;
    return search_.on_answer(store(node), m, us);
  }

  std::deque<std::optional<ReplicaState>> states_;
  std::vector<uint64_t> nodes_;
  std::vector<StoreReplica> stores_;
  StoreSearch search_{0, true};
};

TEST_F(StoreSearchTest, AsksTheOneThatHasAppliedMostOnceAllHaveAnswered) {
  add(1, holding(9, {10, 5}));
  add(2, holding(7, {10, 6}));
  add(3, std::nullopt);
  EXPECT_EQ(next(0).what, What::kWait);
  states_[2] = holding(99, {});
  stores_[2] = {store(3), true, &*states_[2]};
  const auto step = next(1000);
  EXPECT_EQ(step.what, What::kAsk);
  EXPECT_EQ(step.store, store(2));
  EXPECT_EQ(step.stamp, (Stamp{Epoch(3), 7}));
}

TEST_F(StoreSearchTest, AStoreThatDoesNotAnswerIsNotWaitedForForLong) {
  add(1, holding(9, {10}));
  add(2, std::nullopt);
  EXPECT_EQ(next(2 * kSecond).what, What::kWait);
  EXPECT_EQ(next(3 * kSecond).store, store(1));
}

TEST_F(StoreSearchTest, AYoungJobWaitsLess) {
  search_ = StoreSearch(0, false);
  EXPECT_EQ(next(0).what, What::kGiveUp) << "there are no stores";
  add(1, std::nullopt);
  EXPECT_EQ(next(0).what, What::kWait);
  EXPECT_EQ(next(300'000).what, What::kGiveUp);
}

TEST_F(StoreSearchTest, WhatWasLostMayBeInAStoreThatStartsAgain) {
  EXPECT_EQ(next(0).what, What::kWait);
  add(1, holding(9, {10}));
  EXPECT_EQ(next(kSecond).what, What::kAsk);
  search_ = StoreSearch(0, true);
  stores_.clear();
  EXPECT_EQ(next(3 * kSecond).what, What::kGiveUp);
}

TEST_F(StoreSearchTest, AsksAgainUntilThereIsAnAnswer) {
  add(1, holding(9, {10}));
  EXPECT_EQ(next(0).what, What::kAsk);
  EXPECT_EQ(next(200'000).what, What::kWait);
  EXPECT_EQ(next(300'000).what, What::kAsk);
  EXPECT_FALSE(answer(1, Outcome::kWorking, 350'000));
  EXPECT_EQ(next(600'000).what, What::kAsk);
  EXPECT_FALSE(answer(1, Outcome::kWritten, 600'000, 8)) << "of another state";
  EXPECT_FALSE(answer(2, Outcome::kWritten, 600'000)) << "that was not asked";
  EXPECT_TRUE(answer(1, Outcome::kWritten, 600'000));
}

TEST_F(StoreSearchTest, ASilentStoreIsLeftForAnotherAndAskedAgainLater) {
  add(1, holding(9, {10}));
  add(2, holding(8, {9}));
  EXPECT_EQ(next(0).store, store(1));
  answer(1, Outcome::kWorking, kSecond);
  EXPECT_EQ(next(3 * kSecond).store, store(1));
  const auto other = next(4 * kSecond);
  EXPECT_EQ(other.what, What::kAsk);
  EXPECT_EQ(other.store, store(2));
  answer(2, Outcome::kFailed, 4 * kSecond, 8);
  const auto again = next(5 * kSecond);
  EXPECT_EQ(again.what, What::kAsk);
  EXPECT_EQ(again.store, store(1)) << "as often failed, and better";
}

TEST_F(StoreSearchTest, OneThatFailedIsGivenTime) {
  add(1, holding(9, {10}));
  EXPECT_EQ(next(0).what, What::kAsk);
  answer(1, Outcome::kFailed, 100);
  EXPECT_EQ(next(500'000).what, What::kWait);
  EXPECT_EQ(next(kSecond + 100).what, What::kAsk);
}

TEST_F(StoreSearchTest, OneThatRefusedIsNotAskedAgain) {
  add(1, holding(9, {10}));
  EXPECT_EQ(next(4 * kSecond).what, What::kAsk);
  answer(1, Outcome::kRefused, 4 * kSecond);
  EXPECT_EQ(next(4 * kSecond + 1).what, What::kGiveUp);
}

TEST_F(StoreSearchTest, WhatCouldNotBeRestoredIsAskedForAgainUnlessItIsDamaged) {
  add(1, holding(9, {10}));
  EXPECT_EQ(next(4 * kSecond).what, What::kAsk);
  ASSERT_TRUE(answer(1, Outcome::kWritten, 4 * kSecond));
  search_.not_restored(false, 4 * kSecond);
  EXPECT_EQ(next(4 * kSecond).what, What::kWait);
  EXPECT_EQ(next(5 * kSecond).what, What::kAsk);
  ASSERT_TRUE(answer(1, Outcome::kWritten, 5 * kSecond));
  search_.not_restored(true, 5 * kSecond);
  EXPECT_EQ(next(9 * kSecond).what, What::kGiveUp);
}

TEST_F(StoreSearchTest, ItEnds) {
  add(1, holding(9, {10}));
  int64_t us = 0;
  for (; us < 200 * kSecond && next(us).what != What::kGiveUp; us += 100'000) {
    answer(1, Outcome::kWorking, us);
  }
  EXPECT_EQ(us, 120 * kSecond);
}

}  // namespace
}  // namespace tidemill::test
