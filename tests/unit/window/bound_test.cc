// Tiles with more rows than a table's bound: whatever was folded when, in which order and by whom,
// leaves, images and answers are functions of the multiset of rows; and they are those of the
// definition (docs/semantics.md, "Hot keys").
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>

#include "shared/base/hash.h"
#include "shared/window/key_merger.h"
#include "shared/window/row_run.h"
#include "tests/unit/window/any_seed.h"
#include "tests/unit/window/reference_bound.h"
#include "tests/unit/window/window_fixture.h"

namespace tidemill::testing {
namespace {

constexpr const char* kKey = "hot";
constexpr DurationUs kLongestGap = 200'000;

// A job of one table with a bound, and rows of one key, some of whose tiles have too many.
struct Story {
  Story(uint64_t seed, size_t most_rows, bool bounded = true) : random(seed) {
    constexpr DurationUs kRetentions[] = {100'000, 3'000'000, 2'000'000'000};
    const DurationUs retention = kRetentions[random() % std::size(kRetentions)];
    schema = every_type_schema(retention + kLongestGap);
    schema.views = {{0, retention, true, {}}};
    features = random_features(10, schema, retention / 2, &random);
    for (FeatureSpec& f : features) f.offset = std::min(f.offset, retention - f.window);
    add_sessions(retention);
    add_hopping(retention);
    if (random() % 2 == 0) schema.lifetime = random_lifetime_features(6, schema, &random);
    features.insert(features.end(), schema.lifetime.begin(), schema.lifetime.end());
    if (bounded) add_bound();
    schemas = std::make_shared<const std::vector<TableSchema>>(std::vector{schema});
    const RowShape shape{static_cast<int>(random() % 3), static_cast<int>(random() % 3),
                         static_cast<int>(random() % 2 * 20), static_cast<int>(random() % 3 * 30)};
    rows = random_rows(1 + random() % most_rows, shape, schema, &random);
    for (const Row& row : rows) leading = std::max(leading, row.time);
    horizon = leading - static_cast<int64_t>(random() % 3 * 1'000'000);
    all = keyed(rows, kKey, schema);
  }

  void add_bound() {
    schema.features = features;
    TileBound bound;
    bound.max_rows = 64 + random() % 100;
    bound.tile_shift = 14 + static_cast<int>(random() % 10);
    bound.leaf_shift = random() % 2 == 0 ? 0 : static_cast<int>(random() % 16);
    bound.leaf_shift = std::min(bound.leaf_shift, bound.tile_shift);
    bound.max_leaves = 1 + random() % 80;
    schema.bound = std::make_shared<const TileBound>(bound);
  }
  void add_hopping(DurationUs retention) {
    for (FeatureSpec& f : random_features(2, schema, retention / 4, &random)) {
      WindowSteps steps;
      steps.unit = WindowSteps::Unit::kMicros;
      steps.window = f.window;
      steps.every = 1 + static_cast<int64_t>(random() % static_cast<uint64_t>(f.window));
      steps.zone = *TimeZone::find("UTC");
      f.steps = std::make_shared<const WindowSteps>(steps);
      features.push_back(std::move(f));
    }
  }
  void add_sessions(DurationUs retention) {
    for (int i = 0; i < 3; ++i) {
      FeatureSpec f = random_features(1, schema, 10, &random)[0];
      f.gap = 1 + static_cast<int64_t>(random() % kLongestGap);
      f.window = 1 + static_cast<int64_t>(random() % static_cast<uint64_t>(retention));
      f.offset = 0;
      features.push_back(f);
    }
  }
  PartitionState empty() const { return PartitionState(schemas); }
  void shuffle() {
    for (size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[random() % i]);
  }
  void play(PartitionState* state, size_t from, size_t to) {
    const size_t longest = 1 + random() % 200;
    TimeUs seen = kMinTime;
    for (size_t at = from; at < to;) {
      const size_t length = std::min(to - at, 1 + random() % longest);
      append_rows(state, 0, schema, std::span(all).subspan(at, length));
      for (size_t i = at; i < at + length; ++i) seen = std::max(seen, all[i].row.time);
      at += length;
      if (random() % 3 == 0) {
        state->raise_horizon(std::min(horizon, seen - static_cast<int64_t>(random() % 100'000)));
      }
      if (random() % 8 == 0) read(*state, horizon);
      if (random() % 16 == 0) *state = restarted(*state, schemas);
    }
  }
  uint64_t hash() const { return hash_entity_key(kKey, schema.entity_seed); }
  std::vector<FeatureValue> read(const PartitionState& state, TimeUs as_of,
                                 std::vector<DurationUs>* resolutions = nullptr) const {
    std::vector<const FeatureSpec*> pointers;
    for (const FeatureSpec& f : features) pointers.push_back(&f);
    std::vector<FeatureValue> out;
    state.compute(0, kKey, hash(), pointers, as_of, &out, resolutions);
    return out;
  }
  struct Answer {
    TimeUs as_of;
    std::vector<FeatureValue> values;
    std::vector<DurationUs> resolutions;
  };
  // To reads at some times, by the definition. What is said to be exact is.
  std::vector<Answer> answers() {
    const ReferenceBound reference(rows, schema);
    std::vector<Answer> out;
    for (int i = 0; i < 2; ++i) {
      const TimeUs near =
          rows[random() % rows.size()].time + static_cast<int64_t>(random() % 3) - 1;
      out.push_back({std::max(horizon, i == 0 ? leading : near), {}, {}});
      for (const FeatureSpec& f : features) {
        const BoundedValue value = reference.value(f, out.back().as_of);
        out.back().values.push_back(value.value);
        out.back().resolutions.push_back(value.resolution);
        if (value.resolution != 0) continue;
        RC_ASSERT(same_value(value.value, reference_value(rows, schema, f, out.back().as_of)));
      }
    }
    return out;
  }
  void check(const PartitionState& state, const std::vector<Answer>& answers) const {
    for (const Answer& expected : answers) {
      std::vector<DurationUs> resolutions;
      const auto values = read(state, expected.as_of, &resolutions);
      RC_ASSERT(difference(features, expected.values, values) == "");
      RC_ASSERT(resolutions == expected.resolutions);
    }
  }

  Random random;
  TableSchema schema;
  TableSchemas schemas;
  std::vector<FeatureSpec> features;
  std::vector<Row> rows;
  std::vector<KeyedRow> all;
  TimeUs leading = kMinTime;
  TimeUs horizon = kMinTime;
};

void tell(uint64_t seed, size_t most_rows) {
  Story story(seed, most_rows);
  PartitionState in_order = story.empty(), shuffled = story.empty(), merged = story.empty();
  const size_t middle = story.random() % (story.all.size() + 1);
  story.play(&in_order, 0, middle);
  merged.raise_horizon(in_order.horizon());
  for (const auto& image : images(in_order)) {
    ByteReader reader(image);
    RC_ASSERT(merged.apply_image(&reader, 7).ok());
    RC_ASSERT(reader.remaining() == 0u);
  }
  story.play(&merged, middle, story.all.size());
  story.play(&in_order, middle, story.all.size());
  story.shuffle();
  story.play(&shuffled, 0, story.all.size());
  const auto answers = story.answers();
  std::vector<std::vector<uint8_t>> expected;
  for (PartitionState* state : {&in_order, &shuffled, &merged}) {
    state->raise_horizon(story.horizon);
    story.check(*state, answers);
    if (expected.empty()) expected = images(*state);
    RC_ASSERT(images(*state) == expected);
    *state = restarted(*state, story.schemas);
    RC_ASSERT(images(*state) == expected);
    story.check(*state, answers);
  }
}

RC_GTEST_PROP(Bound, EveryPermutationSplitMergeAndRestartIsAlike, ()) { tell(any_seed(), 600); }

TEST(Bound, ALotOfRowsToo) {
  Random seeds(4);
  for (int i = 0; i < 6; ++i) tell(seeds(), 12'000);
}

// Pieces of a key on disk are merged to what memory has, with a bound and without.
RC_GTEST_PROP(Bound, PiecesOnDiskAreMergedAlike, ()) {
  Story story(any_seed(), 600, *rc::gen::inRange(0, 3) != 0);
  PartitionState state = story.empty();
  story.play(&state, 0, story.all.size());
  state.raise_horizon(story.horizon);
  const auto expected = images(state);
  story.shuffle();
  KeyMerger merger(story.schemas);
  RC_ASSERT(merger.begin(0, story.horizon).ok());
  RowRunWriter writer(story.schema);
  std::vector<uint8_t> body;
  for (size_t at = 0; at < story.all.size();) {
    const size_t length = std::min(story.all.size() - at, 1 + story.random() % 300);
    const auto bytes = encode_block(0, story.schema, std::span(story.all).subspan(at, length));
    const auto block = RowBlockView::parse(bytes);
    writer.begin();
    for (uint32_t r = 0; r < block->rows(); ++r) writer.add(*block, r);
    RC_ASSERT(merger.add_run(writer.bytes()).ok());
    at += length;
    ByteWriter out;
    merger.encode_body(&out);
    body = out.take();
    if (story.random() % 3 != 0) continue;
    RC_ASSERT(merger.begin(0, story.horizon).ok());
    RC_ASSERT(merger.replace(body).ok());
  }
  if (expected.empty()) return;
  const std::vector<uint8_t> of_state(
      expected[0].begin() + static_cast<ptrdiff_t>(image_head_bytes(kKey)), expected[0].end());
  RC_ASSERT(body == of_state);
}

// The bound by hand: tiles of 1024 us, more than 64 rows, at most 4 leaves.
class ByHand : public ::testing::Test {
 protected:
  ByHand() {
    schema_ = one_double_schema(10'000);
    sum_.function = Function::kSum;
    sum_.column = 0;
    sum_.type = ColumnType::kDouble;
    sum_.window = 10'000;
    schema_.features = {sum_};
    TileBound bound;
    bound.max_rows = 64;
    bound.tile_shift = 10;
    bound.max_leaves = 4;
    schema_.bound = std::make_shared<const TileBound>(bound);
    state_ = std::make_unique<PartitionState>(
        std::make_shared<const std::vector<TableSchema>>(std::vector{schema_}));
  }
  void add(TimeUs time, int count) {
    const std::vector<Row> rows(static_cast<size_t>(count), Row{time, {1.0}, {}});
    append_rows(state_.get(), 0, schema_, keyed(rows, "a", schema_));
  }
  std::pair<FeatureValue, DurationUs> read(TimeUs as_of, DurationUs window) {
    sum_.window = window;
    const FeatureSpec* features[] = {&sum_};
    std::vector<FeatureValue> out;
    std::vector<DurationUs> resolutions;
    state_->compute(0, "a", hash_entity_key("a", schema_.entity_seed), features, as_of, &out,
                    &resolutions);
    return {out[0], resolutions[0]};
  }

  TableSchema schema_;
  FeatureSpec sum_;
  std::unique_ptr<PartitionState> state_;
};

TEST_F(ByHand, AWindowCountsLeavesThatLieInIt) {
  add(2048, 16);
  add(2148, 16);
  add(2248, 16);
  add(2348, 16);
  EXPECT_EQ(state_->stats().rows, 64u) << "as many as it may have";
  EXPECT_EQ(read(2200, 100), std::make_pair(FeatureValue(16.0), DurationUs{0}));
  add(2450, 16);  // the fifth time: leaves of 128 us, of 2048 and 2148 together
  EXPECT_EQ(read(2500, 500), std::make_pair(FeatureValue(80.0), DurationUs{0}));
  EXPECT_EQ(state_->stats().rows, 0u);
  EXPECT_EQ(state_->stats().folded_rows, 80u);
  EXPECT_EQ(read(2200, 200), std::make_pair(FeatureValue(32.0), DurationUs{0}));
  EXPECT_EQ(read(2200, 100), std::make_pair(FeatureValue(), DurationUs{128}));
  EXPECT_EQ(read(2500, 400), std::make_pair(FeatureValue(48.0), DurationUs{128}));
  EXPECT_EQ(read(2100, 100), std::make_pair(FeatureValue(), DurationUs{128}));
  EXPECT_EQ(read(2460, 20), std::make_pair(FeatureValue(16.0), DurationUs{0}));
  EXPECT_EQ(read(2100, 20), std::make_pair(FeatureValue(), DurationUs{128})) << "within a leaf";
}

TEST_F(ByHand, LateRowsMakeLeavesWider) {
  add(2048, 65);
  EXPECT_EQ(read(2048, 1), std::make_pair(FeatureValue(65.0), DurationUs{0})) << "one us wide";
  add(3071, 1);
  add(2560, 1);
  add(2700, 1);
  EXPECT_EQ(read(2600, 10), std::make_pair(FeatureValue(), DurationUs{0}));
  add(2600, 1);
  EXPECT_EQ(read(2600, 10), std::make_pair(FeatureValue(), DurationUs{64}))
      << "2560 and 2600 are one leaf, 2700 and 3071 others";
  EXPECT_EQ(read(2600, 100), std::make_pair(FeatureValue(2.0), DurationUs{0}));
}

TEST_F(ByHand, TilesGoAsAWhole) {
  add(2048, 100);
  add(3000, 100);
  state_->raise_horizon(2048 + 10'000 + 900);
  EXPECT_EQ(read(12'948, 10'901).first, FeatureValue(200.0)) << "a tile that is read of is whole";
  state_->raise_horizon(2048 + 10'000 + 1'024);
  bool found = true;
  compute(*state_, 0, "a", hash_entity_key("a", schema_.entity_seed), {sum_}, 13'072, &found);
  EXPECT_FALSE(found);
  state_->raise_horizon(20'000);
  EXPECT_EQ(state_->stats().keys, 0u);
}

TEST_F(ByHand, RowsWithinATileThatNoReadSeesAreNotFound) {
  add(2048, 10);
  state_->raise_horizon(2048 + 10'000 + 500);
  bool found = true;
  compute(*state_, 0, "a", hash_entity_key("a", schema_.entity_seed), {sum_}, 12'600, &found);
  EXPECT_FALSE(found);
  EXPECT_EQ(state_->stats().rows, 10u) << "kept for the rows that may still come to the tile";
}

TEST_F(ByHand, MemoryIsBounded) {
  Random random(5);
  uint64_t most = 0;
  for (int i = 0; i < 400; ++i) {
    std::vector<Row> rows;
    for (int r = 0; r < 500; ++r) {
      rows.push_back({i * 100 + static_cast<int64_t>(random() % 100), {any_double(&random)}, {}});
    }
    append_rows(state_.get(), 0, schema_, keyed(rows, "a", schema_));
    state_->raise_horizon(i * 100);
    read(i * 100 + 99, 9'000);
    most = std::max<uint64_t>(most, state_->stats().bytes);
  }
  // 11 tiles of 10'000 us, of 5'120 rows each, and their caches.
  EXPECT_LE(most, 12u * (5 * 3'000 + 64 * 24) + 30'000u);
}

// Sums that decay have a bit for every half-life between two rows: they are not kept of leaves that
// no window holds.
TEST_F(ByHand, WhatDecaysTakesNoMoreOfWideLeaves) {
  sum_.function = Function::kDecayedSum;
  sum_.half_life = 1;
  sum_.window = 64;
  FeatureSpec by = sum_;
  by.by = 0;
  by.max_groups = 10;
  TileBound bound = *schema_.bound;
  bound.tile_shift = 40;
  schema_.bound = std::make_shared<const TileBound>(bound);
  schema_.retention = int64_t{1} << 41;
  schema_.features = {sum_, by};
  const auto schemas = std::make_shared<const std::vector<TableSchema>>(std::vector{schema_});
  state_ = std::make_unique<PartitionState>(schemas);
  constexpr TimeUs kLast = (int64_t{1} << 40) - 1;
  for (int i = 0; i < 100; ++i) add((kLast / 99) * i, 1);
  add(kLast - 10, 1);
  add(kLast, 3);
  EXPECT_LT(state_->stats().bytes, 20'000u);
  *state_ = restarted(*state_, schemas);
  EXPECT_LT(state_->stats().bytes, 20'000u);
  const FeatureSpec* features[] = {&sum_, &by};
  std::vector<FeatureValue> out;
  std::vector<DurationUs> resolutions;
  const uint64_t hash = hash_entity_key("a", schema_.entity_seed);
  state_->compute(0, "a", hash, features, kLast, &out, &resolutions);
  EXPECT_GT(resolutions[0], 0);
  EXPECT_GT(resolutions[1], 0);
  add(3 * kLast / 2, 2);  // in a tile with few rows
  add(3 * kLast / 2 - 1, 2);
  state_->compute(0, "a", hash, features, 3 * kLast / 2, &out, &resolutions);
  EXPECT_EQ(out[0], FeatureValue(3.0));
  EXPECT_EQ(resolutions, (std::vector<DurationUs>{0, 0}));
}

// An image may not say that two rows of a leaf lie 2^60 half-lives apart.
TEST_F(ByHand, DecayedSumsThatNoRowsOfTheirTimesHaveAreRefused) {
  sum_.function = Function::kDecayedSum;
  sum_.half_life = 1'000'000;
  schema_.features = {sum_};
  const auto schemas = std::make_shared<const std::vector<TableSchema>>(std::vector{schema_});
  state_ = std::make_unique<PartitionState>(schemas);
  add(2'048, 100);
  const std::vector<uint8_t> image = images(*state_)[0];
  int refused = 0;
  for (size_t at = 0; at + 8 <= image.size(); ++at) {
    std::vector<uint8_t> bytes = image;
    bytes[at + 6] ^= 0x10;
    PartitionState other(schemas);
    ByteReader reader(bytes);
    if (!other.apply_image(&reader, 1).ok()) {
      ++refused;
      continue;
    }
    append_rows(&other, 0, schema_, keyed({Row{2'050, {1.0}, {}}}, "a", schema_));
    EXPECT_LT(other.stats().bytes, 100'000u) << at;
  }
  EXPECT_GT(refused, 0);
}

// Bytes of a folded tile that nobody wrote are refused, or say what they say.
RC_GTEST_PROP(Bound, DamagedImagesAreRefusedOrSound, ()) {
  Story story(any_seed(), 500);
  PartitionState state = story.empty();
  story.play(&state, 0, story.all.size());
  for (std::vector<uint8_t> image : images(state)) {
    for (int i = 0; i < 30; ++i) {
      std::vector<uint8_t> bytes = image;
      if (story.random() % 4 == 0) bytes.resize(story.random() % bytes.size());
      if (!bytes.empty() && story.random() % 4 != 0) {
        const size_t reach = story.random() % 2 == 0 ? 60 : bytes.size();
        bytes[story.random() % std::min(bytes.size(), reach)] ^=
            static_cast<uint8_t>(1 + story.random() % 255);
      }
      PartitionState other = story.empty();
      ByteReader reader(bytes);
      if (other.apply_image(&reader, 1).ok()) story.read(other, story.leading);
    }
  }
}

// A job that was changed has features that its older leaves know nothing of, and says so. Features
// that were there stay exact, also those that look at the same column.
class ChangedFeatures : public ::testing::Test {
 protected:
  ChangedFeatures() {
    schema_ = one_double_schema(10'000);
    TileBound bound;
    bound.max_rows = 64;
    bound.tile_shift = 10;
    bound.max_leaves = 4;
    schema_.bound = std::make_shared<const TileBound>(bound);
    count_.function = Function::kCount;
    count_.window = 5'000;
    max_ = count_;
    max_.function = Function::kMax;
    max_.column = 0;
    max_.type = ColumnType::kDouble;
    last_ = sum_ = max_;
    sum_.function = Function::kSum;
    last_.function = Function::kLast;
    last_.order = {0};
    distinct_ = sum_;
    distinct_.function = Function::kCountDistinct;
    distinct_.n = 16;
    for (FeatureSpec* session : {&session_, &session_distinct_}) {
      *session = session == &session_ ? max_ : distinct_;
      session->window = 5'000;
      session->gap = 2'000;
    }
  }
  TableSchemas schemas_of(const std::vector<FeatureSpec>& features) const {
    TableSchema out = schema_;
    out.features = features;
    return std::make_shared<const std::vector<TableSchema>>(std::vector{out});
  }
  void add(PartitionState* state, TimeUs time, double value, size_t count) const {
    append_rows(state, 0, schema_,
                keyed(std::vector<Row>(count, {time, {value}, {}}), "a", schema_));
  }
  std::vector<FeatureValue> read(const PartitionState& state,
                                 const std::vector<FeatureSpec>& features,
                                 std::vector<DurationUs>* resolutions) const {
    std::vector<const FeatureSpec*> pointers;
    for (const FeatureSpec& f : features) pointers.push_back(&f);
    std::vector<FeatureValue> values;
    state.compute(0, "a", hash_entity_key("a", schema_.entity_seed), pointers, 4'000, &values,
                  resolutions);
    return values;
  }

  TableSchema schema_;
  FeatureSpec count_, max_, sum_, last_, distinct_, session_, session_distinct_;
};

TEST_F(ChangedFeatures, LeavesOfOthersSayWhatTheyKnow) {
  const std::vector<FeatureSpec> features{count_, max_, sum_, last_};
  PartitionState before(schemas_of({count_, max_})), state(schemas_of(features));
  add(&before, 2'050, 9.0, 100);
  const auto image = images(before)[0];
  ByteReader reader(image);
  ASSERT_TRUE(state.apply_image(&reader, 1).ok());
  EXPECT_EQ(images(state)[0], image) << "they go on being what they are";
  before.set_features(schemas_of(features));  // without being made anew
  for (PartitionState* one : {&state, &before}) {
    add(one, 2'051, 2.0, 1);
    add(one, 4'000, 3.0, 70);
  }
  state = restarted(state, schemas_of(features));
  for (const PartitionState* one : {&state, &before}) {
    std::vector<DurationUs> resolutions;
    const auto values = read(*one, features, &resolutions);
    EXPECT_EQ(values[0], FeatureValue(int64_t{171}));
    EXPECT_EQ(values[1], FeatureValue(9.0));
    EXPECT_EQ(values[2], FeatureValue(210.0)) << "of the tile that was folded with it";
    EXPECT_EQ(values[3], FeatureValue(3.0));
    EXPECT_EQ(resolutions, (std::vector<DurationUs>{0, 0, 1024, 1024}));
  }
}

// A session over leaves that do not know their rows of its condition: they are left out, also if
// they lie between others.
TEST_F(ChangedFeatures, SessionsLeaveOutLeavesThatKnowNoneOf) {
  const std::vector<FeatureSpec> features{max_, session_, distinct_, session_distinct_};
  PartitionState state(schemas_of({max_, distinct_}));
  add(&state, 3'000, 9.0, 100);
  std::vector<DurationUs> resolutions;
  EXPECT_EQ(read(state, {max_}, &resolutions)[0], FeatureValue(9.0)) << "and the tile is folded";
  state.set_features(schemas_of(features));
  add(&state, 2'040, 1.0, 1);
  add(&state, 4'000, 2.0, 1);
  const auto values = read(state, features, &resolutions);
  EXPECT_EQ(values, (std::vector<FeatureValue>{9.0, 2.0, int64_t{3}, int64_t{2}}));
  EXPECT_EQ(resolutions, (std::vector<DurationUs>{0, 1024, 0, 1024}));
}

TEST_F(ByHand, AnEmptyWindowThatEndsWithinALeafTakesNothingFromOthers) {
  add(2048, 40);
  add(2060, 40);
  add(2070, 1);
  add(2080, 1);
  add(3071, 1);  // the leaf [2048, 2064) and others
  FeatureSpec none = sum_;
  none.gap = 1;
  none.offset = 1'000;
  const FeatureSpec* features[] = {&sum_, &none};
  std::vector<FeatureValue> out;
  state_->compute(0, "a", hash_entity_key("a", schema_.entity_seed), features, 3'054, &out);
  EXPECT_EQ(out, (std::vector<FeatureValue>{82.0, FeatureValue()}));
}

}  // namespace
}  // namespace tidemill::testing
