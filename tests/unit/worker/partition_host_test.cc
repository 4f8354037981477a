// How a partition host opens its sessions with readers, and opens them anew.
#include "worker/partition_host.h"

#include <gtest/gtest.h>

#include "shared/runtime/sim/simulation.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"
#include "tests/unit/worker/data_plane_fixture.h"

namespace tidemill::test {
namespace {

constexpr NodeId kHostNode{10};
constexpr NodeId kReaderNode{20};
constexpr ActorId kHost{0, kPartitionHostIndex};
constexpr ActorId kReaders{0, kReaderHostIndex};

class FakeReader : public Actor {
 public:
  void receive(Message message) override {
    if (message.type == kOpenSessions) opened.push_back(*OpenSessions::decode(message.body));
    if (message.type == kBatchAck) acks.push_back(BatchAck::decode(message.body)->link_seq);
  }
  void on_timer(uint64_t) override {}
  std::vector<OpenSessions> opened;
  std::vector<uint64_t> acks;
};

class PartitionHostTest : public testing::Test {
 protected:
  PartitionHostTest() {
    WorkerConfig config;
    config.session_retry_ms = 300;
    config.session_silence_ms = 2'000;
    host_ = sim_.add_process({"host", "sim://h", kHostNode, 1}, [config](ProcessHost& h) {
      h.spawn(kHost, [config](Runtime& r) { return std::make_unique<PartitionHost>(r, config); });
    });
    reader_ = sim_.add_process({"reader", "sim://r", kReaderNode, 1}, [](ProcessHost& h) {
      h.spawn(kReaders, [](Runtime&) { return std::make_unique<FakeReader>(); });
    });
    sim_.runtime(host_).connect(kReaderNode, "sim://r");
    sim_.runtime(reader_).connect(kHostNode, "sim://h");
  }
  // The host owns key partition 0 under `epoch`; the reader reads source partition 0.
  void show(uint64_t epoch, uint64_t reader_epoch) {
    auto view = std::make_shared<ClusterState>();
    view->jobs[JobId(1)] = {JobId(1),
                            plan_,
                            {{kReaderNode, Epoch(reader_epoch), 0}, {}},
                            {{kHostNode, Epoch(epoch), 0}, {}, {}, {}}};
    auto changed = std::make_unique<ViewChanged>();
    changed->view = view;
    sim_.post_from_outside(host_, kHost, std::move(changed));
    sim_.run_for(20'000);
  }
  void send(uint16_t type, Buffer body) {
    sim_.runtime(reader_).send(kReaders, {kHostNode, kHost}, type, std::move(body));
    sim_.run_for(20'000);
  }
  void send_rows(uint64_t session, uint64_t seq, uint64_t end, uint64_t reader_epoch = 6) {
    send(kSourceBatch, batch_of({.session = session,
                                 .seq = seq,
                                 .reader_epoch = reader_epoch,
                                 .end = {end, kStart, false}},
                                block_of({{"a"}}))
                           .bytes);
  }
  FakeReader& reader() { return *static_cast<FakeReader*>(sim_.actor(reader_, kReaders)); }
  const OpenSessions::Session& last() { return reader().opened.back().sessions.at(0); }

  Simulation sim_{9};
  SimProcessId host_, reader_;
  std::shared_ptr<const Plan> plan_ = small_plan();
};

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

TEST_F(PartitionHostTest, ANewGrantOfTheKeyPartitionStartsFromNothing) {
  show(3, 6);
  send_rows(last().session, 0, 10);
  show(4, 6);
  EXPECT_EQ(last().epoch, Epoch(4));
  EXPECT_EQ(last().from, SourcePosition());
}

TEST_F(PartitionHostTest, MessagesThatMeanNothingHereAreDropped) {
  show(3, 6);
  for (const uint16_t type : {kSourceBatch, kSessionsClosed, kReplicaStates, kFrameAck}) {
    send(type, Buffer(std::string("no message of ours")));
    send(type, Buffer());
  }
  send(kSourceBatch, batch_of({.source = 77, .end = {10, kStart, false}}, {}).bytes);
  EXPECT_TRUE(reader().acks.empty());
  EXPECT_TRUE(sim_.alive(host_));
}

}  // namespace
}  // namespace tidemill::test
