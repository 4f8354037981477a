#include <gtest/gtest.h>

#include "shared/member/member_agent.h"

namespace tidemill {
namespace {

proto::SourceProgress progress(uint32_t source, uint64_t offset, int64_t max_event_time,
                               bool finished) {
  proto::SourceProgress p;
  p.set_source_partition(source);
  p.set_offset(offset);
  p.set_max_event_time_us(max_event_time);
  p.set_finished(finished);
  return p;
}

TEST(MergeReport, CountsAddUp) {
  proto::JobReport part;
  part.set_key_partitions(1);
  part.set_rows(2);
  part.set_keys(3);
  part.set_state_bytes(4);
  part.set_rows_applied(5);
  part.set_too_late_rows(6);
  part.set_full_chunks(7);
  part.set_recut_chunks(8);
  part.set_freed_rows(9);
  part.set_image_bytes_sent(10);
  part.set_session_gaps(11);
  proto::JobReport sum;
  merge_report(part, &sum);
  merge_report(part, &sum);
  EXPECT_EQ(sum.key_partitions(), 2u);
  EXPECT_EQ(sum.rows(), 4u);
  EXPECT_EQ(sum.keys(), 6u);
  EXPECT_EQ(sum.state_bytes(), 8u);
  EXPECT_EQ(sum.rows_applied(), 10u);
  EXPECT_EQ(sum.too_late_rows(), 12u);
  EXPECT_EQ(sum.full_chunks(), 14u);
  EXPECT_EQ(sum.recut_chunks(), 16u);
  EXPECT_EQ(sum.freed_rows(), 18u);
  EXPECT_EQ(sum.image_bytes_sent(), 20u);
  EXPECT_EQ(sum.session_gaps(), 22u);
}

TEST(MergeReport, ProgressIsThatOfTheOneFurthestBehind) {
  proto::JobReport a, b, sum;
  *a.add_applied() = progress(0, 10, 100, true);
  *a.add_applied() = progress(1, 5, 50, false);
  *b.add_applied() = progress(1, 7, 40, true);
  *b.add_applied() = progress(0, 10, 100, true);
  *b.add_applied() = progress(2, 1, 1, false);
  *b.add_published() = progress(0, 9, 90, false);
  merge_report(a, &sum);
  merge_report(b, &sum);
  ASSERT_EQ(sum.applied_size(), 3);
  EXPECT_EQ(sum.applied(0).offset(), 10u);
  EXPECT_TRUE(sum.applied(0).finished());
  EXPECT_EQ(sum.applied(1).offset(), 5u);
  EXPECT_EQ(sum.applied(1).max_event_time_us(), 40);
  EXPECT_FALSE(sum.applied(1).finished());
  EXPECT_EQ(sum.applied(2).source_partition(), 2u);
  ASSERT_EQ(sum.published_size(), 1);
  EXPECT_EQ(sum.published(0).offset(), 9u);
}

TEST(MergeReport, TheHorizonIsTheLeastOfThoseThatOwnSomething) {
  const auto part = [](uint32_t key_partitions, int64_t horizon) {
    proto::JobReport p;
    p.set_key_partitions(key_partitions);
    p.set_horizon_us(horizon);
    return p;
  };
  proto::JobReport sum;
  merge_report(part(0, 0), &sum);  // a reader's report, which has none
  merge_report(part(2, 500), &sum);
  EXPECT_EQ(sum.horizon_us(), 500);
  merge_report(part(0, 0), &sum);
  EXPECT_EQ(sum.horizon_us(), 500);
  merge_report(part(1, -300), &sum);
  EXPECT_EQ(sum.horizon_us(), -300);
  merge_report(part(1, 900), &sum);
  EXPECT_EQ(sum.horizon_us(), -300);
}

TEST(MergeReport, WhatCameTooLateAddsUpByView) {
  proto::JobReport a, b, sum;
  a.add_too_late_by_view(1);
  b.add_too_late_by_view(10);
  b.add_too_late_by_view(20);
  merge_report({}, &sum);  // a reader's report
  EXPECT_EQ(sum.too_late_by_view_size(), 0);
  merge_report(a, &sum);
  merge_report(b, &sum);
  merge_report(a, &sum);
  ASSERT_EQ(sum.too_late_by_view_size(), 2);
  EXPECT_EQ(sum.too_late_by_view(0), 12u);
  EXPECT_EQ(sum.too_late_by_view(1), 20u);
}

TEST(MergeReport, ReadersAreListed) {
  proto::JobReport part, sum;
  part.add_readers()->set_epoch(3);
  merge_report(part, &sum);
  part.mutable_readers(0)->set_epoch(4);
  merge_report(part, &sum);
  ASSERT_EQ(sum.readers_size(), 2);
  EXPECT_EQ(sum.readers(1).epoch(), 4u);
}

}  // namespace
}  // namespace tidemill
