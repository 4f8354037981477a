// Which of several coordinators a member follows.
#include "shared/member/coordinator_choice.h"

#include <gtest/gtest.h>

#include "shared/wire/actors.h"

namespace tidemill {
namespace {

constexpr int64_t kPatienceUs = 500'000;
const NodeId kFirst = CoordinatorChoice::node(0);
const NodeId kSecond = CoordinatorChoice::node(1);

TEST(CoordinatorChoice, AsksAllUntilOneAnswersAndThenThatOne) {
  CoordinatorChoice choice(2, kPatienceUs);
  EXPECT_EQ(choice.current(), kCoordinatorNode);
  EXPECT_EQ(choice.to_ask(0), (std::vector<NodeId>{kFirst, kSecond}));
  EXPECT_TRUE(choice.answered(kSecond, 3, 1'000));
  EXPECT_EQ(choice.current(), kSecond);
  EXPECT_EQ(choice.to_ask(1'000 + kPatienceUs), (std::vector<NodeId>{kSecond}));
  EXPECT_FALSE(choice.answered(kSecond, 3, 2'000));  // the same again
  EXPECT_EQ(choice.to_ask(2'001 + kPatienceUs), (std::vector<NodeId>{kFirst, kSecond}));
}

TEST(CoordinatorChoice, ADeposedCoordinatorIsNotFollowed) {
  CoordinatorChoice choice(2, kPatienceUs);
  EXPECT_FALSE(choice.answered(kFirst, 7, 1'000));
  EXPECT_TRUE(choice.answered(kSecond, 8, 2'000));
  EXPECT_FALSE(choice.answered(kFirst, 7, 3'000));
  EXPECT_EQ(choice.current(), kSecond);
  EXPECT_TRUE(choice.is_deposed(7, 4'000));
  EXPECT_FALSE(choice.is_deposed(8, 4'000));
  EXPECT_TRUE(choice.answered(kFirst, 9, 5'000));
}

TEST(CoordinatorChoice, AClusterThatBeganAnewIsFollowedAfterAWhile) {
  CoordinatorChoice several(2, kPatienceUs);
  EXPECT_FALSE(several.answered(kFirst, 7, 1'000));
  EXPECT_FALSE(several.is_deposed(1, 60'000'000));
  CoordinatorChoice one(1, kPatienceUs);
  EXPECT_FALSE(one.answered(kFirst, 7, 1'000));
  EXPECT_FALSE(one.is_deposed(1, 2'000));
}

TEST(CoordinatorChoice, NodesThatAreNoCoordinatorsSayNothing) {
  CoordinatorChoice choice(2, kPatienceUs);
  for (const uint64_t node : {uint64_t{0}, uint64_t{3}, uint64_t{1} << 40}) {
    EXPECT_FALSE(choice.answered(NodeId{node}, 9, 1'000)) << node;
  }
  EXPECT_EQ(choice.current(), kFirst);
}

TEST(CoordinatorChoice, ReadsListsOfEndpoints) {
  EXPECT_EQ(*parse_coordinators("tcp://a:1"), (std::vector<std::string>{"tcp://a:1"}));
  EXPECT_EQ(*parse_coordinators("tcp://a:1,tcp://b:2"),
            (std::vector<std::string>{"tcp://a:1", "tcp://b:2"}));
  std::string many = "tcp://h:0";
  for (int i = 1; i < 17; ++i) many += ",tcp://h:" + std::to_string(i);
  for (const std::string& bad : std::vector<std::string>{
           "", "a:1", "tcp://a:1,", "tcp://a:1,tcp://a:1", "tcp://a:1, tcp://b:2", many}) {
    EXPECT_FALSE(parse_coordinators(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace tidemill
