#include "serving/options.h"

#include <gtest/gtest.h>

namespace tidemill::test {
namespace {

TEST(StoreOptions, AMemoryBudgetThatIsTooSmallIsRefused) {
  StoreOptions options;
  EXPECT_TRUE(check(options).ok()) << "no bound";
  options.memory_budget_bytes = least_memory_budget(1);
  EXPECT_TRUE(check(options).ok());
  options.shards = 2;
  ASSERT_FALSE(check(options).ok());
  EXPECT_NE(check(options).error().message().find(std::to_string(least_memory_budget(2))),
            std::string::npos);
  options.memory_budget_bytes = least_memory_budget(2);
  EXPECT_TRUE(check(options).ok());
}

}  // namespace
}  // namespace tidemill::test
