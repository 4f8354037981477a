#include "coordinator/membership.h"

#include <gtest/gtest.h>

namespace tidemill {
namespace {

using Verdict = MembershipTable::Verdict;
constexpr int64_t kLease = 3'000'000;
constexpr int64_t kBrokenLink = 300'000;

MembershipLimits limits() {
  MembershipLimits out;
  out.lease_us = kLease;
  out.broken_link_us = kBrokenLink;
  out.max_members = 3;
  return out;
}

proto::Heartbeat beat(uint64_t node, const std::string& endpoint, uint64_t view_version = 0) {
  proto::Heartbeat out;
  out.set_node(node);
  out.set_endpoint(endpoint);
  out.set_role(proto::WORKER);
  out.set_shards(1);
  out.set_view_version(view_version);
  return out;
}

// Looks at the leases often, as the coordinator does.
std::vector<NodeId> expire_until(MembershipTable* table, int64_t from, int64_t to) {
  std::vector<NodeId> dead;
  for (int64_t t = from; t <= to; t += 100'000) {
    for (const auto node : table->expire(t)) dead.push_back(node);
  }
  return dead;
}

TEST(Membership, JoinsThenIsKnown) {
  MembershipTable table(limits());
  EXPECT_EQ(table.heartbeat(beat(7, "a"), 0).verdict, Verdict::kJoined);
  EXPECT_EQ(table.heartbeat(beat(7, "a", 3), 10).verdict, Verdict::kKnown);
  ASSERT_NE(table.find_alive(NodeId{7}), nullptr);
  EXPECT_EQ(table.find_alive(NodeId{7})->last_heartbeat_us, 10);
}

TEST(Membership, IsDeadAfterItsLeaseAndNeverReadmitted) {
  MembershipTable table(limits());
  (void)table.heartbeat(beat(7, "a"), 0);
  EXPECT_TRUE(expire_until(&table, 0, kLease - 100'000).empty());
  EXPECT_EQ(expire_until(&table, kLease, kLease), std::vector<NodeId>{NodeId{7}});
  EXPECT_EQ(table.find_alive(NodeId{7}), nullptr);
  EXPECT_EQ(table.heartbeat(beat(7, "a", 5), kLease + 1).verdict, Verdict::kFenced);
  EXPECT_EQ(table.heartbeat(beat(7, "a", 0), kLease + 2).verdict, Verdict::kFenced);
  EXPECT_EQ(table.heartbeat(beat(8, "a"), kLease + 3).verdict, Verdict::kJoined);
}

TEST(Membership, HeartbeatsRenewTheLease) {
  MembershipTable table(limits());
  for (int64_t t = 0; t < 10 * kLease; t += kLease / 2) {
    EXPECT_NE(table.heartbeat(beat(7, "a"), t).verdict, Verdict::kFenced);
    EXPECT_TRUE(expire_until(&table, t, t + kLease / 2 - 1).empty());
  }
}

TEST(Membership, AMemberWhoseConnectionBrokeIsDeadSoonUnlessItIsHeardOf) {
  MembershipTable table(limits());
  (void)table.heartbeat(beat(7, "a"), 0);
  (void)table.heartbeat(beat(8, "b"), 0);
  EXPECT_TRUE(table.suspect(NodeId{7}, 1'000));
  EXPECT_FALSE(table.suspect(NodeId{7}, 200'000));  // the time runs since the first one
  EXPECT_TRUE(table.suspect(NodeId{8}, 1'000));
  EXPECT_FALSE(table.suspect(NodeId{9}, 1'000));
  (void)table.heartbeat(beat(8, "b"), 100'000);
  EXPECT_TRUE(expire_until(&table, 0, 1'000 + kBrokenLink - 1).empty());
  EXPECT_EQ(expire_until(&table, 301'000, 400'000), std::vector<NodeId>{NodeId{7}});
  EXPECT_TRUE(table.entries().at(NodeId{7}).suspected);
  EXPECT_TRUE(expire_until(&table, 400'000, 100'000 + kLease - 1).empty());
  EXPECT_NE(table.find_alive(NodeId{8}), nullptr);
  EXPECT_TRUE(table.suspect(NodeId{8}, 3'000'000));  // what is left of a lease is not made longer
  EXPECT_EQ(expire_until(&table, 3'000'000, 3'100'000), std::vector<NodeId>{NodeId{8}});
}

// What was sent meanwhile has not been looked at yet.
TEST(Membership, ASuspectGetsTheTimeThatTheCoordinatorWasHeldUp) {
  MembershipTable table(limits());
  (void)table.heartbeat(beat(7, "a"), 0);
  (void)table.expire(0);
  EXPECT_TRUE(table.suspect(NodeId{7}, 1'000));
  EXPECT_TRUE(table.expire(2'000'000).empty());
  EXPECT_EQ(expire_until(&table, 2'000'000, 2'000'000 + kBrokenLink),
            std::vector<NodeId>{NodeId{7}});
}

TEST(Membership, OneThatLeavesIsDeadAtOnce) {
  MembershipTable table(limits());
  (void)table.heartbeat(beat(7, "a"), 0);
  proto::Heartbeat goodbye = beat(7, "a", 3);
  goodbye.set_leaving(true);
  EXPECT_EQ(table.heartbeat(goodbye, 10).verdict, Verdict::kLeft);
  EXPECT_EQ(table.find_alive(NodeId{7}), nullptr);
  EXPECT_EQ(table.heartbeat(goodbye, 20).verdict, Verdict::kFenced);  // its answer was lost
  proto::Heartbeat stranger = beat(8, "b");
  stranger.set_leaving(true);
  EXPECT_EQ(table.heartbeat(stranger, 30).verdict, Verdict::kFenced);
  EXPECT_EQ(table.heartbeat(beat(9, "a"), 40).verdict, Verdict::kJoined);
  EXPECT_EQ(table.alive().size(), 1u);
}

TEST(Membership, ANewIncarnationAtAnEndpointEndsTheOldOneAtOnce) {
  MembershipTable table(limits());
  (void)table.heartbeat(beat(7, "a"), 0);
  const auto answer = table.heartbeat(beat(8, "a"), 1);
  EXPECT_EQ(answer.verdict, Verdict::kJoined);
  EXPECT_EQ(answer.replaced, NodeId{7});
  EXPECT_EQ(table.alive().size(), 1u);
  EXPECT_EQ(table.heartbeat(beat(7, "a"), 2).verdict, Verdict::kFenced);
  EXPECT_EQ(table.heartbeat(beat(8, "a"), 3).verdict, Verdict::kKnown);
}

TEST(Membership, AStrangerThatHasSeenAViewIsFenced) {
  MembershipTable table(limits());
  EXPECT_EQ(table.heartbeat(beat(7, "a", 4), 0).verdict, Verdict::kFenced);
  EXPECT_TRUE(table.entries().empty());
}

TEST(Membership, OneExpectedReportsAndIsKeptWhateverViewItHas) {
  MembershipTable table(limits());
  table.expect({NodeId{7}, "a", MemberRole::kWorker, 1}, 0);
  EXPECT_FALSE(table.all_reported());
  EXPECT_EQ(table.heartbeat(beat(7, "a", 4), 10).verdict, Verdict::kKnown);
  EXPECT_TRUE(table.all_reported());
}

TEST(Membership, OneExpectedThatDoesNotReportIsDeadAfterOneLease) {
  MembershipTable table(limits());
  table.expect({NodeId{7}, "a", MemberRole::kWorker, 1}, 0);
  EXPECT_TRUE(expire_until(&table, 0, kLease - 100'000).empty());
  EXPECT_EQ(expire_until(&table, kLease, kLease), std::vector<NodeId>{NodeId{7}});
  EXPECT_TRUE(table.all_reported());
}

TEST(Membership, WhoeverWasHeldUpItselfKillsNobody) {
  MembershipTable table(limits());
  (void)table.heartbeat(beat(7, "a"), 0);
  EXPECT_TRUE(table.expire(100'000).empty());
  EXPECT_TRUE(table.expire(20 * kLease).empty());
  // Still silent after a lease of looking at it: dead.
  EXPECT_EQ(expire_until(&table, 20 * kLease, 21 * kLease + 100'000),
            std::vector<NodeId>{NodeId{7}});
}

TEST(Membership, RefusesWhatMakesNoSense) {
  MembershipTable table(limits());
  EXPECT_EQ(table.heartbeat(beat(0, "a"), 0).verdict, Verdict::kRefused);
  EXPECT_EQ(table.heartbeat(beat(1, ""), 0).verdict, Verdict::kRefused);
  EXPECT_EQ(table.heartbeat(beat(1, std::string(1000, 'x')), 0).verdict, Verdict::kRefused);
  auto no_shards = beat(1, "a");
  no_shards.set_shards(0);
  EXPECT_EQ(table.heartbeat(no_shards, 0).verdict, Verdict::kRefused);
  auto no_role = beat(1, "a");
  no_role.set_role(proto::ROLE_UNSPECIFIED);
  EXPECT_EQ(table.heartbeat(no_role, 0).verdict, Verdict::kRefused);
  (void)table.heartbeat(beat(1, "a"), 0);
  EXPECT_EQ(table.heartbeat(beat(1, "elsewhere"), 0).verdict, Verdict::kRefused);
}

TEST(Membership, HasRoomForSoMany) {
  MembershipTable table(limits());
  for (uint64_t node = 1; node <= 3; ++node) {
    EXPECT_EQ(table.heartbeat(beat(node, "e" + std::to_string(node)), 0).verdict, Verdict::kJoined);
  }
  EXPECT_EQ(table.heartbeat(beat(4, "e4"), 0).verdict, Verdict::kRefused);
  EXPECT_EQ(table.heartbeat(beat(5, "e3"), 0).verdict, Verdict::kJoined);
}

TEST(Membership, ForgetsTheOldestDead) {
  auto few = limits();
  few.max_dead_remembered = 2;
  MembershipTable table(few);
  for (uint64_t node = 1; node <= 5; ++node) (void)table.heartbeat(beat(node, "a"), 0);
  EXPECT_EQ(table.entries().size(), 3u);
  EXPECT_EQ(table.heartbeat(beat(1, "a", 1), 0).verdict, Verdict::kFenced);
}

}  // namespace
}  // namespace tidemill
