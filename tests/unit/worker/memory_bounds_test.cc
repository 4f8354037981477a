#include "worker/memory_bounds.h"

#include <gtest/gtest.h>

#include "worker/options.h"

namespace tidemill::test {
namespace {

TEST(MemoryBounds, WithoutABudgetOptionsStayAsTheyAre) {
  WorkerConfig config;
  config.read_bytes = 12'345;
  const WorkerConfig same = within_budget(config, 2);
  EXPECT_EQ(same.read_bytes, 12'345);
  EXPECT_EQ(same.unsent_limit_bytes, config.unsent_limit_bytes);
  const ReadBounds bounds = read_bounds(same, 7);
  EXPECT_EQ(bounds.bytes, 12'345);
  EXPECT_EQ(bounds.records, config.read_records);
}

TEST(MemoryBounds, WhatPartsMayTakeTogetherLeavesMostOfTheBudgetToChanges) {
  for (const int64_t shards : {1, 2, 16}) {
    WorkerConfig config;
    config.memory_budget_bytes = least_memory_budget(shards);
    const WorkerConfig c = within_budget(config, static_cast<uint16_t>(shards));
    const int64_t share = config.memory_budget_bytes / shards;
    // Messages that come and go, changes for stores, records that are read and parsed, and two
    // key partitions' logs that are sorted.
    const int64_t parts = c.batch_credit_bytes + c.frame_credit_bytes + c.unsent_limit_bytes +
                          10 * c.read_bytes + 2 * 2 * c.log_limit_bytes +
                          kafka_queue_bytes(config) / shards;
    EXPECT_LT(parts, share / 2);
    EXPECT_GE(c.frame_bytes, 64 << 10) << "messages are not made tiny";
    EXPECT_LE(c.frame_bytes, c.frame_credit_bytes / 8);
  }
}

TEST(MemoryBounds, ALowerBoundThatWasGivenStays) {
  WorkerConfig config;
  config.memory_budget_bytes = 10'000'000'000;
  config.log_limit_bytes = 0;
  const WorkerConfig c = within_budget(config, 1);
  EXPECT_EQ(c.log_limit_bytes, 0);
  EXPECT_EQ(c.read_bytes, config.read_bytes) << "a large budget changes nothing";
  EXPECT_EQ(c.batch_credit_bytes, config.batch_credit_bytes);
}

TEST(MemoryBounds, KafkasQueuesAreAPartOfTheBudget) {
  WorkerConfig config;
  EXPECT_EQ(kafka_queue_bytes(config), 0) << "no bound";
  config.memory_budget_bytes = 160'000'000;
  EXPECT_EQ(kafka_queue_bytes(config), 2'500'000);
}

TEST(MemoryBounds, ReadersOfAShardShare) {
  WorkerConfig config;
  config.memory_budget_bytes = 128'000'000;
  const WorkerConfig c = within_budget(config, 1);
  const ReadBounds one = read_bounds(c, 1);
  EXPECT_EQ(one.bytes, c.read_bytes);
  EXPECT_LT(one.records, config.read_records) << "short records take memory too";
  const ReadBounds four = read_bounds(c, 4);
  EXPECT_EQ(four.bytes, c.read_bytes / 4);
  EXPECT_EQ(four.records, one.records / 4);
  EXPECT_GE(read_bounds(c, 1'000'000).bytes, 64 << 10) << "or reading would stand still";
  EXPECT_GE(read_bounds(c, 1'000'000).records, 1);
}

TEST(WorkerOptions, AMemoryBudgetThatIsTooSmallIsRefused) {
  WorkerOptions options;
  EXPECT_TRUE(check(options).ok()) << "no bound";
  options.worker.memory_budget_bytes = least_memory_budget(1);
  EXPECT_TRUE(check(options).ok());
  options.shards = 2;
  ASSERT_FALSE(check(options).ok());
  EXPECT_NE(check(options).error().message().find(std::to_string(least_memory_budget(2))),
            std::string::npos);
  options.worker.memory_budget_bytes = least_memory_budget(2);
  EXPECT_TRUE(check(options).ok());
}

}  // namespace
}  // namespace tidemill::test
