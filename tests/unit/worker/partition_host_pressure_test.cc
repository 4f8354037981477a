// What a partition host does when stores, its disk or its memory hold it up: who waits for whom,
// and what goes first on the blocking pool.
#include "tests/unit/worker/partition_host_fixture.h"

namespace tidemill::test {
namespace {

class SlowStoreTest : public PartitionHostTest {
 protected:
  SlowStoreTest() : PartitionHostTest(small()) {}
  static WorkerConfig small() {
    WorkerConfig config;
    config.unsent_limit_bytes = 8'000;
    config.link_stall_ms = 60'000;
    return config;
  }
};

// Its rows are on disk here and could be dropped: it would have to catch up by images.
TEST_F(SlowStoreTest, ReadersWaitForIt) {
  with_store_ = true;
  damage_snapshots();
  show(3, 6);
  sim_.run_for(400'000);
  ASSERT_EQ(last().from.offset, 40u);
  store().applying = false;
  for (uint64_t i = 0; i < 40; ++i) send_rows(last().session, i, 41 + i);
  sim_.run_for(1'500'000);
  EXPECT_EQ(offset_at(host_), std::optional<uint64_t>(80)) << "what came is taken all the same";
  EXPECT_GT(reader().acks.size(), 4u);
  EXPECT_LT(reader().acks.size(), 30u);
  store().applying = true;
  store().acknowledge();
  sim_.run_for(300'000);
  EXPECT_EQ(reader().acks.size(), 40u);
}

// Nobody has its keys until an owner is restored; a standby has time.
TEST_F(PartitionHostTest, AnOwnersRestoreIsUrgentAndAStandbysIsNot) {
  show(3, 6, kHostNode, {{kOtherNode, 0}});
  sim_.run_for(400'000);
  const std::vector<Urgency> owner = urgencies("host");
  const std::vector<Urgency> standby = urgencies("other");
  EXPECT_EQ(std::count(owner.begin(), owner.end(), Urgency::kRestore), 1);
  EXPECT_EQ(std::count(standby.begin(), standby.end(), Urgency::kRestore), 0);
  EXPECT_GE(std::count(standby.begin(), standby.end(), Urgency::kLater), 1);
}

// Changes of one row have piled up, and two hold the readers.
class HeldReadersTest : public PartitionHostTest {
 protected:
  HeldReadersTest() : PartitionHostTest(small()) {}
  static WorkerConfig small() {
    WorkerConfig config;
    config.pending_limit_bytes = static_cast<int64_t>(block_of({{"a"}}).size()) - 1;
    return config;
  }
};

TEST_F(HeldReadersTest, AWriteIsUrgentOnceReadersWaitForIt) {
  show(3, 6);
  urgencies("host");
  sim_.slow_blocking(host_, 2'000'000);
  send_rows(last().session, 0, 10);
  EXPECT_EQ(urgencies("host"), std::vector<Urgency>{Urgency::kLater});
  send_rows(last().session, 1, 20);
  send_rows(last().session, 2, 30);
  EXPECT_EQ(reader().acks.size(), 2u) << "no more credit";
  EXPECT_EQ(urgencies("host"), std::vector<Urgency>{Urgency::kSoon}) << "the same is hurried, once";
  sim_.slow_blocking(host_, 0);
  sim_.run_for(4'500'000);
  EXPECT_EQ(reader().acks.size(), 3u);
}

// With a snapshot storage that is slow they would wait for it as well.
TEST_F(HeldReadersTest, WhatIsWrittenForReadersIsUploadedInItsTurn) {
  show(3, 6);
  urgencies("host");
  const std::vector<TestRow> rows(20, {"a"});
  send(kSourceBatch,
       batch_of({.session = last().session, .reader_epoch = 6, .end = {200, kStart, false}},
                block_of(rows))
           .bytes);
  sim_.run_for(50'000);
  EXPECT_EQ(urgencies("host"), std::vector<Urgency>{Urgency::kSoon});
  EXPECT_TRUE(registry().taken.empty());
  sim_.run_for(1'500'000);
  ASSERT_FALSE(registry().taken.empty());
  EXPECT_EQ(registry().taken.back().rows(), 20u);
  for (const Urgency urgency : urgencies("host")) EXPECT_EQ(urgency, Urgency::kLater);
}

TEST_F(PartitionHostTest, ReportsWhatTakesMemory) {
  const auto memory = [&] { return static_cast<FakeReader*>(sim_.actor(host_, kAgent))->memory; };
  with_store_ = true;
  show(3, 6);
  sim_.run_for(400'000);
  store().applying = false;
  const std::vector<TestRow> rows(20, {"a"});
  for (uint64_t seq = 0; seq < 3; ++seq) {
    send(kSourceBatch, batch_of({.session = last().session,
                                 .seq = seq,
                                 .reader_epoch = 6,
                                 .end = {100 + seq, kStart, false}},
                                block_of(rows))
                           .bytes);
  }
  sim_.run_for(250'000);
  EXPECT_EQ(memory().at("changes"), 3 * block_of(rows).size());
  sim_.run_for(1'500'000);  // on disk, and not yet in the store
  EXPECT_EQ(memory().at("changes"), 0u);
  EXPECT_GE(memory().at("unsent"), 3 * block_of(rows).size());
  EXPECT_EQ(memory().at("staged"), 0u);
}

}  // namespace
}  // namespace tidemill::test
