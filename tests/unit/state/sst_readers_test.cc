// Files that are open for reads of single keys: as few as the bound says, and answers do not
// change.
#include "shared/state/sst_readers.h"

#include <gtest/gtest.h>
#include <rocksdb/env.h>

#include "tests/unit/state/state_fixture.h"

namespace tidemill::testing {
namespace {

class SstReadersTest : public ::testing::Test {
 protected:
  std::unique_ptr<PartitionDisk> disk_of_many_files(const std::shared_ptr<SstReaders>& readers) {
    auto config = state_config(Disk::in_memory(), schemas_);
    config.max_increments = 64;
    config.log_limit_bytes = 0;  // each increment is sorted
    config.readers = readers;
    auto disk = open(config);
    EXPECT_TRUE(good(disk->write(state_.change_rows(5'000, 500))));
    for (int i = 0; i < 8; ++i) EXPECT_TRUE(good(disk->write(state_.change_rows(50, 500))));
    EXPECT_GT(disk->manifest()->files_size(), 4);
    return disk;
  }

  TableSchemas schemas_ = state_schemas();
  ChangingState state_{schemas_, 5};
};

TEST_F(SstReadersTest, NoMoreFilesAreOpenThanMayBe) {
  const auto readers = std::make_shared<SstReaders>(1 << 30, 3);
  auto disk = disk_of_many_files(readers);
  for (int i = 0; i < 3; ++i) expect_state(disk.get(), state_);
  EXPECT_EQ(readers->files(), 3u);
}

TEST_F(SstReadersTest, NoMoreBytesAreHeldThanMayBe) {
  const auto all = std::make_shared<SstReaders>();
  auto disk = disk_of_many_files(all);
  expect_state(disk.get(), state_);
  ASSERT_GT(all->files(), 4u);
  const uint64_t some = all->bytes() / 2;

  const auto readers = std::make_shared<SstReaders>(some, 1'000);
  state_ = ChangingState(schemas_, 5);
  disk = disk_of_many_files(readers);
  expect_state(disk.get(), state_);
  EXPECT_GT(readers->files(), 0u);
  EXPECT_LE(readers->bytes(), some);
}

TEST_F(SstReadersTest, AStateThatIsClosedHasNoFileOpen) {
  const auto readers = std::make_shared<SstReaders>();
  auto disk = disk_of_many_files(readers);
  expect_state(disk.get(), state_);
  EXPECT_EQ(disk->memory_bytes(), readers->bytes());
  disk.reset();
  EXPECT_EQ(readers->files(), 0u);
  EXPECT_EQ(readers->bytes(), 0u);
}

TEST_F(SstReadersTest, AFileThatIsNotThereIsAnError) {
  SstReaders readers;
  const auto disk = Disk::in_memory();
  EXPECT_FALSE(readers.open(disk->env(), "/none.sst").ok());
  EXPECT_EQ(readers.files(), 0u);
}

}  // namespace
}  // namespace tidemill::testing
