// Each invariant of the simulation can fail: messages that break it, one by one.
#include "tests/simulation/sim_invariants.h"

#include <gtest/gtest.h>

#include "proto/control.pb.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"

namespace tidemill::test {
namespace {

constexpr SimLimits kLimits{100'000, 10'000, 50'000, 1'000'000};
constexpr JobId kJob{1};
const ActorAddress kOwner{NodeId(7), {0, kPartitionHostIndex}};
const ActorAddress kOther{NodeId(8), {0, kPartitionHostIndex}};
const ActorAddress kReader{NodeId(7), {0, kReaderHostIndex}};
const ActorAddress kStore{NodeId(9), {0, kStoreShardIndex}};

class SimInvariantsTest : public testing::Test {
 protected:
  void send(const ActorAddress& from, const ActorAddress& to, uint16_t type, const Buffer& body) {
    invariants_.sent({now_us_, 0, from, to, type, body, SendResult::kAccepted});
  }

  // Key partition 0 and source partition 0 are both that node's.
  void grant(uint64_t view_version, uint64_t epoch, uint64_t node) {
    proto::ClusterView view;
    view.set_version(view_version);
    auto* job = view.add_jobs();
    job->set_job(kJob.value);
    auto* k = job->add_key_partitions();
    k->set_node(node);
    k->set_epoch(epoch);
    auto* s = job->add_sources();
    s->set_node(node);
    s->set_epoch(epoch);
    send({kCoordinatorNode, kAgent}, {NodeId(node), kAgent}, kClusterView,
         Buffer(view.SerializeAsString()));
  }

  void publish(const ActorAddress& from, uint64_t epoch, uint64_t seq, uint64_t from_version,
               uint64_t to_version) {
    FramePart part;
    part.key_partition = KeyPartitionId(0);
    part.epoch = part.from_epoch = Epoch(epoch);
    part.session = 1;
    part.seq = seq;
    part.kind = PartKind::kRows;
    part.from_version = from_version;
    part.to_version = to_version;
    Frames frames;
    frames.job = kJob;
    frames.link_seq = ++link_seq_;
    frames.parts.push_back(part);
    frames.parts.back().payload.emplace_back(std::vector<uint8_t>(payload_bytes_));
    send(from, kStore, kFrames, frames.encode());
  }

  void read(uint64_t seq, uint64_t end) {
    SourceBatchHeader header;
    header.job = kJob;
    header.source = SourcePartitionId(0);
    header.reader_epoch = Epoch(5);
    header.end.offset = end;
    SourceBatchWriter writer(header, 1);
    writer.begin_part(KeyPartitionId(0), 1, seq);
    send(kReader, kOwner, kSourceBatch, writer.finish(++link_seq_));
  }

  void report_pending(uint64_t bytes) {
    proto::Heartbeat heartbeat;
    heartbeat.set_node(7);
    heartbeat.set_shards(1);
    heartbeat.add_jobs()->set_pending_bytes(bytes);
    send({NodeId(7), kAgent}, {kCoordinatorNode, kAgent}, kHeartbeat,
         Buffer(heartbeat.SerializeAsString()));
  }

  std::string violation_;
  SimInvariants invariants_{kLimits, [this](const std::string& what) {
                              if (violation_.empty()) violation_ = what;
                            }};
  int64_t now_us_ = 0;
  uint64_t link_seq_ = 0;
  size_t payload_bytes_ = 8;
};

TEST_F(SimInvariantsTest, HoldInAnOrderlyLife) {
  grant(1, 5, 7);
  publish(kOwner, 5, 0, 1, 3);
  publish(kOwner, 5, 1, 3, 3);
  publish(kOwner, 5, 2, 3, 9);
  read(0, 10);
  read(1, 10);
  read(2, 20);
  grant(2, 5, 7);
  grant(3, 6, 8);
  publish(kOther, 6, 0, 2, 4);
  publish(kOwner, 5, 3, 9, 10);  // it does not know yet
  grant(2, 5, 7);                // an older view, sent again
  report_pending(150'000);
  EXPECT_EQ(violation_, "");
}

TEST_F(SimInvariantsTest, AnEpochIsGrantedOnce) {
  grant(1, 5, 7);
  grant(2, 5, 8);
  EXPECT_NE(violation_.find("was granted twice"), std::string::npos) << violation_;
}

TEST_F(SimInvariantsTest, EpochsDoNotFall) {
  grant(1, 5, 7);
  grant(2, 4, 7);
  EXPECT_NE(violation_.find("fell from 5 to 4"), std::string::npos) << violation_;
}

TEST_F(SimInvariantsTest, OnlyTheOwnerActsUnderAnEpoch) {
  grant(1, 5, 7);
  publish(kOther, 5, 0, 1, 3);
  EXPECT_NE(violation_.find("which is another's"), std::string::npos) << violation_;
}

TEST_F(SimInvariantsTest, NobodyActsUnderAnEpochThatWasNotGranted) {
  grant(1, 5, 7);
  publish(kOwner, 6, 0, 1, 3);
  EXPECT_NE(violation_.find("which nobody was granted"), std::string::npos) << violation_;
}

TEST_F(SimInvariantsTest, PartsAreNumberedDensely) {
  grant(1, 5, 7);
  publish(kOwner, 5, 0, 1, 3);
  publish(kOwner, 5, 2, 3, 4);
  EXPECT_NE(violation_.find("sequence number 2 instead of 1"), std::string::npos) << violation_;
}

TEST_F(SimInvariantsTest, RowsFollowOnTheVersionBeforeThem) {
  grant(1, 5, 7);
  publish(kOwner, 5, 0, 1, 3);
  publish(kOwner, 5, 1, 2, 4);
  EXPECT_NE(violation_.find("version 2 instead of 3"), std::string::npos) << violation_;
}

TEST_F(SimInvariantsTest, AReaderDoesNotGoBack) {
  grant(1, 5, 7);
  read(0, 10);
  read(1, 9);
  EXPECT_NE(violation_.find("went back from offset 10 to 9"), std::string::npos) << violation_;
}

TEST_F(SimInvariantsTest, WhatIsOnItsWayIsBounded) {
  grant(1, 5, 7);
  payload_bytes_ = 40'000;
  for (uint64_t seq = 0; seq < 4; ++seq) {
    publish(kOwner, 5, seq, 1, 1);
    send(kStore, kOwner, kFrameAck, FrameAck{kJob, link_seq_, {}}.encode());
  }
  EXPECT_EQ(violation_, "");
  for (uint64_t seq = 4; seq < 8; ++seq) publish(kOwner, 5, seq, 1, 1);
  EXPECT_NE(violation_.find("whose credit is 10000"), std::string::npos) << violation_;
}

TEST_F(SimInvariantsTest, WhatIsInNoIncrementIsBounded) {
  report_pending(900'000);
  EXPECT_NE(violation_.find("900000 bytes are in no increment"), std::string::npos) << violation_;
}

}  // namespace
}  // namespace tidemill::test
