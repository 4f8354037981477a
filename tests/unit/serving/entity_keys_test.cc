#include "serving/entity_keys.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "shared/plan/entity_key.h"

namespace tidemill {
namespace {

using Types = std::vector<ColumnType>;

// One row of columns c0, c1, ...; the key or the error.
std::string encode(const Types& types, const std::vector<FeatureKeyValue>& values) {
  ViewSpec view;
  std::vector<EntityColumn> columns;
  for (size_t i = 0; i < values.size(); ++i) {
    view.entity.push_back("c" + std::to_string(i));
    columns.push_back({view.entity.back(), {values[i]}});
  }
  std::vector<const EntityColumn*> pointers;
  for (const EntityColumn& c : columns) pointers.push_back(&c);
  const auto key = encode_entity_key(view, types, pointers, 0);
  return key.ok() ? *key : "error: " + key.error().message();
}

FeatureKeyValue text(const char* s) { return std::string(s); }
FeatureKeyValue number(int64_t n) { return n; }

TEST(EncodeEntityKey, IsTheBytesThatReadersRouteBy) {
  std::string want;
  append_key_int(7, &want);
  append_key_string("x", &want);
  append_key_int(1, &want);
  append_key_int(1'522'540'800'000'000, &want);
  append_key_int(-5, &want);
  EXPECT_EQ(encode({ColumnType::kInt64, ColumnType::kString, ColumnType::kBool,
                    ColumnType::kTimestamp, ColumnType::kInt32},
                   {number(7), text("x"), true, text("2018-04-01T00:00:00Z"), number(-5)}),
            want);
  EXPECT_EQ(encode({ColumnType::kString}, {text("596")}), "596");
}

TEST(EncodeEntityKey, SaysWhichTypeIsRight) {
  struct Case {
    ColumnType type;
    FeatureKeyValue value;
    const char* right;
  };
  const std::vector<Case> cases{
      {ColumnType::kString, number(596), "a string: write it in quotes, such as \"596\""},
      {ColumnType::kString, true, "a string: write it in quotes, such as \"596\""},
      {ColumnType::kInt64, text("596"), "an int64: write a whole number, without quotes"},
      {ColumnType::kInt64, false, "an int64: write a whole number, without quotes"},
      {ColumnType::kInt32, number(1LL << 31), "an int32: write a whole number in its range"},
      {ColumnType::kInt32, number(-(1LL << 31) - 1), "an int32: write a whole number in its range"},
      {ColumnType::kInt32, text("1"), "an int32: write a whole number in its range"},
      {ColumnType::kBool, number(1), "a boolean: write true or false"},
      {ColumnType::kBool, text("true"), "a boolean: write true or false"},
      {ColumnType::kTimestamp, number(5), "a timestamp: write \"2018-04-01T00:00:00Z\""},
      {ColumnType::kTimestamp, text("yesterday"), "a timestamp: write \"2018-04-01T00:00:00Z\""},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(encode({c.type}, {c.value}),
              std::string("error: entities.c0[0]: this key is ") + c.right);
  }
  EXPECT_EQ(encode({ColumnType::kInt32}, {number(INT32_MAX)}).size(), 8u);
  EXPECT_EQ(encode({ColumnType::kInt32}, {number(INT32_MIN)}).size(), 8u);
  EXPECT_EQ(encode({ColumnType::kInt64, ColumnType::kInt64}, {number(1), text("x")}),
            "error: entities.c1[0]: this key is an int64: write a whole number, without quotes");
}

TEST(EntityKeyJson, ShowsEachTypeAsItIsAskedFor) {
  ViewSpec view;
  view.entity = {"i", "s", "b", "t"};
  const Types types{ColumnType::kInt64, ColumnType::kString, ColumnType::kBool,
                    ColumnType::kTimestamp};
  const std::string key =
      encode(types, {number(-7), text("a\"b\n"), false, text("2018-04-01T02:00:00.5+02:00")});
  EXPECT_EQ(entity_key_json(view, types, key),
            R"({"i":-7,"s":"a\"b\n","b":false,"t":"2018-04-01T00:00:00.500Z"})");
  EXPECT_EQ(entity_key_json(view, types, key + "x"), "{}");
  view.entity = {"customer_id"};
  EXPECT_EQ(entity_key_json(view, {ColumnType::kString}, "596"), R"({"customer_id":"596"})");
}

RC_GTEST_PROP(EntityKeyJson, TakesAnyBytes, (const std::string& bytes)) {
  ViewSpec view;
  view.entity = {"a", "b"};
  const std::string json =
      entity_key_json(view, {ColumnType::kString, ColumnType::kTimestamp}, bytes);
  RC_ASSERT(json.front() == '{');
  RC_ASSERT(json.back() == '}');
}

}  // namespace
}  // namespace tidemill
