// How a partition host opens its sessions with readers, and opens them anew; how it takes
// snapshots, begins with them, and follows an owner as its standby.
#include "tests/unit/worker/partition_host_fixture.h"

namespace tidemill::test {
namespace {

TEST_F(PartitionHostTest, OpensAtItsVAndAsksAgainUnderTheSameId) {
  show(3, 6);
  ASSERT_EQ(reader().opened.size(), 1u);
  EXPECT_EQ(reader().opened[0].reader_epoch, Epoch(6));
  ASSERT_EQ(reader().opened[0].sessions.size(), 1u);
  EXPECT_EQ(last().key_partition, KeyPartitionId(0));
  EXPECT_EQ(last().epoch, Epoch(3));
  EXPECT_EQ(last().from, SourcePosition());
  const uint64_t id = last().session;
  sim_.run_for(700'000);
  EXPECT_GE(reader().opened.size(), 3u);
  EXPECT_LE(reader().opened.size(), 4u);
  EXPECT_EQ(last().session, id);
}

TEST_F(PartitionHostTest, AGapOpensANewSessionAtWhatHasBeenApplied) {
  show(3, 6);
  const uint64_t id = last().session;
  send_rows(id, 0, 10);
  send_rows(id, 2, 30);
  EXPECT_GT(last().session, id);
  EXPECT_EQ(last().from.offset, 10u);
  EXPECT_EQ(reader().acks.size(), 2u);  // an acknowledgement gives credit back, and says no more
  const size_t openings = reader().opened.size();
  send_rows(id, 1, 20);  // of the session that is over
  EXPECT_EQ(reader().opened.size(), openings);
  send_rows(last().session, 0, 20);
  show(3, 7);
  EXPECT_EQ(last().from.offset, 20u);
}

TEST_F(PartitionHostTest, CorruptRowsOpenANewSession) {
  show(3, 6);
  const uint64_t id = last().session;
  send(kSourceBatch,
       batch_of({.session = id, .reader_epoch = 6, .end = {10, kStart, false}}, broken_block())
           .bytes);
  EXPECT_GT(last().session, id);
  EXPECT_EQ(last().from.offset, 0u);
}

TEST_F(PartitionHostTest, AClosedSessionIsOpenedAnewAtItsV) {
  show(3, 6);
  const uint64_t id = last().session;
  send_rows(id, 0, 10);
  send(kSessionsClosed,
       SessionsClosed{JobId(1), SourcePartitionId(0), Epoch(6), {{KeyPartitionId(0), id + 50}}}
           .encode());  // of none of ours
  EXPECT_EQ(last().session, id);
  send(
      kSessionsClosed,
      SessionsClosed{JobId(1), SourcePartitionId(0), Epoch(6), {{KeyPartitionId(0), id}}}.encode());
  EXPECT_GT(last().session, id);
  EXPECT_EQ(last().from.offset, 10u);
}

TEST_F(PartitionHostTest, ASilentSessionIsGivenUpForANewOne) {
  show(3, 6);
  const uint64_t id = last().session;
  send_rows(id, 0, 10);
  sim_.run_for(1'900'000);
  EXPECT_EQ(last().session, id);
  sim_.run_for(300'000);
  EXPECT_GT(last().session, id);
  EXPECT_EQ(last().from.offset, 10u);
}

TEST_F(PartitionHostTest, ANewReaderIsAskedAtWhatHasBeenApplied) {
  show(3, 6);
  send_rows(last().session, 0, 10);
  const uint64_t id = last().session;
  show(3, 7);
  EXPECT_EQ(reader().opened.back().reader_epoch, Epoch(7));
  EXPECT_GT(last().session, id);
  EXPECT_EQ(last().from.offset, 10u);
  send_rows(last().session, 0, 90, /*reader_epoch=*/6);  // of the former reader
  show(3, 8);
  EXPECT_EQ(last().from.offset, 10u);
}

TEST_F(PartitionHostTest, ANewGrantStartsFromTheNewestSnapshot) {
  show(3, 6);
  send_rows(last().session, 0, 10);
  show(4, 6);
  EXPECT_EQ(last().epoch, Epoch(4));
  EXPECT_EQ(last().from, SourcePosition());  // there was none
  send_rows(last().session, 0, 20);
  sim_.run_for(2'500'000);
  ASSERT_FALSE(registry().taken.empty());
  EXPECT_EQ(registry().taken.back().epoch(), 4u);
  EXPECT_EQ(registry().taken.back().offsets(0), 20u);
  registry().answering = false;
  send_rows(last().session, 1, 30);
  show(5, 6);
  EXPECT_EQ(last().epoch, Epoch(5));
  EXPECT_EQ(last().from.offset, 20u);
  EXPECT_EQ(last().from.max_event_time, kStart);
}

TEST_F(PartitionHostTest, ASnapshotIsTakenToTheRegistryUntilItAnswers) {
  registry().answering = false;
  show(3, 6);
  send_rows(last().session, 0, 10);
  sim_.run_for(3'300'000);
  EXPECT_GE(registry().taken.size(), 3u);
  registry().answering = true;
  sim_.run_for(1'000'000);
  const size_t told = registry().taken.size();
  sim_.run_for(2'000'000);
  EXPECT_EQ(registry().taken.size(), told);  // nothing has changed since
}

TEST_F(PartitionHostTest, ASnapshotThatIsAskedForIsTakenAtOnce) {
  show(3, 6);
  send_rows(last().session, 0, 10);
  sim_.run_for(3'000'000);
  const size_t told = registry().taken.size();
  trigger_ = 9;
  show(3, 6);
  sim_.run_for(100'000);
  ASSERT_EQ(registry().taken.size(), told + 1);  // although nothing has changed
  EXPECT_EQ(registry().taken.back().trigger(), 9u);
}

TEST_F(PartitionHostTest, AnotherWorkerGoesOnFromTheSnapshot) {
  show(3, 6);
  send_rows(last().session, 0, 10);
  sim_.run_for(2'500'000);
  show(4, 6, kOtherNode);
  sim_.run_for(400'000);
  EXPECT_EQ(offset_at(host_), std::nullopt);
  EXPECT_EQ(offset_at(other_), std::optional<uint64_t>(10));
  EXPECT_EQ(last().from.offset, 10u);
  EXPECT_EQ(last().epoch, Epoch(4));
}

TEST_F(PartitionHostTest, AStandbyFollowsAndGoesOnWhereItsOwnerWas) {
  show(3, 6, kHostNode, {{kOtherNode, 0}});
  sim_.run_for(400'000);
  send_rows(last().session, 0, 10);
  sim_.run_for(2'500'000);  // the silent session is opened anew
  const uint64_t id = last().session;
  send_rows(id, 0, 20);
  sim_.run_for(300'000);
  send_rows(id, 1, 30);  // in no snapshot yet
  sim_.run_for(300'000);
  sim_.crash(host_);
  show(4, 6, kOtherNode);
  sim_.run_for(400'000);
  EXPECT_EQ(offset_at(other_), std::optional<uint64_t>(30));
  EXPECT_EQ(last().from.offset, 30u);
  // And its snapshots go on from there.
  send_rows(last().session, 0, 40);
  sim_.run_for(2'500'000);
  EXPECT_EQ(registry().taken.back().epoch(), 4u);
  EXPECT_EQ(registry().taken.back().offsets(0), 40u);
  EXPECT_EQ(registry().taken.back().rows(), 4u);
}

// One that was chosen when the owner before was lost has its state to restore first.
TEST_F(PartitionHostTest, SessionsDoNotWaitForAStandby) {
  constexpr NodeId kNotThereYet{77};
  show(3, 6, kHostNode, {{kNotThereYet, 0}});
  EXPECT_EQ(reader().opened.size(), 1u);
}

TEST_F(PartitionHostTest, WithoutASnapshotThatVerifiesItStartsFromNothing) {
  damage_snapshots();
  show(3, 6);
  EXPECT_EQ(offset_at(host_), std::nullopt) << "a store may come yet";
  sim_.run_for(3'200'000);
  EXPECT_EQ(offset_at(host_), std::optional<uint64_t>(0));
}

TEST_F(PartitionHostTest, WithoutASnapshotItGoesOnFromAStoresState) {
  with_store_ = true;
  damage_snapshots();
  show(3, 6);
  sim_.run_for(400'000);
  ASSERT_EQ(store().wanted.size(), 1u);
  EXPECT_EQ(store().registered, Epoch(3)) << "former owners are fenced first";
  EXPECT_EQ(store().wanted[0].epoch, Epoch(3));
  EXPECT_EQ(store().wanted[0].stamp, FakeStore::kHeld);
  EXPECT_EQ(offset_at(host_), std::optional<uint64_t>(40));
  EXPECT_EQ(last().from.offset, 40u);
  EXPECT_EQ(last().from.max_event_time, kStart);
  // At once there is a snapshot again, with the store's row.
  ASSERT_FALSE(registry().taken.empty());
  EXPECT_EQ(registry().taken.back().epoch(), 3u);
  EXPECT_EQ(registry().taken.back().offsets(0), 40u);
  EXPECT_EQ(registry().taken.back().rows(), 1u);
  EXPECT_GT(registry().taken.back().version(), FakeStore::kHeld.version);
}

TEST_F(PartitionHostTest, AStoreIsAskedForItsStateUntilItAnswers) {
  with_store_ = true;
  damage_snapshots();
  store().answering = false;
  show(3, 6);
  sim_.run_for(1'000'000);
  EXPECT_GE(store().wanted.size(), 3u);
  EXPECT_EQ(offset_at(host_), std::nullopt);
  store().answering = true;
  sim_.run_for(500'000);
  EXPECT_EQ(offset_at(host_), std::optional<uint64_t>(40));
  const size_t asked = store().wanted.size();
  sim_.run_for(1'000'000);
  EXPECT_EQ(store().wanted.size(), asked);
}

TEST_F(PartitionHostTest, AStoreThatHoldsNothingOrWhatIsDamagedIsNoUse) {
  with_store_ = true;
  store().holds_state = false;  // and there never was a snapshot: a young job
  show(3, 6);
  EXPECT_EQ(offset_at(host_), std::optional<uint64_t>(0));
  EXPECT_TRUE(store().wanted.empty());
  store().holds_state = true;
  store().damaged = true;
  damage_snapshots();
  show(4, 6);
  sim_.run_for(4'000'000);
  EXPECT_EQ(store().wanted.size(), 1u);
  EXPECT_EQ(offset_at(host_), std::optional<uint64_t>(0));
}

TEST_F(PartitionHostTest, MessagesThatMeanNothingHereAreDropped) {
  show(3, 6);
  for (const uint16_t type :
       {kSourceBatch, kSessionsClosed, kReplicaStates, kFrameAck, kStateWritten}) {
    send(type, Buffer(std::string("no message of ours")));
    send(type, Buffer());
  }
  for (const uint16_t type : {kSnapshotsKnown, kSnapshotRegistered, kFrames, kRegisterReplicas}) {
    send(type, Buffer(std::string("no message of ours")));
    send(type, Buffer());
  }
  send(kSourceBatch, batch_of({.source = 77, .end = {10, kStart, false}}, {}).bytes);
  EXPECT_TRUE(reader().acks.empty());
  EXPECT_TRUE(sim_.alive(host_));
}

}  // namespace
}  // namespace tidemill::test
