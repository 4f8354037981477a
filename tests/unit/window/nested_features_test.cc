// Columns of lists, structs and maps: what functions make of them, and how answers show it.
#include <gtest/gtest.h>

#include "shared/base/hash.h"
#include "shared/nested/nested_json.h"
#include "shared/window/feature_value_json.h"
#include "tests/unit/window/window_fixture.h"

namespace tidemill::testing {
namespace {

NestedType list_of(ColumnType kind) {
  NestedType out;
  out.kind = ColumnType::kList;
  out.fields.emplace_back();
  out.fields[0].type.kind = kind;
  return out;
}

std::string bytes_of(const NestedType& type, const std::string& json) {
  NestedJsonParser parser;
  std::string_view value;
  EXPECT_FALSE(parser.parse(type, json, &value).has_value()) << json;
  return std::string(value);
}

class NestedFeatures : public ::testing::Test {
 protected:
  NestedFeatures() {
    schema_.entity_seed = 7;
    schema_.columns = {ColumnType::kList, ColumnType::kString};
    schema_.scales = {0, 0};
    schema_.retention = kMaxTime;
    auto schemas = std::make_shared<std::vector<TableSchema>>();
    schemas->push_back(schema_);
    state_ = std::make_unique<PartitionState>(std::move(schemas));
    int64_t time = 0;
    for (const char* json : {"[1.5,null]", "[]", "[1.5,null]", "[-0.0]", "[0]"}) {
      Row row;
      row.time = ++time;
      row.cells = {bytes_of(list_, json), std::string("x")};
      append_rows(state_.get(), 0, schema_, keyed({row}, "596", schema_));
    }
  }

  // The feature as JSON.
  std::string shown(Function function, int32_t by = -1) const {
    FeatureSpec f;
    f.function = function;
    f.column = 0;
    f.window = 1000;
    f.n = 3;
    f.bound = 100;
    f.order = {0};
    f.by = by;
    f.max_groups = by < 0 ? 0 : 10;
    const bool map = function == Function::kHistogram || by >= 0;
    f.map = map;
    f.type = ColumnType::kInt64;
    if (function == Function::kHistogram || by == 0) {
      f.nested_key = std::make_shared<const NestedType>(list_);
    } else if (function != Function::kCountDistinct) {
      f.type = ColumnType::kList;
      f.nested = std::make_shared<const NestedType>(list_);
    }
    const FeatureValue value =
        compute(*state_, 0, "596", hash_entity_key("596", schema_.entity_seed), {f}, 1000)[0];
    std::string out;
    append_feature_value(value, f.type, &out);
    return out;
  }

  const NestedType list_ = list_of(ColumnType::kDouble);
  TableSchema schema_;
  std::unique_ptr<PartitionState> state_;
};

TEST_F(NestedFeatures, AreJsonThemselves) {
  EXPECT_EQ(shown(Function::kFirst), "[1.5,null]");
  EXPECT_EQ(shown(Function::kLast), "[0.0]");
  EXPECT_EQ(shown(Function::kLastN), "[[1.5,null],[0.0],[0.0]]");
  EXPECT_EQ(shown(Function::kFirstDistinctN), "[[1.5,null],[],[0.0]]");
}

TEST_F(NestedFeatures, EqualValuesAreOne) {
  EXPECT_EQ(shown(Function::kCountDistinct), "3");
  const std::string histogram = shown(Function::kHistogram);
  EXPECT_NE(histogram.find("\"[1.5,null]\":2"), std::string::npos) << histogram;
  EXPECT_NE(histogram.find("\"[0.0]\":2"), std::string::npos) << histogram;
  EXPECT_NE(histogram.find("\"[]\":1"), std::string::npos) << histogram;
}

}  // namespace
}  // namespace tidemill::testing
