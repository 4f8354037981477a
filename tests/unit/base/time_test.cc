#include "shared/base/time.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <time.h>

namespace tidemill {
namespace {

constexpr TimeUs kFirst = -62'135'596'800 * kMicrosPerSecond;     // 0001-01-01T00:00:00Z
constexpr TimeUs kLast = 253'402'300'800 * kMicrosPerSecond - 1;  // end of 9999
constexpr TimeUs kApril = 1'522'540'831 * kMicrosPerSecond;       // 2018-04-01T00:00:31Z

TEST(ParseTimestamp, TakesRfc3339) {
  const std::vector<std::pair<std::string, TimeUs>> cases{
      {"1970-01-01T00:00:00Z", 0},
      {"1969-12-31T23:59:59.999999Z", -1},
      {"2018-04-01T00:00:31Z", kApril},
      {"2018-04-01t00:00:31z", kApril},
      {"2018-04-01 00:00:31", kApril},
      {"2018-04-01T00:00:31", kApril},
      {"2018-04-01T02:00:31+02:00", kApril},
      {"2018-03-31T18:30:31-05:30", kApril},
      {"2018-04-01T00:00:31.5Z", kApril + 500'000},
      {"2018-04-01T00:00:31.000001Z", kApril + 1},
      {"2018-04-01T00:00:31.123456+00:00", kApril + 123'456},
      {"2000-02-29T00:00:00Z", 951'782'400 * kMicrosPerSecond},
      {"2016-02-29T00:00:00Z", 1'456'704'000 * kMicrosPerSecond},
      {"0001-01-01T00:00:00Z", kFirst},
      {"9999-12-31T23:59:59.999999Z", kLast},
  };
  for (const auto& [text, want] : cases) {
    TimeUs got = 7;
    EXPECT_TRUE(parse_timestamp(text, &got)) << text;
    EXPECT_EQ(got, want) << text;
  }
}

TEST(ParseTimestamp, RefusesAnythingElse) {
  for (const char* text : {"",
                           "2018-04-01",
                           "2018-04-01T00:00",
                           "2018-04-01T00:00:31.",
                           "2018-04-01T00:00:31.1234567Z",
                           "2018-04-01T00:00:31.x",
                           "2018-04-01T00:00:31Zx",
                           "2018-04-01T00:00:31 Z",
                           "2018-04-01T00:00:31+2:00",
                           "2018-04-01T00:00:31+0200",
                           "2018-04-01T00:00:31+24:00",
                           "2018-04-01T00:00:31+02:60",
                           "2018-04-01T24:00:00Z",
                           "2018-04-01T00:60:00Z",
                           "2018-04-01T00:00:60Z",
                           "2018-13-01T00:00:00Z",
                           "2018-00-01T00:00:00Z",
                           "2018-04-31T00:00:00Z",
                           "2018-04-00T00:00:00Z",
                           "2018-02-29T00:00:00Z",
                           "1900-02-29T00:00:00Z",
                           "0000-01-01T00:00:00Z",
                           "2018/04/01T00:00:00Z",
                           "2018-04-01x00:00:00Z",
                           "+018-04-01T00:00:00Z",
                           "2018-04-01T-1:00:00Z",
                           "1522540831",
                           " 2018-04-01T00:00:31Z",
                           "-infinity"}) {
    TimeUs got = 7;
    EXPECT_FALSE(parse_timestamp(text, &got)) << text;
    EXPECT_EQ(got, 7) << text;
  }
}

TEST(FormatTimestamp, WritesAsFewFractionDigitsAsFit) {
  EXPECT_EQ(format_timestamp(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_timestamp(kApril), "2018-04-01T00:00:31Z");
  EXPECT_EQ(format_timestamp(kApril + 500'000), "2018-04-01T00:00:31.500Z");
  EXPECT_EQ(format_timestamp(kApril + 1'000), "2018-04-01T00:00:31.001Z");
  EXPECT_EQ(format_timestamp(kApril + 100), "2018-04-01T00:00:31.000100Z");
  EXPECT_EQ(format_timestamp(-1), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(format_timestamp(kFirst), "0001-01-01T00:00:00Z");
  EXPECT_EQ(format_timestamp(kMinTime), "-infinity");
  EXPECT_EQ(format_timestamp(kMaxTime), "infinity");
}

RC_GTEST_PROP(FormatTimestamp, ReadsBackAsTheSameTime, ()) {
  const auto t = *rc::gen::inRange<TimeUs>(kFirst, kLast + 1);
  TimeUs back = 0;
  RC_ASSERT(parse_timestamp(format_timestamp(t), &back));
  RC_ASSERT(back == t);
}

// The calendar of the C library is the independent truth.
RC_GTEST_PROP(FormatTimestamp, AgreesWithTheCalendarOfTheCLibrary, ()) {
  const auto seconds =
      *rc::gen::inRange<int64_t>(kFirst / kMicrosPerSecond, kLast / kMicrosPerSecond);
  const auto at = static_cast<time_t>(seconds);
  struct tm civil {};
  RC_ASSERT(gmtime_r(&at, &civil) != nullptr);
  char want[64];
  std::snprintf(want, sizeof want, "%04d-%02d-%02dT%02d:%02d:%02dZ", civil.tm_year + 1900,
                civil.tm_mon + 1, civil.tm_mday, civil.tm_hour, civil.tm_min, civil.tm_sec);
  RC_ASSERT(format_timestamp(seconds * kMicrosPerSecond) == want);
}

RC_GTEST_PROP(ParseTimestamp, AnyTextIsTakenOrLeft, ()) {
  std::string text = format_timestamp(*rc::gen::inRange<TimeUs>(kFirst, kLast));
  const auto at = *rc::gen::inRange<size_t>(0, text.size());
  text[at] = *rc::gen::arbitrary<char>();
  text.resize(*rc::gen::inRange<size_t>(0, text.size() + 1));
  TimeUs t = 0;
  if (!parse_timestamp(text, &t)) return;
  TimeUs again = 0;
  if (t >= kFirst && t <= kLast) {
    RC_ASSERT(parse_timestamp(format_timestamp(t), &again));
    RC_ASSERT(again == t);
  }
}

TEST(ParseDuration, TakesAWholeNumberWithAUnit) {
  const std::vector<std::pair<std::string, DurationUs>> cases{{"0s", 0},
                                                              {"1us", 1},
                                                              {"3ms", 3'000},
                                                              {"90s", 90'000'000},
                                                              {"5m", 300'000'000},
                                                              {"1h", 3'600'000'000},
                                                              {"30d", 30 * kMicrosPerDay},
                                                              {"2w", 14 * kMicrosPerDay},
                                                              {"007d", 7 * kMicrosPerDay}};
  for (const auto& [text, want] : cases) {
    const auto got = parse_duration(text);
    ASSERT_TRUE(got.ok()) << text;
    EXPECT_EQ(*got, want) << text;
  }
}

TEST(ParseDuration, RefusesAnythingElseAndSaysWhatIsRight) {
  for (const char* text : {"", "s", "5", "-1s", "-0s", "+1s", "1.5h", "1 h", " 1h", "1H", "1y",
                           "1sx", "99999999999999999999s", "9223372036854775807s", "106751992d"}) {
    const auto got = parse_duration(text);
    ASSERT_FALSE(got.ok()) << text;
    EXPECT_EQ(got.error().code(), ErrorCode::kUser);
    EXPECT_EQ(got.error().message(), "'" + std::string(text) +
                                         "' is not a duration: write a whole number and a unit of "
                                         "us, ms, s, m, h, d or w, such as 90s or 7d");
  }
}

TEST(FormatDuration, UsesTheLargestUnitThatDivides) {
  EXPECT_EQ(format_duration(0), "0s");
  EXPECT_EQ(format_duration(1), "1us");
  EXPECT_EQ(format_duration(1'500), "1500us");
  EXPECT_EQ(format_duration(2'000), "2ms");
  EXPECT_EQ(format_duration(90'000'000), "90s");
  EXPECT_EQ(format_duration(604'800 * kMicrosPerSecond), "7d");
  EXPECT_EQ(format_duration(3'600 * kMicrosPerSecond), "1h");
}

RC_GTEST_PROP(FormatDuration, ReadsBackAsTheSameDuration, ()) {
  const auto unit = *rc::gen::element<DurationUs>(1, 1'000, 1'000'000, 60'000'000, kMicrosPerDay);
  const DurationUs d = *rc::gen::inRange<DurationUs>(0, kMaxTime / unit) * unit;
  const auto back = parse_duration(format_duration(d));
  RC_ASSERT(back.ok());
  RC_ASSERT(*back == d);
}

}  // namespace
}  // namespace tidemill
