#include "serving/feast_keys.h"

#include <gtest/gtest.h>

namespace tidemill {
namespace {

using Key = FeatureKeyValue;

struct Conversion {
  ColumnType type;
  FeastValue sent;
  Key key;
};

TEST(FeastKeys, AreConvertedToTheKeysType) {
  const std::string time = "2018-04-01T00:00:00Z";
  const std::vector<Conversion> cases{
      {ColumnType::kString, std::string("c1"), std::string("c1")},
      {ColumnType::kString, int64_t{5}, std::string("5")},
      {ColumnType::kString, 1.5, std::string("1.5")},
      {ColumnType::kString, 2.0, std::string("2.0")},
      {ColumnType::kString, true, std::string("True")},
      {ColumnType::kInt64, int64_t{5}, int64_t{5}},
      {ColumnType::kInt64, std::string("1"), int64_t{1}},
      {ColumnType::kInt64, std::string("-9223372036854775808"), INT64_MIN},
      {ColumnType::kInt64, 1.0, int64_t{1}},
      {ColumnType::kInt64, -9223372036854775808.0, INT64_MIN},
      {ColumnType::kInt64, true, int64_t{1}},
      {ColumnType::kInt32, int64_t{2'147'483'647}, int64_t{2'147'483'647}},
      {ColumnType::kBool, true, true},
      {ColumnType::kBool, int64_t{0}, false},
      {ColumnType::kBool, std::string("true"), true},
      {ColumnType::kBool, std::string("False"), false},
      {ColumnType::kTimestamp, time, time},
      {ColumnType::kTimestamp, int64_t{1'522'540'800}, time},
      {ColumnType::kTimestamp, 1522540800.0, time},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    const auto got = convert_feast_column({"k", {cases[i].sent}}, cases[i].type);
    ASSERT_TRUE(got.ok()) << i << ": " << got.error().message();
    EXPECT_EQ(got->name, "k");
    EXPECT_EQ(got->values, std::vector<Key>{cases[i].key}) << i;
  }
}

TEST(FeastKeys, WhatIsNoneIsRefusedAndNothingIsRounded) {
  const auto refused = [](const FeastValue& value, ColumnType type) {
    const auto got = convert_feast_column({"k", {value, value}}, type);
    return got.ok() ? std::string() : got.error().message();
  };
  const std::string int64 =
      "entities.k[0]: this join key is an int64: send a whole number in its range";
  for (const FeastValue& value :
       {FeastValue(), FeastValue(std::string("x")), FeastValue(std::string("")),
        FeastValue(std::string("1 ")), FeastValue(std::string("9223372036854775808")),
        FeastValue(1.7), FeastValue(9223372036854775808.0)}) {
    EXPECT_EQ(refused(value, ColumnType::kInt64), int64);
  }
  EXPECT_EQ(refused(int64_t{2'147'483'648}, ColumnType::kInt32),
            "entities.k[0]: this join key is an int32: send a whole number in its range");
  EXPECT_EQ(refused({}, ColumnType::kString),
            "entities.k[0]: this join key is a string: send a string, a number or a boolean, and "
            "no null");
  for (const FeastValue& value : {FeastValue(int64_t{2}), FeastValue(std::string("x"))}) {
    EXPECT_EQ(refused(value, ColumnType::kBool),
              "entities.k[0]: this join key is a boolean: send true or false");
  }
  for (const FeastValue& value : {FeastValue(std::string("x")), FeastValue(true),
                                  FeastValue(INT64_MAX), FeastValue(INT64_MIN), FeastValue(0.5)}) {
    EXPECT_EQ(refused(value, ColumnType::kTimestamp),
              "entities.k[0]: this join key is a timestamp: send seconds since 1970 or "
              "\"2018-04-01T00:00:00Z\"");
  }
}

}  // namespace
}  // namespace tidemill
