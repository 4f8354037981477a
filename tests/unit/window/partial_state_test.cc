// States that keep only some keys in memory: evicting, finding, bringing back.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "shared/base/hash.h"
#include "tests/unit/window/any_seed.h"
#include "tests/unit/window/window_fixture.h"

namespace tidemill::testing {
namespace {

using Found = PartitionState::Found;
using Load = PartitionState::Load;

class PartialState : public ::testing::Test {
 protected:
  static constexpr uint64_t kAll = UINT64_MAX;

  std::vector<uint8_t> block(const std::string& key, std::vector<double> amounts) const {
    std::vector<Row> rows;
    for (const double amount : amounts) rows.push_back({kStart, {amount}, {}});
    return encode_block(1, schema_, keyed(rows, key, schema_));
  }
  void add(const std::string& key, uint64_t version, std::vector<double> amounts = {1}) {
    const auto bytes = block(key, std::move(amounts));
    state_.append(*RowBlockView::parse(bytes), version);
  }
  uint64_t hash(const std::string& key) const { return hash_entity_key(key, schema_.entity_seed); }
  Found find(const std::string& key) const { return state_.find(1, key, hash(key)); }
  FeatureValue sum(const std::string& key, bool* found = nullptr) const {
    FeatureSpec f;
    f.function = Function::kSum;
    f.column = 0;
    f.type = ColumnType::kDouble;
    f.window = 1000;
    return compute(state_, 1, key, hash(key), {f}, kStart, found)[0];
  }

  TableSchema schema_ = one_double_schema(kMaxTime);
  PartitionState state_{test_schemas(kMaxTime)};
};

TEST_F(PartialState, ANewStateIsComplete) {
  EXPECT_TRUE(state_.complete());
  EXPECT_EQ(find("a"), Found::kAbsent);
  add("a", 1);
  EXPECT_EQ(find("a"), Found::kInMemory);
}

TEST_F(PartialState, OnlyKeysThatAreOnDiskAreEvicted) {
  for (int i = 0; i < 10; ++i) add("k" + std::to_string(i), static_cast<uint64_t>(i + 1));
  const uint64_t before = state_.stats().bytes;
  const auto evicted = state_.evict(kAll, 4, 1000);
  EXPECT_EQ(evicted.keys, 4u);
  EXPECT_EQ(evicted.bytes, before - state_.stats().bytes);
  EXPECT_GT(evicted.bytes, 0u);
  EXPECT_EQ(state_.stats().keys, 6u);
  EXPECT_EQ(state_.stats().rows, 6u);
  EXPECT_FALSE(state_.complete());
  EXPECT_EQ(find("k3"), Found::kMaybeOnDisk);
  EXPECT_EQ(find("k4"), Found::kInMemory);
  EXPECT_EQ(find("never seen"), Found::kMaybeOnDisk);
}

TEST_F(PartialState, NothingToEvictLeavesAStateComplete) {
  add("a", 7);
  EXPECT_EQ(state_.evict(kAll, 6, 1000).keys, 0u);
  EXPECT_TRUE(state_.complete());
}

TEST_F(PartialState, AKeyThatWasReadIsSparedOnce) {
  add("read", 1);
  add("not", 1);
  sum("read");
  EXPECT_EQ(state_.evict(1, 1, 2).keys, 1u);
  EXPECT_EQ(find("read"), Found::kInMemory);
  EXPECT_EQ(find("not"), Found::kMaybeOnDisk);
  EXPECT_EQ(state_.evict(1, 1, 2).keys, 1u);
  EXPECT_EQ(find("read"), Found::kMaybeOnDisk);
}

TEST_F(PartialState, LooksAtNoMoreSlotsThanItMay) {
  for (int i = 0; i < 100; ++i) add("k" + std::to_string(i), 1);
  EXPECT_EQ(state_.evict(kAll, 1, 10).keys, 10u);
  EXPECT_EQ(state_.evict(kAll, 1, 10).keys, 10u) << "it goes on where it was";
  EXPECT_EQ(state_.stats().keys, 80u);
}

TEST_F(PartialState, FreesNoMoreThanIsAsked) {
  for (int i = 0; i < 100; ++i) add("k" + std::to_string(i), 1);
  const uint64_t one = state_.evict(1, 1, 1000).bytes;
  const auto evicted = state_.evict(3 * one, 1, 1000);
  EXPECT_EQ(evicted.keys, 3u);
}

TEST_F(PartialState, RowsOfKeysThatAreNotThereAreNotKept) {
  add("a", 1);
  add("b", 9);
  state_.evict(kAll, 1, 1000);
  add("a", 2, {5});
  add("new", 2, {5});
  add("b", 2, {5});
  EXPECT_EQ(find("a"), Found::kMaybeOnDisk);
  EXPECT_EQ(find("new"), Found::kMaybeOnDisk);
  EXPECT_EQ(sum("b"), FeatureValue(6.0));
  EXPECT_EQ(state_.stats().rows, 2u);
  state_.set_complete(true);
  add("new", 2, {5});
  EXPECT_EQ(sum("new"), FeatureValue(5.0));
}

TEST_F(PartialState, ImagesOfKeysThatAreNotThereAreNotKept) {
  add("a", 1);
  add("b", 1);
  const auto before = images(state_);
  add("b", 9, {5});
  state_.evict(kAll, 1, 1000);
  for (const auto& image : before) {
    ByteReader reader(image);
    ASSERT_TRUE(state_.apply_image(&reader, 10).ok());
  }
  EXPECT_EQ(find("a"), Found::kMaybeOnDisk);
  EXPECT_EQ(sum("b"), FeatureValue(1.0)) << "it is replaced";
  EXPECT_EQ(state_.stats().rows, 1u);
}

// Of what has been evicted nothing is left, not even its place.
TEST_F(PartialState, AKeyThatIsEvictedTakesNoMemory) {
  add("kept", 9);
  const uint64_t alone = state_.stats().bytes;
  for (int i = 0; i < 20'000; ++i) add("key " + std::to_string(i), 1);
  ASSERT_GT(state_.stats().bytes, 20'000u * 64);
  while (state_.evict(kAll, 1, 1000).keys > 0) {
  }
  EXPECT_EQ(state_.stats().keys, 1u);
  EXPECT_LE(state_.stats().bytes, alone);
  EXPECT_EQ(sum("kept"), FeatureValue(1.0));
}

TEST_F(PartialState, BringsBackWhatTheDiskHasAndWhatItHasNotYet) {
  add("a", 1, {1, 2});
  const auto image = images(state_).at(0);
  add("b", 3);
  state_.evict(kAll, 1, 1000);
  const auto later_a = block("a", {10}), later_b = block("b", {10}), later_new = block("c", {10});
  state_.begin_load(1, "a", hash("a"));
  state_.begin_load(1, "b", hash("b"));  // is in memory: stays as it is
  state_.begin_load(1, "none", hash("none"));
  ByteReader reader(image);
  ASSERT_TRUE(state_.load_image(&reader, 1, Load::kBegun).ok());
  for (const auto& bytes : {later_a, later_b, later_new}) {
    state_.load_rows(*RowBlockView::parse(bytes), 5, Load::kBegun);
  }
  state_.end_load();
  EXPECT_EQ(sum("a"), FeatureValue(13.0));
  EXPECT_EQ(sum("b"), FeatureValue(1.0));
  EXPECT_EQ(find("none"), Found::kMaybeOnDisk);
  EXPECT_EQ(find("c"), Found::kMaybeOnDisk);
  sum("a");
  state_.evict(kAll, 4, 1000);
  state_.evict(kAll, 4, 1000);
  EXPECT_EQ(find("a"), Found::kInMemory) << "its last change is not covered";
  state_.evict(kAll, 5, 1000);
  EXPECT_EQ(find("a"), Found::kMaybeOnDisk);
}

TEST_F(PartialState, LoadsWhateverIsMissing) {
  add("a", 1, {1, 2});
  add("b", 1, {3});
  const auto both = images(state_);
  state_.evict(kAll, 1, 1000);
  add("a", 2, {100});  // not kept
  const auto later = block("c", {10});
  for (const auto& image : both) {
    ByteReader reader(image);
    ASSERT_TRUE(state_.load_image(&reader, 1, Load::kMissing).ok());
  }
  state_.load_rows(*RowBlockView::parse(later), 2, Load::kMissing);
  state_.end_load();
  EXPECT_EQ(sum("a"), FeatureValue(3.0));
  EXPECT_EQ(sum("b"), FeatureValue(3.0));
  EXPECT_EQ(sum("c"), FeatureValue(10.0));
  for (const auto& image : both) {  // twice changes nothing
    ByteReader reader(image);
    ASSERT_TRUE(state_.load_image(&reader, 1, Load::kMissing).ok());
  }
  state_.load_rows(*RowBlockView::parse(later), 2, Load::kMissing);
  state_.end_load();
  EXPECT_EQ(sum("c"), FeatureValue(10.0));
}

TEST_F(PartialState, AnImageThatIsNoneIsRefused) {
  const std::vector<uint8_t> bytes(40, 0xff);
  ByteReader reader(bytes);
  EXPECT_FALSE(state_.load_image(&reader, 1, Load::kMissing).ok());
}

// Every byte that is accounted for is given back.
RC_GTEST_PROP(PartialStateBytes, AreExact, ()) {
  const TableSchema schema = every_type_schema(kMaxTime);
  Random random(any_seed());
  PartitionState state(test_schemas(kMaxTime));
  const int keys = *rc::gen::inRange(1, 30);
  for (int k = 0; k < keys; ++k) {
    const std::string key = std::string(random() % 40, 'x') + std::to_string(k);
    const auto rows =
        random_rows(1 + random() % 200, {.values = 1, .nulls_percent = 10}, schema, &random);
    append_rows(&state, 0, schema, keyed(rows, key, schema), 1);
    const auto features = random_features(5, schema, 1'000'000, &random);
    if (random() % 2 == 0) {  // fills caches
      compute(state, 0, key, keyed(rows, key, schema)[0].hash, features, rows[0].time);
    }
  }
  const auto before = images(state);
  const uint64_t bytes = state.stats().bytes;
  uint64_t freed = 0;
  while (state.stats().keys > 0) freed += state.evict(1 + random() % 10'000, 1, 7).bytes;
  RC_ASSERT(state.stats().rows == 0u);
  RC_ASSERT(bytes - freed == state.stats().bytes);
  for (const auto& image : before) {
    ByteReader reader(image);
    RC_ASSERT(state.load_image(&reader, 1, Load::kMissing).ok());
  }
  state.end_load();
  RC_ASSERT(images(state) == before);
}

}  // namespace
}  // namespace tidemill::testing
