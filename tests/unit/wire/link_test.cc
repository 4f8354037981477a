#include "shared/wire/link.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

namespace tidemill {
namespace {

TEST(SendLink, NumbersMessagesAndCountsCredit) {
  SendLink link(100);
  EXPECT_TRUE(link.has_credit());
  EXPECT_EQ(link.sent(60, 10), 1u);
  EXPECT_TRUE(link.has_credit());
  EXPECT_EQ(link.sent(60, 20), 2u);  // the last one may go over the credit
  EXPECT_EQ(link.in_flight_bytes(), 120u);
  EXPECT_FALSE(link.has_credit());
  EXPECT_EQ(link.last_sent_us(), 20);
  link.acknowledged(1, 30);
  EXPECT_EQ(link.in_flight_bytes(), 60u);
  EXPECT_TRUE(link.has_credit());
  EXPECT_EQ(link.sent(1, 40), 3u);
}

TEST(SendLink, CreditEndsExactlyAtItsLimit) {
  SendLink link(100);
  link.sent(99, 0);
  EXPECT_TRUE(link.has_credit());
  link.sent(1, 0);
  EXPECT_FALSE(link.has_credit());
}

TEST(SendLink, CatchingUpLeavesHalfOfTheCredit) {
  SendLink link(100);
  link.sent(49, 0);
  EXPECT_TRUE(link.has_credit_to_catch_up());
  link.sent(1, 0);
  EXPECT_FALSE(link.has_credit_to_catch_up());
  EXPECT_TRUE(link.has_credit());
  link.set_credit(50);
  EXPECT_FALSE(link.has_credit());
}

TEST(SendLink, AcknowledgementsAreCumulative) {
  SendLink link(100);
  for (int i = 0; i < 5; ++i) link.sent(10, 0);
  link.acknowledged(4, 0);
  EXPECT_EQ(link.in_flight_bytes(), 10u);
  link.acknowledged(2, 0);  // late, says nothing new
  EXPECT_EQ(link.in_flight_bytes(), 10u);
  link.acknowledged(99, 0);
  EXPECT_EQ(link.in_flight_bytes(), 0u);
}

TEST(SendLink, StallsOnlyWithSomethingInFlightAndNoProgress) {
  SendLink link(100);
  EXPECT_FALSE(link.stalled(1'000'000, 100));
  link.sent(10, 1'000);
  link.sent(10, 1'090);  // sending is not progress
  EXPECT_FALSE(link.stalled(1'100, 100));
  EXPECT_TRUE(link.stalled(1'101, 100));
  link.acknowledged(1, 1'101);
  EXPECT_FALSE(link.stalled(1'201, 100));
  EXPECT_TRUE(link.stalled(1'202, 100));
  link.acknowledged(1, 1'202);  // again the same: no progress either
  EXPECT_TRUE(link.stalled(1'202, 100));
  link.acknowledged(2, 1'203);
  EXPECT_FALSE(link.stalled(9'999, 100));
  link.sent(10, 20'000);  // an idle link waits from here
  EXPECT_FALSE(link.stalled(20'100, 100));
}

TEST(SendLink, ResetForgetsWhatIsInFlightButNotTheNumbers) {
  SendLink link(10);
  link.sent(10, 0);
  link.sent(10, 0);
  link.reset();
  EXPECT_TRUE(link.has_credit());
  EXPECT_EQ(link.in_flight_bytes(), 0u);
  EXPECT_FALSE(link.stalled(1'000'000, 100));
  EXPECT_EQ(link.sent(10, 5), 3u);
  link.acknowledged(2, 6);  // of before the reset
  EXPECT_FALSE(link.has_credit());
  link.acknowledged(3, 7);
  EXPECT_TRUE(link.has_credit());
}

RC_GTEST_PROP(SendLink, InFlightIsWhatWasSentAndNotAcknowledged, ()) {
  SendLink link(1'000);
  std::map<uint64_t, uint64_t> model;
  for (int step = 0; step < 60; ++step) {
    if (*rc::gen::inRange(0, 3) > 0) {
      const auto bytes = *rc::gen::inRange<uint64_t>(0, 300);
      model[link.sent(bytes, step)] = bytes;
    } else {
      const auto ack = *rc::gen::inRange<uint64_t>(0, 60);
      link.acknowledged(ack, step);
      model.erase(model.begin(), model.upper_bound(ack));
    }
    uint64_t bytes = 0;
    for (const auto& [seq, size] : model) bytes += size;
    RC_ASSERT(link.in_flight_bytes() == bytes);
    RC_ASSERT(link.has_credit() == (bytes < 1'000));
    RC_ASSERT(link.stalled(1'000'000, 1) == !model.empty());
  }
}

}  // namespace
}  // namespace tidemill
