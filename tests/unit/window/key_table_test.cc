#include "shared/window/key_table.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>

namespace tidemill::testing {
namespace {

TEST(KeyTable, KeysOfOneHashAndOfTwoTablesAreKeptApart) {
  KeyTable table;
  const uint32_t a = table.find_or_insert(0, "a", 7);
  const uint32_t b = table.find_or_insert(0, "b", 7);
  const uint32_t other = table.find_or_insert(1, "a", 7);
  EXPECT_NE(a, b);
  EXPECT_NE(a, other);
  EXPECT_EQ(table.find(0, "a", 7), a);
  EXPECT_EQ(table.find(0, "b", 7), b);
  EXPECT_EQ(table.find(1, "a", 7), other);
  EXPECT_EQ(table.find(1, "b", 7), KeyTable::kNone);
  EXPECT_EQ(table.find(0, "a", 8), KeyTable::kNone);
  table.erase(a);
  EXPECT_EQ(table.find(0, "a", 7), KeyTable::kNone);
  EXPECT_EQ(table.find(0, "b", 7), b);
  EXPECT_EQ(table.find_or_insert(0, "c", 9), a) << "a vacant slot is used again";
}

TEST(KeyTable, LongAndEmptyKeysAndTheirBytes) {
  KeyTable table;
  const std::string length_24(24, 'x'), length_25(25, 'x'), long_key(1000, 'y');
  for (const auto& key : {std::string(), length_24, length_25, long_key}) {
    const uint32_t slot = table.find_or_insert(0, key, 1);
    EXPECT_EQ(table.entry(slot).key(), key);
  }
  const uint64_t bytes = table.bytes();
  table.erase(table.find(0, long_key, 1));
  EXPECT_EQ(table.bytes(), bytes - 1000);
}

RC_GTEST_PROP(KeyTable, ShrinkingLosesNoKey, (const std::vector<bool>& erased)) {
  KeyTable table;
  const auto key = [](size_t i) { return std::string(i % 40, 'k') + std::to_string(i); };
  for (size_t i = 0; i < 1000; ++i) table.find_or_insert(i % 2, key(i), i % 7);
  size_t left = 1000;
  for (size_t i = 0; i < 1000; ++i) {
    if (erased.empty() || !erased[i % erased.size()]) continue;
    table.erase(table.find(i % 2, key(i), i % 7));
    --left;
  }
  const uint64_t bytes = table.bytes();
  table.shrink();
  RC_ASSERT(table.key_count() == left);
  RC_ASSERT(table.bytes() <= bytes);
  RC_ASSERT(table.slot_count() < 2 * left + 256 || left == 1000);
  for (size_t i = 0; i < 1000; ++i) {
    const bool gone = !erased.empty() && erased[i % erased.size()];
    const uint32_t slot = table.find(i % 2, key(i), i % 7);
    RC_ASSERT((slot == KeyTable::kNone) == gone);
    if (!gone) RC_ASSERT(table.entry(slot).key() == key(i));
  }
  for (size_t i = 0; i < 1000; ++i) table.find_or_insert(i % 2, key(i), i % 7);
  RC_ASSERT(table.key_count() == 1000u);
}

TEST(KeyTable, AnEmptyOneThatIsShrunkHoldsNothing) {
  KeyTable table;
  for (int i = 0; i < 10'000; ++i) table.find_or_insert(0, std::to_string(i), i);
  for (int i = 0; i < 10'000; ++i) table.erase(table.find(0, std::to_string(i), i));
  table.shrink();
  EXPECT_EQ(table.slot_count(), 0u);
  EXPECT_LT(table.bytes(), 1'000u);
}

// Few hashes, so that probe chains are long and erasing must close gaps rightly.
RC_GTEST_PROP(KeyTable, BehavesLikeAMap, (const std::vector<uint16_t>& actions)) {
  KeyTable table;
  std::map<std::pair<uint16_t, std::string>, uint32_t> model;
  for (const uint16_t action : actions) {
    const auto number = static_cast<uint16_t>(action % 2);
    const std::string key = std::to_string(action / 2 % 60);
    const uint64_t hash = (action / 2 % 60) % 5 * 0x1234'5678'9abcu;
    const auto found = model.find({number, key});
    if (action >= 0x8000 && found != model.end()) {
      table.erase(found->second);
      model.erase(found);
    } else {
      const uint32_t slot = table.find_or_insert(number, key, hash);
      if (found != model.end()) RC_ASSERT(found->second == slot);
      model[{number, key}] = slot;
    }
    RC_ASSERT(table.key_count() == model.size());
    for (const auto& [name, slot] : model) {
      const uint64_t h = static_cast<uint64_t>(std::stoi(name.second)) % 5 * 0x1234'5678'9abcu;
      RC_ASSERT(table.find(name.first, name.second, h) == slot);
      RC_ASSERT(table.entry(slot).key() == name.second);
    }
  }
}

}  // namespace
}  // namespace tidemill::testing
