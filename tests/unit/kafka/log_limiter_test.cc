#include "shared/kafka/log_limiter.h"

#include <gtest/gtest.h>

namespace tidemill {
namespace {

TEST(KafkaLogLimiter, ABurstThenOneEachInterval) {
  KafkaLogLimiter limiter;
  uint64_t suppressed = 0;
  for (int i = 0; i < KafkaLogLimiter::kBurst; ++i) {
    EXPECT_TRUE(limiter.pass("FAIL", 1000, &suppressed));
    EXPECT_EQ(suppressed, 0U);
  }
  for (int i = 0; i < 7; ++i) EXPECT_FALSE(limiter.pass("FAIL", 1001 + i, &suppressed));
  EXPECT_TRUE(limiter.pass("OTHER", 1010, &suppressed));
  EXPECT_TRUE(limiter.pass("FAIL", 1000 + KafkaLogLimiter::kIntervalMs, &suppressed));
  EXPECT_EQ(suppressed, 7U);
  EXPECT_FALSE(limiter.pass("FAIL", 1001 + KafkaLogLimiter::kIntervalMs, &suppressed));
}

}  // namespace
}  // namespace tidemill
