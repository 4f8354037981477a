// Since when copies of a changed job's state have all rows.
#include "shared/state/floors.h"

#include <gtest/gtest.h>

namespace tidemill {
namespace {

constexpr DurationUs kDay = kMicrosPerDay;
constexpr TimeUs kNow = 1000 * kDay;

TableSchema table(DurationUs retention, std::optional<DurationUs> first = std::nullopt) {
  TableSchema out;
  out.entity = "key";
  out.retention = retention;
  out.first_retention = first;
  return out;
}

TableSchema further(DurationUs retention) {
  TableSchema out = table(retention);
  out.further = true;
  return out;
}

StateHead head_at(TimeUs horizon, TimeUs newest) {
  StateHead out;
  out.horizon = horizon;
  out.offsets = {{5, newest - 3, false, {}}, {7, newest, false, {}}};
  return out;
}

TEST(Floors, AJobThatWasNotChangedSoHasNone) {
  StateHead head = head_at(kNow, kNow + kDay);
  keep_as_of({table(kDay)}, &head);
  take_floors_of_rows({table(kDay)}, {}, &head);
  take_floors_of_images({table(kDay)}, {}, kNow, &head);
  EXPECT_TRUE(head.floors.empty());
}

TEST(Floors, WhatIsKeptLongerIsThereFromWhatWasKeptUntilThen) {
  StateHead head = head_at(kNow, kNow + kDay);
  keep_as_of({table(30 * kDay, 7 * kDay), table(kDay)}, &head);
  EXPECT_EQ(head.floors, (TableFloors{{30 * kDay, kNow - 7 * kDay}, {kDay, kMinTime}}));
  // It does not rise with the horizon, but with the next change.
  head.horizon += kDay;
  keep_as_of({table(30 * kDay, 7 * kDay), table(kDay)}, &head);
  EXPECT_EQ(head.floors[0].floor, kNow - 7 * kDay);
  keep_as_of({table(60 * kDay, 7 * kDay), table(2 * kDay, kDay)}, &head);
  EXPECT_EQ(head.floors, (TableFloors{{60 * kDay, kNow - 7 * kDay}, {2 * kDay, kNow}}));
  // Nothing was below the horizon of a state that had none.
  StateHead nothing;
  keep_as_of({table(30 * kDay, 7 * kDay)}, &nothing);
  EXPECT_EQ(nothing.floors, (TableFloors{{30 * kDay, kMinTime}}));
}

TEST(Floors, OfABoundTheyLieBetweenTiles) {
  TableSchema bounded = table(30 * kDay, 7 * kDay);
  auto bound = std::make_shared<TileBound>();
  bound->tile_shift = 40;
  bounded.bound = bound;
  StateHead head = head_at(kNow, kNow);
  keep_as_of({bounded}, &head);
  EXPECT_EQ(head.floors[0].floor, (kNow - 7 * kDay) >> 40 << 40) << "whole tiles were kept";
  bounded.first_retention.reset();
  bounded.further = true;
  StateHead other = head_at(kNow, kNow);
  keep_as_of({bounded}, &other);
  EXPECT_EQ(other.floors[0].floor, ((kNow >> 40) + 1) << 40) << "a tile that has begun has not all";
}

TEST(Floors, AFurtherTableHasNoRowOfWhatWasAppliedBefore) {
  const std::vector<TableSchema> before{table(kDay)};
  std::vector<TableSchema> after{table(kDay), further(kDay)};
  StateHead head = head_at(kNow - kDay, kNow);
  keep_as_of(before, &head);
  keep_as_of(after, &head);
  EXPECT_EQ(head.floors, (TableFloors{{kDay, kMinTime}, {kDay, kNow + 1}}));
  // What a reader sends that has not heard of it raises it, and no other.
  head.offsets[0].max_event_time = kNow + 50;
  raise_floors_of_unknown(after, 2, &head);
  EXPECT_EQ(head.floors[1].floor, kNow + 1);
  raise_floors_of_unknown(after, 1, &head);
  EXPECT_EQ(head.floors, (TableFloors{{kDay, kMinTime}, {kDay, kNow + 51}}));
  // An event may be ahead of what M_s shows.
  after[1].max_future = 1'000;
  raise_floors_of_unknown(after, 1, &head);
  EXPECT_EQ(head.floors[1].floor, kNow + 1'051);
}

TEST(Floors, TheGreaterOfTwoCounts) {
  const std::vector<TableSchema> tables{table(30 * kDay, 7 * kDay), further(kDay)};
  StateHead head = head_at(kNow, kNow);
  keep_as_of(tables, &head);
  take_floors_of_rows(tables, {{7 * kDay, 5}, {kDay, kNow + 9}}, &head);
  EXPECT_EQ(head.floors, (TableFloors{{30 * kDay, kNow - 7 * kDay}, {kDay, kNow + 9}}));
  take_floors_of_rows(tables, {{30 * kDay, kNow - kDay}, {kDay, kNow}}, &head);
  EXPECT_EQ(head.floors, (TableFloors{{30 * kDay, kNow - kDay}, {kDay, kNow + 9}}));
  // Of an owner that has not heard of a table none of its rows came.
  head.offsets[1].max_event_time = kNow + 100;
  take_floors_of_rows(tables, {}, &head);
  EXPECT_EQ(head.floors[1].floor, kNow + 101);
}

// Images of a state that was kept for less long have rows from there on, whatever it says.
TEST(Floors, ImagesAreAsOldAsTheirStateWasKept) {
  const std::vector<TableSchema> tables{table(30 * kDay, 7 * kDay)};
  StateHead fresh;
  keep_as_of(tables, &fresh);
  take_floors_of_images(tables, {}, kNow, &fresh);
  EXPECT_EQ(fresh.floors, (TableFloors{{30 * kDay, kNow - 7 * kDay}}));
  StateHead other;
  keep_as_of(tables, &other);
  take_floors_of_images(tables, {{10 * kDay, kNow - 20 * kDay}}, kNow, &other);
  EXPECT_EQ(other.floors[0].floor, kNow - 10 * kDay);
  StateHead whole;
  keep_as_of(tables, &whole);
  take_floors_of_images(tables, {{30 * kDay, kNow - 20 * kDay}}, kNow, &whole);
  EXPECT_EQ(whole.floors[0].floor, kNow - 20 * kDay);
}

TEST(Floors, AreStored) {
  StateHead head = head_at(kNow, kNow);
  head.floors = {{30 * kDay, kNow - 7 * kDay}, {kDay, kMinTime}};
  EXPECT_EQ(from_proto(to_proto(head)), head);
}

TEST(Floors, OfAReportAreTheGreatest) {
  proto::JobReport report;
  add_floors({{kDay, 5}, {kDay, kMinTime}}, &report);
  add_floors({{kDay, 4}, {kDay, 8}, {kDay, 1}}, &report);
  ASSERT_EQ(report.floors_us_size(), 3);
  EXPECT_EQ(report.floors_us(0), 5);
  EXPECT_EQ(report.floors_us(1), 8);
  EXPECT_EQ(report.floors_us(2), 1);
}

}  // namespace
}  // namespace tidemill
