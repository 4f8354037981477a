// Images and serialized states are outside bytes: whatever is in them, nothing crashes, a refused
// image changes nothing, and an accepted one is a state that works.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "shared/base/hash.h"
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
  Random random(*rc::gen::arbitrary<uint64_t>());
  PartitionState source = some_state(random());
  PartitionState target = some_state(random());
  for (auto bytes : images(source)) {
    damage(&bytes, &random);
    const auto before = whole(target);
    ByteReader reader(bytes);
    if (!target.apply_image(&reader, 2).ok()) RC_ASSERT(whole(target) == before);
  }
  use(&target);
}

RC_GTEST_PROP(HostileBytes, RandomImagesAreRefused, (const std::vector<uint8_t>& bytes)) {
  PartitionState target(test_schemas());
  ByteReader reader(bytes);
  static_cast<void>(target.apply_image(&reader, 2).ok());
  use(&target);
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
  image.put<uint8_t>(1);
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

TEST(HostileBytes, DamagedStatesAreRefusedByTheirChecksum) {
  const auto good = whole(some_state(4));
  for (size_t at = 0; at < good.size(); at += 7) {
    auto bytes = good;
    bytes[at] ^= 4;
    EXPECT_FALSE(PartitionState::deserialize(test_schemas(kMaxTime), bytes).ok()) << at;
    EXPECT_FALSE(
        PartitionState::deserialize(test_schemas(kMaxTime), std::span(good).first(at)).ok());
  }
  EXPECT_TRUE(PartitionState::deserialize(test_schemas(kMaxTime), good).ok());
}

// Behind a checksum made good again, every later check must hold on its own.
RC_GTEST_PROP(HostileBytes, DamagedStatesWithAGoodChecksumAreRefusedOrWork, ()) {
  Random random(*rc::gen::arbitrary<uint64_t>());
  auto bytes = whole(some_state(random()));
  bytes.resize(bytes.size() - 8);
  damage(&bytes, &random);
  const uint64_t sum =
      hash_bytes({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, 0x53504d54);
  ByteWriter out;
  out.put_bytes(bytes);
  out.put(sum);
  auto state = PartitionState::deserialize(test_schemas(kMaxTime), out.bytes());
  if (state.ok()) use(&*state);
}

TEST(HostileBytes, OtherTablesAndVersionsAreNamed) {
  const auto good = whole(some_state(5));
  const auto other =
      std::make_shared<const std::vector<TableSchema>>(std::vector{one_double_schema(1)});
  const auto refused = PartitionState::deserialize(other, good);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message().find("other tables"), std::string::npos);
}

}  // namespace
}  // namespace tidemill::testing
