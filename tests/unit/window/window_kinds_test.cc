// Tumbling, hopping and session windows, and defaults: worked examples of docs/semantics.md, and
// every function over every kind against the reference.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "shared/base/hash.h"
#include "shared/window/window_bounds.h"
#include "tests/unit/window/any_seed.h"
#include "tests/unit/window/window_fixture.h"

namespace tidemill::testing {
namespace {

using Unit = WindowSteps::Unit;

constexpr DurationUs kHour = 3'600'000'000;
constexpr DurationUs kDay = kMicrosPerDay;
constexpr DurationUs kSpan = 100 * kDay;  // of the rows of a case
const char* const kZones[] = {"UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo",
                              "Asia/Kolkata"};

TimeUs at(const char* text) {
  TimeUs out = 0;
  EXPECT_TRUE(parse_timestamp(text, &out)) << text;
  return out;
}

std::shared_ptr<const WindowSteps> steps(Unit unit, int64_t every, int64_t window,
                                         const char* zone = "UTC") {
  WindowSteps out;
  out.unit = unit;
  out.every = every;
  out.window = window;
  out.zone = *TimeZone::find(zone);
  return std::make_shared<const WindowSteps>(out);
}

// How far before as_of it looks, at most.
DurationUs reach(const FeatureSpec& f) {
  DurationUs out = f.offset + f.gap + f.window;
  if (f.steps == nullptr) return out;
  const DurationUs unit = f.steps->unit == Unit::kMicros  ? 1
                          : f.steps->unit == Unit::kDays  ? kDay
                          : f.steps->unit == Unit::kWeeks ? 7 * kDay
                                                          : 31 * kDay;
  const DurationUs window_unit = f.steps->unit == Unit::kWeeks ? kDay : unit;
  return f.offset + f.steps->every * unit + f.steps->window * window_unit + 26 * kHour;
}

// Makes a window of another kind of it, as long as cases are.
void vary(FeatureSpec* f, Random* random) {
  const char* zone = kZones[(*random)() % std::size(kZones)];
  const auto count = [&](uint64_t most) { return static_cast<int64_t>(1 + (*random)() % most); };
  const uint64_t kind = (*random)() % 7;
  switch (kind == 4 && f->half_life > 0 ? 5 : kind) {  // what decays has no lifetime windows
    case 0: {
      const int64_t every = count(10 * kDay);
      f->steps = steps(Unit::kMicros, every, every * count(3) + count(2) % 2 * kHour);
      break;
    }
    case 1: {
      const int64_t every = count(10);
      f->steps = steps(Unit::kDays, every, every + count(20) - 1, zone);
      break;
    }
    case 2: {
      const int64_t every = count(2);
      f->steps = steps(Unit::kWeeks, every, every * 7 + count(20) - 1, zone);
      break;
    }
    case 3: {
      const int64_t every = count(3);
      f->steps = steps(Unit::kMonths, every, every + count(3) - 1, zone);
      break;
    }
    case 4:
      f->steps = steps(Unit::kDays, count(5), 0, zone);
      f->lifetime = true;
      f->window = 0;
      break;
    default:
      f->gap = count(static_cast<uint64_t>(kSpan) >> (*random)() % 12);
      f->window = count(static_cast<uint64_t>(kSpan) >> (*random)() % 6);
  }
  if (f->list && (*random)() % 2 == 0) f->otherwise = ListValue();
}

// Rows of a hundred days around a change of clocks, some of them where days begin.
std::vector<Row> long_rows(size_t count, const RowShape& shape, const TableSchema& schema,
                           Random* random) {
  std::vector<Row> rows = random_rows(count, shape, schema, random);
  const TimeUs start = at((*random)() % 2 == 0 ? "2018-02-10T07:11:13Z" : "2018-09-01T00:00:00Z");
  DurationUs farthest = 1;
  for (const Row& row : rows) farthest = std::max(farthest, std::abs(row.time - kStart));
  const DurationUs stretch = std::max<DurationUs>(1, kSpan / farthest);
  for (Row& row : rows) {
    row.time = start + (row.time - kStart) * stretch;
    if ((*random)() % 16 != 0) continue;
    const TimeZone zone = *TimeZone::find(kZones[(*random)() % std::size(kZones)]);
    row.time = zone.start_of_day(zone.day_of(row.time));
  }
  return rows;
}

TimeUs some_time(const std::vector<Row>& rows, Random* random) {
  const TimeUs time = rows[(*random)() % rows.size()].time;
  const TimeZone zone = *TimeZone::find(kZones[(*random)() % std::size(kZones)]);
  switch ((*random)() % 4) {
    case 0:
      return zone.start_of_day(zone.day_of(time));
    case 1:
      return time + static_cast<int64_t>((*random)() % (2 * kDay));
    default:
      return time;
  }
}

TableSchemas with_lifetime(TableSchema schema, const std::vector<FeatureSpec>& features) {
  for (const FeatureSpec& f : features) {
    if (f.lifetime) schema.lifetime.push_back(f);
  }
  return std::make_shared<const std::vector<TableSchema>>(std::vector{std::move(schema)});
}

std::vector<FeatureSpec> varied_features(size_t count, const TableSchema& schema, Random* random) {
  std::vector<FeatureSpec> out = random_features(count, schema, 10 * kDay, random);
  for (FeatureSpec& f : out) vary(&f, random);
  return out;
}

class WindowKinds : public ::testing::Test {
 protected:
  void add(const char* time, double amount, bool passes = true) {
    Row row;
    row.time = at(time);
    row.cells = {amount, int64_t{1}, int64_t{1}, true, std::string("x"), row.time};
    row.filters = {passes, !passes};
    append_rows(&state_, 0, schema_, keyed({row}, "596", schema_));
  }
  FeatureSpec sum(std::shared_ptr<const WindowSteps> steps, Closed closed = Closed::kLeft) const {
    FeatureSpec f;
    f.function = Function::kSum;
    f.column = kAmount;
    f.type = ColumnType::kDouble;
    f.closed = closed;
    f.steps = std::move(steps);
    return f;
  }
  FeatureSpec session(DurationUs gap, DurationUs longest, Closed closed = Closed::kRight) const {
    FeatureSpec f = sum(nullptr, closed);
    f.gap = gap;
    f.window = longest;
    return f;
  }
  FeatureValue value(const FeatureSpec& feature, const char* as_of) const {
    return compute(state_, 0, "596", hash_entity_key("596", schema_.entity_seed), {feature},
                   at(as_of))[0];
  }

  TableSchema schema_ = every_type_schema(kMaxTime);
  PartitionState state_{test_schemas(kMaxTime)};
};

TEST_F(WindowKinds, TumblingHoursEndAtFullHours) {
  add("2018-04-01T10:00:00Z", 1);
  add("2018-04-01T10:59:59Z", 2);
  add("2018-04-01T11:00:00Z", 4);
  const FeatureSpec hour = sum(steps(Unit::kMicros, kHour, kHour));
  EXPECT_EQ(value(hour, "2018-04-01T10:59:59.999999Z"), FeatureValue());
  EXPECT_EQ(value(hour, "2018-04-01T11:00:00Z"), FeatureValue(3.0));
  EXPECT_EQ(value(hour, "2018-04-01T11:59:59Z"), FeatureValue(3.0));
  EXPECT_EQ(value(hour, "2018-04-01T12:00:00Z"), FeatureValue(4.0));
  EXPECT_EQ(value(hour, "2018-04-01T13:00:00Z"), FeatureValue());
  EXPECT_EQ(value(sum(hour.steps, Closed::kRight), "2018-04-01T11:30:00Z"), FeatureValue(6.0));
  EXPECT_EQ(value(sum(hour.steps, Closed::kBoth), "2018-04-01T11:30:00Z"), FeatureValue(7.0));
  EXPECT_EQ(value(sum(hour.steps, Closed::kNeither), "2018-04-01T11:30:00Z"), FeatureValue(2.0));
}

TEST_F(WindowKinds, HoppingWindowsOverlapAndNeedNotDivide) {
  add("2018-04-01T10:10:00Z", 1);
  add("2018-04-01T10:50:00Z", 2);
  const FeatureSpec hour = sum(steps(Unit::kMicros, kHour / 4, kHour));
  EXPECT_EQ(value(hour, "2018-04-01T10:29:00Z"), FeatureValue(1.0));
  EXPECT_EQ(value(hour, "2018-04-01T11:14:00Z"), FeatureValue(3.0));
  EXPECT_EQ(value(hour, "2018-04-01T11:15:00Z"), FeatureValue(2.0));
  // Multiples of 25 minutes since the epoch: 10:40 is one, as 1522579200 = 1500 * 1015052 + 1200.
  const FeatureSpec odd = sum(steps(Unit::kMicros, 25 * 60'000'000ll, kHour));
  EXPECT_EQ(value(odd, "2018-04-01T10:39:59Z"), FeatureValue(1.0)) << "(9:15, 10:15]";
  EXPECT_EQ(value(odd, "2018-04-01T11:04:59Z"), FeatureValue(1.0)) << "(9:40, 10:40]";
}

TEST_F(WindowKinds, DaysAreThoseOfTheTimeZone) {
  add("2018-03-24T23:30:00Z", 1);  // 25 March 00:30 in Berlin, a day of 23 hours
  add("2018-03-25T21:59:59Z", 2);
  add("2018-03-25T22:00:00Z", 4);  // 26 March 00:00
  const FeatureSpec day = sum(steps(Unit::kDays, 1, 1, "Europe/Berlin"));
  EXPECT_EQ(value(day, "2018-03-25T21:59:59Z"), FeatureValue()) << "the 24th";
  EXPECT_EQ(value(day, "2018-03-25T22:00:00Z"), FeatureValue(3.0));
  EXPECT_EQ(value(day, "2018-03-26T21:59:59Z"), FeatureValue(3.0));
  EXPECT_EQ(value(day, "2018-03-26T22:00:00Z"), FeatureValue(4.0));
  FeatureSpec earlier = day;
  earlier.offset = kDay;
  EXPECT_EQ(value(earlier, "2018-03-26T22:00:00Z"), FeatureValue(3.0));
  EXPECT_EQ(value(sum(steps(Unit::kDays, 1, 1)), "2018-03-26T05:00:00Z"), FeatureValue(6.0));
}

TEST_F(WindowKinds, WeeksBeginOnMondayAndMonthsOnTheFirst) {
  add("2018-03-31T22:30:00Z", 1);  // Sunday, 1 April, 00:30 in Berlin
  add("2018-04-01T21:59:00Z", 2);
  add("2018-04-02T00:00:00Z", 4);  // Monday
  const FeatureSpec week = sum(steps(Unit::kWeeks, 1, 7, "Europe/Berlin"));
  EXPECT_EQ(value(week, "2018-04-01T21:59:59Z"), FeatureValue());
  EXPECT_EQ(value(week, "2018-04-01T22:00:00Z"), FeatureValue(3.0));
  EXPECT_EQ(value(week, "2018-04-08T22:00:00Z"), FeatureValue(4.0));
  const FeatureSpec month = sum(steps(Unit::kMonths, 1, 1, "Europe/Berlin"));
  EXPECT_EQ(value(month, "2018-04-30T21:59:59Z"), FeatureValue()) << "March";
  EXPECT_EQ(value(month, "2018-04-30T22:00:00Z"), FeatureValue(7.0)) << "April";
  EXPECT_EQ(value(sum(steps(Unit::kMonths, 1, 2)), "2018-04-15T00:00:00Z"), FeatureValue(1.0));
}

TEST_F(WindowKinds, ALifetimeWindowMayEndAtABoundaryToo) {
  add("2018-04-01T10:00:00Z", 1);
  add("2018-04-02T10:00:00Z", 2);
  FeatureSpec all = sum(steps(Unit::kDays, 1, 0));
  all.lifetime = true;
  EXPECT_EQ(value(all, "2018-04-02T23:00:00Z"), FeatureValue(1.0));
  EXPECT_EQ(value(all, "2018-04-03T00:00:00Z"), FeatureValue(3.0));
}

TEST(StepsOfTheCalendar, HoldAtTheEndsOfTime) {
  for (const char* zone : kZones) {
    for (const Unit unit : {Unit::kMicros, Unit::kDays, Unit::kWeeks, Unit::kMonths}) {
      FeatureSpec f;
      f.steps = steps(unit, 3, 40, zone);
      for (const TimeUs t : {kMinTime, kMinTime + kDay, TimeUs{-1}, TimeUs{0}, kMaxTime}) {
        const WindowBounds bounds = window_bounds(f, t);
        EXPECT_LE(bounds.begin, bounds.end);
        EXPECT_LE(bounds.end, static_cast<__int128>(t) + 1);
      }
    }
  }
}

TEST_F(WindowKinds, ASessionReachesBackToTheFirstLongGap) {
  add("2018-04-01T10:00:00Z", 1);
  add("2018-04-01T10:30:00Z", 2);
  add("2018-04-01T11:00:00Z", 4);
  add("2018-04-01T11:30:01Z", 8);
  const FeatureSpec half_hour = session(kHour / 2, kDay);
  EXPECT_EQ(value(half_hour, "2018-04-01T11:15:00Z"), FeatureValue(7.0));
  EXPECT_EQ(value(half_hour, "2018-04-01T11:30:00Z"), FeatureValue(7.0))
      << "a gap of 30 min is none";
  EXPECT_EQ(value(half_hour, "2018-04-01T11:30:00.000001Z"), FeatureValue());
  EXPECT_EQ(value(half_hour, "2018-04-01T11:30:01Z"), FeatureValue(8.0));
  EXPECT_EQ(value(session(kHour / 2, kDay, Closed::kLeft), "2018-04-01T11:00:00Z"),
            FeatureValue(3.0));
  FeatureSpec late = half_hour;
  late.offset = kHour;
  EXPECT_EQ(value(late, "2018-04-01T12:00:00Z"), FeatureValue(7.0));
  EXPECT_EQ(value(late, "2018-04-01T12:30:01Z"), FeatureValue(8.0));
}

TEST_F(WindowKinds, ASessionIsCutAndSeesItsFilterAlone) {
  add("2018-04-01T10:00:00Z", 1);
  add("2018-04-01T10:30:00Z", 2, false);
  add("2018-04-01T11:00:00Z", 4);
  EXPECT_EQ(value(session(kHour / 2, kHour), "2018-04-01T11:10:00Z"), FeatureValue(7.0));
  EXPECT_EQ(value(session(kHour / 2, kHour - 1), "2018-04-01T11:10:00Z"), FeatureValue(6.0));
  FeatureSpec passing = session(kHour / 2, kDay);
  passing.filter = 0;
  EXPECT_EQ(value(passing, "2018-04-01T11:10:00Z"), FeatureValue(4.0)) << "an hour between them";
  passing.gap = kHour;
  EXPECT_EQ(value(passing, "2018-04-01T11:10:00Z"), FeatureValue(5.0));
}

TEST_F(WindowKinds, ADefaultStandsForNullAndForNothingElse) {
  add("2018-04-01T10:00:00Z", 0.0);
  FeatureSpec f = sum(nullptr);
  f.window = kHour;
  f.otherwise = -1.0;
  EXPECT_EQ(value(f, "2018-04-01T10:30:00Z"), FeatureValue(0.0));
  EXPECT_EQ(value(f, "2018-04-01T11:30:00Z"), FeatureValue(-1.0));
  f.function = Function::kStddevSamp;
  EXPECT_EQ(value(f, "2018-04-01T10:30:00Z"), FeatureValue(-1.0)) << "of one value there is none";
  f.function = Function::kLastN;
  f.list = true;
  f.n = 3;
  f.otherwise = ListValue{7.0, 8.0};
  EXPECT_EQ(value(f, "2018-04-01T11:30:00Z"), FeatureValue(ListValue{7.0, 8.0}));
  EXPECT_EQ(compute(state_, 0, "nobody", 3, {f}, at("2018-04-01T10:30:00Z"))[0],
            FeatureValue(ListValue{7.0, 8.0}));
}

// One feature of each kind for each function, column, filter, closed and offset.
std::vector<FeatureSpec> every_kind(const TableSchema& schema) {
  std::vector<FeatureSpec> out;
  for (const FeatureSpec& f : all_features(schema, {3 * kHour}, {0, 50 * kHour})) {
    FeatureSpec kind = f;
    kind.steps = steps(Unit::kMicros, kHour, 3 * kHour);
    out.push_back(kind);
    kind.steps = steps(Unit::kDays, 1, 1, "America/New_York");
    out.push_back(kind);
    kind.steps = steps(Unit::kWeeks, 1, 21, "Europe/Berlin");
    out.push_back(kind);
    kind.steps = steps(Unit::kMonths, 1, 2, "America/Sao_Paulo");
    out.push_back(kind);
    kind = f;
    kind.gap = 12 * kHour;
    kind.window = 10 * kDay;
    out.push_back(kind);
  }
  return out;
}

TEST(WindowKindsOfEveryFunction, AgreeWithTheReferenceOnEveryFilterAndEdge) {
  const TableSchema schema = every_type_schema(kMaxTime);
  const auto features = every_kind(schema);
  for (const int values : {0, 2}) {
    Random random(static_cast<uint64_t>(values));
    const auto rows =
        long_rows(500, {.times = 1, .values = values, .nulls_percent = 10, .late_percent = 20},
                  schema, &random);
    PartitionState state(test_schemas(kMaxTime));
    const auto all = keyed(rows, "596", schema);
    append_rows(&state, 0, schema, all);
    for (int i = 0; i < 2; ++i) {
      const TimeUs as_of = some_time(rows, &random);
      const auto expected = reference_all(rows, schema, features, as_of);
      ASSERT_EQ(
          difference(features, expected, compute(state, 0, "596", all[0].hash, features, as_of)),
          "");
    }
  }
}

// Any order, any batches, images, restarts, what was read before: the same bits.
RC_GTEST_PROP(WindowKindsOfEveryFunction, DependOnTheRowsAlone, ()) {
  Random random(any_seed());
  TableSchema schema = every_type_schema(kMaxTime);
  RowShape shape;
  shape.times = *rc::gen::inRange(0, 3);
  shape.values = *rc::gen::inRange(0, 3);
  shape.nulls_percent = *rc::gen::element(0, 30);
  shape.late_percent = *rc::gen::element(0, 10, 90);
  const auto rows = long_rows(*rc::gen::inRange<size_t>(1, 500), shape, schema, &random);
  const auto features = varied_features(20, schema, &random);
  const TableSchemas schemas = with_lifetime(schema, features);
  auto all = keyed(rows, "key", schema);
  PartitionState in_order(schemas), shuffled(schemas);
  const size_t middle = random() % (all.size() + 1);
  append_rows(&in_order, 0, schema, std::span(all).first(middle));
  PartitionState continued = restarted(in_order, schemas);
  for (PartitionState* state : {&in_order, &continued}) {
    append_rows(state, 0, schema, std::span(all).subspan(middle));
  }
  for (size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[random() % i]);
  for (const KeyedRow& row : all) append_rows(&shuffled, 0, schema, std::span(&row, 1));
  PartitionState again = restarted(shuffled, schemas);
  for (const PartitionState* state : {&shuffled, &continued, &again}) {
    RC_ASSERT(images(*state) == images(in_order));
  }
  for (int i = 0; i < 2; ++i) {
    const TimeUs as_of = some_time(rows, &random);
    const auto expected = reference_all(rows, schema, features, as_of);
    for (const PartitionState* state : {&in_order, &shuffled, &continued, &again}) {
      RC_ASSERT(difference(features, expected,
                           compute(*state, 0, "key", all[0].hash, features, as_of)) == "");
    }
  }
}

// What is kept is enough, and what comes later than that is seen by none of them.
RC_GTEST_PROP(WindowKindsOfEveryFunction, NeedNoMoreThanTheyReachBack, ()) {
  Random random(any_seed());
  TableSchema schema = every_type_schema(0);
  const auto rows = long_rows(*rc::gen::inRange<size_t>(1, 500), {.times = 1, .late_percent = 20},
                              schema, &random);
  const auto features = varied_features(3, schema, &random);
  for (const FeatureSpec& f : features) schema.retention = std::max(schema.retention, reach(f));
  PartitionState state(with_lifetime(schema, features));
  const auto all = keyed(rows, "key", schema);
  std::vector<Row> so_far;
  TimeUs leading = kMinTime;
  for (size_t first = 0; first < all.size();) {
    const size_t count = std::min(all.size() - first, 1 + random() % 150);
    append_rows(&state, 0, schema, std::span(all).subspan(first, count));
    for (size_t i = first; i < first + count; ++i) {
      so_far.push_back(rows[i]);
      leading = std::max(leading, rows[i].time);
    }
    first += count;
    state.raise_horizon(leading - static_cast<int64_t>(random() % kDay));
    const TimeUs as_of = std::max(state.horizon(), some_time(so_far, &random));
    RC_ASSERT(difference(features, reference_all(so_far, schema, features, as_of),
                         compute(state, 0, "key", all[0].hash, features, as_of)) == "");
  }
}

// A key with many chunks and groups: sessions that end within one, between two, and nowhere.
RC_GTEST_PROP(SessionsOfHotKeys, AgreeWithTheReference, ()) {
  Random random(any_seed());
  const TableSchema schema = one_double_schema(kMaxTime);
  std::vector<Row> rows;
  TimeUs clock = kStart;
  const size_t count = *rc::gen::inRange<size_t>(1, 20'000);
  for (size_t i = 0; i < count; ++i) {
    clock += static_cast<int64_t>(random() % 1000);
    if (random() % 3000 == 0) clock += 1'000'000;
    rows.push_back(
        {clock - (random() % 50 == 0 ? static_cast<int64_t>(random() % 100'000) : 0), {1.0}, {}});
  }
  PartitionState state(test_schemas(kMaxTime));
  const auto all = keyed(rows, "hot", schema);
  append_rows(&state, 1, schema, all);
  std::vector<FeatureSpec> features;
  for (const DurationUs gap : {1, 600, 1000, 100'000, 2'000'000}) {
    for (const DurationUs longest : {10'000, 5'000'000, 1'000'000'000}) {
      FeatureSpec f;
      f.function = Function::kCount;
      f.gap = gap;
      f.window = longest;
      features.push_back(f);
    }
  }
  for (int i = 0; i < 5; ++i) {
    const TimeUs as_of = rows[random() % rows.size()].time + static_cast<int64_t>(random() % 3);
    RC_ASSERT(difference(features, reference_all(rows, schema, features, as_of),
                         compute(state, 1, "hot", all[0].hash, features, as_of)) == "");
  }
}

}  // namespace
}  // namespace tidemill::testing
