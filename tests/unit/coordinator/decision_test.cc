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

// A job that workers 1 and 2 read and hold, and what they report of it.
class SourceDecision : public ::testing::Test {
 protected:
  void start(std::shared_ptr<const Plan> plan) {
    Draft draft(CoordinatorState{});
    ASSERT_TRUE(draft.submit(std::move(plan), 5, kLimits).ok());
    draft.set_members(workers({1, 2}));
    draft.place();
    state_ = draft.take();
    for (const uint64_t node : {1, 2}) beats_[node] = testing::reading(NodeId{node}, entry());
  }

  const JobEntry& entry() const { return state_.jobs.at(JobId{1}); }
  const PartitionGrant& source(size_t s) const { return entry().grants->sources.at(s); }
  // What is reported of a source partition.
  proto::ReaderReport* reader(uint32_t s) {
    for (auto& [node, beat] : beats_) {
      for (auto& reader : *beat.mutable_jobs(0)->mutable_readers()) {
        if (reader.read().source_partition() == s) return &reader;
      }
    }
    return nullptr;
  }
  MembershipTable members() const {
    MembershipTable members{MembershipLimits{}};
    for (const auto& [node, beat] : beats_) (void)members.heartbeat(beat, 0);
    return members;
  }

  CoordinatorState state_;
  std::map<uint64_t, proto::Heartbeat> beats_;
};

TEST_F(SourceDecision, PartitionsThatATopicGetsAreAppendedAndPlaced) {
  start(testing::topic_plan("a", 4, 2));
  reader(0)->set_log_partitions(2);
  reader(1)->set_log_partitions(4);
  Draft draft(state_);
  EXPECT_EQ(draft.grow_topics(members()), std::vector<JobId>{JobId{1}});
  EXPECT_EQ(draft.place(), 2u);
  EXPECT_TRUE(draft.changed() && draft.view_changed());
  const auto former = state_;
  state_ = draft.take();
  const auto& plan = *entry().job->plan;
  ASSERT_EQ(plan.source_partitions(), 4u);
  uint32_t index = 0;
  const auto& kafka = plan.source_of(3, &index).kafka();
  EXPECT_EQ(index, 3u);
  EXPECT_EQ(kafka.start_offsets(1), 100u);  // as decided at submission
  EXPECT_EQ(kafka.start_offsets(3), 0u);
  ASSERT_EQ(entry().grants->sources.size(), 4u);
  EXPECT_EQ(source(0), former.jobs.at(JobId{1}).grants->sources[0]);
  EXPECT_NE(source(2).node, source(3).node);  // one for each worker
  EXPECT_GT(source(3).epoch, source(0).epoch);
  EXPECT_GT(state_.view_version, former.view_version);

  Draft again(state_);
  EXPECT_TRUE(again.grow_topics(members()).empty());
  EXPECT_FALSE(again.changed());
}

TEST_F(SourceDecision, OnlyAReaderOfTheGrantSaysWhatATopicHas) {
  start(testing::topic_plan("a", 4, 2));
  reader(1)->set_log_partitions(4);
  reader(1)->set_epoch(reader(1)->epoch() + 1);
  Draft draft(state_);
  EXPECT_TRUE(draft.grow_topics(members()).empty());
  EXPECT_FALSE(draft.changed());
}

TEST_F(SourceDecision, ATopicThatOutgrowsThePlanFailsTheJob) {
  start(testing::topic_plan("a", 4, 2));
  reader(0)->set_log_partitions(4'000'000'000);
  Draft draft(state_);
  EXPECT_EQ(draft.grow_topics(members()), std::vector<JobId>{JobId{1}});
  const auto& job = *draft.state().jobs.at(JobId{1}).job;
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_NE(job.error.find("at most 4096"), std::string::npos) << job.error;
  EXPECT_EQ(job.plan->source_partitions(), 2u);
}

TEST_F(SourceDecision, FilesThatAppearAreAppended) {
  start(testing::files_plan("a", 4, {"/data/1.csv"}));
  FoundSource found{JobId{1}, 0, entry().job->plan->proto().sources(0)};
  Draft nothing(state_);
  EXPECT_FALSE(nothing.take_source(found));
  EXPECT_FALSE(nothing.changed());
  testing::add_file("/data/0.csv", found.source.mutable_files());
  Draft draft(state_);
  EXPECT_TRUE(draft.take_source(found));
  EXPECT_FALSE(draft.take_source(found));  // done already
  EXPECT_EQ(draft.place(), 1u);
  const auto& grown = draft.state().jobs.at(JobId{1});
  uint32_t index = 0;
  const auto& files = grown.job->plan->source_of(1, &index).files();
  EXPECT_EQ(files.paths(static_cast<int>(index)), "/data/0.csv");
  EXPECT_EQ(files.identities(static_cast<int>(index)).inode(), 2u);
  EXPECT_NE(grown.grants->sources.at(1).node, NodeId{});
  found.source.mutable_files()->mutable_identities(0)->set_head_bytes(77);  // the file has grown
  EXPECT_TRUE(draft.take_source(found));
  EXPECT_EQ(draft.place(), 0u);
  const auto& known = draft.state().jobs.at(JobId{1}).job->plan->proto().sources(0).files();
  EXPECT_EQ(known.identities(0).head_bytes(), 77u);
  found.job = JobId{7};  // stopped and forgotten meanwhile
  EXPECT_FALSE(draft.take_source(found));
}

TEST_F(SourceDecision, OfASourceThatWasFoundOnlyTheInputCountsAndNothingIsTakenAway) {
  start(testing::small_plan("a", 4, 2));
  FoundSource found{JobId{1}, 0, entry().job->plan->proto().sources(0)};
  found.source.set_max_out_of_orderness_us(77);
  found.source.mutable_generator()->set_partitions(1);
  Draft less(state_);
  EXPECT_FALSE(less.take_source(found));
  EXPECT_FALSE(less.changed());
  found.source.mutable_generator()->set_partitions(3);
  Draft draft(state_);
  EXPECT_TRUE(draft.take_source(found));
  EXPECT_EQ(draft.place(), 1u);
  const auto& plan = *draft.state().jobs.at(JobId{1}).job->plan;
  EXPECT_EQ(plan.source_partitions(), 3u);
  EXPECT_NE(plan.proto().sources(0).max_out_of_orderness_us(), 77);
}

TEST_F(SourceDecision, AChangedSourceFailsTheJobAndKeepsItsKeyPartitions) {
  start(testing::topic_plan("a", 4, 2));
  reader(1)->set_source_changed(true);
  reader(1)->set_error("the topic was created anew; submit the job again");
  Draft draft(state_);
  EXPECT_EQ(draft.fail_changed(members()), std::vector<JobId>{JobId{1}});
  EXPECT_TRUE(draft.view_changed());
  const auto before = entry();
  state_ = draft.take();
  EXPECT_EQ(entry().job->state, JobState::kFailed);
  EXPECT_TRUE(entry().job->live());
  EXPECT_EQ(entry().job->error,
            "source 'transactions': the topic was created anew; submit the job again");
  for (size_t s = 0; s < 2; ++s) {
    EXPECT_EQ(source(s).node, NodeId{});
    EXPECT_GT(source(s).epoch, before.grants->sources[s].epoch);
    EXPECT_LT(source(s).epoch, state_.next_epoch);
  }
  EXPECT_EQ(entry().grants->key_partitions, before.grants->key_partitions);

  // Nobody is made to read it again, and what a dead worker held is held by the other.
  Draft later(state_);
  EXPECT_TRUE(later.fail_changed(members()).empty());
  EXPECT_TRUE(later.grow_topics(members()).empty());
  later.set_members(workers({1, 3}));
  EXPECT_EQ(later.place(), 2u);
  const auto& grants = *later.state().jobs.at(JobId{1}).grants;
  EXPECT_EQ(grants.sources, entry().grants->sources);
  for (const auto& grant : grants.key_partitions) EXPECT_NE(grant.node, NodeId{2});
  EXPECT_EQ(later.place(), 0u);
}

TEST_F(SourceDecision, AFailedJobSaysWhyWhateverItsReaderSays) {
  start(testing::topic_plan("a", 4, 2));
  reader(1)->set_source_changed(true);
  Draft silent(state_);
  EXPECT_EQ(silent.fail_changed(members()).size(), 1u);
  EXPECT_EQ(silent.state().jobs.at(JobId{1}).job->error,
            "source 'transactions': its log is not the one that was read before");
  reader(1)->set_error("/data/b\xFF: the file is gone");
  Draft odd(state_);
  EXPECT_EQ(odd.fail_changed(members()).size(), 1u);
  EXPECT_EQ(odd.state().jobs.at(JobId{1}).job->error,
            "source 'transactions': /data/b?: the file is gone");
}

TEST_F(SourceDecision, AFailedJobKeepsItsNameUntilItIsStopped) {
  start(testing::topic_plan("a", 4, 2));
  reader(0)->set_source_changed(true);
  Draft draft(state_);
  (void)draft.fail_changed(members());
  EXPECT_FALSE(draft.submit(testing::small_plan("a", 8, 2), 5, kLimits).ok());
  ASSERT_TRUE(draft.stop("a", kLimits).ok());
  EXPECT_EQ(draft.state().jobs.at(JobId{1}).job->state, JobState::kStopped);
  EXPECT_TRUE(draft.submit(testing::small_plan("a", 8, 2), 5, kLimits).ok());
}

TEST_F(SourceDecision, AReaderOfAFormerGrantFailsNothing) {
  start(testing::topic_plan("a", 4, 2));
  reader(0)->set_source_changed(true);
  reader(0)->set_epoch(reader(0)->epoch() - 1);
  Draft draft(state_);
  EXPECT_TRUE(draft.fail_changed(members()).empty());
  EXPECT_FALSE(draft.changed());
}

TEST_F(SourceDecision, AReaderIsMovedAloneUnderANewEpoch) {
  start(testing::small_plan("a", 4, 2));
  const auto from = source(0).node;
  Draft draft(state_);
  const auto moved = draft.move_reader("a", 0, NodeId{});
  ASSERT_TRUE(moved.ok()) << moved.error().message();
  EXPECT_NE(moved->node, from);
  EXPECT_TRUE(draft.view_changed());
  EXPECT_EQ(draft.place(), 0u);
  const auto& grants = *draft.state().jobs.at(JobId{1}).grants;
  EXPECT_EQ(grants.sources[0], *moved);
  EXPECT_GE(moved->epoch, state_.next_epoch);
  EXPECT_LT(moved->epoch, draft.state().next_epoch);
  EXPECT_EQ(grants.sources[1], source(1));
  EXPECT_EQ(grants.key_partitions, entry().grants->key_partitions);
  // And back, to whom is named.
  const auto back = draft.move_reader("1", 0, from);
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_EQ(back->node, from);
  EXPECT_GT(back->epoch, moved->epoch);
}

TEST_F(SourceDecision, AReaderIsNotMovedToNowhere) {
  start(testing::small_plan("a", 4, 2));
  state_.members[NodeId{9}] = {NodeId{9}, "e9", MemberRole::kStore, 1};
  const auto expect = [&](const char* job, uint32_t partition, uint64_t to, ErrorCode code,
                          const std::string& text) {
    Draft draft(state_);
    const auto moved = draft.move_reader(job, partition, NodeId{to});
    ASSERT_FALSE(moved.ok()) << text;
    EXPECT_EQ(moved.error().code(), code) << text;
    EXPECT_NE(moved.error().message().find(text), std::string::npos) << moved.error().message();
    EXPECT_FALSE(draft.changed());
  };
  expect("b", 0, 0, ErrorCode::kUser, "there is no job 'b'");
  expect("a", 2, 0, ErrorCode::kUser, "no source partition 2; it has 0 to 1");
  expect("a", 0, 7, ErrorCode::kUser, "there is no worker 0000000000000007");
  expect("a", 0, 9, ErrorCode::kUser, "it is a store");
  expect("a", 0, source(0).node.value, ErrorCode::kRetryable, "already");
  state_.members.erase(source(1).node);
  expect("a", 0, 0, ErrorCode::kRetryable, "no other worker");
  Draft draft(state_);
  ASSERT_TRUE(draft.stop("a", kLimits).ok());
  EXPECT_EQ(draft.move_reader("a", 0, NodeId{}).error().code(), ErrorCode::kRetryable);
}

}  // namespace
}  // namespace tidemill
