// Columns of decimals: what functions make of them, from rows and from what is kept of older ones,
// against values by hand and against whole numbers as int64.
#include <gtest/gtest.h>

#include <cmath>

#include "shared/base/decimal.h"
#include "tests/unit/window/window_fixture.h"

namespace tidemill::testing {
namespace {

enum : int32_t { kPrice, kWhole, kNumber, kGroup };
constexpr uint8_t kScale = 2;

std::string bytes_of(__int128 unscaled, uint8_t scale) {
  char buffer[kMaxDecimalEncoding];
  return {buffer, encode_decimal({unscaled, scale}, buffer)};
}

FeatureSpec feature(Function function, int32_t column, bool lifetime) {
  FeatureSpec f;
  f.function = function;
  f.column = column;
  f.order = {static_cast<uint32_t>(column)};
  f.lifetime = lifetime;
  f.window = lifetime ? 0 : kMaxTime;
  f.type = ColumnType::kDouble;
  if (column == kPrice) f.column_scale = kScale;
  const bool decimal = column == kPrice || column == kWhole;
  const bool of_its_type = function <= Function::kMax || function >= Function::kFirst;
  if (decimal && of_its_type && function != Function::kMean) f.type = ColumnType::kDecimal;
  f.n = 2;
  f.bound = 100;
  if (function == Function::kDecayedSum) f.half_life = 1000;
  f.percentile = 500'000;
  f.relative_accuracy = 10'000;
  if (function == Function::kHistogram) f.map = true;
  return f;
}

TableSchema schema_of(DurationUs retention) {
  TableSchema out;
  out.entity_seed = 7;
  out.columns = {ColumnType::kDecimal, ColumnType::kDecimal, ColumnType::kInt64,
                 ColumnType::kInt32};
  out.scales = {kScale, 0, 0, 0};
  out.retention = retention;
  return out;
}

struct Example {
  Function function;
  const char* shown;
};

// Of 1.10, 2.20, 3.35, null and 2.20.
const std::vector<Example> kExamples = {
    {Function::kCount, "4"},  {Function::kSum, "8.85"},   {Function::kMin, "1.10"},
    {Function::kMax, "3.35"}, {Function::kFirst, "1.10"}, {Function::kLast, "2.20"},
};

std::vector<Row> rows() {
  const auto row = [](TimeUs time, Cell price) {
    return Row{time, {std::move(price), std::monostate(), std::monostate(), std::monostate()}, {}};
  };
  return {row(10, bytes_of(110, kScale)), row(20, bytes_of(220, kScale)),
          row(30, bytes_of(335, kScale)), row(40, std::monostate()),
          row(50, bytes_of(220, kScale))};
}

std::string text_of(const FeatureValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text != nullptr) return *text;
  const auto* whole = std::get_if<int64_t>(&value);
  return whole != nullptr ? std::to_string(*whole) : show(value);
}

double double_of(const FeatureValue& value) {
  const auto* out = std::get_if<double>(&value);
  return out == nullptr ? std::nan("") : *out;
}

void expect_examples(const PartitionState& state, uint64_t hash, bool lifetime) {
  std::vector<FeatureSpec> features;
  for (const Example& each : kExamples) {
    features.push_back(feature(each.function, kPrice, lifetime));
  }
  const auto got = compute(state, 0, "key", hash, features, 1'000'000);
  for (size_t i = 0; i < got.size(); ++i) EXPECT_EQ(text_of(got[i]), kExamples[i].shown) << i;
  const auto numbers = compute(
      state, 0, "key", hash,
      {feature(Function::kMean, kPrice, lifetime), feature(Function::kVarPop, kPrice, lifetime),
       feature(Function::kStddevSamp, kPrice, lifetime)},
      1'000'000);
  EXPECT_EQ(double_of(numbers[0]), 2.2125);              // 8.85 / 4
  EXPECT_EQ(double_of(numbers[1]), 0.63296875);          // 22.1125 / 4 - 2.2125²
  EXPECT_EQ(double_of(numbers[2]), 0.9186720488473203);  // √(4 × 0.63296875 / 3)
}

class Fed {
 public:
  Fed(const TableSchema& schema, const std::vector<Row>& rows)
      : schemas_(std::make_shared<const std::vector<TableSchema>>(std::vector{schema})),
        state_(schemas_) {
    const auto all = keyed(rows, "key", schema);
    hash_ = all[0].hash;
    append_rows(&state_, 0, schema, all);
  }
  PartitionState& state() { return state_; }
  PartitionState again() { return restarted(state_, schemas_); }
  uint64_t hash() const { return hash_; }

 private:
  TableSchemas schemas_;
  PartitionState state_;
  uint64_t hash_ = 0;
};

TEST(Decimals, OfRows) {
  Fed fed(schema_of(kMaxTime), rows());
  expect_examples(fed.state(), fed.hash(), false);
  expect_examples(fed.again(), fed.hash(), false);
}

TEST(Decimals, OfWhatIsKeptOfOldRows) {
  TableSchema schema = schema_of(10);
  for (const Example& each : kExamples) {
    schema.lifetime.push_back(feature(each.function, kPrice, true));
  }
  for (const Function function : {Function::kMean, Function::kVarPop, Function::kStddevSamp}) {
    schema.lifetime.push_back(feature(function, kPrice, true));
  }
  Fed fed(schema, rows());
  fed.state().raise_horizon(900'000);
  EXPECT_EQ(fed.state().stats().rows, 0u);
  expect_examples(fed.state(), fed.hash(), true);
  expect_examples(fed.again(), fed.hash(), true);
}

TEST(Decimals, SumsHaveUpTo38Digits) {
  const __int128 most = [] {
    __int128 out = 1;
    for (int i = 0; i < 37; ++i) out *= 10;
    return out;
  }();
  std::vector<Row> many;
  for (int i = 0; i < 9; ++i) {
    many.push_back(
        {i, {bytes_of(most, kScale), std::monostate(), std::monostate(), std::monostate()}, {}});
  }
  const auto sum = [](const std::vector<Row>& of) {
    Fed fed(schema_of(kMaxTime), of);
    return compute(fed.state(), 0, "key", fed.hash(), {feature(Function::kSum, kPrice, false)},
                   1000)[0];
  };
  EXPECT_EQ(text_of(sum(many)), "9" + std::string(35, '0') + ".00");
  many.push_back(many[0]);
  many.back().time = 100;
  EXPECT_TRUE(is_null(sum(many)));
}

// Whole numbers as decimals are what they are as int64.
TEST(Decimals, AreLikeInt64) {
  Random random(3);
  for (int round = 0; round < 30; ++round) {
    std::vector<Row> all;
    const size_t count = 1 + random() % 300;
    for (size_t i = 0; i < count; ++i) {
      const auto number = static_cast<int64_t>(random() % 2'000'001) - 1'000'000;
      const auto group = static_cast<int64_t>(random() % 3);
      all.push_back({static_cast<TimeUs>(i * 10),
                     {std::monostate(), bytes_of(number, 0), number, group},
                     {}});
    }
    Fed fed(schema_of(kMaxTime), all);
    for (const Function function :
         {Function::kMean, Function::kVarSamp, Function::kStddevPop, Function::kSkew,
          Function::kKurtosis, Function::kDecayedSum, Function::kApproxPercentile}) {
      for (const bool grouped : {false, true}) {
        std::vector<FeatureSpec> both = {feature(function, kWhole, false),
                                         feature(function, kNumber, false)};
        for (FeatureSpec& f : both) {
          f.type = ColumnType::kDouble;
          f.order.clear();
          f.window = 60'000;
          if (!grouped) continue;
          f.by = kGroup;
          f.max_groups = 10;
          f.map = true;
        }
        const auto got = compute(fed.state(), 0, "key", fed.hash(), both, 4000);
        EXPECT_EQ(show(got[0]), show(got[1])) << describe(both[0]);
      }
    }
    for (const Function function : {Function::kMin, Function::kMax}) {
      const auto got =
          compute(fed.state(), 0, "key", fed.hash(),
                  {feature(function, kWhole, false), feature(function, kNumber, false)}, 4000);
      EXPECT_EQ(text_of(got[0]), text_of(got[1]));
    }
  }
}

}  // namespace
}  // namespace tidemill::testing
