#include "shared/window/partition_state.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "tests/unit/window/any_seed.h"
#include "tests/unit/window/window_fixture.h"

namespace tidemill::testing {
namespace {

constexpr DurationUs kRetention = 400 * kMicrosPerDay;

struct Case {
  RowShape shape;
  std::vector<KeyedRow> rows;
  std::map<std::string, std::vector<Row>> by_key;
};

Case any_case(const TableSchema& schema, Random* random, size_t most_rows) {
  Case out;
  out.shape.times = *rc::gen::inRange(0, 4);
  out.shape.values = *rc::gen::inRange(0, 3);
  out.shape.nulls_percent = *rc::gen::element(0, 0, 30);
  out.shape.late_percent = *rc::gen::element(0, 10, 90);
  const int keys = *rc::gen::inRange(1, 4);
  for (int k = 0; k < keys; ++k) {
    const std::string key = "key " + std::string(static_cast<size_t>(k) * 20, 'x');
    const auto count = *rc::gen::inRange<size_t>(1, most_rows);
    out.by_key[key] = random_rows(count, out.shape, schema, random);
    for (KeyedRow& row : keyed(out.by_key[key], key, schema)) {
      // Sometimes one hash for all keys.
      out.rows.push_back(std::move(row));
    }
  }
  if (*rc::gen::inRange(0, 4) == 0) {
    for (KeyedRow& row : out.rows) row.hash = 42;
  }
  return out;
}

uint64_t hash_of(const Case& c, const std::string& key) {
  for (const KeyedRow& row : c.rows) {
    if (row.key == key) return row.hash;
  }
  return 0;
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

void shuffle(std::vector<KeyedRow>* rows, Random* random) {
  for (size_t i = rows->size(); i > 1; --i) std::swap((*rows)[i - 1], (*rows)[(*random)() % i]);
}

TEST(PartitionState, EveryFunctionWindowFilterAndEdgeAgreesWithTheReference) {
  const TableSchema schema = every_type_schema(kRetention);
  for (const int values : {0, 1, 2}) {
    for (const int late : {0, 30}) {
      Random random(static_cast<uint64_t>(values * 10 + late));
      const auto rows = random_rows(
          700, {.times = 1, .values = values, .nulls_percent = 10, .late_percent = late}, schema,
          &random);
      PartitionState state(test_schemas(kRetention));
      append_in_batches(&state, schema, keyed(rows, "596", schema), &random);
      // Every feature over each kind of numbers, of which half have late rows.
      auto features = all_features(schema, {1, 1000, 100'000, 10'000'000}, {0, 50'000});
      size_t number = late == 0 ? 0 : 1;
      std::erase_if(features, [&](const FeatureSpec&) { return number++ % 2 != 0; });
      const uint64_t hash = keyed(rows, "596", schema)[0].hash;
      for (const TimeUs as_of : {rows[400].time, latest(rows)}) {
        const auto expected = reference_all(rows, schema, features, as_of);
        EXPECT_EQ(difference(features, expected, compute(state, 0, "596", hash, features, as_of)),
                  "");
        // Once more from the caches, and one feature at a time.
        EXPECT_EQ(difference(features, expected, compute(state, 0, "596", hash, features, as_of)),
                  "");
        for (size_t i = 0; i < features.size(); i += 97) {
          EXPECT_EQ(difference({features[i]}, {expected[i]},
                               compute(state, 0, "596", hash, {features[i]}, as_of)),
                    "");
        }
      }
    }
  }
}

// Any order, any batches, images, restarts: the same bits, and those of the reference.
RC_GTEST_PROP(PartitionState, ValuesDependOnTheRowsAlone, ()) {
  const TableSchema schema = every_type_schema(kMaxTime);
  const TableSchemas schemas = test_schemas(kMaxTime);
  Random random(any_seed());
  const Case c = any_case(schema, &random, 400);
  PartitionState in_order(schemas), shuffled(schemas), from_images(schemas);
  const size_t middle = random() % (c.rows.size() + 1);
  append_in_batches(&in_order, schema, std::span(c.rows).first(middle), &random);
  PartitionState continued = restarted(in_order, schemas);
  for (PartitionState* state : {&in_order, &continued}) {
    append_in_batches(state, schema, std::span(c.rows).subspan(middle), &random);
  }
  auto rows = c.rows;
  shuffle(&rows, &random);
  append_in_batches(&shuffled, schema, rows, &random);
  append_rows(&from_images, 0, schema, std::span(rows).first(1 + rows.size() / 2));
  for (const auto& image : images(in_order)) {
    ByteReader reader(image);
    RC_ASSERT(from_images.apply_image(&reader, 7).ok());
    RC_ASSERT(reader.remaining() == 0u);
  }
  PartitionState again = restarted(shuffled, schemas);

  RC_ASSERT(images(in_order) == images(shuffled));
  RC_ASSERT(images(in_order) == images(from_images));
  RC_ASSERT(images(in_order) == images(continued));
  RC_ASSERT(images(in_order) == images(again));
  for (const auto& [key, key_rows] : c.by_key) {
    const uint64_t hash = hash_of(c, key);
    const TimeUs as_of =
        random() % 2 == 0 ? latest(key_rows) : key_rows[random() % key_rows.size()].time;
    const DurationUs longest = c.shape.times == 3 ? kMaxTime : 1 + (latest(key_rows) - kStart);
    const auto features = random_features(40, schema, longest, &random);
    const auto expected = reference_all(key_rows, schema, features, as_of);
    for (const PartitionState* state : {&in_order, &shuffled, &from_images, &continued, &again}) {
      bool found = false;
      RC_ASSERT(difference(features, expected,
                           compute(*state, 0, key, hash, features, as_of, &found)) == "");
      RC_ASSERT(found);
    }
  }
  for (const PartitionState* state : {&in_order, &shuffled, &from_images, &continued, &again}) {
    RC_ASSERT(state->stats().rows == c.rows.size());
    RC_ASSERT(state->stats().keys == c.by_key.size());
  }
}

// Reads between the appends must not freeze an answer.
RC_GTEST_PROP(PartitionState, ReadsInBetweenChangeNothing, ()) {
  const TableSchema schema = every_type_schema(kMaxTime);
  Random random(any_seed());
  const Case c = any_case(schema, &random, 600);
  PartitionState state(test_schemas(kMaxTime));
  std::map<std::string, std::vector<Row>> so_far;
  const auto features = random_features(12, schema, 10'000 * 1000, &random);
  for (size_t at = 0; at < c.rows.size();) {
    const size_t length = std::min(c.rows.size() - at, 1 + random() % 150);
    append_rows(&state, 0, schema, std::span(c.rows).subspan(at, length));
    for (size_t i = at; i < at + length; ++i) so_far[c.rows[i].key].push_back(c.rows[i].row);
    at += length;
    const KeyedRow& any = c.rows[random() % at];
    RC_ASSERT(difference(features, reference_all(so_far[any.key], schema, features, any.row.time),
                         compute(state, 0, any.key, any.hash, features, any.row.time)) == "");
  }
}

// What a permitted read sees does not depend on the horizon, nor on how far freeing has come.
RC_GTEST_PROP(PartitionState, FreeingNeverChangesAPermittedAnswer, ()) {
  const DurationUs retention = *rc::gen::element<DurationUs>(1, 1000, 300'000, 20'000'000);
  const TableSchema schema = every_type_schema(retention);
  Random random(any_seed());
  Case c = any_case(schema, &random, 500);
  PartitionState state(test_schemas(retention));
  std::map<std::string, std::vector<Row>> so_far;
  auto features = random_features(15, schema, retention, &random);
  for (FeatureSpec& f : features) f.offset = std::min(f.offset, retention - f.window);
  TimeUs leading = kMinTime;
  uint64_t dropped = 0;
  for (size_t at = 0; at < c.rows.size();) {
    const size_t length = std::min(c.rows.size() - at, 1 + random() % 150);
    append_rows(&state, 0, schema, std::span(c.rows).subspan(at, length));
    const TimeUs dropped_before =
        state.horizon() == kMinTime ? kMinTime : state.horizon() - retention;
    for (size_t i = at; i < at + length; ++i) {
      dropped += c.rows[i].row.time < dropped_before;
      so_far[c.rows[i].key].push_back(c.rows[i].row);
      leading = std::max(leading, c.rows[i].row.time);
    }
    at += length;
    if (c.shape.times != 3) state.raise_horizon(leading - static_cast<int64_t>(random() % 2000));
    const TimeUs limit = state.horizon() == kMinTime ? kMinTime : state.horizon() - retention;
    for (auto& [key, rows] : so_far) {
      const TimeUs as_of = std::max(state.horizon(), rows[random() % rows.size()].time);
      bool found = false;
      RC_ASSERT(difference(features, reference_all(rows, schema, features, as_of),
                           compute(state, 0, key, hash_of(c, key), features, as_of, &found)) == "");
      RC_ASSERT(found == (latest(rows) >= limit));
    }
  }
  const WindowStats before = state.stats();
  RC_ASSERT(before.rows + before.freed_rows + dropped == c.rows.size());
  if (c.shape.times == 3) return;
  state.raise_horizon(leading + retention + 1);
  const WindowStats after = state.stats();
  RC_ASSERT(after.rows == 0u);
  RC_ASSERT(after.keys == 0u);
  RC_ASSERT(images(state).empty());
}

TEST(PartitionState, StampsAndVacantSlots) {
  const TableSchema schema = one_double_schema(1000);
  PartitionState state(test_schemas(1000));
  const auto row = [&](const std::string& key, TimeUs t) {
    return keyed({{t, {1.0}, {}}}, key, schema);
  };
  append_rows(&state, 1, schema, row("a", 100), 5);
  append_rows(&state, 1, schema, row("b", 5000), 6);
  ASSERT_EQ(state.slot_count(), 2u);
  EXPECT_TRUE(state.slot_changed_since(0, 4));
  EXPECT_FALSE(state.slot_changed_since(0, 5));
  EXPECT_TRUE(state.slot_changed_since(1, 5));
  append_rows(&state, 1, schema, row("a", 101), 7);
  EXPECT_TRUE(state.slot_changed_since(0, 6));
  state.raise_horizon(3000);
  EXPECT_EQ(state.stats().keys, 1u);
  EXPECT_FALSE(state.slot_changed_since(0, 0)) << "vacant";
  append_rows(&state, 1, schema, row("too late", 100), 8);
  EXPECT_EQ(state.stats().keys, 1u);
  append_rows(&state, 1, schema, row("c", 5000), 9);
  EXPECT_EQ(state.slot_count(), 2u) << "the vacant slot is used again";
  EXPECT_TRUE(state.slot_changed_since(0, 8));
}

// Keys come and are never seen again; some calls bring many rows, most one.
TEST(PartitionState, TheSweepKeepsPaceWithTheHorizon) {
  const TableSchema schema = one_double_schema(10'000);
  PartitionState state(test_schemas(10'000));
  uint64_t most = 0;
  for (int64_t t = 0; t < 100'000;) {
    const int64_t rows = t % 5000 == 0 ? 500 : 1;
    for (int64_t i = 0; i < rows; ++i, ++t) {
      append_rows(&state, 1, schema, keyed({{t, {1.0}, {}}}, std::to_string(t), schema));
    }
    state.raise_horizon(t);
    if (t > 20'000) most = std::max(most, state.stats().rows);
  }
  EXPECT_GE(most, 10'000u);
  EXPECT_LE(most, 10'000u * 11 / 8) << "what waits for the sweep";
}

TEST(PartitionState, AnImageReplacesAndAnEmptyOneRemoves) {
  const TableSchema schema = one_double_schema(1000);
  PartitionState owner(test_schemas(1000)), replica(test_schemas(1000));
  append_rows(&owner, 1, schema, keyed({{100, {1.0}, {}}}, "a", schema), 1);
  append_rows(&replica, 1, schema, keyed({{100, {2.0}, {}}, {101, {3.0}, {}}}, "a", schema), 1);
  ByteWriter image;
  owner.encode_image(0, &image);
  ByteReader reader(image.bytes());
  ASSERT_TRUE(replica.apply_image(&reader, 9).ok());
  EXPECT_EQ(images(replica), images(owner));
  EXPECT_TRUE(replica.slot_changed_since(0, 8));
  // Rows that a horizon has ruled out but no sweep has freed are not in the image.
  append_rows(&owner, 1, schema, keyed({{5000, {1.0}, {}}}, "b", schema), 2);
  for (int i = 0; i < 100; ++i) {
    append_rows(&owner, 1, schema, keyed({{100, {1.0}, {}}}, "x" + std::to_string(i), schema), 2);
  }
  owner.raise_horizon(1000);
  owner.raise_horizon(4000);
  ASSERT_TRUE(owner.slot_changed_since(99, 0));
  ByteWriter empty;
  owner.encode_image(99, &empty);
  append_rows(&replica, 1, schema, keyed({{100, {1.0}, {}}}, "x97", schema), 3);
  EXPECT_EQ(replica.stats().keys, 2u);
  ByteReader empty_reader(empty.bytes());
  ASSERT_TRUE(replica.apply_image(&empty_reader, 10).ok());
  EXPECT_EQ(replica.stats().keys, 1u);
}

// Twice a day, at any microsecond, as events are.
TEST(PartitionState, SixtyRowsOfAKeyTakeAboutAKilobyte) {
  const TableSchema schema = one_double_schema(kRetention);
  PartitionState state(test_schemas(kRetention));
  constexpr int kKeys = 2000;
  for (int i = 0; i < 60; ++i) {
    std::vector<KeyedRow> block;
    for (int k = 0; k < kKeys; ++k) {
      const Row row{kStart + i * 43'200'000'007 + k * 1'000'003, {i * 0.25}, {}};
      block.push_back(keyed({row}, std::to_string(k), schema)[0]);
    }
    append_rows(&state, 1, schema, block);
  }
  EXPECT_EQ(state.stats().rows, 60u * kKeys);
  EXPECT_LE(state.stats().bytes / kKeys, 1024u);
  EXPECT_LE(state.stats().bytes / state.stats().rows, 17u);
  const WindowStats stats = state.stats();
  EXPECT_GE(stats.bytes.of_chunks(), 12 * stats.rows);
  EXPECT_LE(stats.bytes.of_chunks() + stats.key_bytes, stats.bytes) << "the rest is beside rows";
}

}  // namespace
}  // namespace tidemill::testing
