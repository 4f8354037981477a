#include "shared/net/json_text.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace tidemill {
namespace {

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(text, &out);
  return out;
}

std::string json_double(double value) {
  std::string out;
  append_json_double(value, &out);
  return out;
}

TEST(JsonText, EscapesWhatMustBe) {
  EXPECT_EQ(json_string("plain"), "\"plain\"");
  EXPECT_EQ(json_string(""), "\"\"");
  EXPECT_EQ(json_string("a\"b\\c\n\t\r\b\f\x01\x1f"), R"("a\"b\\c\n\t\r\b\f\u0001\u001f")");
  EXPECT_EQ(json_string(std::string_view("\0", 1)), "\"\\u0000\"");
  EXPECT_EQ(json_string("é€😀\x7f"), "\"é€😀\x7f\"");
}

TEST(JsonText, ReplacesBytesThatAreNotUtf8) {
  const std::string mark = "\xEF\xBF\xBD";
  EXPECT_EQ(json_string("a\x80z"), "\"a" + mark + "z\"");
  EXPECT_EQ(json_string("\xC3"), '"' + mark + '"');
  EXPECT_EQ(json_string("\xC0\xAF"), '"' + mark + mark + '"');             // overlong
  EXPECT_EQ(json_string("\xED\xA0\x80"), '"' + mark + mark + mark + '"');  // a surrogate
  EXPECT_EQ(json_string("\xF4\x90\x80\x80"), '"' + mark + mark + mark + mark + '"');
  EXPECT_EQ(json_string("\xE2\x82"), '"' + mark + mark + '"');
}

RC_GTEST_PROP(JsonText, AnyBytesGiveValidJson, (const std::string& bytes)) {
  const auto parsed = nlohmann::json::parse(json_string(bytes), nullptr, false);
  RC_ASSERT(parsed.is_string());
}

RC_GTEST_PROP(JsonText, AsciiComesBack, ()) {
  const auto text = *rc::gen::container<std::string>(rc::gen::inRange<char>(0, 127));
  RC_ASSERT(nlohmann::json::parse(json_string(text)).get<std::string>() == text);
}

TEST(JsonText, DoublesShowThatTheyAreDoubles) {
  EXPECT_EQ(json_double(3.0), "3.0");
  EXPECT_EQ(json_double(-0.0), "-0.0");
  EXPECT_EQ(json_double(0.1), "0.1");
  EXPECT_EQ(json_double(1e300), "1e+300");
  EXPECT_EQ(json_double(5e-324), "5e-324");
  EXPECT_EQ(json_double(std::numeric_limits<double>::quiet_NaN()), "\"NaN\"");
  EXPECT_EQ(json_double(std::numeric_limits<double>::infinity()), "\"Infinity\"");
  EXPECT_EQ(json_double(-std::numeric_limits<double>::infinity()), "\"-Infinity\"");
}

RC_GTEST_PROP(JsonText, DoublesComeBackBitForBit, (uint64_t bits)) {
  const auto value = std::bit_cast<double>(bits);
  RC_PRE(std::isfinite(value));
  const std::string text = json_double(value);
  const auto parsed = nlohmann::json::parse(text);
  RC_ASSERT(parsed.is_number_float());
  RC_ASSERT(std::bit_cast<uint64_t>(parsed.get<double>()) == bits);
}

RC_GTEST_PROP(JsonText, IntegersComeBack, (int64_t value)) {
  std::string text;
  append_json_int(value, &text);
  RC_ASSERT(nlohmann::json::parse(text).get<int64_t>() == value);
}

}  // namespace
}  // namespace tidemill
