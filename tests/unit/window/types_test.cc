// Columns of type date, bytes and json: what functions make of them, from rows and from what is
// kept of older ones.
#include <gtest/gtest.h>

#include "tests/unit/window/window_fixture.h"

namespace tidemill::testing {
namespace {

enum : int32_t { kDay, kPayload, kDetails };

using Texts = std::vector<const char*>;
ListValue list(const Texts& texts) {
  ListValue out;
  for (const char* text : texts) out.push_back(std::string(text));
  return out;
}
MapValue counts(const std::vector<std::pair<const char*, int64_t>>& entries) {
  MapValue out;
  for (const auto& [text, count] : entries) out.entries.emplace_back(std::string(text), count);
  return out;
}

struct Example {
  Function function;
  int32_t column;
  FeatureValue value;
};

std::vector<Example> examples() {
  const auto text = [](const char* s) { return FeatureValue(std::string(s)); };
  return {
      {Function::kMin, kDay, text("1969-12-31")},
      {Function::kMax, kDay, text("2018-04-01")},
      {Function::kFirst, kDay, text("2018-04-01")},
      {Function::kLast, kDay, text("1969-12-31")},
      {Function::kTopK, kDay, list({"2018-04-01", "2018-04-01"})},
      {Function::kLastDistinctN, kDay, list({"2018-04-01", "1969-12-31"})},
      {Function::kHistogram, kDay, counts({{"1969-12-31", 1}, {"2018-04-01", 2}})},
      {Function::kTopKByFrequency, kDay, list({"2018-04-01", "1969-12-31"})},
      {Function::kCountDistinct, kDay, int64_t{2}},
      {Function::kFirst, kPayload, text("\\x00ff")},
      {Function::kLastN, kPayload, list({"\\x", "\\x00ff"})},
      {Function::kBottomK, kPayload, list({"\\x", "\\x00ff"})},
      {Function::kHistogram, kPayload, counts({{"\\x", 1}, {"\\x00ff", 2}})},
      {Function::kTopKByFrequency, kPayload, list({"\\x00ff", "\\x"})},
      {Function::kApproxCountDistinct, kPayload, int64_t{2}},
      {Function::kLast, kDetails, text("[1]")},
      {Function::kFirstDistinctN, kDetails, list({R"({"a": 1})", "[1]"})},
      {Function::kHistogram, kDetails, counts({{"[1]", 2}, {R"({"a": 1})", 1}})},
      {Function::kBottomKByFrequency, kDetails, list({R"({"a": 1})", "[1]"})},
      {Function::kCount, kDetails, int64_t{3}},
  };
}

std::vector<FeatureSpec> features_of(const std::vector<Example>& all, bool lifetime) {
  std::vector<FeatureSpec> out;
  for (const Example& example : all) {
    FeatureSpec f;
    f.function = example.function;
    f.column = example.column;
    f.order = {static_cast<uint32_t>(example.column)};
    f.lifetime = lifetime;
    f.window = lifetime ? 0 : kMaxTime;
    f.map = f.function == Function::kHistogram;
    f.bound = 100;
    f.n = f.function == Function::kCountDistinct         ? 100
          : f.function == Function::kApproxCountDistinct ? 12
          : f.map                                        ? 0
                                                         : 2;
    out.push_back(f);
  }
  return out;
}

std::vector<Row> rows() {
  const std::string bytes("\0\xff", 2);
  return {{10, {int64_t{17'622}, bytes, std::string(R"({"a": 1})")}, {}},
          {20, {int64_t{17'622}, std::string(), std::string("[1]")}, {}},
          {25, {std::monostate(), std::monostate(), std::monostate()}, {}},
          {30, {int64_t{-1}, bytes, std::string("[1]")}, {}}};
}

TableSchema schema_of(DurationUs retention) {
  TableSchema out;
  out.entity_seed = 7;
  out.columns = {ColumnType::kDate, ColumnType::kBytes, ColumnType::kJson};
  out.retention = retention;
  return out;
}

void expect_examples(const PartitionState& state, uint64_t hash, bool lifetime) {
  const std::vector<Example> all = examples();
  const std::vector<FeatureSpec> features = features_of(all, lifetime);
  const auto got = compute(state, 0, "key", hash, features, 1'000'000);
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(show(got[i]), show(all[i].value)) << i << (lifetime ? ", lifetime" : "");
  }
}

TEST(Types, OfRows) {
  const TableSchema schema = schema_of(kMaxTime);
  const auto schemas = std::make_shared<const std::vector<TableSchema>>(std::vector{schema});
  PartitionState state(schemas);
  const auto all = keyed(rows(), "key", schema);
  append_rows(&state, 0, schema, all);
  expect_examples(state, all[0].hash, false);
  expect_examples(restarted(state, schemas), all[0].hash, false);
}

TEST(Types, OfWhatIsKeptOfOldRows) {
  TableSchema schema = schema_of(10);
  schema.lifetime = features_of(examples(), true);
  const auto schemas = std::make_shared<const std::vector<TableSchema>>(std::vector{schema});
  PartitionState state(schemas);
  const auto all = keyed(rows(), "key", schema);
  append_rows(&state, 0, schema, all);
  state.raise_horizon(900'000);
  EXPECT_EQ(state.stats().rows, 0u);
  expect_examples(state, all[0].hash, true);
  expect_examples(restarted(state, schemas), all[0].hash, true);
}

}  // namespace
}  // namespace tidemill::testing
