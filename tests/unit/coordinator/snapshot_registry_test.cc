#include "coordinator/snapshot_registry.h"

#include <gtest/gtest.h>

#include "coordinator/savepoints.h"
#include "tests/unit/coordinator/snapshot_fixture.h"
#include "tests/unit/coordinator/test_jobs.h"

namespace tidemill {
namespace {

using testing::claim_of;
using testing::grant;
using testing::manifest_of;
using testing::state_with_job;

constexpr JobId kJob{1};
constexpr NodeId kOwner{10};  // of key partition 0
constexpr uint64_t kEpoch = 100;

const PartitionSnapshots& retained(const CoordinatorState& state, uint32_t k) {
  static const PartitionSnapshots kNone;
  const auto& snapshots = state.jobs.at(kJob).snapshots;
  return snapshots ? snapshots->of(k) : kNone;
}

Registration claim(CoordinatorState* state, uint64_t epoch, uint64_t version, NodeId from = kOwner,
                   uint64_t trigger = 0) {
  return register_snapshot(claim_of(kJob, 0, epoch, version, trigger), from, state);
}

TEST(SnapshotRegistry, TheNewestTwoAreRetained) {
  auto state = state_with_job();
  for (const uint64_t version : {3, 5, 9}) {
    EXPECT_EQ(claim(&state, kEpoch, version), Registration::kNew);
  }
  ASSERT_EQ(retained(state, 0).size(), 2u);
  const RegisteredSnapshot& newest = retained(state, 0)[0];
  EXPECT_EQ(newest.manifest, manifest_of(kJob, 0, kEpoch, 9));
  EXPECT_EQ(newest.stamp, (Stamp{Epoch{kEpoch}, 9}));
  EXPECT_EQ(newest.total_bytes, 900u);
  EXPECT_EQ(newest.new_bytes, 10u);
  EXPECT_EQ(newest.rows, 9u);
  EXPECT_EQ(newest.taken_at, 9'000'000);
  EXPECT_EQ(newest.offsets, (std::vector<uint64_t>{9, 18}));
  EXPECT_EQ(retained(state, 0)[1].stamp.version, 5u);
  EXPECT_TRUE(retained(state, 1).empty());
  EXPECT_EQ(retained_manifests(state, kJob, 0),
            (std::vector{manifest_of(kJob, 0, kEpoch, 9), manifest_of(kJob, 0, kEpoch, 5)}));
}

TEST(SnapshotRegistry, OnlyTheNewestGrantsOwnerRegisters) {
  auto state = state_with_job();
  EXPECT_EQ(claim(&state, kEpoch - 1, 3), Registration::kRefused);
  EXPECT_EQ(claim(&state, kEpoch + 1, 3), Registration::kRefused);
  EXPECT_EQ(claim(&state, kEpoch, 3, NodeId{11}), Registration::kRefused);
  EXPECT_TRUE(retained(state, 0).empty());
  EXPECT_EQ(claim(&state, kEpoch, 3), Registration::kNew);
  // From the moment at which another one is granted it, whether that one has heard of it or not.
  grant(&state, kJob, 0, NodeId{77}, kEpoch + 500);
  EXPECT_EQ(claim(&state, kEpoch, 4), Registration::kRefused);
  EXPECT_EQ(claim(&state, kEpoch, 3), Registration::kRefused);
  EXPECT_EQ(retained(state, 0).size(), 1u);
  EXPECT_EQ(claim(&state, kEpoch + 500, 4, NodeId{77}), Registration::kNew);
  EXPECT_EQ(retained(state, 0)[0].stamp, (Stamp{Epoch{kEpoch + 500}, 4}));
}

TEST(SnapshotRegistry, RefusesJobsAndKeyPartitionsThatThereAreNot) {
  auto state = state_with_job();
  EXPECT_EQ(register_snapshot(claim_of(JobId{2}, 0, kEpoch, 1), kOwner, &state),
            Registration::kRefused);
  EXPECT_EQ(register_snapshot(claim_of(kJob, 4, kEpoch, 1), kOwner, &state),
            Registration::kRefused);
  state.jobs.at(kJob).grants = std::make_shared<const JobGrants>();  // as of a stopped one
  EXPECT_EQ(claim(&state, kEpoch, 1), Registration::kRefused);
}

TEST(SnapshotRegistry, RepetitionsAndLateOnesChangeNothing) {
  auto state = state_with_job();
  EXPECT_EQ(claim(&state, kEpoch, 3), Registration::kNew);
  EXPECT_EQ(claim(&state, kEpoch, 5), Registration::kNew);
  const auto before = state.jobs.at(kJob).snapshots;
  EXPECT_EQ(claim(&state, kEpoch, 5), Registration::kKnown);
  EXPECT_EQ(claim(&state, kEpoch, 3), Registration::kKnown);
  EXPECT_EQ(claim(&state, kEpoch, 4), Registration::kKnown);
  EXPECT_EQ(state.jobs.at(kJob).snapshots, before);
}

TEST(SnapshotRegistry, WhatHasNotChangedSatisfiesANewerTrigger) {
  auto state = state_with_job();
  EXPECT_EQ(claim(&state, kEpoch, 3), Registration::kNew);
  EXPECT_EQ(claim(&state, kEpoch, 5), Registration::kNew);
  EXPECT_EQ(claim(&state, kEpoch, 5, kOwner, 7), Registration::kNew);
  ASSERT_EQ(retained(state, 0).size(), 2u);
  EXPECT_EQ(retained(state, 0)[0].trigger, 7u);
  EXPECT_EQ(retained(state, 0)[1].stamp.version, 3u);
  EXPECT_EQ(claim(&state, kEpoch, 5, kOwner, 6), Registration::kKnown);
}

TEST(SnapshotRegistry, AnotherKeyPartitionIsNotCopied) {
  auto state = state_with_job();
  EXPECT_EQ(claim(&state, kEpoch, 3), Registration::kNew);
  const auto* before = state.jobs.at(kJob).snapshots->key_partitions[0].get();
  EXPECT_EQ(register_snapshot(claim_of(kJob, 1, kEpoch + 1, 3), NodeId{11}, &state),
            Registration::kNew);
  EXPECT_EQ(state.jobs.at(kJob).snapshots->key_partitions[0].get(), before);
}

TEST(SnapshotRegistry, ClaimsFromOutsideAreChecked) {
  auto good = claim_of(kJob, 0, kEpoch, 3);
  EXPECT_TRUE(check_claim(good).ok());
  for (const std::string manifest :
       {"", "job-00000001/k-00000/", "job-00000001/k-00001/manifest", "job-00000002/k-00000/m"}) {
    auto bad = good;
    bad.set_manifest(manifest);
    EXPECT_FALSE(check_claim(bad).ok()) << manifest;
  }
  auto longest = good;
  longest.set_manifest("job-00000001/k-00000/" + std::string(600, 'x'));
  EXPECT_FALSE(check_claim(longest).ok());
  for (int i = 0; i < 5000; ++i) good.add_offsets(1);
  EXPECT_FALSE(check_claim(good).ok());
}

proto::SnapshotQuery query_of(const std::vector<std::pair<uint32_t, uint64_t>>& asked) {
  proto::SnapshotQuery out;
  out.set_job(kJob.value);
  for (const auto& [k, epoch] : asked) {
    out.add_key_partitions(k);
    out.add_epochs(epoch);
  }
  return out;
}

TEST(SnapshotRegistry, TellsTheOwnerAndItsFollowersUnderTheNewestEpochOnly) {
  auto state = state_with_job();
  ASSERT_EQ(claim(&state, kEpoch, 3), Registration::kNew);
  ASSERT_EQ(claim(&state, kEpoch, 5), Registration::kNew);
  const auto query = query_of({{0, kEpoch}, {1, kEpoch + 1}, {9, 1}});
  const auto owner = known_snapshots(state, kOwner, query);
  ASSERT_EQ(owner.entries_size(), 1);
  EXPECT_EQ(owner.job(), kJob.value);
  EXPECT_EQ(owner.entries(0).key_partition(), 0u);
  EXPECT_EQ(owner.entries(0).epoch(), kEpoch);
  ASSERT_EQ(owner.entries(0).manifests_size(), 2);
  EXPECT_EQ(owner.entries(0).manifests(0), manifest_of(kJob, 0, kEpoch, 5));
  // Of one that has none its owner learns that.
  const auto other = known_snapshots(state, NodeId{11}, query);
  ASSERT_EQ(other.entries_size(), 1);
  EXPECT_EQ(other.entries(0).key_partition(), 1u);
  EXPECT_EQ(other.entries(0).manifests_size(), 0);

  EXPECT_EQ(known_snapshots(state, kOwner, query_of({{0, kEpoch - 1}})).entries_size(), 0);
  EXPECT_EQ(known_snapshots(state, kOwner, query_of({{0, kEpoch + 9}})).entries_size(), 0);
  const NodeId standby{500};
  const NodeId target{501};
  EXPECT_EQ(known_snapshots(state, standby, query).entries_size(), 0);
  auto grants = *state.jobs.at(kJob).grants;
  grants.standbys[0] = {standby, 0};
  KeyPartitionMove move;
  move.key_partition = 1;
  move.to = {target, 0};
  grants.moves.push_back(move);
  state.jobs.at(kJob).grants = std::make_shared<const JobGrants>(grants);
  ASSERT_EQ(known_snapshots(state, standby, query).entries_size(), 1);
  EXPECT_EQ(known_snapshots(state, standby, query).entries(0).manifests_size(), 2);
  ASSERT_EQ(known_snapshots(state, target, query).entries_size(), 1);
  EXPECT_EQ(known_snapshots(state, target, query).entries(0).key_partition(), 1u);
}

TEST(SnapshotRegistry, SumsUpAJobsSnapshots) {
  auto state = state_with_job(2);
  auto none = summarize_snapshots(state.jobs.at(kJob));
  EXPECT_EQ(none.without, 2u);
  EXPECT_FALSE(none.oldest_at);
  EXPECT_FALSE(snapshot_age_ms(none, 100));
  EXPECT_EQ(none.needed_offsets, (std::vector<uint64_t>{0, 0}));
  ASSERT_EQ(claim(&state, kEpoch, 3), Registration::kNew);
  ASSERT_EQ(claim(&state, kEpoch, 5), Registration::kNew);
  const auto half = summarize_snapshots(state.jobs.at(kJob));
  EXPECT_EQ(half.without, 1u);
  EXPECT_EQ(half.needed_offsets, (std::vector<uint64_t>{0, 0}));
  EXPECT_FALSE(snapshot_age_ms(half, 100));
  ASSERT_EQ(register_snapshot(claim_of(kJob, 1, kEpoch + 1, 4), NodeId{11}, &state),
            Registration::kNew);
  const auto all = summarize_snapshots(state.jobs.at(kJob));
  EXPECT_EQ(all.key_partitions, 2u);
  EXPECT_EQ(all.without, 0u);
  EXPECT_EQ(all.retained, 3u);
  EXPECT_EQ(all.total_bytes, 900u);
  EXPECT_EQ(all.rows, 9u);
  EXPECT_EQ(all.oldest_at, 4'000'000);
  EXPECT_EQ(snapshot_age_ms(all, 4'500'000), 500u);
  EXPECT_EQ(snapshot_age_ms(all, 0), 0u);                        // the wall clock went back
  EXPECT_EQ(all.needed_offsets, (std::vector<uint64_t>{3, 6}));  // the older one of 0
}

}  // namespace
}  // namespace tidemill
