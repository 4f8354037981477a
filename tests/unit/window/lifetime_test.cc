// Lifetime windows: whatever was folded when, by whom and how many rows at a time, every permitted
// read and every image is that of the multiset of rows.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <map>

#include "shared/base/hash.h"
#include "tests/unit/window/any_seed.h"
#include "tests/unit/window/window_fixture.h"

namespace tidemill::testing {
namespace {

// Few values and many ties, so that the views' orders leave much undecided.
void coarsen(DurationUs step, std::vector<Row>* rows) {
  for (Row& row : *rows) {
    row.time -= row.time % step;
    for (Cell& cell : row.cells) {
      if (auto* i = std::get_if<int64_t>(&cell)) *i &= 1;
      if (auto* d = std::get_if<double>(&cell)) *d = std::signbit(*d) ? -1.5 : 2.5;
      if (auto* s = std::get_if<std::string>(&cell)) s->resize(s->size() % 2);
    }
  }
}

// A job of one table, random rows of a few keys, and what the horizon is after each part of them.
class Story {
 public:
  Story(uint64_t seed, size_t most_rows) : random(seed) {
    constexpr DurationUs kRetentions[] = {0, 1, 5'000, 300'000, 20'000'000, 2'000'000'000};
    const DurationUs retention = kRetentions[random() % std::size(kRetentions)];
    schema = every_type_schema(retention);
    lifetime = random_lifetime_features(1 + random() % 12, schema, &random);
    schema.lifetime = lifetime;
    schema.views = {{0, retention, true, {}}, {1, retention / 2, false, {0}}};
    schemas = std::make_shared<const std::vector<TableSchema>>(std::vector{schema});
    const RowShape shape{static_cast<int>(random() % 3), static_cast<int>(random() % 3),
                         static_cast<int>(random() % 2 * 20), static_cast<int>(random() % 3 * 30)};
    constexpr DurationUs kSteps[] = {4, 40'000, 2'000'000};
    const bool coarse = random() % 2 == 0;
    const DurationUs step = kSteps[random() % std::size(kSteps)];
    const size_t keys = 1 + random() % 3;
    for (size_t k = 0; k < keys; ++k) {
      const std::string key = "key" + std::to_string(k);
      by_key[key] = random_rows(1 + random() % most_rows, shape, schema, &random);
      if (coarse) coarsen(step, &by_key[key]);
      for (KeyedRow& row : keyed(by_key[key], key, schema)) {
        leading = std::max(leading, row.row.time);
        rows.push_back(std::move(row));
      }
    }
    horizon = leading - static_cast<int64_t>(random() % 3 * 1'000'000);
    windows = random_features(8, schema, std::max<DurationUs>(1, retention), &random);
    for (FeatureSpec& f : windows) f.offset = std::min(f.offset, retention - f.window);
    if (retention == 0) windows.clear();
  }

  PartitionState empty() const { return PartitionState(schemas); }

  void shuffle() {
    for (size_t i = rows.size(); i > 1; --i) std::swap(rows[i - 1], rows[random() % i]);
  }
  // A part of the rows at a time; between them the horizon rises, keys are read, and the state is
  // restored from its images.
  void play(PartitionState* state, size_t from, size_t to) {
    TimeUs seen = kMinTime;
    const size_t longest = 1 + random() % 100;
    for (size_t at = from; at < to;) {
      const size_t length = std::min(to - at, 1 + random() % longest);
      const std::span part = std::span(rows).subspan(at, length);
      append_rows(state, 0, schema, part);
      for (const KeyedRow& row : part) seen = std::max(seen, row.row.time);
      at += length;
      if (random() % 3 == 0) {
        state->raise_horizon(std::min(horizon, seen - static_cast<int64_t>(random() % 100'000)));
      }
      if (random() % 8 == 0) {
        for (const Answer& any : reads()) check_one(*state, any, false);
      }
      if (random() % 16 == 0) restart(state);
    }
  }
  void restart(PartitionState* state) const { *state = restarted(*state, schemas); }
  struct Answer {
    std::string key;
    TimeUs as_of;
    const std::vector<FeatureSpec>* features;
    std::vector<FeatureValue> values;
  };
  // Of every key at some time, without answers.
  std::vector<Answer> reads() {
    std::vector<Answer> out;
    for (const auto& [key, key_rows] : by_key) {
      const TimeUs as_of = std::max(
          horizon, random() % 2 == 0 ? leading : key_rows[random() % key_rows.size()].time);
      for (const auto* features : {&lifetime, &windows}) out.push_back({key, as_of, features, {}});
    }
    return out;
  }
  // What every state must say at some times when all rows are in and the horizon is where it ends.
  std::vector<Answer> answers() {
    std::vector<Answer> out;
    for (int i = 0; i < 2; ++i) {
      for (Answer& one : reads()) {
        one.values = reference_all(by_key.at(one.key), schema, *one.features, one.as_of);
        out.push_back(std::move(one));
      }
    }
    return out;
  }
  void check(const PartitionState& state, const std::vector<Answer>& answers) const {
    for (const Answer& expected : answers) check_one(state, expected, true);
  }
  void check_one(const PartitionState& state, const Answer& expected, bool compare) const {
    bool found = false;
    const auto values =
        compute(state, 0, expected.key, hash_entity_key(expected.key, schema.entity_seed),
                *expected.features, expected.as_of, &found);
    if (!compare) return;
    RC_ASSERT(found);
    RC_ASSERT(difference(*expected.features, expected.values, values) == "");
  }

  Random random;
  TableSchema schema;
  TableSchemas schemas;
  std::vector<FeatureSpec> lifetime, windows;
  std::vector<KeyedRow> rows;
  std::map<std::string, std::vector<Row>> by_key;
  TimeUs leading = kMinTime;
  TimeUs horizon = kMinTime;  // at the end
};

// One state gets the rows in order, one in any order, one half of them as images, and all are read,
// restarted and rid of old rows at any moment.
void tell(uint64_t seed, size_t most_rows) {
  Story story(seed, most_rows);
  PartitionState in_order = story.empty(), shuffled = story.empty(), merged = story.empty();
  const size_t middle = story.random() % (story.rows.size() + 1);
  story.play(&in_order, 0, middle);
  merged.raise_horizon(std::min(story.horizon, story.leading - 50'000));
  append_rows(&merged, 0, story.schema, std::span(story.rows).first(middle / 2));
  // Only an owner's horizon at or before the replica's leaves no hole in what the replica may be
  // asked.
  merged.raise_horizon(in_order.horizon());
  for (const auto& image : images(in_order)) {
    ByteReader reader(image);
    RC_ASSERT(merged.apply_image(&reader, 7).ok());
    RC_ASSERT(reader.remaining() == 0u);
  }
  story.play(&merged, middle, story.rows.size());
  story.play(&in_order, middle, story.rows.size());
  story.shuffle();
  story.play(&shuffled, 0, story.rows.size());

  const auto answers = story.answers();
  std::vector<std::vector<uint8_t>> expected;
  for (PartitionState* state : {&in_order, &shuffled, &merged}) {
    state->raise_horizon(story.horizon);
    story.check(*state, answers);
    if (expected.empty()) expected = images(*state);
    RC_ASSERT(images(*state) == expected);
    RC_ASSERT(state->stats().keys == story.by_key.size());
    story.restart(state);
    RC_ASSERT(images(*state) == expected);
    story.check(*state, answers);
  }
}

RC_GTEST_PROP(Lifetime, DependsOnTheRowsAlone, ()) {
  Random random(any_seed());
  for (int i = 0; i < 2; ++i) tell(random(), 60);
  if (random() % 20 == 0) tell(random(), 700);
}

// All rows are folded in the end, however many; what is left is small and says the same.
RC_GTEST_PROP(Lifetime, IsAllThatIsLeftOfOldKeys, ()) {
  Story story(any_seed(), 300);
  PartitionState state = story.empty();
  story.play(&state, 0, story.rows.size());
  story.horizon = story.leading + story.schema.retention + 1;
  for (int i = 0; i < 4; ++i) state.raise_horizon(story.horizon);
  RC_ASSERT(state.stats().rows == 0u);
  RC_ASSERT(state.stats().keys == story.by_key.size());
  RC_ASSERT(state.stats().freed_rows <= story.rows.size());
  story.windows.clear();
  const auto answers = story.answers();
  story.check(state, answers);
  const auto before = images(state);
  story.restart(&state);
  RC_ASSERT(images(state) == before);
  story.check(state, answers);
}

TEST(Lifetime, WorksByHand) {
  TableSchema schema = one_double_schema(100);
  FeatureSpec sum;
  sum.function = Function::kSum;
  sum.column = 0;
  sum.type = ColumnType::kDouble;
  sum.lifetime = true;
  sum.offset = 50;
  FeatureSpec last = sum;
  last.function = Function::kLastN;
  last.n = 3;
  last.list = true;
  last.order = {0};
  last.offset = 0;
  schema.lifetime = {sum, last};
  PartitionState state(std::make_shared<const std::vector<TableSchema>>(std::vector{schema}));
  const auto add = [&](TimeUs t, double x) {
    append_rows(&state, 0, schema, keyed({{t, {x}, {}}}, "a", schema));
  };
  const auto read = [&](const FeatureSpec& f, TimeUs as_of) {
    return compute(state, 0, "a", hash_entity_key("a", schema.entity_seed), {f}, as_of)[0];
  };
  add(1000, 1);
  add(1010, 2);
  EXPECT_EQ(read(sum, 1059), FeatureValue(1.0)) << "up to as_of - offset";
  EXPECT_EQ(read(sum, 1060), FeatureValue(3.0));
  sum.closed = Closed::kLeft;
  EXPECT_EQ(read(sum, 1060), FeatureValue(1.0));
  sum.closed = Closed::kRight;
  state.raise_horizon(5000);
  EXPECT_EQ(state.stats().rows, 0u);
  EXPECT_EQ(state.stats().freed_rows, 2u);
  EXPECT_EQ(read(sum, 5000), FeatureValue(3.0));
  add(900, 10);  // below what the horizon keeps, and counts all the same
  EXPECT_EQ(read(sum, 5000), FeatureValue(13.0));
  EXPECT_EQ(read(last, 5000), FeatureValue(ListValue{10.0, 1.0, 2.0}));
  add(4990, 7);
  EXPECT_EQ(read(last, 5000), FeatureValue(ListValue{1.0, 2.0, 7.0}));
  EXPECT_EQ(read(sum, 5000), FeatureValue(13.0));
  EXPECT_EQ(read(sum, 5040), FeatureValue(20.0));
}

// A key that gets rows for ever stays as small as its lists need it to be.
TEST(Lifetime, BasesAreBounded) {
  TableSchema schema = every_type_schema(1000);
  Random random(3);
  schema.lifetime = random_lifetime_features(0, schema, &random);
  for (int32_t column = 0; column < 6; ++column) {
    for (int function = 10; function <= kFunctions; ++function) {
      FeatureSpec f;
      f.function = static_cast<Function>(function);
      if (f.function == Function::kDecayedSum || f.function == Function::kDecayedCount) continue;
      if (f.function == Function::kApproxPercentile && column > 2) continue;
      f.column = column;
      f.bound = 16;
      f.relative_accuracy = 10'000;
      f.n = f.function == Function::kCountDistinct ? 100 : 10;
      f.order = {static_cast<uint32_t>(column)};
      f.lifetime = true;
      schema.lifetime.push_back(f);
      if (!may_be_grouped(f.function)) continue;
      f.by = 4 - column % 2;
      f.max_groups = 3;
      f.map = true;
      schema.lifetime.push_back(f);
    }
  }
  PartitionState state(std::make_shared<const std::vector<TableSchema>>(std::vector{schema}));
  uint64_t most = 0;
  for (int i = 0; i < 200; ++i) {
    std::vector<Row> rows = random_rows(100, {.times = 2, .values = 1}, schema, &random);
    for (Row& row : rows) row.time += i * 10'000'000;
    append_rows(&state, 0, schema, keyed(rows, "a", schema));
    state.raise_horizon(rows.back().time);
    most = std::max<uint64_t>(most, state.stats().bytes);
  }
  EXPECT_LE(state.stats().rows, 300u);
  EXPECT_LE(most, 600'000u);
}

TEST(Lifetime, StatesOfOtherLifetimeWindowsAreOthers) {
  TableSchema schema = every_type_schema(1000);
  Random random(1);
  schema.lifetime = random_lifetime_features(3, schema, &random);
  const uint64_t hash = schema_hash({schema});
  EXPECT_EQ(schema_hash({schema}), hash);
  TableSchema other = schema;
  other.lifetime[0].order.push_back(5);
  EXPECT_NE(schema_hash({other}), hash);
  other = schema;
  other.lifetime.pop_back();
  EXPECT_NE(schema_hash({other}), hash);
  other = schema;
  ++other.lifetime[1].n;
  EXPECT_NE(schema_hash({other}), hash);
  schema.lifetime[0].by = 1;
  schema.lifetime[0].max_groups = 10;
  const uint64_t grouped = schema_hash({schema});
  EXPECT_NE(grouped, hash);
  ++schema.lifetime[0].max_groups;
  EXPECT_NE(schema_hash({schema}), grouped);
}

}  // namespace
}  // namespace tidemill::testing
