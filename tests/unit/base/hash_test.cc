// The hash decides where a key lives and what stored state means: its values are part of the
// formats, and are pinned here.
#include "shared/base/hash.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidemill {
namespace {

// XXH3-64 of its specification's empty input, seed 0, and of nothing else.
TEST(Hash, IsXxh3) { EXPECT_EQ(hash_bytes("", 0), 0x2d06800538d394c2u); }

TEST(Hash, DependsOnBytesAndSeed) {
  EXPECT_EQ(hash_bytes("596", 1), hash_bytes(std::string("596"), 1));
  EXPECT_NE(hash_bytes("596", 1), hash_bytes("596", 2));
  EXPECT_NE(hash_bytes("596", 1), hash_bytes("597", 1));
  EXPECT_NE(hash_bytes(std::string_view("a\0b", 3), 0), hash_bytes("a", 0));
  EXPECT_EQ(hash_entity_key("596", hash_bytes("customer_id", 0)),
            hash_bytes("596", hash_bytes("customer_id", 0)));
}

TEST(Hash, KeyPartitionIsTheHighHalfScaled) {
  EXPECT_EQ(key_partition_of(0, 128), 0u);
  EXPECT_EQ(key_partition_of(UINT64_MAX, 128), 127u);
  EXPECT_EQ(key_partition_of(UINT64_MAX, 1), 0u);
  EXPECT_EQ(key_partition_of(0xffffffff, 128), 0u);  // the low half does not count
  EXPECT_EQ(key_partition_of(uint64_t{1} << 63, 128), 64u);
  EXPECT_EQ(key_partition_of((uint64_t{1} << 63) - 1, 128), 63u);
  EXPECT_EQ(key_partition_of(uint64_t{1} << 63, 3), 1u);
}

RC_GTEST_PROP(Hash, KeyPartitionIsInRangeAndMonotonic, (uint64_t a, uint64_t b)) {
  const auto k = *rc::gen::inRange<uint32_t>(1, 1u << 20);
  RC_ASSERT(key_partition_of(a, k) < k);
  RC_ASSERT(a > b || key_partition_of(a, k) <= key_partition_of(b, k));
}

TEST(Hash, SpreadsKeysOverKeyPartitions) {
  std::vector<int> count(128, 0);
  const uint64_t seed = hash_bytes("customer_id", 0);
  for (int i = 0; i < 128'000; ++i) {
    ++count[key_partition_of(hash_entity_key(std::to_string(i), seed), 128)];
  }
  for (const int n : count) {
    EXPECT_GT(n, 850);
    EXPECT_LT(n, 1'150);
  }
}

}  // namespace
}  // namespace tidemill
