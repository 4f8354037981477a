// Images are outside bytes: whatever is in them, nothing crashes, a refused
// image changes nothing, and an accepted one is a state that works.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <limits>

#include "shared/base/hash.h"
#include "shared/window/image.h"
#include "tests/unit/window/any_seed.h"
#include "tests/unit/window/window_fixture.h"

namespace tidemill::testing {
namespace {

PartitionState some_state(uint64_t seed) {
  const TableSchema schema = every_type_schema(kMaxTime);
  Random random(seed);
  PartitionState state(test_schemas(kMaxTime));
  for (int k = 0; k < 3; ++k) {
    const RowShape shape{static_cast<int>(random() % 4), static_cast<int>(random() % 3),
                         static_cast<int>(random() % 2 * 20), 10};
    const auto rows = random_rows(1 + random() % 100, shape, schema, &random);
    append_rows(&state, 0, schema, keyed(rows, "key" + std::to_string(k), schema));
  }
  return state;
}

// Of a table with lifetime windows, whose keys have bases.
const TableSchemas& lifetime_schemas() {
  static const TableSchemas schemas = [] {
    TableSchema schema = every_type_schema(5'000'000);
    Random random(11);
    schema.lifetime = random_lifetime_features(25, schema, &random);
    return std::make_shared<const std::vector<TableSchema>>(std::vector{schema});
  }();
  return schemas;
}

PartitionState folded_state(uint64_t seed) {
  const TableSchemas schemas = lifetime_schemas();
  Random random(seed);
  PartitionState state(schemas);
  for (int k = 0; k < 3; ++k) {
    const RowShape shape{static_cast<int>(random() % 3), static_cast<int>(random() % 3),
                         static_cast<int>(random() % 2 * 20), 10};
    const auto rows = random_rows(1 + random() % 100, shape, (*schemas)[0], &random);
    append_rows(&state, 0, (*schemas)[0], keyed(rows, "key" + std::to_string(k), (*schemas)[0]));
    state.raise_horizon(kStart + static_cast<int64_t>(random() % 100'000'000));
  }
  return state;
}

void use_folded(PartitionState* state) {
  const TableSchema& schema = (*lifetime_schemas())[0];
  Random random(1);
  for (int k = 0; k < 3; ++k) {
    const std::string key = "key" + std::to_string(k);
    const uint64_t hash = hash_entity_key(key, schema.entity_seed);
    compute(*state, 0, key, hash, schema.lifetime, kMaxTime);
    append_rows(state, 0, schema, keyed(random_rows(70, {}, schema, &random), key, schema));
    state->raise_horizon(kStart + 500'000'000);
    compute(*state, 0, key, hash, schema.lifetime, kMaxTime);
  }
  images(*state);
}

void damage(std::vector<uint8_t>* bytes, Random* random) {
  const size_t flips = (*random)() % 6;
  for (size_t i = 0; i < flips && !bytes->empty(); ++i) {
    // Mostly near the front, where lengths and counts are.
    const size_t reach = (*random)() % 2 == 0 ? std::min<size_t>(bytes->size(), 64) : bytes->size();
    (*bytes)[(*random)() % reach] ^= static_cast<uint8_t>(1u << ((*random)() % 8));
  }
  if ((*random)() % 2 == 0) bytes->resize((*random)() % (bytes->size() + 1));
}

void use(PartitionState* state) {
  const TableSchema schema = every_type_schema(kMaxTime);
  Random random(1);
  const auto features = random_features(30, schema, kMaxTime, &random);
  for (int k = 0; k < 3; ++k) {
    const std::string key = "key" + std::to_string(k);
    const uint64_t hash = hash_entity_key(key, schema.entity_seed);
    compute(*state, 0, key, hash, features, kMaxTime);
    append_rows(state, 0, schema, keyed(random_rows(70, {}, schema, &random), key, schema));
  }
  images(*state);
}

RC_GTEST_PROP(HostileBytes, DamagedImagesAreRefusedOrWork, ()) {
  Random random(any_seed());
  PartitionState source = some_state(random());
  PartitionState target = some_state(random());
  for (auto bytes : images(source)) {
    damage(&bytes, &random);
    const auto before = images(target);
    ByteReader reader(bytes);
    if (!target.apply_image(&reader, 2).ok()) RC_ASSERT(images(target) == before);
  }
  use(&target);
}

RC_GTEST_PROP(HostileBytes, RandomImagesAreRefused, (const std::vector<uint8_t>& bytes)) {
  PartitionState target(test_schemas());
  ByteReader reader(bytes);
  static_cast<void>(target.apply_image(&reader, 2).ok());
  use(&target);
}

RC_GTEST_PROP(HostileBytes, DamagedBasesAreRefusedOrWork, ()) {
  Random random(any_seed());
  PartitionState source = folded_state(random());
  PartitionState target = folded_state(random());
  for (int turn = 0; turn < 3; ++turn) {
    for (auto bytes : images(source)) {
      damage(&bytes, &random);
      // Bases stand at the end.
      for (uint64_t flips = random() % 4; flips > 0 && !bytes.empty(); --flips) {
        const size_t reach = std::min<size_t>(bytes.size(), 4000);
        bytes[bytes.size() - 1 - random() % reach] ^= static_cast<uint8_t>(1u << (random() % 8));
      }
      const auto before = images(target);
      ByteReader reader(bytes);
      if (!target.apply_image(&reader, 2).ok()) RC_ASSERT(images(target) == before);
    }
    use_folded(&target);
  }
}

TEST(HostileBytes, EveryTruncationOfAnImageWithABaseIsRefused) {
  const PartitionState source = folded_state(3);
  for (const auto& image : images(source)) {
    for (size_t length = 0; length < image.size(); ++length) {
      PartitionState target(lifetime_schemas());
      ByteReader reader{std::span(image).first(length)};
      EXPECT_FALSE(target.apply_image(&reader, 2).ok()) << length;
      EXPECT_EQ(target.slot_count(), 0u);
    }
  }
}

// What no rows can have is refused, or arithmetic behind it would not hold.
TEST(HostileBytes, SumsThatNoRowsHaveAreRefused) {
  TableSchema schema = one_double_schema(0);
  FeatureSpec variance;
  variance.function = Function::kVarPop;
  variance.column = 0;
  variance.type = ColumnType::kDouble;
  variance.lifetime = true;
  schema.lifetime = {variance};
  const auto schemas = std::make_shared<const std::vector<TableSchema>>(std::vector{schema});
  const auto apply = [&](uint64_t count, double sum, double squares) {
    ByteWriter image;
    image.put<uint8_t>(kImageVersion);
    image.put<uint16_t>(0);
    image.put<uint64_t>(1);
    image.put_string("k");
    image.put<uint32_t>(0);  // rows
    image.put<uint8_t>(2);   // their times
    image.put<int64_t>(0);
    image.put<uint8_t>(0);  // the column
    image.put<uint8_t>(1);  // a base
    image.put(count);
    for (const double x : {sum, squares}) {
      ExactSum exact;
      exact.add(x);
      exact.encode(&image);
    }
    PartitionState target(schemas);
    ByteReader reader(image.bytes());
    const bool taken = target.apply_image(&reader, 2).ok();
    if (taken) compute(target, 0, "k", 1, {variance}, 0);
    return taken;
  };
  EXPECT_TRUE(apply(2, 3.0, 5.0));
  EXPECT_TRUE(apply(2, 2.0, 2.0));
  EXPECT_FALSE(apply(2, 3.0, 4.0)) << "squares of two numbers with sum 3 are at least 4.5";
  EXPECT_FALSE(apply(0, 3.0, 9.0));
  EXPECT_FALSE(apply(2, 3.0, -5.0));
  EXPECT_FALSE(apply(uint64_t{1} << 63, 3.0, 5.0));
  EXPECT_FALSE(apply(2, 3.0, std::numeric_limits<double>::infinity()));
}

TEST(HostileBytes, EveryTruncationOfAnImageIsRefused) {
  const PartitionState source = some_state(3);
  for (const auto& image : images(source)) {
    for (size_t length = 0; length < image.size(); ++length) {
      PartitionState target(test_schemas(kMaxTime));
      ByteReader reader{std::span(image).first(length)};
      EXPECT_FALSE(target.apply_image(&reader, 2).ok()) << length;
      EXPECT_EQ(target.slot_count(), 0u);
    }
  }
}

TEST(HostileBytes, ACountOfRowsBeyondTheBytesAsksForNoMemory) {
  ByteWriter image;
  image.put<uint8_t>(kImageVersion);
  image.put<uint16_t>(0);
  image.put<uint64_t>(1);
  image.put_string("k");
  image.put<uint32_t>(UINT32_MAX);
  image.put<uint8_t>(0);
  image.put<int64_t>(0);
  PartitionState target(test_schemas());
  ByteReader reader(image.bytes());
  const Status status = target.apply_image(&reader, 2);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace tidemill::testing
