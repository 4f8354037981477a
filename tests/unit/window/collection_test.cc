// first, last, the lists and count_distinct: worked examples of docs/semantics.md, the corners
// around them, and keys large enough for every cache.
#include "shared/window/collection.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "shared/base/hash.h"
#include "shared/window/distinct_hashes.h"
#include "tests/unit/window/cache_property.h"
#include "tests/unit/window/window_fixture.h"

namespace tidemill::testing {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

using List = ListValue;

class Collections : public ::testing::Test {
 protected:
  void add(TimeUs time, Cell amount, Cell name = std::string("x"), int64_t number = 1,
           bool passes = true) {
    Row row;
    row.time = time;
    row.cells = {std::move(amount), number, int64_t{1}, true, std::move(name), time};
    row.filters = {passes, !passes};
    append_rows(&state_, 0, schema_, keyed({row}, "596", schema_));
  }
  FeatureValue value(Function function, int32_t column, uint32_t n = 1,
                     std::vector<uint32_t> order = {}, int32_t filter = -1,
                     DurationUs window = 1000) const {
    FeatureSpec f;
    f.function = function;
    f.column = column;
    f.filter = filter;
    f.window = window;
    f.n = n;
    f.order = order.empty() ? std::vector{static_cast<uint32_t>(column)} : std::move(order);
    return compute(state_, 0, "596", hash_entity_key("596", schema_.entity_seed), {f}, 1000)[0];
  }

  TableSchema schema_ = every_type_schema(kMaxTime);
  PartitionState state_{test_schemas(kMaxTime)};
};

TEST_F(Collections, FirstAndLastAreByEventTime) {
  add(30, 3.0);
  add(10, 1.0);
  add(20, 2.0);
  EXPECT_EQ(value(Function::kFirst, kAmount), FeatureValue(1.0));
  EXPECT_EQ(value(Function::kLast, kAmount), FeatureValue(3.0));
  EXPECT_EQ(value(Function::kFirstN, kAmount, 2), FeatureValue(List{1.0, 2.0}));
  EXPECT_EQ(value(Function::kLastN, kAmount, 2), FeatureValue(List{2.0, 3.0})) << "oldest first";
  EXPECT_EQ(value(Function::kLastN, kAmount, 9), FeatureValue(List{1.0, 2.0, 3.0}));
  EXPECT_EQ(value(Function::kLastN, kAmount, 9, {}, -1, 980), FeatureValue(List{3.0}));
  EXPECT_EQ(value(Function::kLast, kStamp), FeatureValue(int64_t{30}));
  EXPECT_EQ(value(Function::kLast, kFlag), FeatureValue(true));
  EXPECT_EQ(value(Function::kLast, kName), FeatureValue(std::string("x")));
}

TEST_F(Collections, TiesInTimeAreOrderedByTheView) {
  add(10, 1.0, std::string("b"), 7);
  add(10, 2.0, std::string("a"), 9);
  add(10, 3.0, std::string("a"), 8);
  EXPECT_EQ(value(Function::kLastN, kAmount, 3), FeatureValue(List{1.0, 2.0, 3.0}));
  EXPECT_EQ(value(Function::kLastN, kAmount, 3, {kName, kAmount}),
            FeatureValue(List{2.0, 3.0, 1.0}));
  EXPECT_EQ(value(Function::kLastN, kAmount, 3, {kName, kCount64, kAmount}),
            FeatureValue(List{3.0, 2.0, 1.0}));
  EXPECT_EQ(value(Function::kFirst, kAmount, 1, {kCount64, kAmount}), FeatureValue(1.0));
  EXPECT_EQ(value(Function::kLast, kAmount, 1, {kCount64, kAmount}), FeatureValue(2.0));
}

TEST_F(Collections, NullsAndNansAreLastAmongTies) {
  add(10, -kNan, std::string("a"), 1);
  add(10, kNan, std::monostate(), 2);
  add(10, 5.0, std::monostate(), 3);
  add(10, -0.0, std::string("b"), 4);
  add(10, 0.0, std::string("b"), 5);
  EXPECT_EQ(value(Function::kLastN, kCount64, 9, {kAmount, kCount64}),
            FeatureValue(List{int64_t{4}, int64_t{5}, int64_t{3}, int64_t{1}, int64_t{2}}))
      << "NaNs of any bits are equal, so the next column decides";
  EXPECT_EQ(value(Function::kLastN, kCount64, 9, {kName, kCount64}),
            FeatureValue(List{int64_t{1}, int64_t{4}, int64_t{5}, int64_t{2}, int64_t{3}}));
}

TEST_F(Collections, NullsAndFilteredRowsAreSkippedFirst) {
  add(10, 1.0);
  add(20, std::monostate());
  add(30, 3.0, std::string("x"), 1, false);
  add(40, std::monostate());
  EXPECT_EQ(value(Function::kLast, kAmount), FeatureValue(3.0));
  EXPECT_EQ(value(Function::kLastN, kAmount, 2), FeatureValue(List{1.0, 3.0}));
  EXPECT_EQ(value(Function::kLast, kAmount, 1, {}, 0), FeatureValue(1.0));
  EXPECT_EQ(value(Function::kTopK, kAmount, 5), FeatureValue(List{3.0, 1.0}));
}

TEST_F(Collections, EmptyIsNullAndNeverAnEmptyList) {
  add(10, std::monostate());
  for (const Function function :
       {Function::kFirst, Function::kLast, Function::kFirstN, Function::kLastN,
        Function::kFirstDistinctN, Function::kLastDistinctN, Function::kTopK, Function::kBottomK}) {
    EXPECT_EQ(value(function, kAmount, 3), FeatureValue());
  }
  EXPECT_EQ(value(Function::kCountDistinct, kAmount, 16), FeatureValue(int64_t{0}));
}

TEST_F(Collections, DistinctListsGoByFirstAndByLastOccurrence) {
  int64_t t = 0;
  for (const char* name : {"a", "b", "a", "c", "b", "a"}) add(++t, 1.0, std::string(name));
  const std::string a = "a", b = "b", c = "c";
  EXPECT_EQ(value(Function::kFirstDistinctN, kName, 2), FeatureValue(List{a, b}));
  EXPECT_EQ(value(Function::kFirstDistinctN, kName, 9), FeatureValue(List{a, b, c}));
  EXPECT_EQ(value(Function::kLastDistinctN, kName, 2), FeatureValue(List{b, a}));
  EXPECT_EQ(value(Function::kLastDistinctN, kName, 9), FeatureValue(List{c, b, a}));
}

TEST_F(Collections, ZerosDifferAndNansDoNot) {
  for (const double x : {0.0, -0.0, kNan, -kNan}) add(10, x);
  EXPECT_EQ(value(Function::kCountDistinct, kAmount, 16), FeatureValue(int64_t{3}));
  EXPECT_TRUE(
      same_value(value(Function::kTopK, kAmount, 9), FeatureValue(List{kNan, kNan, 0.0, -0.0})));
  EXPECT_TRUE(same_value(value(Function::kFirstDistinctN, kAmount, 9),
                         FeatureValue(List{-0.0, 0.0, kNan})));
}

TEST_F(Collections, TopAndBottomKeepDuplicates) {
  for (const double x : {2.0, 7.0, 7.0, -1.0}) add(10, x, std::to_string(x));
  EXPECT_EQ(value(Function::kTopK, kAmount, 3), FeatureValue(List{7.0, 7.0, 2.0}));
  EXPECT_EQ(value(Function::kBottomK, kAmount, 2), FeatureValue(List{-1.0, 2.0}));
  EXPECT_EQ(value(Function::kTopK, kName, 1), FeatureValue(List{std::string("7.000000")}));
  EXPECT_EQ(value(Function::kBottomK, kName, 1), FeatureValue(List{std::string("-1.000000")}));
  EXPECT_EQ(value(Function::kBottomK, kCount64, 2), FeatureValue(List{int64_t{1}, int64_t{1}}));
}

TEST_F(Collections, CountDistinctIsExactUpToItsBoundAndCloseBeyond) {
  for (int i = 0; i < 3000; ++i) add(1 + i % 900, static_cast<double>(i % 1500));
  EXPECT_EQ(value(Function::kCountDistinct, kAmount, 1500), FeatureValue(int64_t{1500}));
  const auto estimate = std::get<int64_t>(value(Function::kCountDistinct, kAmount, 1000));
  EXPECT_NE(estimate, 1500);
  EXPECT_NEAR(static_cast<double>(estimate), 1500, 150);
}

TEST(DistinctHashes, KeepsTheSmallestWhateverTheOrder) {
  Random random(5);
  for (const uint32_t n : {1u, 2u, 16u, 100u, 5000u}) {
    std::set<uint64_t> all{0, UINT64_MAX};
    for (uint32_t i = 0; i < 3 * n; ++i) all.insert(random() % 5 == 0 ? random() % 50 : random());
    std::vector<uint64_t> order(all.begin(), all.end());
    order.insert(order.end(), all.begin(), all.end());
    for (int turn = 0; turn < 3; ++turn) {
      for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random() % i]);
      DistinctHashes hashes;
      hashes.reset(n);
      for (const uint64_t hash : order) hashes.add(hash);
      const int64_t count = hashes.count();
      std::vector<uint64_t> kept;
      hashes.finish(&kept);
      ASSERT_EQ(kept.size(), std::min<size_t>(all.size(), n + 1));
      EXPECT_TRUE(std::equal(kept.begin(), kept.end(), all.begin()));
      EXPECT_GE(count, static_cast<int64_t>(std::min<size_t>(all.size(), n)));
    }
  }
}

TEST(DistinctHashes, EstimateStaysInRange) {
  DistinctHashes hashes;
  hashes.reset(2);
  for (const uint64_t hash : {0, 1, 2}) hashes.add(hash);
  EXPECT_EQ(hashes.count(), INT64_MAX) << "(2 - 1) × 2^64 / 1";
  hashes.reset(1);
  for (const uint64_t hash : {0, 7}) hashes.add(hash);
  EXPECT_EQ(hashes.count(), 1);
}

RC_GTEST_PROP(CollectionCaches, ChangeNothing, ()) {
  caches_change_nothing({.more_rows = 9000,
                         .values = 500,
                         .late = 300,
                         .features = 30,
                         .reference_every = 300,
                         .takes = [](const FeatureSpec& f) { return is_collection(f.function); }});
}

}  // namespace
}  // namespace tidemill::testing
