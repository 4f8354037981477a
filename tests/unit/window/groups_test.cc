// `by`: worked examples of docs/semantics.md, the corners around them, and keys large enough for
// every cache.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "shared/base/hash.h"
#include "shared/window/distinct_hashes.h"
#include "tests/unit/window/cache_property.h"
#include "tests/unit/window/window_fixture.h"

namespace tidemill::testing {
namespace {

using Entries = std::vector<std::pair<ScalarValue, NullableScalar>>;

MapValue map_of(Entries entries, bool truncated = false) {
  MapValue out;
  out.entries = std::move(entries);
  out.truncated = truncated;
  return out;
}

ScalarValue text(const char* s) { return std::string(s); }

class Groups : public ::testing::Test {
 protected:
  void add(TimeUs time, Cell name, Cell amount, bool passes = true, int64_t number = 1) {
    Row row;
    row.time = time;
    row.cells = {std::move(amount), number, int64_t{1}, true, std::move(name), time};
    row.filters = {passes, !passes};
    append_rows(&state_, 0, schema_, keyed({row}, "596", schema_));
  }
  void add(TimeUs time, const char* name, Cell amount, bool passes = true) {
    add(time, Cell(std::string(name)), std::move(amount), passes);
  }
  FeatureSpec feature(Function function, int32_t column = kAmount) const {
    FeatureSpec f;
    f.function = function;
    f.column = column;
    f.window = 1000;
    f.type = ColumnType::kDouble;
    f.by = kName;
    f.max_groups = 10;
    f.map = true;
    f.n = 16;
    if (column >= 0) f.order = {static_cast<uint32_t>(column)};
    return f;
  }
  FeatureValue value(const FeatureSpec& f, TimeUs as_of = 1000) const {
    return compute(state_, 0, "596", hash_entity_key("596", schema_.entity_seed), {f}, as_of)[0];
  }
  void expect(const FeatureSpec& f, const MapValue& expected) const {
    EXPECT_EQ(show(value(f)), show(expected));
  }

  TableSchema schema_ = every_type_schema(kMaxTime);
  PartitionState state_{test_schemas(kMaxTime)};
};

TEST_F(Groups, AreEachAFunctionOfTheirOwnRows) {
  add(10, "food", 3.0);
  add(20, "fuel", 10.0);
  add(30, "food", 4.0);
  add(40, std::monostate(), 100.0);
  add(50, "rent", 7.0, false);
  expect(feature(Function::kSum),
         map_of({{text("food"), 7.0}, {text("fuel"), 10.0}, {text("rent"), 7.0}}));
  expect(feature(Function::kMax),
         map_of({{text("food"), 4.0}, {text("fuel"), 10.0}, {text("rent"), 7.0}}));
  FeatureSpec passing = feature(Function::kCount, -1);
  passing.filter = 0;
  expect(passing, map_of({{text("food"), int64_t{2}}, {text("fuel"), int64_t{1}}}));
  FeatureSpec recent = feature(Function::kLast);
  recent.window = 975;
  expect(recent, map_of({{text("food"), 4.0}, {text("rent"), 7.0}}));
}

TEST_F(Groups, AreAsInTheDocuments) {
  add(10, "food", 3.0);
  add(20, "fuel", 10.0);
  add(30, "food", 4.0);
  add(40, std::monostate(), 100.0);
  add(50, "rent", std::monostate());
  const ScalarValue food = text("food"), fuel = text("fuel"), rent = text("rent");
  const NullableScalar null;
  expect(feature(Function::kSum), map_of({{food, 7.0}, {fuel, 10.0}, {rent, null}}));
  expect(feature(Function::kCount, -1),
         map_of({{food, int64_t{2}}, {fuel, int64_t{1}}, {rent, int64_t{1}}}));
  expect(feature(Function::kCount),
         map_of({{food, int64_t{2}}, {fuel, int64_t{1}}, {rent, int64_t{0}}}));
  expect(feature(Function::kStddevSamp),
         map_of({{food, 0.7071067811865476}, {fuel, null}, {rent, null}}));
  FeatureSpec two = feature(Function::kSum);
  two.max_groups = 2;
  expect(two, map_of({{food, 7.0}, {rent, null}}, true));
}

TEST_F(Groups, OfNothingAreNullAndNeverEmpty) {
  EXPECT_EQ(value(feature(Function::kCount, -1)), FeatureValue());
  add(10, std::monostate(), 1.0);
  EXPECT_EQ(value(feature(Function::kCount, -1)), FeatureValue());
  EXPECT_EQ(value(feature(Function::kCountDistinct)), FeatureValue());
  EXPECT_EQ(value(feature(Function::kFirst)), FeatureValue());
  FeatureSpec f = feature(Function::kCount, -1);
  f.otherwise = MapValue();
  EXPECT_EQ(value(f), FeatureValue(MapValue()));
}

TEST_F(Groups, MayBeOfNulls) {
  add(10, "food", std::monostate());
  add(20, "fuel", 5.0);
  add(30, "fuel", std::monostate());
  for (const Function function : {Function::kSum, Function::kFirst, Function::kLast}) {
    expect(feature(function), map_of({{text("food"), std::monostate()}, {text("fuel"), 5.0}}));
  }
  for (const Function function : {Function::kCount, Function::kCountDistinct}) {
    expect(feature(function), map_of({{text("food"), int64_t{0}}, {text("fuel"), int64_t{1}}}));
  }
  expect(feature(Function::kStddevSamp),
         map_of({{text("food"), std::monostate()}, {text("fuel"), std::monostate()}}));
}

TEST_F(Groups, FirstAndLastGoByTheViewsOrder) {
  add(10, Cell(std::string("a")), 1.0, true, 9);
  add(10, Cell(std::string("a")), 2.0, true, 8);
  FeatureSpec f = feature(Function::kLast);
  expect(f, map_of({{text("a"), 2.0}}));
  f.order = {kCount64, kAmount};
  expect(f, map_of({{text("a"), 1.0}}));
  f.function = Function::kFirst;
  expect(f, map_of({{text("a"), 2.0}}));
}

TEST_F(Groups, BeyondTheirBoundStayByHash) {
  std::vector<std::string> names;
  for (int i = 0; i < 50; ++i) {
    names.push_back("name" + std::to_string(i));
    add(i, names.back().c_str(), double(i));
    add(i, names.back().c_str(), 1000.0);
  }
  std::vector<std::string> by_hash = names;
  std::sort(by_hash.begin(), by_hash.end(), [](const std::string& a, const std::string& b) {
    return hash_of_text(a) < hash_of_text(b);
  });
  by_hash.resize(3);
  std::sort(by_hash.begin(), by_hash.end());
  Entries sums, lasts;
  for (const std::string& name : by_hash) {
    const double amount = std::stod(name.substr(4));
    sums.emplace_back(name, amount + 1000);
    lasts.emplace_back(name, 1000.0);
  }
  FeatureSpec f = feature(Function::kSum);
  f.max_groups = 3;
  expect(f, map_of(sums, true));
  f.function = Function::kLast;
  expect(f, map_of(lasts, true));
  f.max_groups = 50;
  EXPECT_FALSE(is_truncated(value(f)));
}

TEST_F(Groups, OfASessionAreThoseInIt) {
  add(10, "old", 1.0);
  add(500, "a", 1.0);
  add(600, std::monostate(), 1.0);
  add(700, "b", 2.0);
  FeatureSpec f = feature(Function::kSum);
  f.gap = 100;
  f.window = 900;
  EXPECT_EQ(show(value(f, 750)), show(map_of({{text("a"), 1.0}, {text("b"), 2.0}})))
      << "a row without a group keeps the session going";
  EXPECT_EQ(value(f, 801), FeatureValue());
}

TEST_F(Groups, AreKeptOfOldRows) {
  TableSchema schema = every_type_schema(10);
  FeatureSpec sum = feature(Function::kSum), mean = feature(Function::kMean),
              last = feature(Function::kLast);
  for (FeatureSpec* f : {&sum, &mean, &last}) {
    f->lifetime = true;
    f->window = 0;
    f->max_groups = 2;
    schema.lifetime.push_back(*f);
  }
  const auto schemas = std::make_shared<const std::vector<TableSchema>>(std::vector{schema});
  PartitionState state(schemas);
  std::vector<Row> rows;
  const auto row = [](TimeUs time, const char* name, Cell amount) {
    return Row{time,
               {std::move(amount), int64_t{1}, int64_t{1}, true, std::string(name), time},
               {true, true}};
  };
  for (const char* name : {"a", "b", "c", "d"}) rows.push_back(row(10, name, 1.0));
  rows.push_back(row(20, "a", std::monostate()));
  append_rows(&state, 0, schema, keyed(rows, "596", schema));
  state.raise_horizon(500);
  EXPECT_EQ(state.stats().rows, 0u);
  const auto check = [&](const PartitionState& of) {
    const auto got =
        compute(of, 0, "596", hash_entity_key("596", schema.entity_seed), schema.lifetime, 600);
    EXPECT_EQ(difference(schema.lifetime, reference_all(rows, schema, schema.lifetime, 600), got),
              "");
    EXPECT_TRUE(is_truncated(got[2])) << "also of rows that were kept";
  };
  check(state);
  check(restarted(state, schemas));
  rows.push_back(row(550, "a", 5.0));
  rows.push_back(row(5, "b", 7.0));
  append_rows(&state, 0, schema, keyed({rows.end() - 2, rows.end()}, "596", schema));
  check(state);
  check(restarted(state, schemas));
}

RC_GTEST_PROP(GroupCaches, ChangeNothing, ()) {
  caches_change_nothing({.more_rows = 6000,
                         .values = 100,
                         .late = 200,
                         .features = 60,
                         .reference_every = 100,
                         .takes = [](const FeatureSpec& f) { return f.by >= 0; }});
}

}  // namespace
}  // namespace tidemill::testing
