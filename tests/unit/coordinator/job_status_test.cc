#include "coordinator/job_status.h"

#include <gtest/gtest.h>

#include "tests/unit/coordinator/test_jobs.h"

namespace tidemill {
namespace {

constexpr uint64_t kView = 4;

proto::SourceProgress progress(uint32_t partition, uint64_t offset, bool finished) {
  proto::SourceProgress out;
  out.set_source_partition(partition);
  out.set_offset(offset);
  out.set_finished(finished);
  out.set_max_event_time_us(1000);
  return out;
}

// Worker 1 reads the only source up to 100 and owns 2 key partitions, worker 2 owns the other 2,
// and store 9 holds all: everything is done.
class JobStatusTest : public ::testing::Test {
 protected:
  JobStatusTest() {
    auto grants = std::make_shared<JobGrants>();
    grants->sources = {{NodeId{1}, 0, Epoch{7}}};
    for (const uint64_t node : {1, 1, 2, 2}) {
      grants->key_partitions.push_back({NodeId{node}, 0, Epoch{8}});
    }
    entry_ = {std::make_shared<JobRecord>(JobRecord{
                  JobId{1}, "a", JobState::kRunning, 0, testing::small_plan("a", 4, 1), {}}),
              grants};
    for (const uint64_t node : {1, 2}) {
      auto& beat = beats_[node];
      beat.set_role(proto::WORKER);
      auto* job = beat.add_jobs();
      job->set_job(1);
      job->set_key_partitions(2);
      *job->add_applied() = progress(0, 100, true);
      *job->add_published() = progress(0, 100, true);
      job->set_rows(10 * node);
      job->set_horizon_us(static_cast<int64_t>(50 * node));
    }
    auto* reader = beats_[1].mutable_jobs(0)->add_readers();
    *reader->mutable_read() = progress(0, 100, true);
    reader->set_epoch(7);
    reader->set_records(90);
    beats_[9].set_role(proto::STORE);
    auto* held = beats_[9].add_jobs();
    held->set_job(1);
    held->set_key_partitions(4);
    for (auto& [node, beat] : beats_) {
      beat.set_node(node);
      beat.set_endpoint("e" + std::to_string(node));
      beat.set_shards(1);
    }
  }

  proto::JobReport* job_of(uint64_t node) { return beats_[node].mutable_jobs(0); }

  JobStatus status(uint64_t view_version = kView) {
    MembershipTable members{MembershipLimits{}};
    for (auto& [node, beat] : beats_) {
      beat.set_view_version(0);
      (void)members.heartbeat(beat, 0);
      beat.set_view_version(view_of_[node]);
      (void)members.heartbeat(beat, 1);
    }
    return job_status(entry_, members, view_version);
  }

  JobEntry entry_;
  std::map<uint64_t, proto::Heartbeat> beats_;
  std::map<uint64_t, uint64_t> view_of_{{1, kView}, {2, kView}, {9, kView}};
};

TEST_F(JobStatusTest, PutsReportsTogether) {
  const auto s = status();
  ASSERT_EQ(s.sources.size(), 1u);
  EXPECT_EQ(s.sources[0].source, "transactions");
  EXPECT_EQ(s.sources[0].input, "generator 0");
  EXPECT_EQ(s.sources[0].offset, 100u);
  EXPECT_EQ(s.sources[0].records, 90u);
  EXPECT_EQ(s.sources[0].max_event_time, 1000);
  EXPECT_EQ(s.owned, 4u);
  EXPECT_EQ(s.owned_by.at(NodeId{2}), 2u);
  EXPECT_EQ(s.store_ready, 4u);
  EXPECT_EQ(s.horizon, 50);
  EXPECT_TRUE(s.complete);
}

TEST_F(JobStatusTest, CountsRowsWhereTheyAreHeldAndAppliedWhereTheyAreApplied) {
  for (const uint64_t worker : {1, 2}) {
    auto* job = job_of(worker);
    job->set_rows(1'000);  // of no worker does this count
    job->set_rows_applied(40);
    job->set_too_late_rows(3);
    job->set_restoring(1);
    job->set_pending_bytes(500);
    job->set_snapshot_failures(2);
    job->set_refused_snapshots(1);
  }
  beats_[8] = beats_[9];
  beats_[8].set_node(8);
  beats_[8].set_endpoint("e8");
  job_of(8)->set_rows(50);  // one that is being filled
  job_of(8)->set_keys(6);
  job_of(9)->set_rows(70);
  job_of(9)->set_keys(5);
  job_of(9)->set_state_bytes(700);
  job_of(9)->set_full_chunks(4);
  job_of(9)->set_freed_rows(9);
  job_of(9)->set_evicted_keys(11);
  job_of(9)->set_cold_reads(12);
  job_of(9)->set_disk_rows(13);
  const auto s = status();
  EXPECT_EQ(s.rows, 70u);
  EXPECT_EQ(s.keys, 5u);
  EXPECT_EQ(s.state_bytes, 700u);
  EXPECT_EQ(s.full_chunks, 4u);
  EXPECT_EQ(s.freed_rows, 9u);
  EXPECT_EQ(s.evicted_keys, 11u);
  EXPECT_EQ(s.cold_reads, 12u);
  EXPECT_EQ(s.disk_rows, 13u);
  EXPECT_EQ(s.rows_applied, 80u);
  EXPECT_EQ(s.too_late_rows, 6u);
  EXPECT_EQ(s.restoring, 2u);
  EXPECT_EQ(s.pending_bytes, 1'000u);
  EXPECT_EQ(s.snapshot_failures, 4u);
  EXPECT_EQ(s.refused_snapshots, 2u);
}

TEST_F(JobStatusTest, CountsTheStandbysThatHaveCaughtUp) {
  auto grants = *entry_.grants;
  grants.standbys[0] = {NodeId{2}, 0};
  grants.standbys[1] = {NodeId{2}, 0};
  entry_.grants = std::make_shared<const JobGrants>(grants);
  const auto say = [&](uint32_t k, uint64_t node, bool caught_up) {
    auto* standby = job_of(1)->add_standbys();
    standby->set_key_partition(k);
    standby->set_node(node);
    standby->set_caught_up(caught_up);
  };
  say(0, 2, true);
  say(1, 2, false);
  say(1, 77, true);  // a target of a move
  EXPECT_EQ(status().standbys, 2u);
  EXPECT_EQ(status().standbys_caught_up, 1u);
}

TEST_F(JobStatusTest, IsIncompleteWhileAnyOwnerIsBehind) {
  job_of(2)->mutable_applied(0)->set_offset(99);
  EXPECT_FALSE(status().complete);
  EXPECT_EQ(status().sources[0].applied, 99u);
  job_of(2)->mutable_applied(0)->set_offset(100);
  job_of(1)->mutable_published(0)->set_offset(98);
  EXPECT_FALSE(status().complete);
  EXPECT_EQ(status().sources[0].published, 98u);
}

TEST_F(JobStatusTest, FollowedFilesAreNeverComplete) {
  auto job = *entry_.job;
  job.plan = testing::files_plan("a", 4, {"/data/1.csv"});
  entry_.job = std::make_shared<const JobRecord>(std::move(job));
  EXPECT_TRUE(status().sources[0].finished);
  EXPECT_FALSE(status().complete);
}

TEST_F(JobStatusTest, IsIncompleteWhileAReaderGoesOn) {
  job_of(1)->mutable_readers(0)->mutable_read()->set_finished(false);
  EXPECT_FALSE(status().complete);
}

TEST_F(JobStatusTest, AReaderOfAFormerGrantDoesNotCount) {
  job_of(1)->mutable_readers(0)->set_epoch(6);
  EXPECT_FALSE(status().complete);
  EXPECT_EQ(status().sources[0].offset, 0u);
}

TEST_F(JobStatusTest, AnOwnerThatDoesNotHoldAllItsPartitionsYetIsBehind) {
  job_of(2)->set_key_partitions(1);
  EXPECT_FALSE(status().complete);
}

TEST_F(JobStatusTest, AnOwnerOfAnOlderViewIsBehind) {
  view_of_[2] = kView - 1;
  EXPECT_FALSE(status().complete);
}

TEST_F(JobStatusTest, IsIncompleteWhileASourceMayGrow) {
  auto job = *entry_.job;
  auto plan = job.plan->proto();
  plan.mutable_sources(0)->mutable_generator()->set_partitions_at_most(2);
  job.plan = *Plan::from_proto(plan);
  entry_.job = std::make_shared<const JobRecord>(job);
  EXPECT_FALSE(status().complete);
  plan.mutable_sources(0)->mutable_generator()->set_partitions_at_most(1);
  job.plan = *Plan::from_proto(plan);
  entry_.job = std::make_shared<const JobRecord>(job);
  EXPECT_TRUE(status().complete);
}

TEST_F(JobStatusTest, WithoutAStoreNothingIsPublished) {
  beats_.erase(9);
  EXPECT_FALSE(status().complete);
  EXPECT_EQ(status().store_ready, 0u);
}

TEST_F(JobStatusTest, ADeadOwnerHasAppliedNothing) {
  beats_.erase(2);
  EXPECT_FALSE(status().complete);
  EXPECT_EQ(status().sources[0].applied, 0u);
}

proto::DeadLetterCount letters(const char* reason, const char* view, uint64_t records) {
  proto::DeadLetterCount out;
  out.set_reason(reason);
  out.set_view(view);
  out.set_records(records);
  return out;
}

TEST_F(JobStatusTest, ShowsWhatAReaderCouldNotUse) {
  auto* reader = job_of(1)->mutable_readers(0);
  *reader->add_dead_letters() = letters("unparsable", "", 3);
  *reader->add_dead_letters() = letters("expression", "customer", 4);
  reader->set_null_keys(5);
  reader->set_tombstones(6);
  reader->set_idle(true);
  const auto s = status().sources[0];
  EXPECT_EQ(s.dead_letters,
            (LetterCounts{{{"expression", "customer"}, 4}, {{"unparsable", ""}, 3}}));
  EXPECT_EQ(s.bad_records(), 7u);
  EXPECT_EQ(s.null_keys, 5u);
  EXPECT_EQ(s.tombstones, 6u);
  EXPECT_TRUE(s.idle);
}

TEST_F(JobStatusTest, LagIsKnownWithTheEndOfTheLog) {
  EXPECT_FALSE(status().sources[0].log_end_offset.has_value());
  EXPECT_FALSE(status().sources[0].lag.has_value());
  job_of(1)->mutable_readers(0)->set_log_end_offset(130);
  EXPECT_EQ(status().sources[0].log_end_offset, 130u);
  EXPECT_EQ(status().sources[0].lag, 30u);
  job_of(1)->mutable_readers(0)->set_log_end_offset(99);  // older than the last read
  EXPECT_EQ(status().sources[0].lag, 0u);
}

TEST_F(JobStatusTest, AReaderThatHasReadNothingLagsFromWhereThePlanStarts) {
  auto job = *entry_.job;
  job.plan = testing::topic_plan("a", 4, 2);  // the second starts at 100
  entry_.job = std::make_shared<const JobRecord>(job);
  auto grants = *entry_.grants;
  grants.sources.push_back({NodeId{2}, 0, Epoch{7}});
  entry_.grants = std::make_shared<const JobGrants>(grants);
  auto* reader = job_of(2)->add_readers();
  reader->mutable_read()->set_source_partition(1);
  reader->set_epoch(7);
  reader->set_log_end_offset(140);
  const auto s = status();
  ASSERT_EQ(s.sources.size(), 2u);
  EXPECT_EQ(s.sources[1].index, 1u);
  EXPECT_EQ(s.sources[1].input, "payments 1");
  EXPECT_EQ(s.sources[1].lag, 40u);
}

TEST_F(JobStatusTest, WhatCameTooLateAddsUpByView) {
  EXPECT_EQ(status().too_late_by_view, std::vector<uint64_t>{0});
  job_of(1)->add_too_late_by_view(2);
  job_of(2)->add_too_late_by_view(3);
  job_of(2)->add_too_late_by_view(9);  // of a view that the plan does not have
  EXPECT_EQ(status().too_late_by_view, std::vector<uint64_t>{5});
}

TEST_F(JobStatusTest, OfASourceThatNobodyReadsTheLastReportIsShown) {
  ReadersBefore before;
  before[0] = job_of(1)->readers(0);
  *before[0].add_dead_letters() = letters("future", "", 2);
  before[0].set_error("gone");
  MembershipTable members{MembershipLimits{}};
  // Its new reader says nothing yet: only what is in storage is known.
  const auto granted = job_status(entry_, members, kView, before).sources[0];
  EXPECT_EQ(granted.bad_records(), 2u);
  EXPECT_EQ(granted.offset, 0u);
  EXPECT_EQ(granted.error, "");
  EXPECT_EQ(job_status(entry_, members, kView).sources[0].bad_records(), 0u);
  // A present reader goes before, in what it knows.
  beats_[1].set_view_version(0);
  (void)members.heartbeat(beats_[1], 0);
  const auto present = job_status(entry_, members, kView, before).sources[0];
  EXPECT_EQ(present.bad_records(), 2u);
  EXPECT_EQ(present.offset, 100u);
  EXPECT_EQ(present.error, "");
  job_of(1)->mutable_readers(0)->set_dead_letters_known(true);
  (void)members.heartbeat(beats_[1], 0);
  EXPECT_EQ(job_status(entry_, members, kView, before).sources[0].bad_records(), 0u);

  auto grants = *entry_.grants;
  grants.sources[0] = {NodeId{}, 0, Epoch{9}};
  entry_.grants = std::make_shared<const JobGrants>(grants);
  const auto nobody = job_status(entry_, members, kView, before).sources[0];
  EXPECT_EQ(nobody.bad_records(), 2u);
  EXPECT_EQ(nobody.offset, 100u);
  EXPECT_EQ(nobody.error, "gone");
}

}  // namespace
}  // namespace tidemill
