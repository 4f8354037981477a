// Time zones against changes of clocks that are on record.
#include "shared/base/time_zone.h"

#include <gtest/gtest.h>

namespace tidemill {
namespace {

TimeUs at(const char* text) {
  TimeUs out = 0;
  EXPECT_TRUE(parse_timestamp(text, &out)) << text;
  return out;
}

int64_t day(const char* date) {
  return at((std::string(date) + "T00:00:00Z").c_str()) / kMicrosPerDay;
}

TimeZone zone(const char* name) {
  Result<TimeZone> out = TimeZone::find(name);
  EXPECT_TRUE(out.ok()) << name;
  return *out;
}

TEST(TimeZone, NamesAreThoseOfTzdataAndLeadNowhereElse) {
  EXPECT_EQ(zone("Europe/Berlin").name(), "Europe/Berlin");
  EXPECT_EQ(zone("Etc/GMT+5").name(), "Etc/GMT+5");
  EXPECT_EQ(TimeZone().name(), "UTC");
  for (const char* name :
       {"", "Europe", "Europe/Atlantis", "europe/berlin", "localtime", "../passwd", "Europe/../UTC",
        "/etc/localtime", "right/UTC", "Fixed/UTC+01:00:00"}) {
    const Result<TimeZone> found = TimeZone::find(name);
    ASSERT_FALSE(found.ok()) << name;
    EXPECT_NE(found.error().message().find("IANA name"), std::string::npos);
  }
  EXPECT_FALSE(time_zone_release().empty());
}

TEST(TimeZone, DaysBeginAtMidnightThere) {
  EXPECT_EQ(TimeZone().start_of_day(day("2018-03-25")), at("2018-03-25T00:00:00Z"));
  const TimeZone berlin = zone("Europe/Berlin");  // summer time 2018-03-25 to 2018-10-28
  EXPECT_EQ(berlin.start_of_day(day("2018-03-25")), at("2018-03-24T23:00:00Z"));
  EXPECT_EQ(berlin.start_of_day(day("2018-03-26")), at("2018-03-25T22:00:00Z"));
  EXPECT_EQ(berlin.start_of_day(day("2018-10-29")) - berlin.start_of_day(day("2018-10-28")),
            25 * 3600 * kMicrosPerSecond);
  EXPECT_EQ(zone("Asia/Kolkata").start_of_day(day("2018-06-01")), at("2018-05-31T18:30:00Z"));
  EXPECT_EQ(berlin.day_of(at("2018-03-25T22:00:00Z") - 1), day("2018-03-25"));
  EXPECT_EQ(berlin.day_of(at("2018-03-25T22:00:00Z")), day("2018-03-26"));
}

TEST(TimeZone, DaysWithoutOrWithTwoMidnightsBeginOnce) {
  // 2018-11-04: clocks in Sao Paulo went from 00:00 to 01:00, and on 2018-02-18 back to 23:00.
  const TimeZone sao_paulo = zone("America/Sao_Paulo");
  EXPECT_EQ(sao_paulo.start_of_day(day("2018-11-04")), at("2018-11-04T03:00:00Z"));
  EXPECT_EQ(sao_paulo.start_of_day(day("2018-02-18")), at("2018-02-18T03:00:00Z"));
  // 2018-11-04: clocks in Havana went from 01:00 back to 00:00.
  EXPECT_EQ(zone("America/Havana").start_of_day(day("2018-11-04")), at("2018-11-04T04:00:00Z"));
  // Samoa had no 30 December 2011.
  const TimeZone apia = zone("Pacific/Apia");
  EXPECT_EQ(apia.start_of_day(day("2011-12-30")), at("2011-12-30T10:00:00Z"));
  EXPECT_EQ(apia.start_of_day(day("2011-12-31")), at("2011-12-30T10:00:00Z"));
}

TEST(TimeZone, LocalTimesAndBack) {
  const TimeZone berlin = zone("Europe/Berlin");
  EXPECT_EQ(berlin.local_of(at("2018-07-01T10:00:00.5Z")), at("2018-07-01T12:00:00.5Z"));
  const LocalInstants once = berlin.instants_of(at("2018-07-01T12:00:00.25Z"));
  EXPECT_EQ(once.kind, LocalInstants::Kind::kOnce);
  EXPECT_EQ(once.by_offset_before, at("2018-07-01T10:00:00.25Z"));
  EXPECT_EQ(once.by_offset_after, once.by_offset_before);
  const LocalInstants skipped = berlin.instants_of(at("2018-03-25T02:30:00Z"));
  EXPECT_EQ(skipped.kind, LocalInstants::Kind::kSkipped);
  EXPECT_EQ(skipped.by_offset_before, at("2018-03-25T01:30:00Z"));
  EXPECT_EQ(skipped.change, at("2018-03-25T01:00:00Z"));
  EXPECT_EQ(skipped.by_offset_after, at("2018-03-25T00:30:00Z"));
  const LocalInstants twice = berlin.instants_of(at("2018-10-28T02:30:00Z"));
  EXPECT_EQ(twice.kind, LocalInstants::Kind::kTwice);
  EXPECT_EQ(twice.by_offset_before, at("2018-10-28T00:30:00Z"));
  EXPECT_EQ(twice.by_offset_after, at("2018-10-28T01:30:00Z"));
  for (const TimeUs end : {kMinTime, kMaxTime}) {
    EXPECT_NEAR(static_cast<double>(berlin.local_of(end)), static_cast<double>(end), 1e11);
  }
}

TEST(TimeZone, MonthsAreCountedFromTheEpoch) {
  EXPECT_EQ(first_day_of_month(0), 0);
  EXPECT_EQ(first_day_of_month(-1), -31);
  EXPECT_EQ(first_day_of_month(48 * 12 + 3), day("2018-04-01"));
  EXPECT_EQ(month_of_day(day("2018-04-30")), 48 * 12 + 3);
  EXPECT_EQ(month_of_day(-1), -1);
}

}  // namespace
}  // namespace tidemill
