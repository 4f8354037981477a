#include "coordinator/load_table.h"

#include <gtest/gtest.h>

#include "coordinator/standby_table.h"
#include "tests/unit/coordinator/test_jobs.h"

namespace tidemill {
namespace {

constexpr int64_t kSecond = 1'000'000;

// A job of 2 key partitions; worker 1 owns the first, worker 2 the second.
CoordinatorState state_with(Epoch epoch) {
  CoordinatorState state;
  JobGrants grants;
  grants.key_partitions = {{NodeId{1}, 0, epoch}, {NodeId{2}, 0, epoch}};
  state.jobs[JobId{1}] = {
      std::make_shared<const JobRecord>(
          JobRecord{JobId{1}, "a", JobState::kRunning, 0, testing::small_plan("a", 2, 1), {}}),
      std::make_shared<const JobGrants>(std::move(grants))};
  return state;
}

proto::Heartbeat counted(uint64_t node, uint32_t k, uint64_t cpu_ns, uint64_t rows) {
  proto::Heartbeat beat;
  beat.set_node(node);
  auto* job = beat.add_jobs();
  job->set_job(1);
  auto* load = job->add_loads();
  load->set_key_partition(k);
  load->set_cpu_ns(cpu_ns);
  load->set_rows(rows);
  load->set_disk_bytes(77);
  return beat;
}

TEST(LoadTable, RatesAreDifferencesBetweenReports) {
  const auto state = state_with(Epoch{5});
  LoadTable table;
  table.take(counted(1, 0, 1000, 10), state, 0);
  EXPECT_FALSE(table.of(JobId{1}, 0).has_value());
  table.take(counted(1, 0, 1500, 15), state, kSecond / 4);  // too soon to tell
  EXPECT_FALSE(table.of(JobId{1}, 0).has_value());
  table.take(counted(1, 0, 5000, 50), state, 4 * kSecond);
  ASSERT_TRUE(table.of(JobId{1}, 0).has_value());
  EXPECT_DOUBLE_EQ(table.of(JobId{1}, 0)->cpu_ns_per_s, 1000);
  EXPECT_DOUBLE_EQ(table.of(JobId{1}, 0)->rows_per_s, 10);
  EXPECT_EQ(table.of(JobId{1}, 0)->disk_bytes, 77u);
  // A newer difference counts, but not alone.
  table.take(counted(1, 0, 5000, 50), state, 8 * kSecond);
  EXPECT_LT(table.of(JobId{1}, 0)->cpu_ns_per_s, 1000);
  EXPECT_GT(table.of(JobId{1}, 0)->cpu_ns_per_s, 0);
}

TEST(LoadTable, ARateStaysWhenTheKeyPartitionMovesAndTheCountBeginsAnew) {
  LoadTable table;
  table.take(counted(1, 0, 0, 0), state_with(Epoch{5}), 0);
  table.take(counted(1, 0, 4000, 0), state_with(Epoch{5}), 4 * kSecond);
  table.take(counted(1, 0, 9'000'000, 0), state_with(Epoch{6}), 8 * kSecond);
  EXPECT_DOUBLE_EQ(table.of(JobId{1}, 0)->cpu_ns_per_s, 1000);
}

TEST(LoadTable, OnlyTheOwnerIsBelieved) {
  const auto state = state_with(Epoch{5});
  LoadTable table;
  for (const int64_t at : {0, 4}) {
    table.take(counted(2, 0, static_cast<uint64_t>(at) * 1000, 0), state, at * kSecond);
    table.take(counted(1, 9, static_cast<uint64_t>(at) * 1000, 0), state, at * kSecond);
  }
  EXPECT_FALSE(table.of(JobId{1}, 0).has_value());
  EXPECT_FALSE(table.of(JobId{1}, 9).has_value());
}

proto::Heartbeat followed(uint64_t node, uint32_t k, uint64_t by, bool caught_up, uint64_t view) {
  proto::Heartbeat beat;
  beat.set_node(node);
  beat.set_view_version(view);
  auto* job = beat.add_jobs();
  job->set_job(1);
  if (by == 0) return beat;
  auto* standby = job->add_standbys();
  standby->set_key_partition(k);
  standby->set_node(by);
  standby->set_caught_up(caught_up);
  return beat;
}

TEST(StandbyTable, HoldsWhatTheOwnerSaidLast) {
  const auto state = state_with(Epoch{5});
  const auto& owner = state.jobs.at(JobId{1}).grants->key_partitions[0];
  StandbyTable table;
  const auto says = [&](uint64_t node, uint64_t since) {
    return table.caught_up(JobId{1}, 0, owner, NodeId{node}, since);
  };
  EXPECT_FALSE(says(3, 0));
  table.take(followed(1, 0, 3, true, 4), state);
  EXPECT_TRUE(says(3, 4));
  EXPECT_FALSE(says(3, 5));  // not said under that view yet
  EXPECT_FALSE(says(2, 0));
  table.take(followed(2, 0, 2, true, 9), state);  // no word of the owner
  EXPECT_FALSE(says(2, 0));
  EXPECT_TRUE(says(3, 0));
  // Not of another grant.
  EXPECT_FALSE(table.caught_up(JobId{1}, 0, {NodeId{1}, 0, Epoch{6}}, NodeId{3}));
  table.take(followed(1, 0, 3, false, 5), state);
  EXPECT_FALSE(says(3, 0));
  EXPECT_TRUE(table.known(JobId{1}, 0, owner, NodeId{3}, 5));
  table.take(followed(1, 0, 3, true, 6), state);
  table.take(followed(1, 0, 0, false, 7), state);
  EXPECT_FALSE(says(3, 0));  // it follows no more
  table.take(followed(1, 0, 3, true, 8), state);
  table.keep(CoordinatorState{});
  EXPECT_FALSE(says(3, 0));
}

}  // namespace
}  // namespace tidemill
