// The worked examples of docs/semantics.md and the corners around them, by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/unit/window/window_fixture.h"

namespace tidemill::testing {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

class Semantics : public ::testing::Test {
 protected:
  void add(TimeUs time, Cell amount, bool passes = true, const std::string& key = "596") {
    Row row;
    row.time = time;
    row.cells = {std::move(amount), int64_t{1}, int64_t{1}, true, std::string("x"), int64_t{1}};
    row.filters = {passes, !passes};
    const std::vector<Row> rows{row};
    append_rows(&state_, 0, schema_, keyed(rows, key, schema_));
  }
  FeatureSpec feature(Function function, DurationUs window, int32_t column = kAmount) const {
    FeatureSpec f;
    f.function = function;
    f.column = column;
    f.window = window;
    return f;
  }
  FeatureValue value(const FeatureSpec& f, TimeUs as_of, const std::string& key = "596",
                     bool* found = nullptr) const {
    return compute(state_, 0, key, hash_of(key), {f}, as_of, found)[0];
  }
  uint64_t hash_of(const std::string& key) const { return keyed({{}}, key, schema_)[0].hash; }

  TableSchema schema_ = every_type_schema(1000);
  PartitionState state_{test_schemas(1000)};
};

TEST_F(Semantics, ClosedDecidesWhichEdgeCounts) {
  for (const TimeUs t : {100, 110, 120}) add(t, double(t));
  FeatureSpec f = feature(Function::kSum, 20);
  f.closed = Closed::kRight;
  EXPECT_EQ(value(f, 120), FeatureValue(230.0));
  f.closed = Closed::kLeft;
  EXPECT_EQ(value(f, 120), FeatureValue(210.0));
  f.closed = Closed::kBoth;
  EXPECT_EQ(value(f, 120), FeatureValue(330.0));
  f.closed = Closed::kNeither;
  EXPECT_EQ(value(f, 120), FeatureValue(110.0));
}

TEST_F(Semantics, OffsetShiftsTheWindowBack) {
  for (const TimeUs t : {100, 110, 120}) add(t, double(t));
  FeatureSpec f = feature(Function::kSum, 10);
  f.offset = 10;
  EXPECT_EQ(value(f, 120), FeatureValue(110.0));
  f.offset = 30;
  EXPECT_EQ(value(f, 120), FeatureValue());
}

TEST_F(Semantics, EmptyWindowsAndUnknownKeys) {
  add(100, 1.0);
  bool found = false;
  EXPECT_EQ(value(feature(Function::kCount, 10, -1), 500, "596", &found), FeatureValue(int64_t{0}));
  EXPECT_TRUE(found);
  EXPECT_EQ(value(feature(Function::kSum, 10), 500), FeatureValue());
  EXPECT_EQ(value(feature(Function::kCount, 10, -1), 500, "1", &found), FeatureValue(int64_t{0}));
  EXPECT_FALSE(found);
  for (int function = 2; function <= kFunctions; ++function) {
    FeatureSpec f = feature(static_cast<Function>(function), 10);
    f.n = 4;
    f.bound = 16;
    f.relative_accuracy = 10'000;
    FeatureValue expected;
    if (f.function == Function::kCountDistinct || f.function == Function::kApproxCountDistinct) {
      expected = int64_t{0};
    }
    if (f.function == Function::kDecayedSum || f.function == Function::kDecayedCount) {
      f.half_life = kMicrosPerSecond;
      if (f.function == Function::kDecayedCount) expected = 0.0;
    }
    EXPECT_EQ(value(f, 500, "1"), expected);
  }
}

TEST_F(Semantics, NullsAreSkippedAndCountOfRowsIsNot) {
  add(100, std::monostate());
  add(101, 4.0);
  EXPECT_EQ(value(feature(Function::kCount, 50, -1), 120), FeatureValue(int64_t{2}));
  EXPECT_EQ(value(feature(Function::kCount, 50), 120), FeatureValue(int64_t{1}));
  EXPECT_EQ(value(feature(Function::kMean, 50), 120), FeatureValue(4.0));
}

TEST_F(Semantics, FiltersApplyBeforeTheFunction) {
  add(100, 1.0, true);
  add(101, 10.0, false);
  FeatureSpec f = feature(Function::kSum, 50);
  f.filter = 0;
  EXPECT_EQ(value(f, 120), FeatureValue(1.0));
  f.filter = 1;
  EXPECT_EQ(value(f, 120), FeatureValue(10.0));
  f = feature(Function::kCount, 50, -1);
  f.filter = 1;
  EXPECT_EQ(value(f, 120), FeatureValue(int64_t{1}));
}

TEST_F(Semantics, SumsAreExactAndRoundedOnce) {
  for (const double x : {1e16, 1.0, -1e16}) add(100, x);
  EXPECT_EQ(value(feature(Function::kSum, 50), 120), FeatureValue(1.0));
  for (int i = 0; i < 10; ++i) add(100, 0.1, true, "tenths");
  EXPECT_EQ(value(feature(Function::kSum, 50), 120, "tenths"), FeatureValue(1.0));
  EXPECT_EQ(value(feature(Function::kMean, 50), 120, "tenths"), FeatureValue(0.1));
  EXPECT_EQ(value(feature(Function::kStddevPop, 50), 120, "tenths"), FeatureValue(0.0));
}

TEST_F(Semantics, OneRowHasNoSampleVariance) {
  add(100, 5.0);
  EXPECT_EQ(value(feature(Function::kVarSamp, 50), 120), FeatureValue());
  EXPECT_EQ(value(feature(Function::kStddevSamp, 50), 120), FeatureValue());
  EXPECT_EQ(value(feature(Function::kVarPop, 50), 120), FeatureValue(0.0));
  add(100, 7.0);
  EXPECT_EQ(value(feature(Function::kVarSamp, 50), 120), FeatureValue(2.0));
  EXPECT_EQ(value(feature(Function::kStddevSamp, 50), 120), FeatureValue(std::sqrt(2.0)));
}

TEST_F(Semantics, SpecialDoubles) {
  add(100, -0.0);
  EXPECT_TRUE(same_value(value(feature(Function::kSum, 50), 120), -0.0));
  add(101, 0.0);
  EXPECT_TRUE(same_value(value(feature(Function::kSum, 50), 120), 0.0));
  EXPECT_TRUE(same_value(value(feature(Function::kMin, 50), 120), -0.0));
  EXPECT_TRUE(same_value(value(feature(Function::kMax, 50), 120), 0.0));
  add(102, kInf);
  EXPECT_EQ(value(feature(Function::kSum, 50), 120), FeatureValue(kInf));
  EXPECT_EQ(value(feature(Function::kMax, 50), 120), FeatureValue(kInf));
  EXPECT_TRUE(same_value(value(feature(Function::kVarPop, 50), 120), kNan));
  add(103, -kNan);
  EXPECT_TRUE(same_value(value(feature(Function::kSum, 50), 120), kNan));
  EXPECT_TRUE(same_value(value(feature(Function::kMax, 50), 120), kNan));
  EXPECT_TRUE(same_value(value(feature(Function::kMin, 50), 120), -0.0));
}

TEST_F(Semantics, IntegerSumOutOfRangeIsNull) {
  Row row;
  row.time = 100;
  row.cells = {1.0, INT64_MAX, int64_t{1}, true, std::string(), int64_t{1}};
  row.filters = {true, true};
  const std::vector<Row> rows{row, row};
  append_rows(&state_, 0, schema_, keyed(rows, "596", schema_));
  FeatureSpec f = feature(Function::kSum, 50, kCount64);
  f.type = ColumnType::kInt64;
  EXPECT_EQ(value(f, 120), FeatureValue());
  EXPECT_EQ(value(feature(Function::kMean, 50, kCount64), 120), FeatureValue(0x1p63));
  EXPECT_EQ(value(feature(Function::kCount, 50, kName), 120), FeatureValue(int64_t{2}));
  EXPECT_EQ(value(feature(Function::kMax, 50, kFlag), 120), FeatureValue(true));
}

TEST_F(Semantics, WindowsAtTheEndsOfTime) {
  PartitionState state(test_schemas(kMaxTime));
  std::vector<Row> rows;
  for (const TimeUs t : {kMinTime, TimeUs{0}, kMaxTime}) {
    rows.push_back(
        {t, {1.0, int64_t{1}, int64_t{1}, true, std::string(), int64_t{1}}, {true, true}});
  }
  append_rows(&state, 0, schema_, keyed(rows, "596", schema_));
  for (const TimeUs as_of : {kMinTime, TimeUs{0}, kMaxTime}) {
    const auto features = all_features(schema_, {1, kMaxTime}, {0, 1, kMaxTime});
    EXPECT_EQ(difference(features, reference_all(rows, schema_, features, as_of),
                         compute(state, 0, "596", hash_of("596"), features, as_of)),
              "");
  }
}

TEST_F(Semantics, LateRowsCountUntilTheHorizonRulesThemOut) {
  add(5000, 1.0);
  state_.raise_horizon(5000);  // keeps 1000 back
  add(4000, 2.0);
  add(3999, 4.0);
  EXPECT_EQ(state_.stats().rows, 2u);
  FeatureSpec f = feature(Function::kSum, 1000);
  f.closed = Closed::kBoth;
  EXPECT_EQ(value(f, 5000), FeatureValue(3.0));
  state_.raise_horizon(4000);
  EXPECT_EQ(state_.horizon(), 5000) << "it only rises";
}

// Rows before the floor may be there or not: none counts, whatever is left of them.
TEST_F(Semantics, AFeatureThatLooksBackBeforeAFloorIsOfTheRowsFromThere) {
  for (const TimeUs t : {2000, 2500, 3000, 3500}) add(t, double(t));
  state_.raise_horizon(3000);
  state_.raise_floors(std::vector<TimeUs>{2500});
  FeatureSpec f = feature(Function::kSum, 1000);
  f.reach = 1000;
  FeatureSpec longer = feature(Function::kSum, 1500);
  longer.reach = 1500;
  const std::vector<FeatureSpec> features{f, longer};
  const std::vector<const FeatureSpec*> pointers{&features[0], &features[1]};
  std::vector<FeatureValue> values;
  std::vector<TimeUs> since;
  const auto read = [&](TimeUs as_of) {
    EXPECT_TRUE(
        state_.compute(0, "596", hash_of("596"), pointers, as_of, &values, nullptr, &since));
  };
  read(3499);
  EXPECT_EQ(values, (std::vector<FeatureValue>{5500.0, 5500.0})) << "2500 and 3000";
  EXPECT_EQ(since, (std::vector<TimeUs>{3500, 4000}));
  read(3500);
  EXPECT_EQ(values, (std::vector<FeatureValue>{6500.0, 9000.0}));
  EXPECT_EQ(since, (std::vector<TimeUs>{kMinTime, 4000}));
  read(4000);
  EXPECT_EQ(since, (std::vector<TimeUs>{kMinTime, kMinTime}));
  // It only rises, and a key that has nothing behind it has no rows.
  state_.raise_floors(std::vector<TimeUs>{2400});
  add(2450, 1.0, true, "late");
  bool found = true;
  value(f, 3000, "late", &found);
  EXPECT_FALSE(found);
}

TEST_F(Semantics, RowsAreKeptLongerAndTablesAddedWhileItRuns) {
  for (const TimeUs t : {2000, 2500, 3000}) add(t, 1.0);
  state_.raise_horizon(3600);  // what is before 2600 is gone, or as good as gone
  auto schemas = std::make_shared<std::vector<TableSchema>>(*test_schemas(1000));
  (*schemas)[0].first_retention = 1000;
  (*schemas)[0].retention = 3000;
  schemas->push_back((*schemas)[0]);
  const auto further = static_cast<uint16_t>(schemas->size() - 1);
  schemas->back().further = true;
  schemas->back().first_retention.reset();
  state_.set_features(schemas);
  std::vector<TimeUs> floors(schemas->size(), kMinTime);
  floors[0] = 2600;
  floors[further] = 3001;
  state_.raise_floors(floors);
  add(2700, 1.0);  // late, and kept
  add(2550, 1.0);
  FeatureSpec f = feature(Function::kCount, 3000, -1);
  f.reach = 3000;
  EXPECT_EQ(value(f, 3700), FeatureValue(int64_t{2}));
  state_.raise_horizon(5500);
  EXPECT_EQ(value(f, 5600), FeatureValue(int64_t{2})) << "not gone";
  EXPECT_EQ(state_.find(further, "596", hash_of("596")), PartitionState::Found::kAbsent);
  Row row;
  row.time = 5600;
  row.cells = {1.0, int64_t{1}, int64_t{1}, true, std::string("x"), int64_t{1}};
  row.filters = {true, false};
  append_rows(&state_, further, (*schemas)[further], keyed({row}, "596", (*schemas)[further]));
  EXPECT_EQ(state_.find(further, "596", hash_of("596")), PartitionState::Found::kInMemory);
}

TEST_F(Semantics, AKeyBelowTheHorizonIsUnknownFreedOrNot) {
  add(100, 1.0);
  add(5000, 1.0, true, "other");
  bool found = true;
  for (int i = 0; i < 70; ++i) add(100, 1.0, true, "k" + std::to_string(i));
  state_.raise_horizon(1000);  // a first sweep looks at as many keys as rows came
  state_.raise_horizon(2000);  // a sweep looks at 64 keys: some are freed, some are not
  EXPECT_EQ(state_.stats().freed_rows, 63u);
  for (const char* key : {"596", "k1", "k69"}) {
    value(feature(Function::kCount, 10, -1), 2000, key, &found);
    EXPECT_FALSE(found) << key;
  }
  value(feature(Function::kCount, 10, -1), 2000, "other", &found);
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace tidemill::testing
