#include "coordinator/decision.h"

#include <gtest/gtest.h>

#include "tests/unit/coordinator/test_jobs.h"

namespace tidemill {
namespace {

const JobLimits kLimits{3, 2};

std::map<NodeId, MemberInfo> workers(std::initializer_list<uint64_t> nodes) {
  std::map<NodeId, MemberInfo> out;
  for (const auto node : nodes) {
    out[NodeId{node}] = {NodeId{node}, "e" + std::to_string(node), MemberRole::kWorker, 1};
  }
  return out;
}

CoordinatorState with_job(const std::string& name) {
  Draft draft(CoordinatorState{});
  EXPECT_TRUE(draft.submit(testing::small_plan(name, 8, 2), 5, kLimits).ok());
  return draft.take();
}

TEST(Decision, NothingToDoChangesNothing) {
  Draft first(with_job("a"));
  first.set_members(workers({1, 2}));
  EXPECT_EQ(first.place(), 10u);
  const auto state = first.take();
  Draft draft(state);
  draft.set_members(workers({1, 2}));
  EXPECT_EQ(draft.place(), 0u);
  EXPECT_FALSE(draft.changed());
  EXPECT_EQ(draft.take().view_version, state.view_version);
}

TEST(Decision, ASubmittedJobWaitsForWorkers) {
  Draft draft(with_job("a"));
  EXPECT_EQ(draft.place(), 0u);
  EXPECT_EQ(draft.state().jobs.at(JobId{1}).grants->key_partitions.size(), 8u);
  draft.set_members(workers({1}));
  EXPECT_EQ(draft.place(), 10u);
  for (const auto& grant : draft.state().jobs.at(JobId{1}).grants->key_partitions) {
    EXPECT_EQ(grant.node, NodeId{1});
    EXPECT_LT(grant.epoch, draft.state().next_epoch);
  }
}

TEST(Decision, StoresGetNothing) {
  Draft draft(with_job("a"));
  auto members = workers({1});
  members[NodeId{1}].role = MemberRole::kStore;
  draft.set_members(members);
  EXPECT_EQ(draft.place(), 0u);
}

TEST(Decision, NamesAreUniqueAmongLiveJobsAndIdsNeverReturn) {
  Draft draft(with_job("a"));
  EXPECT_FALSE(draft.submit(testing::small_plan("a", 8, 2), 5, kLimits).ok());
  ASSERT_TRUE(draft.stop("a", kLimits).ok());
  const auto again = draft.submit(testing::small_plan("a", 8, 2), 5, kLimits);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again, JobId{2});
  EXPECT_EQ(find_job(draft.state(), "a")->job->id, JobId{2});
  EXPECT_EQ(find_job(draft.state(), "1")->job->id, JobId{1});
  EXPECT_EQ(find_job(draft.state(), "3"), nullptr);
  EXPECT_EQ(find_job(draft.state(), "1x"), nullptr);
}

TEST(Decision, StoppingGivesUpGrantsAndIsIdempotent) {
  Draft first(with_job("a"));
  first.set_members(workers({1}));
  first.place();
  Draft draft(first.take());
  ASSERT_TRUE(draft.stop("1", kLimits).ok());
  EXPECT_TRUE(draft.view_changed());
  EXPECT_TRUE(draft.state().jobs.at(JobId{1}).grants->key_partitions.empty());
  Draft again(draft.take());
  ASSERT_TRUE(again.stop("1", kLimits).ok());
  EXPECT_FALSE(again.changed());
  EXPECT_EQ(again.place(), 0u);
  EXPECT_FALSE(again.stop("b", kLimits).ok());
}

TEST(Decision, ThereAreLimits) {
  Draft draft(with_job("a"));
  ASSERT_TRUE(draft.submit(testing::small_plan("b", 8, 2), 5, kLimits).ok());
  ASSERT_TRUE(draft.submit(testing::small_plan("c", 8, 2), 5, kLimits).ok());
  EXPECT_FALSE(draft.submit(testing::small_plan("d", 8, 2), 5, kLimits).ok());
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(draft.stop(name, kLimits).ok());
  EXPECT_EQ(draft.state().jobs.size(), 2u);
  EXPECT_EQ(find_job(draft.state(), "a"), nullptr);
}

}  // namespace
}  // namespace tidemill
