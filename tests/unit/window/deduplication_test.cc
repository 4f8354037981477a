// Which rows count where a table deduplicates: worked examples of docs/semantics.md, and every
// function over what a look at all pairs of rows leaves.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "shared/base/hash.h"
#include "tests/unit/window/any_seed.h"
#include "tests/unit/window/window_fixture.h"

namespace tidemill::testing {
namespace {

constexpr DurationUs kSecond = kMicrosPerSecond;
constexpr size_t kColumns = 6;  // of every_type_schema()

// --- another way to find them: every pair of rows
// -------------------------------------------------

int compare_numbers(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return static_cast<int>(std::isnan(a)) - std::isnan(b);
  if (a != b) return a < b ? -1 : 1;
  return static_cast<int>(std::signbit(b)) - static_cast<int>(std::signbit(a));
}

int compare_cells(const Cell& a, const Cell& b) {
  const bool null_a = std::holds_alternative<std::monostate>(a);
  const bool null_b = std::holds_alternative<std::monostate>(b);
  if (null_a || null_b) return static_cast<int>(null_a) - static_cast<int>(null_b);
  if (const auto* x = std::get_if<double>(&a)) return compare_numbers(*x, std::get<double>(b));
  return a == b ? 0 : a < b ? -1 : 1;
}

bool same_id(const Row& a, const Row& b, const Deduplication& by) {
  for (const uint32_t c : by.by) {
    if (std::holds_alternative<std::monostate>(a.cells[c])) return false;
    if (compare_cells(a.cells[c], b.cells[c]) != 0) return false;
  }
  return true;
}

// Of one time and id.
int compare_rows(const Row& a, const Row& b, const Deduplication& by) {
  for (const uint32_t c : by.order) {
    if (const int order = compare_cells(a.cells[c], b.cells[c])) return order;
  }
  for (const uint32_t f : by.filters) {
    if (a.filters[f] != b.filters[f]) return a.filters[f] ? 1 : -1;
  }
  return 0;
}

std::vector<Row> rows_that_count(const std::vector<Row>& all, const Deduplication& by) {
  std::vector<Row> rows;
  for (const Row& row : all) {
    if (by.filter < 0 || row.filters[static_cast<size_t>(by.filter)]) rows.push_back(row);
  }
  std::vector<Row> out;
  for (size_t i = 0; i < rows.size(); ++i) {
    bool counts = true;
    for (size_t j = 0; j < rows.size() && counts; ++j) {
      const __int128 later_by = static_cast<__int128>(rows[i].time) - rows[j].time;
      if (i == j || later_by < 0 || later_by >= by.within || !same_id(rows[i], rows[j], by)) {
        continue;
      }
      const int order = later_by > 0 ? -1 : compare_rows(rows[j], rows[i], by);
      counts = order != 0 ? order > 0 : j > i;
    }
    if (counts) out.push_back(rows[i]);
  }
  return out;
}

// --- cases
// ----------------------------------------------------------------------------------------

TableSchemas tables_of(TableSchema schema, const Deduplication& by) {
  schema.deduplication = std::make_shared<const Deduplication>(by);
  return std::make_shared<const std::vector<TableSchema>>(std::vector{std::move(schema)});
}

struct Case {
  RowShape shape;
  Deduplication by;
  std::vector<Row> rows;
};

// Rows some of which come again, as they were or changed, a bit earlier or later.
void repeat_rows(DurationUs within, Random* random, std::vector<Row>* rows) {
  const size_t count = rows->size();
  for (size_t i = 0; i < count; ++i) {
    if ((*random)() % 4 != 0) continue;
    Row again = (*rows)[(*random)() % count];
    const auto away = static_cast<int64_t>((*random)() % (2 * static_cast<uint64_t>(within)));
    __int128 time = again.time;
    switch ((*random)() % 6) {
      case 0:
        time += away - within;
        break;
      case 1:
        time += within;
        break;
      case 2:
        time += within - 1;
        break;
      default:
        break;
    }
    again.time = static_cast<TimeUs>(
        std::clamp<__int128>(time, std::numeric_limits<TimeUs>::min(), kMaxTime));
    if ((*random)() % 2 == 0) {
      const size_t column = (*random)() % again.cells.size();
      again.cells[column] = (*rows)[(*random)() % count].cells[column];
    }
    if ((*random)() % 4 == 0) again.filters[(*random)() % 2] = (*random)() % 2 == 0;
    rows->push_back(std::move(again));
  }
}

Case any_case(const TableSchema& schema, Random* random, size_t most_rows) {
  Case out;
  out.shape.times = *rc::gen::inRange(0, 4);
  out.shape.values = *rc::gen::element(0, 2);
  out.shape.nulls_percent = *rc::gen::element(0, 0, 20);
  out.shape.late_percent = *rc::gen::element(0, 10, 90);
  const auto count = *rc::gen::inRange<size_t>(1, most_rows);
  out.rows = random_rows(count, out.shape, schema, random);
  out.by.within =
      *rc::gen::element<DurationUs>(1, 700, 20'000, kSecond, 60 * kSecond, 3600 * kSecond);
  out.by.by.push_back(*rc::gen::element<uint32_t>(kCount64, kCount32, kFlag, kName, kStamp));
  if (*rc::gen::inRange(0, 3) == 0) out.by.by.push_back(out.by.by[0] == kName ? kFlag : kName);
  out.by.filter = *rc::gen::element(-1, -1, 0);
  out.by.order = {kAmount, kCount64, kCount32, kFlag, kName, kStamp};
  for (size_t i = kColumns; i > 1; --i)
    std::swap(out.by.order[i - 1], out.by.order[(*random)() % i]);
  out.by.filters = (*random)() % 2 == 0 ? std::vector<uint32_t>{0, 1} : std::vector<uint32_t>{1, 0};
  // Few enough ids that they come again.
  const uint64_t ids = *rc::gen::element<uint64_t>(1, 10, 1000);
  for (Row& row : out.rows) {
    for (const int32_t column : {kCount64, kCount32, kStamp}) {
      if (std::holds_alternative<std::monostate>(row.cells[static_cast<size_t>(column)])) continue;
      row.cells[static_cast<size_t>(column)] = static_cast<int64_t>((*random)() % ids);
    }
  }
  repeat_rows(out.by.within, random, &out.rows);
  return out;
}

// Sliding and hopping windows and sessions.
std::vector<FeatureSpec> any_features(size_t count, const TableSchema& schema, DurationUs longest,
                                      Random* random) {
  std::vector<FeatureSpec> out = random_features(count, schema, longest, random);
  for (FeatureSpec& f : out) {
    const uint64_t kind = (*random)() % 4;
    if (kind == 0) {
      f.gap = 1 + static_cast<int64_t>((*random)() % static_cast<uint64_t>(longest)) /
                      (1 << (*random)() % 12);
    } else if (kind == 1) {
      WindowSteps steps;
      steps.unit = WindowSteps::Unit::kMicros;
      steps.window = f.window;
      steps.every = 1 + static_cast<int64_t>((*random)() % static_cast<uint64_t>(f.window));
      steps.zone = *TimeZone::find("UTC");
      f.steps = std::make_shared<const WindowSteps>(steps);
    }
  }
  return out;
}

DurationUs reach(const FeatureSpec& f) {
  return f.offset + f.window + f.gap + (f.steps == nullptr ? 0 : f.steps->every);
}

void append_in_batches(PartitionState* state, const TableSchema& schema,
                       std::span<const KeyedRow> rows, Random* random) {
  const size_t longest = 1 + (*random)() % 200;
  for (size_t at = 0; at < rows.size();) {
    const size_t length = std::min(rows.size() - at, 1 + (*random)() % longest);
    append_rows(state, 0, schema, rows.subspan(at, length));
    at += length;
  }
}

TimeUs latest(const std::vector<Row>& rows) {
  TimeUs out = kMinTime;
  for (const Row& row : rows) out = std::max(out, row.time);
  return out;
}

// Any order, any batches, images, restarts: the same bits, and those of the reference.
RC_GTEST_PROP(Deduplicated, ValuesDependOnTheRowsAlone, ()) {
  const TableSchema schema = every_type_schema(kMaxTime);
  Random random(any_seed());
  const Case c = any_case(schema, &random, 400);
  const TableSchemas schemas = tables_of(schema, c.by);
  PartitionState in_order(schemas), shuffled(schemas);
  std::vector<KeyedRow> rows = keyed(c.rows, "k", schema);
  const size_t middle = random() % (rows.size() + 1);
  append_in_batches(&in_order, schema, std::span(rows).first(middle), &random);
  PartitionState continued = restarted(in_order, schemas);
  for (PartitionState* state : {&in_order, &continued}) {
    append_in_batches(state, schema, std::span(rows).subspan(middle), &random);
  }
  std::shuffle(rows.begin(), rows.end(), random);
  append_in_batches(&shuffled, schema, rows, &random);
  PartitionState again = restarted(shuffled, schemas);
  RC_ASSERT(images(in_order) == images(shuffled));
  RC_ASSERT(images(in_order) == images(continued));
  RC_ASSERT(images(in_order) == images(again));

  const DurationUs longest =
      c.shape.times == 3 ? kMaxTime / 4 : std::max<DurationUs>(1, latest(c.rows) - kStart);
  const auto features = any_features(30, schema, longest, &random);
  const std::vector<Row> counted = rows_that_count(c.rows, c.by);
  for (int i = 0; i < 2; ++i) {
    const TimeUs as_of = i == 0 ? latest(c.rows) : c.rows[random() % c.rows.size()].time;
    const auto expected = reference_all(counted, schema, features, as_of);
    for (const PartitionState* state : {&in_order, &shuffled, &continued, &again}) {
      const auto values = compute(*state, 0, "k", rows[0].hash, features, as_of);
      RC_ASSERT(difference(features, expected, values) == "");
    }
  }
}

// What is cached of chunks and groups is forgotten where a row changes which of theirs count.
RC_GTEST_PROP(Deduplicated, ReadsInBetweenChangeNothing, ()) {
  const TableSchema schema = every_type_schema(kMaxTime);
  Random random(any_seed());
  const Case c = any_case(schema, &random, 1500);
  PartitionState state(tables_of(schema, c.by));
  const auto features = any_features(6, schema, 10'000 * 1000, &random);
  const std::vector<KeyedRow> rows = keyed(c.rows, "k", schema);
  for (size_t at = 0; at < rows.size();) {
    const size_t length = std::min(rows.size() - at, 1 + random() % 300);
    append_rows(&state, 0, schema, std::span(rows).subspan(at, length));
    at += length;
    const std::vector<Row> so_far(c.rows.begin(), c.rows.begin() + static_cast<ptrdiff_t>(at));
    const TimeUs as_of = random() % 2 == 0 ? latest(so_far) : so_far[random() % at].time;
    const auto expected = reference_all(rows_that_count(so_far, c.by), schema, features, as_of);
    RC_ASSERT(difference(features, expected,
                         compute(state, 0, "k", rows[0].hash, features, as_of)) == "");
  }
}

// Rows are kept for `within` longer than windows look back, and that is enough.
RC_GTEST_PROP(Deduplicated, FreeingNeverChangesAPermittedAnswer, ()) {
  TableSchema schema = every_type_schema(0);
  Random random(any_seed());
  const Case c = any_case(schema, &random, 700);
  const DurationUs longest = *rc::gen::element<DurationUs>(1, 1000, 300'000, 20'000'000);
  const auto features = any_features(10, schema, longest, &random);
  for (const FeatureSpec& f : features) schema.retention = std::max(schema.retention, reach(f));
  schema.retention += c.by.within;
  PartitionState state(tables_of(schema, c.by));
  const std::vector<KeyedRow> rows = keyed(c.rows, "k", schema);
  TimeUs leading = kMinTime;
  for (size_t at = 0; at < rows.size();) {
    const size_t length = std::min(rows.size() - at, 1 + random() % 300);
    append_rows(&state, 0, schema, std::span(rows).subspan(at, length));
    at += length;
    const std::vector<Row> so_far(c.rows.begin(), c.rows.begin() + static_cast<ptrdiff_t>(at));
    leading = latest(so_far);
    if (c.shape.times != 3) state.raise_horizon(leading - static_cast<int64_t>(random() % 2000));
    const std::vector<Row> counted = rows_that_count(so_far, c.by);
    for (int i = 0; i < 2; ++i) {
      const TimeUs as_of =
          i == 0 ? std::max(state.horizon(), so_far[random() % at].time) : state.horizon();
      const auto expected = reference_all(counted, schema, features, as_of);
      RC_ASSERT(difference(features, expected,
                           compute(state, 0, "k", rows[0].hash, features, as_of)) == "");
    }
  }
}

// --- examples
// -------------------------------------------------------------------------------------

class DeduplicatedRows : public ::testing::Test {
 protected:
  DeduplicatedRows() {
    by_.by = {kCount64};
    by_.within = 60 * kSecond;
    by_.order = {kAmount};
    by_.filters = {1};
  }
  void add(int64_t seconds, Cell id, double amount, bool passes = true) {
    Row row;
    row.time = kStart + seconds * kSecond;
    row.cells = {amount, std::move(id), int64_t{1}, true, std::string("x"), row.time};
    row.filters = {passes, !passes};
    append_rows(&state(), 0, schema_, keyed({row}, "596", schema_));
  }
  PartitionState& state() {
    if (!state_.has_value()) state_.emplace(tables_of(schema_, by_));
    return *state_;
  }
  FeatureValue sum(int64_t seconds, int32_t filter = -1) {
    FeatureSpec f;
    f.function = Function::kSum;
    f.column = kAmount;
    f.filter = filter;
    f.type = ColumnType::kDouble;
    f.window = 100 * kSecond;
    return compute(state(), 0, "596", hash_entity_key("596", schema_.entity_seed), {f},
                   kStart + seconds * kSecond)[0];
  }

  TableSchema schema_ = every_type_schema(kMaxTime);
  Deduplication by_;
  std::optional<PartitionState> state_;
};

TEST_F(DeduplicatedRows, ARowIsADuplicateForLessThanWithin) {
  add(0, int64_t{7}, 1);
  add(59, int64_t{7}, 2);
  EXPECT_EQ(sum(60), FeatureValue(1.0));
  add(119, int64_t{7}, 4);
  EXPECT_EQ(sum(100 + 50), FeatureValue(4.0)) << "a whole minute after the one before it";
  add(70, int64_t{7}, 8);
  EXPECT_EQ(sum(100 + 50), FeatureValue()) << "49 s after one that does not count itself";
  EXPECT_EQ(sum(99), FeatureValue(1.0));
}

TEST_F(DeduplicatedRows, ALateRowMayComeBeforeThoseThatCounted) {
  add(50, int64_t{7}, 2);
  EXPECT_EQ(sum(60), FeatureValue(2.0));
  add(10, int64_t{7}, 1);
  EXPECT_EQ(sum(60), FeatureValue(1.0));
  EXPECT_EQ(sum(125), FeatureValue()) << "the late one has left the window, the other stays out";
}

TEST_F(DeduplicatedRows, NullIsNoIdAndWhatDoesNotPassIsNoRow) {
  by_.filter = 0;
  add(0, {}, 1);
  add(1, {}, 2);
  EXPECT_EQ(sum(60), FeatureValue(3.0));
  add(2, int64_t{7}, 4, false);
  EXPECT_EQ(sum(60), FeatureValue(3.0));
  add(3, int64_t{7}, 8);
  EXPECT_EQ(sum(60), FeatureValue(11.0)) << "what came before it is no row";
}

TEST_F(DeduplicatedRows, OfOneTimeTheFirstInTheViewsOrderCounts) {
  add(0, int64_t{7}, 4);
  add(0, int64_t{7}, 2);
  add(0, int64_t{7}, 2);
  add(0, int64_t{7}, 8);
  EXPECT_EQ(sum(60), FeatureValue(2.0));
}

// Two rows of one time at the ends of two chunks, of which the later one in the table's order comes
// first in the view's; then the first chunk is cut anew, for rows that have nothing to do with
// them.
// The same where late rows only reach the first of the two chunks: what is known of the second one
// is of their time too.
TEST_F(DeduplicatedRows, LateRowsMayConcernTheBeginningOfTheNextChunk) {
  by_.order = {kCount32};
  by_.within = 10 * kSecond;
  const auto block = [&](int64_t from, int at, double amount, int64_t place) {
    std::vector<Row> rows;
    for (int64_t i = 0; i < 64; ++i) {
      const TimeUs time = kStart + from * kSecond + i;
      rows.push_back({time, {0.0, {}, int64_t{1}, true, std::string("x"), time}, {true, false}});
    }
    Row& row = rows[static_cast<size_t>(at)];
    row.time = kStart + 40 * kSecond;
    row.cells = {amount, int64_t{7}, place, true, std::string("x"), int64_t{0}};
    append_rows(&state(), 0, schema_, keyed(rows, "596", schema_));
  };
  block(35, 63, 1, 2);
  block(41, 0, 2, 1);
  EXPECT_EQ(sum(90), FeatureValue(2.0));
  // The last of them at the first one's time less `within`, so that they reach no further.
  block(29, 5, 0, 5);
  std::vector<Row> late(64, Row{kStart + 30 * kSecond,
                                {0.0, {}, int64_t{1}, true, std::string("x"), int64_t{0}},
                                {true, false}});
  append_rows(&state(), 0, schema_, keyed(late, "596", schema_));
  EXPECT_EQ(sum(90), FeatureValue(2.0));
}

// What is kept for the rows that repeat others only is in no window.
TEST_F(DeduplicatedRows, AKeyOfWhichOnlyOlderRowsAreKeptIsNotFound) {
  by_.within = 60 * kSecond;
  schema_.retention = 160 * kSecond;
  add(0, int64_t{7}, 1);
  FeatureSpec f;
  f.function = Function::kCount;
  f.window = 100 * kSecond;
  const auto found = [&](int64_t horizon) {
    state().raise_horizon(kStart + horizon * kSecond);
    bool out = false;
    compute(state(), 0, "596", hash_entity_key("596", schema_.entity_seed), {f},
            kStart + horizon * kSecond, &out);
    return out;
  };
  EXPECT_TRUE(found(100));
  EXPECT_FALSE(found(130));
  EXPECT_EQ(state().stats().rows, 1u);
}

TEST_F(DeduplicatedRows, AreTheSameAcrossChunksThatAreCutAnew) {
  by_.order = {kCount32};
  by_.within = 1;
  const auto add_rows = [&](int64_t from, int64_t count, double amount, int64_t place, int64_t at) {
    std::vector<Row> rows;
    for (int64_t i = 0; i < count; ++i) {
      const TimeUs time = kStart + (from + i) * kSecond / 2;
      rows.push_back(
          {time, {0.0, 1000 + from + i, int64_t{1}, true, std::string("x"), time}, {true, false}});
    }
    rows[static_cast<size_t>(at)].cells = {amount, int64_t{7},       place,
                                           true,   std::string("x"), int64_t{0}};
    rows[static_cast<size_t>(at)].time = kStart + 40 * kSecond;
    append_rows(&state(), 0, schema_, keyed(rows, "596", schema_));
  };
  add_rows(0, 64, 1, 9, 63);
  EXPECT_EQ(sum(90), FeatureValue(1.0));
  add_rows(80, 64, 2, 3, 0);
  EXPECT_EQ(sum(90), FeatureValue(2.0));
  const uint64_t recut = state().stats().recut_chunks;
  std::vector<Row> late(64, Row{kStart + kSecond / 3,
                                {0.0, {}, int64_t{1}, true, std::string("x"), int64_t{0}},
                                {true, false}});
  append_rows(&state(), 0, schema_, keyed(late, "596", schema_));
  EXPECT_GT(state().stats().recut_chunks, recut);
  EXPECT_EQ(sum(90), FeatureValue(2.0));
}

TEST_F(DeduplicatedRows, ConditionsTellRowsApartThatAreEqualOtherwise) {
  add(0, int64_t{7}, 2, false);  // passes filter 1
  add(0, int64_t{7}, 2, true);
  EXPECT_EQ(sum(60, 0), FeatureValue(2.0));
  EXPECT_EQ(sum(60, 1), FeatureValue()) << "one that passes comes later";
}

}  // namespace
}  // namespace tidemill::testing
