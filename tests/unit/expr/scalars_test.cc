#include "shared/expr/scalars.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>

#include "shared/base/time.h"

namespace tidemill {
namespace {

TEST(Scalars, ReadIntegers) {
  int64_t v = 0;
  for (const char* good : {"0", " 12 ", "+12", "-12", "9223372036854775807"}) {
    EXPECT_TRUE(text_to_int(good, &v)) << good;
  }
  for (const char* bad : {"", " ", "+", "+-1", "1 2", "1.0", "0x1", "9223372036854775808", "--1"}) {
    EXPECT_FALSE(text_to_int(bad, &v)) << bad;
  }
  EXPECT_TRUE(text_to_int("-9223372036854775808", &v));
  EXPECT_EQ(v, std::numeric_limits<int64_t>::min());
}

TEST(Scalars, ReadDoubles) {
  double v = 0;
  for (const char* good : {"0", "1.5e3", " .5 ", "+2.", "NaN", "Infinity", "-inf"}) {
    EXPECT_TRUE(text_to_double(good, &v)) << good;
  }
  for (const char* bad : {"", "e3", "1,5", "1.5x", "nan(1)", "1e400", "0x1p3"}) {
    EXPECT_FALSE(text_to_double(bad, &v)) << bad;
  }
}

TEST(Scalars, ReadBools) {
  bool v = false;
  for (const char* yes : {"t", "TRUE", "tr", "y", "yes", "on", "1", " true "}) {
    EXPECT_TRUE(text_to_bool(yes, &v) && v) << yes;
  }
  for (const char* no : {"f", "False", "n", "no", "off", "of", "0"}) {
    EXPECT_TRUE(text_to_bool(no, &v) && !v) << no;
  }
  for (const char* bad : {"", "o", "2", "truer", "yess", "10"}) {
    EXPECT_FALSE(text_to_bool(bad, &v)) << bad;
  }
}

TEST(Scalars, ReadDatesAlone) {
  int64_t v = 0;
  EXPECT_TRUE(text_to_timestamp("1970-01-02", &v));
  EXPECT_EQ(v, kMicrosPerDay);
  EXPECT_FALSE(text_to_timestamp("1970-02-30", &v));
  EXPECT_FALSE(text_to_timestamp("1970-1-2", &v));
}

TEST(Scalars, RoundHalvesToEven) {
  constexpr int64_t kLow = std::numeric_limits<int64_t>::min();
  constexpr int64_t kHigh = std::numeric_limits<int64_t>::max();
  int64_t v = 0;
  EXPECT_TRUE(double_to_int(0.5, kLow, kHigh, &v) && v == 0);
  EXPECT_TRUE(double_to_int(1.5, kLow, kHigh, &v) && v == 2);
  EXPECT_TRUE(double_to_int(-2.5, kLow, kHigh, &v) && v == -2);
  EXPECT_TRUE(double_to_int(-9223372036854775808.0, kLow, kHigh, &v) && v == kLow);
  EXPECT_FALSE(double_to_int(9223372036854775808.0, kLow, kHigh, &v));
  EXPECT_FALSE(double_to_int(std::nan(""), kLow, kHigh, &v));
  EXPECT_FALSE(double_to_int(2147483647.5, -2147483648, 2147483647, &v));
}

RC_GTEST_PROP(Scalars, DoublesReadBack, (double value)) {
  TextBuffer buffer;
  double again = 0;
  RC_ASSERT(text_to_double(double_to_text(value, &buffer), &again));
  RC_ASSERT(again == value);
}

RC_GTEST_PROP(Scalars, TimestampsAreWrittenAsEverywhereElse, ()) {
  const auto t = *rc::gen::oneOf(rc::gen::arbitrary<int64_t>(),
                                 rc::gen::inRange<int64_t>(-62135596800000000, 253402300800000000));
  TextBuffer buffer;
  RC_ASSERT(timestamp_to_text(t, &buffer) == format_timestamp(t));
}

}  // namespace
}  // namespace tidemill
