// A store writes a replica's state to snapshot storage, for an owner that has no snapshot to begin
// with.
#include <gtest/gtest.h>
#include <rocksdb/env.h>

#include "shared/snapshot/snapshot_name.h"
#include "shared/snapshot/snapshots.h"
#include "tests/unit/serving/test_store.h"

namespace tidemill::test {
namespace {

using Outcome = StateWritten::Outcome;

constexpr KeyPartitionId kOne{1};
constexpr Stamp kHeld{Epoch(1), 2};  // after TestStore::fill

class HandOverTest : public testing::Test {
 protected:
  HandOverTest() {
    t_.show({small_plan()});
    t_.fill(kOne, {block_of({{"a"}, {"b"}})}, kStart);
    t_.open(kOne, 7, 1);
  }

  void ask(Epoch epoch, Stamp stamp) {
    t_.send(kOne, kStateWanted, StateWanted{JobId(1), kOne, epoch, stamp}.encode());
    t_.sim.run_for(200'000);
  }
  std::vector<StateWritten>& answers() { return t_.fake_owner().written; }
  // What was written, restored to an empty disk.
  StateHead restored(const std::string& manifest) {
    PartitionDiskConfig config;
    config.disk = Disk::in_memory();
    config.directory = "/restored";
    config.job = JobId(1);
    config.key_partition = kOne;
    config.schemas = small_plan()->tables();
    auto disk = PartitionDisk::open(config);
    const std::vector<std::string> candidates{manifest};
    const auto done = restore_snapshot(disk->get(), t_.snapshots.get(), candidates);
    EXPECT_TRUE(done.ok()) << done.error().message();
    auto scan = (*disk)->scan(std::nullopt);
    ByteWriter images;
    while (*(*scan)->next(1 << 20, &images)) {
    }
    PartitionState state(small_plan()->tables());
    ByteReader in(images.bytes());
    while (in.remaining() > 0) EXPECT_TRUE(state.apply_image(&in, 1).ok());
    rows_ = state.stats().rows;
    return (*scan)->head();
  }

  TestStore t_{StoreConfig{}, 1};
  uint64_t rows_ = 0;
};

// Also of what no increment holds yet: they are ten seconds apart.
TEST_F(HandOverTest, AllOfTheStateIsWrittenUnderTheOwnersEpoch) {
  ask(Epoch(7), kHeld);
  ASSERT_EQ(answers().size(), 2u);
  EXPECT_EQ(answers()[0].outcome, Outcome::kWorking);
  EXPECT_EQ(answers()[1].outcome, Outcome::kWritten) << answers()[1].text;
  EXPECT_EQ(answers()[1].epoch, Epoch(7));
  EXPECT_EQ(answers()[1].stamp, kHeld);
  const auto name = parse_snapshot_object(answers()[1].text);
  ASSERT_TRUE(name);
  EXPECT_EQ(name->owner, Epoch(7));
  EXPECT_EQ(name->store, kStoreNode);
  const StateHead head = restored(answers()[1].text);
  EXPECT_EQ(head.stamp(), kHeld);
  EXPECT_EQ(head.offsets.at(1).offset, 17u);
  EXPECT_EQ(rows_, 2u);
}

TEST_F(HandOverTest, AskedAgainItAnswersTheSame) {
  ask(Epoch(7), kHeld);
  const std::string manifest = answers().back().text;
  const size_t objects = t_.snapshots->list("")->size();
  ask(Epoch(7), kHeld);
  EXPECT_EQ(answers().back().outcome, Outcome::kWritten);
  EXPECT_EQ(answers().back().text, manifest);
  EXPECT_EQ(t_.snapshots->list("")->size(), objects);
}

TEST_F(HandOverTest, OnlyTheRegisteredOwnerGetsIt) {
  ask(Epoch(6), kHeld);  // of the past
  EXPECT_EQ(answers().back().outcome, Outcome::kRefused);
  ask(Epoch(8), kHeld);  // has fenced nobody here
  EXPECT_EQ(answers().back().outcome, Outcome::kRefused);
  EXPECT_TRUE(t_.snapshots->list("")->empty());
}

TEST_F(HandOverTest, OnlyTheStateThatWasAskedFor) {
  ask(Epoch(7), {Epoch(1), 1});
  EXPECT_EQ(answers().back().outcome, Outcome::kRefused);
  ask(Epoch(7), {Epoch(2), 2});
  EXPECT_EQ(answers().back().outcome, Outcome::kRefused);
  EXPECT_TRUE(t_.snapshots->list("")->empty());
}

TEST_F(HandOverTest, ADamagedStateIsNotHandedOver) {
  t_.sim.run_for(15'000'000);  // written
  std::vector<std::string> files;
  const std::string directory = partition_directory("/store", JobId(1), kOne);
  ASSERT_TRUE(t_.disk->env()->GetChildren(directory, &files).ok());
  for (const std::string& file : files) {
    if (!file.starts_with("rows-") && !file.starts_with("base-")) continue;
    std::string bytes;
    const std::string path = directory + "/" + file;
    ASSERT_TRUE(rocksdb::ReadFileToString(t_.disk->env(), path, &bytes).ok());
    bytes[bytes.size() / 2] ^= 1;
    ASSERT_TRUE(rocksdb::WriteStringToFile(t_.disk->env(), bytes, path).ok());
  }
  ask(Epoch(7), kHeld);
  EXPECT_EQ(answers().back().outcome, Outcome::kRefused) << answers().back().text;
  for (const StoredObject& object : *t_.snapshots->list("")) {
    EXPECT_FALSE(parse_snapshot_object(object.name)->manifest) << object.name;
  }
}

}  // namespace
}  // namespace tidemill::test
