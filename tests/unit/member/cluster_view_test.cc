#include "shared/member/cluster_view.h"

#include <gtest/gtest.h>

#include "shared/plan/source_partitions.h"
#include "tests/unit/worker/data_plane_fixture.h"

namespace tidemill {
namespace {

// One worker, two stores, one job with 2 source partitions and 4 key partitions.
proto::ClusterView small_view() {
  proto::ClusterView view;
  view.set_version(7);
  const auto member = [&](uint64_t node, proto::Role role, uint32_t shards) {
    proto::Member* m = view.add_members();
    m->set_node(node);
    m->set_endpoint("tcp://" + std::to_string(node));
    m->set_role(role);
    m->set_shards(shards);
  };
  member(30, proto::STORE, 2);
  member(10, proto::WORKER, 3);
  member(20, proto::STORE, 1);
  proto::JobView* job = view.add_jobs();
  job->set_job(5);
  *job->mutable_plan() = test::small_plan()->proto();
  for (uint64_t s = 0; s < 2; ++s) {
    auto* grant = job->add_sources();
    grant->set_node(10);
    grant->set_epoch(100 + s);
    grant->set_shard(static_cast<uint32_t>(s));
  }
  for (uint64_t k = 0; k < 4; ++k) {
    auto* grant = job->add_key_partitions();
    grant->set_node(k == 3 ? 0 : 10);
    grant->set_epoch(200 + k);
    grant->set_shard(2);
  }
  return view;
}

TEST(ClusterState, HoldsStandbysByNode) {
  auto view = small_view();
  auto* grant = view.mutable_jobs(0)->mutable_key_partitions(1);
  for (const uint64_t node : {12, 11}) {
    auto* standby = grant->add_standbys();
    standby->set_node(node);
    standby->set_shard(static_cast<uint32_t>(node - 10));
  }
  const auto got = ClusterState::from_proto(view, nullptr);
  ASSERT_TRUE(got.ok());
  const auto& grants = (*got)->jobs.at(JobId(5)).key_partitions;
  EXPECT_TRUE(grants[0].standbys.empty());
  EXPECT_EQ(grants[1].standbys, (std::vector<Standby>{{NodeId(11), 1}, {NodeId(12), 2}}));
  grant->mutable_standbys(0)->set_node(10);  // the owner
  EXPECT_FALSE(ClusterState::from_proto(view, nullptr).ok());
  grant->mutable_standbys(0)->set_node(0);
  EXPECT_FALSE(ClusterState::from_proto(view, nullptr).ok());
}

TEST(ClusterState, HoldsMembersAndGrantsByIndex) {
  const auto got = ClusterState::from_proto(small_view(), nullptr);
  ASSERT_TRUE(got.ok());
  const ClusterState& state = **got;
  EXPECT_EQ(state.version, 7u);
  EXPECT_EQ(state.endpoints,
            (std::map<NodeId, std::string>{
                {NodeId(10), "tcp://10"}, {NodeId(20), "tcp://20"}, {NodeId(30), "tcp://30"}}));
  ASSERT_EQ(state.stores.size(), 2u);  // by node, without workers
  EXPECT_EQ(state.stores[0].node, NodeId(20));
  EXPECT_EQ(state.stores[1].node, NodeId(30));
  EXPECT_EQ(state.stores[1].shards, 2);
  const JobInView& job = state.jobs.at(JobId(5));
  EXPECT_EQ(job.plan->proto().job(), "small");
  EXPECT_EQ(job.sources[1].node, NodeId(10));
  EXPECT_EQ(job.sources[1].epoch, Epoch(101));
  EXPECT_EQ(job.sources[1].shard, 1);
  EXPECT_EQ(job.key_partitions[0].epoch, Epoch(200));
  EXPECT_EQ(job.key_partitions[3].node, NodeId(0));  // nobody
}

TEST(ClusterState, KeepsThePlansOfJobsThatGoOn) {
  const auto first = ClusterState::from_proto(small_view(), nullptr);
  proto::ClusterView next = small_view();
  proto::JobView* added = next.add_jobs();
  *added = small_view().jobs(0);
  added->set_job(6);
  const auto second = ClusterState::from_proto(next, first->get());
  ASSERT_TRUE(second.ok()) << second.error().message();
  EXPECT_EQ((*second)->jobs.at(JobId(5)).plan, (*first)->jobs.at(JobId(5)).plan);
  EXPECT_NE((*second)->jobs.at(JobId(6)).plan, (*first)->jobs.at(JobId(5)).plan);
}

// A topic that gets partitions, or a file that appears: the plan is longer, and so are the grants.
TEST(ClusterState, TakesAPlanWhoseSourcesHaveGrown) {
  const auto first = ClusterState::from_proto(small_view(), nullptr);
  proto::ClusterView next = small_view();
  next.set_version(8);
  auto* plan = next.mutable_jobs(0)->mutable_plan();
  plan->mutable_sources(0)->mutable_generator()->set_partitions(3);
  number_source_partitions(plan);
  auto* grant = next.mutable_jobs(0)->add_sources();
  grant->set_node(10);
  grant->set_epoch(300);
  const auto second = ClusterState::from_proto(next, first->get());
  ASSERT_TRUE(second.ok()) << second.error().message();
  const JobInView& job = (*second)->jobs.at(JobId(5));
  EXPECT_EQ(job.plan->source_partitions(), 3u);
  ASSERT_EQ(job.sources.size(), 3u);
  EXPECT_EQ(job.sources[2].epoch, Epoch(300));
  // The former view is as it was: whoever still uses it sees the former plan.
  EXPECT_EQ((*first)->jobs.at(JobId(5)).plan->source_partitions(), 2u);
  const auto third = ClusterState::from_proto(next, second->get());
  EXPECT_EQ((*third)->jobs.at(JobId(5)).plan, job.plan);
}

// A short file that grows is known by more of its text; whoever opens it later must know it, too.
TEST(ClusterState, TakesAPlanThatKnowsMoreOfItsFiles) {
  proto::ClusterView view = small_view();
  auto* files = view.mutable_jobs(0)->mutable_plan()->mutable_sources(0)->mutable_files();
  files->set_format(proto::FilesInput::CSV);
  for (const char* path : {"/a.csv", "/b.csv"}) {
    files->add_paths(path);
    files->add_identities()->set_head_bytes(10);
  }
  const auto first = ClusterState::from_proto(view, nullptr);
  ASSERT_TRUE(first.ok()) << first.error().message();
  files->mutable_identities(1)->set_head_bytes(20);
  const auto second = ClusterState::from_proto(view, first->get());
  ASSERT_TRUE(second.ok()) << second.error().message();
  const auto& plan = (*second)->jobs.at(JobId(5)).plan;
  EXPECT_EQ(plan->proto().sources(0).files().identities(1).head_bytes(), 20u);
  const auto third = ClusterState::from_proto(view, second->get());
  ASSERT_TRUE(third.ok());
  EXPECT_EQ((*third)->jobs.at(JobId(5)).plan, plan);
}

TEST(ClusterState, RefusesAnInconsistentMessage) {
  const std::string grants = "job 5: the number of grants is not that of its plan's partitions";
  proto::ClusterView view = small_view();
  view.mutable_jobs(0)->mutable_sources()->RemoveLast();
  EXPECT_EQ(ClusterState::from_proto(view, nullptr).error().message(), grants);
  view = small_view();
  view.mutable_jobs(0)->add_key_partitions();
  EXPECT_EQ(ClusterState::from_proto(view, nullptr).error().message(), grants);
  for (const uint32_t shards : {0u, 1025u}) {
    view = small_view();
    view.mutable_members(1)->set_shards(shards);
    const auto got = ClusterState::from_proto(view, nullptr);
    ASSERT_FALSE(got.ok());
    EXPECT_EQ(got.error().code(), ErrorCode::kCorrupt);
  }
  view = small_view();
  view.mutable_jobs(0)->mutable_plan()->mutable_tables(0)->mutable_inputs(0)->set_source(9);
  const auto got = ClusterState::from_proto(view, nullptr);
  ASSERT_FALSE(got.ok());
  EXPECT_TRUE(got.error().message().starts_with("plan of job 5: ")) << got.error().message();
}

TEST(StoreShardOf, SpreadsKeyPartitionsOverShards) {
  EXPECT_EQ(store_shard_of(KeyPartitionId(7), 1), 0);
  EXPECT_EQ(store_shard_of(KeyPartitionId(7), 4), 3);
  EXPECT_EQ(store_shard_of(KeyPartitionId(8), 4), 0);
}

}  // namespace
}  // namespace tidemill
