#include "coordinator/load_balance.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

namespace tidemill {
namespace {

struct Case {
  std::vector<BalanceWorker> workers;
  std::vector<BalanceItem> items;
  BalanceOptions options;

  std::vector<size_t> run() const { return balance(workers, items, options); }
  int64_t excess(const std::vector<size_t>& assigned) const {
    return imbalance(workers, items, assigned, options.margin_percent);
  }
  std::vector<size_t> before() const {
    std::vector<size_t> out;
    for (const auto& item : items) out.push_back(item.worker);
    return out;
  }
};

Case any_case() {
  Case c;
  const auto workers = *rc::gen::inRange<size_t>(1, 7);
  for (size_t w = 0; w < workers; ++w) {
    c.workers.push_back({*rc::gen::inRange<int64_t>(1, 4), *rc::gen::inRange(0, 5) != 0});
  }
  const auto items = *rc::gen::inRange<size_t>(0, 40);
  const bool equal = *rc::gen::arbitrary<bool>();
  for (size_t i = 0; i < items; ++i) {
    BalanceItem item;
    item.worker = *rc::gen::inRange<size_t>(0, workers);
    item.cost = equal ? 1 : *rc::gen::inRange<int64_t>(1, 1000);
    item.disk = *rc::gen::inRange<int64_t>(0, 100);
    item.movable = *rc::gen::inRange(0, 8) != 0;
    if (*rc::gen::arbitrary<bool>()) item.preferred = *rc::gen::inRange<size_t>(0, workers);
    if (*rc::gen::arbitrary<bool>()) item.forbidden = *rc::gen::inRange<size_t>(0, workers);
    if (item.forbidden == item.worker) item.forbidden = kNoWorker;
    c.items.push_back(item);
  }
  return c;
}

TEST(LoadBalance, KeepsToTheHardConstraints) {
  EXPECT_TRUE(rc::check([] {
    const Case c = any_case();
    const auto after = c.run();
    RC_ASSERT(after.size() == c.items.size());
    for (size_t i = 0; i < after.size(); ++i) {
      const auto& item = c.items[i];
      if (after[i] == item.worker) {
        const bool could_go = std::any_of(c.workers.begin(), c.workers.end(), [&](const auto& w) {
          return w.open && static_cast<size_t>(&w - c.workers.data()) != item.forbidden;
        });
        RC_ASSERT(c.workers[item.worker].open || !item.movable || !could_go);
        continue;
      }
      RC_ASSERT(item.movable);
      RC_ASSERT(c.workers[after[i]].open);
      RC_ASSERT(after[i] != item.forbidden);
    }
  }));
}

TEST(LoadBalance, BalancingTheResultMovesNothing) {
  EXPECT_TRUE(rc::check([] {
    Case c = any_case();
    const auto after = c.run();
    for (size_t i = 0; i < after.size(); ++i) c.items[i].worker = after[i];
    RC_ASSERT(c.run() == after);
  }));
}

TEST(LoadBalance, EveryMoveFromAnOpenWorkerIsNeeded) {
  EXPECT_TRUE(rc::check([] {
    const Case c = any_case();
    auto after = c.run();
    const int64_t excess = c.excess(after);
    for (size_t i = 0; i < after.size(); ++i) {
      const size_t home = c.items[i].worker;
      const size_t there = after[i];
      if (there == home || !c.workers[home].open || c.items[i].forbidden == home) continue;
      after[i] = home;
      RC_ASSERT(c.excess(after) > excess);
      after[i] = there;
    }
  }));
}

TEST(LoadBalance, NeverMakesItWorse) {
  EXPECT_TRUE(rc::check([] {
    Case c = any_case();
    for (auto& worker : c.workers) worker.open = true;
    RC_ASSERT(c.excess(c.run()) <= c.excess(c.before()));
  }));
}

TEST(LoadBalance, ManySmallItemsEndWithinTheMargin) {
  EXPECT_TRUE(rc::check([] {
    Case c;
    const auto workers = *rc::gen::inRange<size_t>(1, 7);
    for (size_t w = 0; w < workers; ++w) c.workers.push_back({*rc::gen::inRange<int64_t>(1, 4)});
    for (size_t i = 0; i < 60 * workers; ++i) {
      BalanceItem item;
      item.worker = *rc::gen::inRange<size_t>(0, workers);
      item.cost = *rc::gen::inRange<int64_t>(50, 100);
      c.items.push_back(item);
    }
    RC_ASSERT(c.excess(c.run()) == 0);
  }));
}

Case with(size_t workers, const std::vector<std::pair<size_t, int64_t>>& items) {
  Case c;
  c.workers.resize(workers);
  for (const auto& [worker, cost] : items) {
    BalanceItem item;
    item.worker = worker;
    item.cost = cost;
    c.items.push_back(item);
  }
  return c;
}

size_t moved(const Case& c, const std::vector<size_t>& after) {
  size_t out = 0;
  for (size_t i = 0; i < after.size(); ++i) out += after[i] == c.items[i].worker ? 0 : 1;
  return out;
}

TEST(LoadBalance, AWorkerThatJoinsGetsItsShareByAsFewMovesAsWillDo) {
  std::vector<std::pair<size_t, int64_t>> items;
  for (size_t i = 0; i < 128; ++i) items.push_back({i % 3, 1});
  const Case c = with(4, items);
  const auto after = c.run();
  EXPECT_EQ(c.excess(after), 0);
  // Its share is 32 of 128; within the margin are 29.
  EXPECT_EQ(std::count(after.begin(), after.end(), 3u), 29);
  EXPECT_EQ(moved(c, after), 29u);
}

TEST(LoadBalance, OneCostlyItemIsTradedForASmallerOne) {
  // 12 to 8: no item of worker 0 makes it better, but 4 for 3 does.
  const Case c = with(2, {{0, 4}, {0, 4}, {0, 4}, {1, 5}, {1, 3}});
  const auto after = c.run();
  EXPECT_EQ(c.excess(after), 0);
  EXPECT_EQ(after[4], 0u);
  EXPECT_EQ(moved(c, after), 2u);
}

TEST(LoadBalance, WhatCannotBeDividedStays) {
  const Case c = with(2, {{0, 100}, {1, 1}, {1, 1}});
  EXPECT_EQ(moved(c, c.run()), 0u);
  EXPECT_GT(c.excess(c.run()), 0);
}

TEST(LoadBalance, OnlyClosedLeavesTheOthersAlone) {
  Case c = with(3, {{0, 1}, {0, 1}, {0, 1}, {0, 1}, {2, 1}, {2, 1}});
  c.workers[2].open = false;
  c.options.only_closed = true;
  EXPECT_EQ(c.run(), (std::vector<size_t>{0, 0, 0, 0, 1, 1}));
}

TEST(LoadBalance, AClosedWorkersItemsGoWhereTheyArePreferredIfThatFits) {
  Case c = with(3, {{0, 1}, {1, 1}, {2, 1}, {2, 1}});
  c.workers[2].open = false;
  c.items[2].preferred = 1;
  c.items[3].preferred = 1;
  EXPECT_EQ(c.run(), (std::vector<size_t>{0, 1, 1, 0}));
}

TEST(LoadBalance, DiskDecidesBetweenEquals) {
  Case c = with(2, {{0, 1}, {0, 1}, {0, 1}, {0, 1}, {1, 1}, {1, 1}});
  for (const size_t i : {0, 1, 2, 3}) c.items[i].disk = i == 2 ? 300 : 100;
  const auto after = c.run();
  EXPECT_EQ(moved(c, after), 1u);
  EXPECT_EQ(after[2], 1u);
}

}  // namespace
}  // namespace tidemill
