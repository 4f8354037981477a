#include "shared/source/values.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <cstdlib>

namespace tidemill {
namespace {

TEST(TimestampParser, GivesWhatParseTimestampGives) {
  const std::string texts[] = {"1970-01-01T00:00:00Z",
                               "2018-04-01T00:00:31Z",
                               "2018-04-01T23:59:59.5Z",
                               "2018-04-01T23:59:59.123456Z",
                               "2018-04-01T23:59:59.1234567Z",
                               "2018-04-01T23:59:59.Z",
                               "2018-04-01T24:00:00Z",
                               "2018-04-01T00:60:00Z",
                               "2018-04-01 10:00:00",
                               "2018-04-01T10:00:00+02:00",
                               "2018-04-01T10:00:00z",
                               "2018-04-01t10:00:00Z",
                               "2018-04-01T10:00:00",
                               "2018-04-01T10:00:00.25",
                               "2018-02-30T00:00:00Z",
                               "2018-04-01T10:00:00ZZ",
                               "2018-04-01T1:00:00Z",
                               "2018-04-01T10-00:00Z",
                               "2018-04-01T10:00:0aZ",
                               "0000-01-01T00:00:00Z",
                               "9999-12-31T23:59:59Z",
                               "1969-12-31T23:59:59.999999Z",
                               "2018-04-01",
                               "",
                               std::string(10, '\0') + "T00:00:00Z"};
  TimestampParser parser;
  for (int round = 0; round < 2; ++round) {
    for (const std::string& text : texts) {
      TimeUs expected = 0;
      TimeUs got = 0;
      const bool valid = parse_timestamp(text, &expected);
      EXPECT_EQ(parser.parse(text, &got), valid) << text;
      if (valid) {
        EXPECT_EQ(got, expected) << text;
      }
    }
  }
}

RC_GTEST_PROP(TimestampParser, AgreesOnAnyTimeAndOnAnyDamage, ()) {
  TimestampParser parser;
  const auto base = *rc::gen::inRange<int64_t>(-2'000'000'000, 4'000'000'000);
  for (int i = 0; i < 20; ++i) {
    const auto step = *rc::gen::inRange<int64_t>(0, 200'000'000'000);
    std::string text = format_timestamp(base * kMicrosPerSecond + step);
    if (*rc::gen::inRange(0, 2) == 1) {
      text[*rc::gen::inRange<size_t>(0, text.size())] = *rc::gen::arbitrary<char>();
    }
    TimeUs expected = 0;
    TimeUs got = 0;
    const bool valid = parse_timestamp(text, &expected);
    RC_ASSERT(parser.parse(text, &got) == valid);
    if (valid) RC_ASSERT(got == expected);
  }
}

TEST(ParseDouble, TakesNumbersOnly) {
  double got = 0;
  for (const char* bad : {"", "-", ".", "1..", ".5.", "1e", "12,5", " 1", "1 ", "0x10", "1.2.3",
                          "abc", "1e999", "-1e999", "--1", "+1"}) {
    EXPECT_FALSE(parse_double(bad, &got)) << bad;
  }
  for (const char* good :
       {"0", "-0", "1.5", "-12.34", "123456789012345678901234567890", "1e-999", "4.9e-324",
        "1.7976931348623157e308", "0.000000000000001", "9007199254740993", "123456789012345.6",
        "1234567890123456", "00012.50", "1E5", "1.", ".5"}) {
    ASSERT_TRUE(parse_double(good, &got)) << good;
    EXPECT_EQ(got, std::strtod(good, nullptr)) << good;
  }
  ASSERT_TRUE(parse_double("-0", &got));
  EXPECT_TRUE(std::signbit(got));
  ASSERT_TRUE(parse_double("nan", &got));
  EXPECT_TRUE(std::isnan(got));
  ASSERT_TRUE(parse_double("-inf", &got));
  EXPECT_TRUE(std::isinf(got));
}

RC_GTEST_PROP(ParseDouble, RoundsAsStrtodDoes, ()) {
  const auto digits = *rc::gen::container<std::string>(rc::gen::inRange('0', char{'9' + 1}));
  const auto more = *rc::gen::container<std::string>(rc::gen::inRange('0', char{'9' + 1}));
  RC_PRE(!digits.empty() && !more.empty());
  const std::string text = digits + "." + more;
  double got = 0;
  RC_ASSERT(parse_double(text, &got));
  RC_ASSERT(got == std::strtod(text.c_str(), nullptr));
}

TEST(ParseInt64, TakesTheWholeRangeAndNothingElse) {
  int64_t got = 0;
  EXPECT_TRUE(parse_int64("-9223372036854775808", &got));
  EXPECT_EQ(got, INT64_MIN);
  EXPECT_TRUE(parse_int64("9223372036854775807", &got));
  EXPECT_EQ(got, INT64_MAX);
  for (const char* bad : {"9223372036854775808", "", "-", "1.0", "1e3", " 1", "1 ", "+1", "0x1"}) {
    EXPECT_FALSE(parse_int64(bad, &got)) << bad;
  }
}

TEST(ParseBool, TakesTheSpellings) {
  bool got = false;
  for (const char* yes : {"true", "t", "1", "TRUE", "True", "T"}) {
    EXPECT_TRUE(parse_bool(yes, &got) && got) << yes;
  }
  for (const char* no : {"false", "f", "0", "FALSE", "False", "F"}) {
    EXPECT_TRUE(parse_bool(no, &got) && !got) << no;
  }
  for (const char* bad : {"", "yes", "2", "tru", "truee", "-1"}) {
    EXPECT_FALSE(parse_bool(bad, &got)) << bad;
  }
}

}  // namespace
}  // namespace tidemill
