#include "coordinator/savepoints.h"

#include <gtest/gtest.h>

#include "coordinator/decision.h"
#include "coordinator/snapshot_registry.h"
#include "tests/unit/coordinator/snapshot_fixture.h"
#include "tests/unit/coordinator/test_jobs.h"

namespace tidemill {
namespace {

using testing::claim_of;
using testing::manifest_of;
using testing::state_with_job;

constexpr JobId kJob{1};

void take(CoordinatorState* state, uint32_t k, uint64_t version, uint64_t trigger) {
  ASSERT_EQ(register_snapshot(claim_of(kJob, k, 100 + k, version, trigger), NodeId{10 + k}, state),
            Registration::kNew);
}

// Job 1 with savepoint "s", complete.
CoordinatorState state_with_savepoint() {
  auto state = state_with_job(2);
  EXPECT_TRUE(trigger_snapshot("a", "s", 5, &state).ok());
  for (const uint32_t k : {0, 1}) take(&state, k, 7 + k, 1);
  EXPECT_EQ(update_savepoints(6, &state).completed, std::vector<std::string>{"s"});
  return state;
}

TEST(Savepoints, NamesAreShortAndPlain) {
  for (const char* name : {"a", "before-upgrade", "2026_01.v2", "A1"}) {
    EXPECT_TRUE(is_savepoint_name(name)) << name;
  }
  for (const char* name : {"", "-a", ".", "a/b", "a b", "ä"}) {
    EXPECT_FALSE(is_savepoint_name(name)) << name;
  }
  EXPECT_TRUE(is_savepoint_name(std::string(64, 'a')));
  EXPECT_FALSE(is_savepoint_name(std::string(65, 'a')));
}

TEST(Savepoints, TriggersAreCountedByJob) {
  auto state = state_with_job();
  const auto first = trigger_snapshot("a", "", 0, &state);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->job, kJob);
  EXPECT_EQ(first->trigger, 1u);
  EXPECT_EQ(trigger_snapshot("1", "", 0, &state)->trigger, 2u);
  EXPECT_EQ(state.jobs.at(kJob).job->snapshot_trigger, 2u);
  EXPECT_TRUE(state.savepoints.empty());
  EXPECT_EQ(trigger_snapshot("b", "", 0, &state).error().code(), ErrorCode::kUser);
}

TEST(Savepoints, OneIsCompleteOnceEveryKeyPartitionHasASnapshotBegunAfterIt) {
  auto state = state_with_job(2);
  take(&state, 0, 5, 0);
  take(&state, 1, 5, 0);
  ASSERT_TRUE(trigger_snapshot("a", "s", 50, &state).ok());
  EXPECT_FALSE(state.savepoints.at("s")->complete);
  EXPECT_EQ(satisfied_partitions(state.jobs.at(kJob), 1), 0u);
  EXPECT_TRUE(update_savepoints(60, &state).completed.empty());
  take(&state, 0, 6, 1);
  EXPECT_EQ(satisfied_partitions(state.jobs.at(kJob), 1), 1u);
  EXPECT_TRUE(update_savepoints(60, &state).completed.empty());
  take(&state, 0, 7, 1);  // goes on meanwhile: the newest is taken
  take(&state, 1, 6, 1);
  EXPECT_EQ(update_savepoints(60, &state).completed, std::vector<std::string>{"s"});
  const Savepoint& savepoint = *state.savepoints.at("s");
  EXPECT_TRUE(savepoint.complete);
  EXPECT_EQ(savepoint.made_at, 60);
  EXPECT_EQ(savepoint.plan, state.jobs.at(kJob).job->plan);
  ASSERT_EQ(savepoint.snapshots.size(), 2u);
  EXPECT_EQ(savepoint.snapshots[0].manifest, manifest_of(kJob, 0, 100, 7));
  EXPECT_EQ(savepoint.snapshots[1].manifest, manifest_of(kJob, 1, 101, 6));
  EXPECT_EQ(savepoint.offsets, (std::vector<uint64_t>{6, 12}));
  EXPECT_TRUE(update_savepoints(61, &state).completed.empty());
}

TEST(Savepoints, WhatOneNamesIsRetained) {
  auto state = state_with_savepoint();
  for (const uint64_t version : {20, 21, 22}) take(&state, 0, version, 1);
  EXPECT_EQ(retained_manifests(state, kJob, 0),
            (std::vector{manifest_of(kJob, 0, 100, 22), manifest_of(kJob, 0, 100, 21),
                         manifest_of(kJob, 0, 100, 7)}));
  ASSERT_TRUE(delete_savepoint("s", &state).ok());
  EXPECT_EQ(retained_manifests(state, kJob, 0).size(), 2u);
  EXPECT_EQ(delete_savepoint("s", &state).error().code(), ErrorCode::kUser);
  ASSERT_EQ(state.removals.size(), 1u);
  const SnapshotRemoval& removal = *state.removals.at({kJob, 1});
  EXPECT_EQ(removal.manifests,
            (std::vector{manifest_of(kJob, 0, 100, 7), manifest_of(kJob, 1, 101, 8)}));
}

TEST(Savepoints, ANameIsTakenOnceAndTheirNumberIsBounded) {
  auto state = state_with_savepoint();
  const auto again = trigger_snapshot("a", "s", 0, &state);
  EXPECT_EQ(again.error().code(), ErrorCode::kRetryable);
  EXPECT_EQ(state.jobs.at(kJob).job->snapshot_trigger, 1u);
  for (size_t i = 1; i < kMaxSavepoints; ++i) {
    ASSERT_TRUE(trigger_snapshot("a", "s" + std::to_string(i), 0, &state).ok());
  }
  EXPECT_FALSE(trigger_snapshot("a", "more", 0, &state).ok());
  EXPECT_TRUE(trigger_snapshot("a", "", 0, &state).ok());
}

TEST(Savepoints, OneOfAStoppedJobIsNeverMadeAndOneThatIsMadeStays) {
  auto state = state_with_savepoint();
  ASSERT_TRUE(trigger_snapshot("a", "later", 0, &state).ok());
  Draft draft(state);
  ASSERT_TRUE(draft.stop("a", {64, 0}).ok());
  EXPECT_EQ(draft.update_savepoints(0).dropped, std::vector<std::string>{"later"});
  state = draft.take();
  EXPECT_FALSE(state.jobs.contains(kJob));  // forgotten at once
  EXPECT_TRUE(state.savepoints.contains("s"));
  EXPECT_EQ(state.removals.at({kJob, 0})->key_partitions, 2u);
  EXPECT_EQ(retained_manifests(state, kJob, 0), (std::vector{manifest_of(kJob, 0, 100, 7)}));
  EXPECT_EQ(trigger_snapshot("a", "", 0, &state).error().code(), ErrorCode::kUser);
}

TEST(Savepoints, AStoppedJobHasNoState) {
  auto state = state_with_job();
  Draft draft(state);
  ASSERT_TRUE(draft.stop("a", {}).ok());
  EXPECT_EQ(draft.trigger_snapshot("a", "", 0).error().code(), ErrorCode::kRetryable);
}

TEST(Savepoints, AJobStartsWithTheSnapshotsOfOne) {
  auto state = state_with_savepoint();
  const auto savepoint = state.savepoints.at("s");
  Draft draft(state);
  ASSERT_TRUE(draft.stop("a", {64, 0}).ok());
  const auto id = draft.submit(testing::small_plan("b", 2, 3), 9, {}, savepoint.get());
  ASSERT_TRUE(id.ok()) << id.error().message();
  ASSERT_TRUE(draft.delete_savepoint("s").ok());
  state = draft.take();
  const JobEntry& entry = state.jobs.at(*id);
  EXPECT_EQ(entry.job->from_savepoint, "s");
  EXPECT_EQ(entry.job->origin, kJob);
  ASSERT_EQ(entry.snapshots->of(1).size(), 1u);
  EXPECT_EQ(entry.snapshots->of(1)[0].manifest, manifest_of(kJob, 1, 101, 8));
  EXPECT_EQ(entry.snapshots->of(1)[0].trigger, 0u);  // its triggers are its own
  EXPECT_EQ(summarize_snapshots(entry).needed_offsets, (std::vector<uint64_t>{7, 14, 0}));
  // Neither the job nor the savepoint is there any more: what it starts with is retained all the
  // same.
  EXPECT_EQ(retained_manifests(state, kJob, 1), (std::vector{manifest_of(kJob, 1, 101, 8)}));
  EXPECT_EQ(retained_manifests(state, *id, 1), (std::vector{manifest_of(kJob, 1, 101, 8)}));
}

TEST(Savepoints, OneThatWasDeletedOrMadeAnewMeanwhileIsNotStartedFrom) {
  const auto state = state_with_savepoint();
  const auto savepoint = state.savepoints.at("s");
  Draft draft(state);
  ASSERT_TRUE(draft.delete_savepoint("s").ok());
  const auto plan = testing::small_plan("b", 2, 2);
  EXPECT_EQ(draft.submit(plan, 9, {}, savepoint.get()).error().code(), ErrorCode::kRetryable);
  ASSERT_TRUE(draft.trigger_snapshot("a", "s", 0).ok());
  EXPECT_FALSE(draft.submit(plan, 9, {}, savepoint.get()).ok());
  EXPECT_EQ(draft.state().jobs.size(), 1u);
}

TEST(Savepoints, OnlyATriggerIsShownToMembers) {
  const auto state = state_with_job();
  Draft draft(state);
  EXPECT_EQ(draft.register_snapshot(claim_of(kJob, 0, 100, 3), NodeId{10}), Registration::kNew);
  EXPECT_TRUE(draft.changed());
  EXPECT_FALSE(draft.view_changed());
  ASSERT_TRUE(draft.trigger_snapshot("a", "s", 0).ok());
  EXPECT_TRUE(draft.view_changed());
  Draft after(draft.take());
  ASSERT_TRUE(after.delete_savepoint("s").ok());
  EXPECT_TRUE(after.changed());
  EXPECT_FALSE(after.view_changed());
  EXPECT_TRUE(after.state().removals.empty());  // nothing was made
}

}  // namespace
}  // namespace tidemill
