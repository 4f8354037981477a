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
    entry_ = {std::make_shared<JobRecord>(
                  JobRecord{JobId{1}, "a", JobState::kRunning, 0, testing::small_plan("a", 4, 1)}),
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
  EXPECT_EQ(s.rows, 30u);
  EXPECT_EQ(s.horizon, 50);
  EXPECT_TRUE(s.complete);
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

}  // namespace
}  // namespace tidemill
