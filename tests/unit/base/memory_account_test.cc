#include "shared/base/memory_account.h"

#include <gtest/gtest.h>

#include <vector>

namespace tidemill {
namespace {

uint64_t sorting() { return MemoryAccount::bytes(MemoryConsumer::kSorting); }

TEST(MemoryAccount, CountsWhatIsHeldAsLongAsItIs) {
  const uint64_t before = sorting();
  {
    HeldMemory held(MemoryConsumer::kSorting, 100);
    EXPECT_EQ(sorting(), before + 100);
    held.resize(40);
    EXPECT_EQ(sorting(), before + 40);
    EXPECT_EQ(MemoryAccount::bytes(MemoryConsumer::kUploads), 0u);
  }
  EXPECT_EQ(sorting(), before);
}

TEST(MemoryAccount, WhatIsMovedCountsOnce) {
  const uint64_t before = sorting();
  std::vector<HeldMemory> held;
  for (int i = 0; i < 10; ++i) held.emplace_back(MemoryConsumer::kSorting, 7);  // which grows
  EXPECT_EQ(sorting(), before + 70);
  held.erase(held.begin());
  EXPECT_EQ(sorting(), before + 63);
  held.front() = std::move(held.back());
  EXPECT_EQ(sorting(), before + 56);
  held.clear();
  EXPECT_EQ(sorting(), before);
}

TEST(MemoryAccount, EveryConsumerHasAName) {
  for (size_t i = 0; i < static_cast<size_t>(MemoryConsumer::kCount); ++i) {
    EXPECT_NE(MemoryAccount::name(static_cast<MemoryConsumer>(i)), nullptr);
  }
}

}  // namespace
}  // namespace tidemill
