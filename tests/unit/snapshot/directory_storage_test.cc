#include <gtest/gtest.h>
#include <rocksdb/env.h>

#include "shared/snapshot/snapshot_storage.h"
#include "tests/simulation/sim_disk.h"

namespace tidemill {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes bytes_of(size_t count, uint8_t first) {
  Bytes out(count);
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<uint8_t>(first + i * 7);
  return out;
}

void write_file(const Disk& disk, const std::string& path, const Bytes& bytes) {
  const rocksdb::Slice text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  ASSERT_TRUE(rocksdb::WriteStringToFile(disk.env(), text, path, true).ok());
}

Bytes read_file(const Disk& disk, const std::string& path) {
  std::string text;
  EXPECT_TRUE(rocksdb::ReadFileToString(disk.env(), path, &text).ok());
  return {text.begin(), text.end()};
}

std::vector<std::string> names(SnapshotStorage* storage, const std::string& prefix) {
  const auto listed = storage->list(prefix);
  EXPECT_TRUE(listed.ok());
  std::vector<std::string> out;
  for (const StoredObject& object : *listed) out.push_back(object.name);
  return out;
}

TEST(DirectoryStorage, WhatIsPutIsThereUntilItIsRemoved) {
  const auto disk = Disk::in_memory();
  const auto storage = directory_storage(disk, "/shared/snapshots/");
  ASSERT_TRUE(storage->put("job-1/k-1/one", bytes_of(10, 1)).ok());
  ASSERT_TRUE(storage->put("job-1/k-1/two", bytes_of(0, 1)).ok());
  ASSERT_TRUE(storage->put("job-1/k-10/three", bytes_of(5'000'000, 3)).ok());
  EXPECT_EQ(*storage->get("job-1/k-1/one"), bytes_of(10, 1));
  EXPECT_EQ(*storage->get("job-1/k-1/two"), Bytes{});
  EXPECT_EQ(*storage->get("job-1/k-10/three"), bytes_of(5'000'000, 3));
  ASSERT_TRUE(storage->put("job-1/k-1/one", bytes_of(20, 2)).ok()) << "replaces";
  EXPECT_EQ(*storage->get("job-1/k-1/one"), bytes_of(20, 2));
  ASSERT_TRUE(storage->remove("job-1/k-1/one").ok());
  ASSERT_TRUE(storage->remove("job-1/k-1/one").ok()) << "what is not there is no error";
  EXPECT_EQ(storage->get("job-1/k-1/one").error().code(), ErrorCode::kCorrupt);
}

TEST(DirectoryStorage, FilesGoUpAndDownBetweenDisks) {
  const auto worker = Disk::in_memory();
  const auto storage = directory_storage(Disk::in_memory(), "/snapshots");
  for (const size_t size : {size_t{0}, size_t{1}, size_t{3} << 20}) {
    write_file(*worker, "/up", bytes_of(size, 9));
    ASSERT_TRUE(storage->put_file("a/file.sst", *worker, "/up").ok());
    write_file(*worker, "/down", bytes_of(100, 1));  // is replaced
    ASSERT_TRUE(storage->get_file("a/file.sst", *worker, "/down").ok());
    EXPECT_EQ(read_file(*worker, "/down"), bytes_of(size, 9));
  }
  EXPECT_EQ(storage->put_file("a/none.sst", *worker, "/none").error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(storage->get_file("a/none.sst", *worker, "/down").error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(names(storage.get(), ""), std::vector<std::string>{"a/file.sst"});
}

TEST(DirectoryStorage, ListsByPrefixInOrder) {
  const auto disk = Disk::in_memory();
  const auto storage = directory_storage(disk, "/snapshots");
  EXPECT_TRUE(names(storage.get(), "").empty()) << "there is no directory yet";
  for (const char* name : {"b/2", "a/b/c", "b/10", "a-b/1", "a/b.c", "z"}) {
    ASSERT_TRUE(storage->put(name, bytes_of(7, 1)).ok());
  }
  using Names = std::vector<std::string>;
  EXPECT_EQ(names(storage.get(), ""), (Names{"a-b/1", "a/b.c", "a/b/c", "b/10", "b/2", "z"}));
  EXPECT_EQ(names(storage.get(), "a"), (Names{"a-b/1", "a/b.c", "a/b/c"}));
  EXPECT_EQ(names(storage.get(), "a/b"), (Names{"a/b.c", "a/b/c"}));
  EXPECT_EQ(names(storage.get(), "a/b/"), (Names{"a/b/c"}));
  EXPECT_EQ(names(storage.get(), "b/1"), (Names{"b/10"}));
  EXPECT_EQ(names(storage.get(), "c/"), Names{});
  EXPECT_EQ(storage->list("z")->front().bytes, 7u);
}

TEST(DirectoryStorage, EmptyDirectoriesGo) {
  const auto disk = Disk::in_memory();
  const auto storage = directory_storage(disk, "/shared/snapshots");
  ASSERT_TRUE(storage->put("job/k/1/x", bytes_of(1, 1)).ok());
  ASSERT_TRUE(storage->put("job/k/2/x", bytes_of(1, 1)).ok());
  ASSERT_TRUE(storage->remove("job/k/1/x").ok());
  EXPECT_FALSE(disk->env()->FileExists("/shared/snapshots/job/k/1").ok());
  EXPECT_TRUE(disk->env()->FileExists("/shared/snapshots/job/k/2").ok());
  ASSERT_TRUE(storage->remove("job/k/2/x").ok());
  EXPECT_FALSE(disk->env()->FileExists("/shared/snapshots/job").ok());
  EXPECT_TRUE(disk->env()->FileExists("/shared/snapshots").ok());
  ASSERT_TRUE(storage->put("job/k/1/x", bytes_of(1, 1)).ok());
}

TEST(DirectoryStorage, NamesThatLeadElsewhereAreRefused) {
  const auto disk = Disk::in_memory();
  const auto storage = directory_storage(disk, "/snapshots");
  write_file(*disk, "/secret", bytes_of(10, 1));
  for (const char* name :
       {"../secret", "a/../../secret", "/secret", "", "a//b", ".hidden", "a/.b"}) {
    EXPECT_EQ(storage->put(name, bytes_of(1, 1)).error().code(), ErrorCode::kCorrupt) << name;
    EXPECT_EQ(storage->put_file(name, *disk, "/secret").error().code(), ErrorCode::kCorrupt);
    EXPECT_EQ(storage->get(name).error().code(), ErrorCode::kCorrupt) << name;
    EXPECT_EQ(storage->get_file(name, *disk, "/out").error().code(), ErrorCode::kCorrupt) << name;
    EXPECT_EQ(storage->remove(name).error().code(), ErrorCode::kCorrupt) << name;
  }
  EXPECT_TRUE(disk->env()->FileExists("/secret").ok());
  EXPECT_TRUE(names(storage.get(), "../").empty());
}

// As where a file system is not mounted: nothing is known then about what is in storage.
TEST(DirectoryStorage, ADirectoryThatIsAwayIsNotOneWithoutTheObject) {
  const auto disk = Disk::in_memory();
  const auto storage = directory_storage(disk, "/snapshots");
  EXPECT_EQ(storage->get("a").error().code(), ErrorCode::kRetryable);
  ASSERT_TRUE(disk->env()->CreateDir("/snapshots").ok());
  EXPECT_EQ(storage->get("a").error().code(), ErrorCode::kRetryable);
  EXPECT_EQ(storage->get_file("a", *disk, "/out").error().code(), ErrorCode::kRetryable);
  ASSERT_TRUE(storage->put("b", bytes_of(1, 1)).ok());
  EXPECT_EQ(storage->get("a").error().code(), ErrorCode::kCorrupt);
}

TEST(DirectoryStorage, ADirectoryInTheObjectsPlaceIsDamage) {
  const auto disk = Disk::in_memory();
  const auto storage = directory_storage(disk, "/snapshots");
  ASSERT_TRUE(storage->put("a/b", bytes_of(1, 1)).ok());
  EXPECT_EQ(storage->get("a").error().code(), ErrorCode::kCorrupt);
}

TEST(DirectoryStorage, WhatABrokenPutLeftIsListedAndCanBeRemoved) {
  test::SimDisk machine(1);
  auto disk = machine.mount();
  auto storage = directory_storage(disk, "/snapshots");
  ASSERT_TRUE(storage->put("a/whole", bytes_of(10, 1)).ok());
  machine.set_full(true);
  EXPECT_EQ(storage->put("a/x", bytes_of(10, 2)).error().code(), ErrorCode::kRetryable);
  machine.heal();
  EXPECT_EQ(names(storage.get(), "a/"), std::vector<std::string>{"a/whole"}) << "it was removed";
  write_file(*disk, "/snapshots/a/y.partial", bytes_of(3, 1));
  EXPECT_EQ(names(storage.get(), "a/"), (std::vector<std::string>{"a/whole", "a/y.partial"}));
  EXPECT_EQ(storage->get("a/y").error().code(), ErrorCode::kCorrupt);
  ASSERT_TRUE(storage->remove("a/y.partial").ok());
  EXPECT_EQ(names(storage.get(), "a/"), std::vector<std::string>{"a/whole"});
}

struct AfterCrash {
  bool first_done = false;   // a put that returned before the crash
  bool second_done = false;  // likewise, of a new directory
};

// Puts that end at the `change`-th change of the disk, after which the power is lost.
AfterCrash crash_in_puts(test::SimDisk* machine, uint64_t change) {
  const auto disk = machine->mount();
  const auto storage = directory_storage(disk, "/snapshots");
  machine->crash_at(change, [] {});
  AfterCrash out;
  out.first_done = storage->put("a/one", bytes_of(9'000, 50)).ok();
  out.second_done = out.first_done && storage->put("b/c/two", bytes_of(9'000, 60)).ok();
  return out;
}

// What a put has said to be durable is, whatever the moment at which the power goes; and whatever
// else is there is whole.
TEST(DirectoryStorage, PutsSurviveTheLossOfPowerAtEveryStep) {
  for (uint64_t change = 1, all_done = 0; all_done == 0; ++change) {
    ASSERT_LT(change, 200u);
    test::SimDisk machine(change);
    ASSERT_TRUE(
        directory_storage(machine.mount(), "/snapshots")->put("a/one", bytes_of(9'000, 40)).ok());
    machine.lose_power();
    const AfterCrash done = crash_in_puts(&machine, change);
    machine.heal();
    machine.lose_power();
    const auto storage = directory_storage(machine.mount(), "/snapshots");
    const auto one = storage->get("a/one");
    ASSERT_TRUE(one.ok()) << "change " << change << ": " << one.error().message();
    if (done.first_done) {
      EXPECT_EQ(*one, bytes_of(9'000, 50)) << change;
    } else {
      EXPECT_TRUE(*one == bytes_of(9'000, 40) || *one == bytes_of(9'000, 50)) << change;
    }
    const auto two = storage->get("b/c/two");
    EXPECT_TRUE(two.ok() || !done.second_done) << change;
    EXPECT_TRUE(!two.ok() || *two == bytes_of(9'000, 60)) << change;
    all_done = done.second_done ? 1 : 0;
  }
}

// The directory that another process made, and did not get to sync, is made durable as well.
TEST(DirectoryStorage, DirectoriesMadeByOthersAreSynced) {
  test::SimDisk machine(7);
  const auto disk = machine.mount();
  const auto storage = directory_storage(disk, "/snapshots");
  ASSERT_TRUE(storage->put("x", bytes_of(1, 1)).ok());
  ASSERT_TRUE(disk->env()->CreateDir("/snapshots/a").ok());
  ASSERT_TRUE(disk->env()->CreateDir("/snapshots/a/b").ok());
  ASSERT_TRUE(storage->put("a/b/c", bytes_of(5, 1)).ok());
  machine.lose_power();
  EXPECT_EQ(*directory_storage(machine.mount(), "/snapshots")->get("a/b/c"), bytes_of(5, 1));
}

}  // namespace
}  // namespace tidemill
