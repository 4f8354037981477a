#include "coordinator/metadata_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "coordinator/metadata_codec.h"
#include "tests/unit/coordinator/test_jobs.h"

namespace tidemill {
namespace {

namespace fs = std::filesystem;

JobEntry small_job(uint32_t id, const std::string& name) {
  auto plan = testing::small_plan(name, 4, 2);
  auto grants = std::make_shared<JobGrants>();
  grants->sources = {{NodeId{5}, 0, Epoch{10}}, {NodeId{6}, 1, Epoch{11}}};
  grants->key_partitions.resize(4, {NodeId{6}, 2, Epoch{12}});
  return {std::make_shared<JobRecord>(
              JobRecord{JobId{id}, name, JobState::kCompleted, 1'234'567, plan, {}}),
          grants};
}

CoordinatorState some_state(const CoordinatorState& loaded) {
  CoordinatorState state = loaded;
  state.view_version = 9;
  state.next_epoch = Epoch{13};
  state.next_job = JobId{3};
  state.members[NodeId{5}] = {NodeId{5}, "tcp://a", MemberRole::kWorker, 2};
  state.members[NodeId{8}] = {NodeId{8}, "tcp://b", MemberRole::kStore, 1};
  state.jobs[JobId{1}] = small_job(1, "one");
  state.jobs[JobId{2}] = small_job(2, "two");
  return state;
}

void expect_same(const CoordinatorState& a, const CoordinatorState& b) {
  EXPECT_EQ(a.view_version, b.view_version);
  EXPECT_EQ(a.next_epoch, b.next_epoch);
  EXPECT_EQ(a.next_job, b.next_job);
  EXPECT_EQ(a.members, b.members);
  ASSERT_EQ(a.jobs.size(), b.jobs.size());
  for (const auto& [id, entry] : a.jobs) {
    ASSERT_TRUE(b.jobs.contains(id));
    const auto& other = b.jobs.at(id);
    EXPECT_EQ(encode_job(*entry.job).SerializeAsString(),
              encode_job(*other.job).SerializeAsString());
    EXPECT_EQ(*entry.grants, *other.grants);
  }
}

TEST(MetadataStore, KeepsWhatIsCommittedOverReopening) {
  const auto disk = Disk::in_memory();
  CoordinatorState written;
  {
    auto store = MetadataStore::open_on(disk, "/coordinator");
    ASSERT_TRUE(store.ok()) << store.error().message();
    auto loaded = (*store)->start_generation();
    ASSERT_TRUE(loaded.ok()) << loaded.error().message();
    EXPECT_EQ(loaded->generation, 1u);
    EXPECT_TRUE(loaded->jobs.empty());
    written = some_state(*loaded);
    ASSERT_TRUE((*store)->commit(*loaded, written).ok());
  }
  auto store = MetadataStore::open_on(disk, "/coordinator");
  ASSERT_TRUE(store.ok()) << store.error().message();
  auto loaded = (*store)->start_generation();
  ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  EXPECT_EQ(loaded->generation, 2u);
  expect_same(written, *loaded);
}

TEST(MetadataStore, WritesChangedGrantsAndRemovesForgottenJobs) {
  const auto disk = Disk::in_memory();
  CoordinatorState second;
  {
    auto store = MetadataStore::open_on(disk, "/coordinator");
    ASSERT_TRUE(store.ok());
    auto loaded = (*store)->start_generation();
    ASSERT_TRUE(loaded.ok());
    const CoordinatorState first = some_state(*loaded);
    ASSERT_TRUE((*store)->commit(*loaded, first).ok());
    second = first;
    second.jobs.erase(JobId{1});
    auto grants = *second.jobs.at(JobId{2}).grants;
    grants.key_partitions[3] = {NodeId{5}, 0, Epoch{14}};
    second.jobs.at(JobId{2}).grants = std::make_shared<const JobGrants>(grants);
    second.next_epoch = Epoch{15};
    ASSERT_TRUE((*store)->commit(first, second).ok());
  }
  auto store = MetadataStore::open_on(disk, "/coordinator");
  ASSERT_TRUE(store.ok());
  auto loaded = (*store)->start_generation();
  ASSERT_TRUE(loaded.ok());
  expect_same(second, *loaded);
}

TEST(MetadataStore, KeepsThePlanOfAJobThatHasGrownOrFailed) {
  const auto disk = Disk::in_memory();
  CoordinatorState second;
  {
    auto store = MetadataStore::open_on(disk, "/coordinator");
    ASSERT_TRUE(store.ok());
    auto loaded = (*store)->start_generation();
    ASSERT_TRUE(loaded.ok());
    const CoordinatorState first = some_state(*loaded);
    ASSERT_TRUE((*store)->commit(*loaded, first).ok());
    second = first;
    auto grown = *second.jobs.at(JobId{1}).job;
    grown.plan = testing::small_plan("one", 4, 3);
    second.jobs.at(JobId{1}).job = std::make_shared<const JobRecord>(grown);
    auto failed = *second.jobs.at(JobId{2}).job;
    failed.state = JobState::kFailed;
    failed.error = "the topic was created anew";
    failed.readers[1].mutable_read()->set_source_partition(1);
    failed.readers[1].mutable_read()->set_offset(77);
    second.jobs.at(JobId{2}).job = std::make_shared<const JobRecord>(failed);
    ASSERT_TRUE((*store)->commit(first, second).ok());
  }
  auto store = MetadataStore::open_on(disk, "/coordinator");
  ASSERT_TRUE(store.ok());
  auto loaded = (*store)->start_generation();
  ASSERT_TRUE(loaded.ok());
  expect_same(second, *loaded);
  EXPECT_EQ(loaded->jobs.at(JobId{1}).job->plan->source_partitions(), 3u);
  EXPECT_EQ(loaded->jobs.at(JobId{2}).job->state, JobState::kFailed);
  EXPECT_EQ(loaded->jobs.at(JobId{2}).job->error, "the topic was created anew");
  ASSERT_EQ(loaded->jobs.at(JobId{2}).job->readers.size(), 1u);
  EXPECT_EQ(loaded->jobs.at(JobId{2}).job->readers.at(1).read().offset(), 77u);
}

class MetadataOnDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::path(::testing::TempDir()) /
                 ("tidemill_metadata_" + std::to_string(::getpid()) + "_" +
                  ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  Result<CoordinatorState> start() {
    auto store = MetadataStore::open_on(Disk::real(), directory_.string());
    if (!store) return store.error();
    return (*store)->start_generation();
  }

  fs::path directory_;
};

TEST_F(MetadataOnDisk, IsOfOneProcessAtATime) {
  auto store = MetadataStore::open_on(Disk::real(), directory_.string());
  ASSERT_TRUE(store.ok()) << store.error().message();
  auto second = MetadataStore::open_on(Disk::real(), directory_.string());
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().message().find(directory_.string()), std::string::npos);
}

TEST_F(MetadataOnDisk, GenerationsGrow) {
  for (uint64_t generation = 1; generation <= 3; ++generation) {
    const auto state = start();
    ASSERT_TRUE(state.ok()) << state.error().message();
    EXPECT_EQ(state->generation, generation);
  }
}

TEST_F(MetadataOnDisk, ADatabaseThatHasLostItsDataIsRefused) {
  ASSERT_TRUE(start().ok());
  ASSERT_TRUE(start().ok());
  fs::remove_all(directory_ / "db");
  const auto state = start();
  ASSERT_FALSE(state.ok());
  EXPECT_EQ(state.error().code(), ErrorCode::kCorrupt);
}

TEST_F(MetadataOnDisk, ATruncatedManifestIsRefused) {
  ASSERT_TRUE(start().ok());
  ASSERT_TRUE(start().ok());
  for (const auto& file : fs::directory_iterator(directory_ / "db")) {
    if (file.path().filename().string().starts_with("MANIFEST")) fs::resize_file(file.path(), 0);
  }
  EXPECT_FALSE(start().ok());
}

TEST_F(MetadataOnDisk, ADamagedNameOfTheManifestIsMended) {
  ASSERT_TRUE(start().ok());
  const fs::path current = directory_ / "db" / "CURRENT";
  uint64_t generation = 1;
  const auto expect_mended = [&](const char* how) {
    const auto state = start();
    ASSERT_TRUE(state.ok()) << how << ": " << state.error().message();
    EXPECT_EQ(state->generation, ++generation) << how;
  };
  for (const char* text :
       {"", "MANIFEST-", "MANIFEST-999999\n", "LANIFEST-000005\n", "MANIFEST-000005 "}) {
    std::ofstream(current, std::ios::trunc) << text;
    expect_mended(text);
  }
  std::ofstream(current, std::ios::app) << "something behind";
  expect_mended("something behind");
  fs::remove(current);
  expect_mended("removed");
}

TEST_F(MetadataOnDisk, WhichOfTwoManifestsIsMeantIsNotGuessed) {
  ASSERT_TRUE(start().ok());
  for (const auto& file : fs::directory_iterator(directory_ / "db")) {
    if (file.path().filename().string().starts_with("MANIFEST")) {
      fs::copy_file(file.path(), directory_ / "db" / "MANIFEST-000099");
      break;
    }
  }
  fs::remove(directory_ / "db" / "CURRENT");
  const auto state = start();
  ASSERT_FALSE(state.ok());
  EXPECT_EQ(state.error().code(), ErrorCode::kCorrupt);
  EXPECT_NE(state.error().message().find("CURRENT"), std::string::npos);
}

TEST(MetadataCodec, RefusesOtherVersionsAndImpossibleValues) {
  CoordinatorState state;
  state.generation = 1;
  auto cluster = encode_cluster(state);
  EXPECT_TRUE(decode_cluster(cluster).ok());
  cluster.set_format_version(2);
  EXPECT_FALSE(decode_cluster(cluster).ok());
  cluster.set_format_version(1);
  cluster.add_members()->set_node(0);
  EXPECT_FALSE(decode_cluster(cluster).ok());

  auto job = encode_job(*small_job(1, "one").job);
  EXPECT_TRUE(decode_job(job).ok());
  job.set_state(proto::JOB_STATE_UNSPECIFIED);
  EXPECT_FALSE(decode_job(job).ok());
  job.set_state(static_cast<proto::JobState>(proto::FAILED + 1));
  EXPECT_FALSE(decode_job(job).ok());
  job.set_state(proto::RUNNING);
  job.set_format_version(0);
  EXPECT_FALSE(decode_job(job).ok());

  state.members[NodeId{4}] = {NodeId{4}, "e", MemberRole::kWorker, 1};
  state.draining.insert(NodeId{4});
  cluster = encode_cluster(state);
  EXPECT_TRUE(decode_cluster(cluster).ok());
  cluster.add_draining(5);  // no member
  EXPECT_FALSE(decode_cluster(cluster).ok());

  auto grants = encode_grants(JobId{1}, JobGrants{});
  EXPECT_TRUE(decode_grants(grants).ok());
  grants.set_format_version(9);
  EXPECT_FALSE(decode_grants(grants).ok());
}

// One key partition that worker 1 owns, worker 2 follows, and worker 3 is to follow.
JobGrants moving_grants() {
  JobGrants grants;
  grants.key_partitions = {{NodeId{1}, 2, Epoch{3}}, {NodeId{2}, 0, Epoch{4}}};
  grants.standbys[0] = {NodeId{2}, 5};
  grants.moves = {{0, KeyPartitionMove::Role::kStandby, {NodeId{3}, 1}, 17, 1234},
                  {1, KeyPartitionMove::Role::kOwner, {NodeId{3}, 0}, 0, 0}};
  return grants;
}

TEST(MetadataCodec, KeepsStandbysMovesAndDrains) {
  const JobGrants grants = moving_grants();
  const auto decoded = decode_grants(encode_grants(JobId{1}, grants));
  ASSERT_TRUE(decoded.ok()) << decoded.error().message();
  EXPECT_EQ(*decoded, grants);

  CoordinatorState state;
  state.generation = 1;
  state.members[NodeId{4}] = {NodeId{4}, "e", MemberRole::kWorker, 1};
  state.draining.insert(NodeId{4});
  state.rebalance = {7, "requested", 11, 12, 5, 3, 2};
  const auto cluster = decode_cluster(encode_cluster(state));
  ASSERT_TRUE(cluster.ok()) << cluster.error().message();
  EXPECT_EQ(cluster->draining, state.draining);
  EXPECT_EQ(cluster->rebalance, state.rebalance);
}

TEST(MetadataCodec, WhatAnOlderCoordinatorHasWrittenHasNoMoves) {
  // Grants and cluster as they were before there were standbys, moves and drains.
  proto::StoredGrants grants;
  ASSERT_TRUE(
      grants.ParseFromString(std::string("\x08\x01\x10\x01\x22\x06\x08\x01\x10\x03\x18\x02", 12)));
  const auto decoded = decode_grants(grants);
  ASSERT_TRUE(decoded.ok()) << decoded.error().message();
  EXPECT_EQ(decoded->key_partitions, (std::vector<PartitionGrant>{{NodeId{1}, 2, Epoch{3}}}));
  EXPECT_TRUE(decoded->standbys.empty() && decoded->moves.empty());
  CoordinatorState state;
  state.generation = 1;
  const auto cluster = decode_cluster(encode_cluster(state));
  ASSERT_TRUE(cluster.ok());
  EXPECT_TRUE(cluster->draining.empty());
  EXPECT_EQ(cluster->rebalance, RebalanceRecord{});
}

TEST(MetadataCodec, RefusesImpossibleStandbysAndMoves) {
  const auto with = [](const std::function<void(proto::StoredGrants*)>& change) {
    auto stored = encode_grants(JobId{1}, moving_grants());
    change(&stored);
    return decode_grants(stored).ok();
  };
  EXPECT_TRUE(with([](proto::StoredGrants*) {}));
  const auto owner = [](auto* g) {
    g->mutable_key_partitions(0)->mutable_standbys(0)->set_node(1);
  };
  EXPECT_FALSE(with(owner));
  const auto nobody = [](auto* g) {
    g->mutable_key_partitions(0)->mutable_standbys(0)->set_node(0);
  };
  EXPECT_FALSE(with(nobody));
  EXPECT_FALSE(with([](auto* g) { g->mutable_key_partitions(0)->add_standbys()->set_node(3); }));
  EXPECT_FALSE(with([](auto* g) { g->mutable_moves(0)->set_key_partition(2); }));
  EXPECT_FALSE(with([](auto* g) { g->mutable_moves(0)->set_node(0); }));
  EXPECT_FALSE(with([](auto* g) { g->mutable_moves(0)->clear_role(); }));
}

}  // namespace
}  // namespace tidemill
