// JSON text, dates and bytes as text.
#include <gtest/gtest.h>

#include <limits>

#include "shared/base/bytes_text.h"
#include "shared/base/calendar.h"
#include "shared/base/json_text.h"

namespace tidemill {
namespace {

TEST(JsonText, IsValidOrNot) {
  for (const char* text : {"{}", " [1, 2.5e-3 ,\"x\"] ", "\"\\u00e9\\ud83d\"", "-0", "1e400",
                           "null", R"({"a": {"b": [true, false]}, "a": 1})"}) {
    EXPECT_TRUE(is_valid_json(text)) << text;
  }
  for (const char* text :
       {"", " ", "{", "{a: 1}", "[1,]", "01", "1.", ".5", "+1", "\"\\x\"", "\"\n\"", "tru", "nulll",
        "1 2", "\"\\u12g4\"", "{\"a\" 1}", "'a'", "\"\xff\""}) {
    EXPECT_FALSE(is_valid_json(text)) << text;
  }
  EXPECT_TRUE(is_valid_json(std::string(500, '[') + std::string(500, ']')));
  EXPECT_FALSE(is_valid_json(std::string(100'000, '[')));
}

TEST(JsonText, FindsPartsAsTheyStandThere) {
  const std::string_view json = R"({"a": [10, {"b" : 1.50} ], "a\u0062": "x", "k": 1, "k": 2})";
  EXPECT_EQ(json_member(json, "a"), R"([10, {"b" : 1.50} ])");
  EXPECT_EQ(json_member(json, "ab"), "\"x\"");
  EXPECT_EQ(json_member(json, "k"), "2");
  EXPECT_EQ(json_member(json, "none"), std::nullopt);
  EXPECT_EQ(json_member("[1]", "a"), std::nullopt);
  EXPECT_EQ(json_element("[10, [20], 30]", 1), "[20]");
  EXPECT_EQ(json_element("[10, [20], 30]", -1), "30");
  EXPECT_EQ(json_element("[10]", std::numeric_limits<int64_t>::min()), std::nullopt);
  EXPECT_EQ(json_element("[]", 0), std::nullopt);
  EXPECT_EQ(json_element("{}", 0), std::nullopt);
  EXPECT_EQ(json_element_count("[1, [2, 3], {}]"), 3);
}

TEST(JsonText, UndoesEscapes) {
  const auto value = [](std::string_view json) {
    std::string out(json.size(), '\0');
    const auto size = json_string_value(json, out.data());
    return size.has_value() ? out.substr(0, *size) : "none";
  };
  EXPECT_EQ(value(R"("a\n\"\\\/\u00e9\ud83d\ude00")"), "a\n\"\\/é😀");
  EXPECT_EQ(value(R"("\u0000")"), "none");
  EXPECT_EQ(value(R"("\ud83d")"), "none");
  EXPECT_EQ(value(R"("\ude00")"), "none");
  EXPECT_EQ(value(R"("\ud83dx")"), "none");
}

TEST(Calendar, CountsDaysThereAndBack) {
  EXPECT_EQ(days_of({1970, 1, 1}), 0);
  EXPECT_EQ(days_of({2000, 3, 1}), 11'017);
  EXPECT_EQ(days_of({-4713, 11, 24}), -2'440'588);
  for (int64_t day = -2'440'588; day < 2'145'031'949; day += 99'991) {
    const Civil date = civil_of(day);
    ASSERT_EQ(days_of(date), day);
    ASSERT_LE(date.day, days_in_month(date.year, date.month));
  }
}

TEST(Calendar, DatesAsText) {
  int64_t days = 0;
  ASSERT_TRUE(parse_date("2018-04-01", &days));
  EXPECT_EQ(days, 17'622);
  EXPECT_EQ(date_text(days), "2018-04-01");
  EXPECT_EQ(date_text(days_of({-43, 3, 15})), "0044-03-15 BC");
  EXPECT_EQ(date_text(days_of({12'345, 6, 7})), "12345-06-07");
  for (const char* text : {"", "2018-4-1", "2018-02-30", "2018-04-01T", "18-04-01", "2018/04/01"}) {
    EXPECT_FALSE(parse_date(text, &days)) << text;
  }
}

TEST(BytesText, ThereAndBack) {
  const auto bytes = [](std::string text) {
    const auto size = text_to_bytes(text, text.data());
    return size.has_value() ? text.substr(0, *size) : "none";
  };
  EXPECT_EQ(bytes("\\x6162"), "ab");
  EXPECT_EQ(bytes("\\x61 62"), "ab");
  EXPECT_EQ(bytes("a\\\\\\134b"), "a\\\\b");
  EXPECT_EQ(bytes("\\x616"), "none");
  EXPECT_EQ(bytes("\\xzz"), "none");
  EXPECT_EQ(bytes("\\9"), "none");
  EXPECT_EQ(bytes("\\477"), "none");
  EXPECT_EQ(bytes_text(std::string_view("\0\xff", 2)), "\\x00ff");
}

}  // namespace
}  // namespace tidemill
