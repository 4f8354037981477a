// What a store shard answers to the owners of key partitions.
#include "serving/store_shard.h"

#include <gtest/gtest.h>

#include "tests/unit/serving/test_store.h"

namespace tidemill::test {
namespace {

const KeyPartitionId kZero{0};

TEST(StoreShard, IsSilentAboutJobsItDoesNotKnow) {
  TestStore t;
  t.open(kZero, 1, 1);
  t.send_part(TestStore::part(kZero, PartKind::kImagesBegin, 0));
  EXPECT_TRUE(t.fake_owner().states.empty());
  EXPECT_TRUE(t.fake_owner().acks.empty());
}

TEST(StoreShard, AnswersARegistrationWithWhatItHolds) {
  TestStore t;
  t.show({small_plan()});
  t.open(kZero, 3, 8);
  ASSERT_EQ(t.fake_owner().states.size(), 1u);
  const ReplicaStates& states = t.fake_owner().states[0];
  EXPECT_EQ(states.job, JobId(1));
  ASSERT_EQ(states.entries.size(), 1u);
  EXPECT_EQ(states.entries[0].registered, Epoch(3));
  EXPECT_EQ(states.entries[0].session, 8u);
  EXPECT_FALSE(states.entries[0].holds_state);
  t.open(KeyPartitionId(400), 3, 8);  // the plan has no such key partition
  EXPECT_TRUE(t.fake_owner().states.back().entries.empty());
}

TEST(StoreShard, AcknowledgesWhatItHasApplied) {
  TestStore t;
  t.show({small_plan()});
  t.fill(kZero, {block_of({{"a"}})}, kStart);
  ASSERT_EQ(t.fake_owner().acks.size(), 3u);
  const FrameAck& last = t.fake_owner().acks.back();
  EXPECT_EQ(last.link_seq, 3u);
  ASSERT_EQ(last.entries.size(), 1u);
  EXPECT_EQ(last.entries[0].key_partition, kZero);
  EXPECT_EQ(last.entries[0].session, 1u);
  EXPECT_EQ(last.entries[0].version, 2u);
}

TEST(StoreShard, TellsTheSenderOfAPartThatDoesNotFitEachTime) {
  TestStore t;
  t.show({small_plan()});
  t.fill(kZero, {}, kStart);
  const FramePart gap = TestStore::part(kZero, PartKind::kRows, 9, 3);
  for (size_t i = 0; i < 2; ++i) {
    const size_t states = t.fake_owner().states.size();
    t.send_part(gap);
    ASSERT_EQ(t.fake_owner().states.size(), states + 1);
    const ReplicaState& state = t.fake_owner().states.back().entries.at(0);
    EXPECT_EQ(state.session, 1u);
    EXPECT_EQ(state.version, 2u);
    EXPECT_TRUE(state.holds_state);
    EXPECT_TRUE(t.fake_owner().acks.back().entries.empty());  // the link's credit comes back
  }
}

// Versions of a former owner say nothing about the present one's: an acknowledgement of its images
// must not be taken for one of what it sends afterwards.
TEST(StoreShard, DoesNotAcknowledgeAFormerOwnersVersionToTheNextOwner) {
  TestStore t;
  t.show({small_plan()});
  t.open(kZero, 1, 1);
  t.send_part(TestStore::part(kZero, PartKind::kImagesBegin, 0));
  t.send_part(TestStore::part(kZero, PartKind::kImagesClose, 1, 1'000));
  EXPECT_EQ(t.fake_owner().acks.back().entries.at(0).version, 1'000u);
  t.open(kZero, 2, 1);
  FramePart begin = TestStore::part(kZero, PartKind::kImagesBegin, 0);
  begin.epoch = Epoch(2);
  t.send_part(begin);
  ASSERT_EQ(t.fake_owner().acks.back().entries.size(), 1u);
  EXPECT_EQ(t.fake_owner().acks.back().entries[0].version, 0u);
  FramePart close = TestStore::part(kZero, PartKind::kImagesClose, 1, 5);
  close.epoch = Epoch(2);
  t.send_part(close);
  EXPECT_EQ(t.fake_owner().acks.back().entries.at(0).version, 5u);
}

TEST(StoreShard, RefusesBytesThatAreNoMessage) {
  TestStore t;
  t.show({small_plan()});
  t.fill(kZero, {block_of({{"a"}})}, kStart);
  const size_t acks = t.fake_owner().acks.size();
  for (const uint16_t type : {kFrames, kRegisterReplicas}) {
    t.send(kZero, type, Buffer(std::string("no message")));
    t.send(kZero, type, Buffer());
  }
  EXPECT_EQ(t.fake_owner().acks.size(), acks);
  FramePart rows = TestStore::part(kZero, PartKind::kRows, 3, 3);
  rows.from_version = 2;
  t.send_part(rows);
  EXPECT_EQ(t.fake_owner().acks.back().entries.at(0).version, 3u);
}

TEST(StoreShard, ForgetsAJobThatIsGone) {
  TestStore t;
  t.show({small_plan()});
  t.fill(kZero, {block_of({{"a"}})}, kStart);
  t.show({});
  t.show({small_plan()});
  t.open(kZero, 1, 2);
  EXPECT_FALSE(t.fake_owner().states.back().entries.at(0).holds_state);
}

}  // namespace
}  // namespace tidemill::test
