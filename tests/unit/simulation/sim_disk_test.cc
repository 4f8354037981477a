// The simulated disk: what is lost with the power and what is not, and each fault it can be told.
#include "tests/simulation/sim_disk.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/sst_file_writer.h>

#include <set>

#include "shared/runtime/random.h"

namespace tidemill::test {
namespace {

using rocksdb::Env;
using rocksdb::EnvOptions;
using rocksdb::Status;

// A mounted disk, and what one does to files there.
class Machine {
 public:
  explicit Machine(uint64_t seed) : disk_(seed), mounted_(disk_.mount()) {
    EXPECT_TRUE(env()->CreateDir("/d").ok());
    EXPECT_TRUE(sync_directory("/").ok());
  }

  SimDisk& disk() { return disk_; }
  Env* env() { return mounted_->env(); }
  std::shared_ptr<Disk> mounted() { return mounted_; }
  void remount() { mounted_ = disk_.mount(); }
  void power_cycle() {
    disk_.lose_power();
    remount();
  }
  uint64_t count(DiskFault fault) { return disk_.counts()[static_cast<size_t>(fault)]; }

  Status write(const std::string& path, const std::string& bytes, bool sync) {
    return rocksdb::WriteStringToFile(env(), bytes, path, sync);
  }
  Status sync_directory(const std::string& path) {
    std::unique_ptr<rocksdb::Directory> directory;
    Status s = env()->NewDirectory(path, &directory);
    return s.ok() ? directory->Fsync() : s;
  }
  std::string read(const std::string& path) {
    std::string bytes;
    const Status s = rocksdb::ReadFileToString(env(), path, &bytes);
    return s.ok() ? bytes : "error: " + s.ToString();
  }
  bool exists(const std::string& path) { return env()->FileExists(path).ok(); }
  std::vector<std::string> names(const std::string& path) {
    std::vector<std::string> out;
    EXPECT_TRUE(env()->GetChildren(path, &out).ok());
    return out;
  }

 private:
  SimDisk disk_;
  std::shared_ptr<Disk> mounted_;
};

TEST(SimDisk, WhatIsSyncedSurvivesAndNothingElseNeedBeLost) {
  std::set<size_t> left;
  bool garbage = false;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Machine m(seed);
    std::unique_ptr<rocksdb::WritableFile> file;
    ASSERT_TRUE(m.env()->NewWritableFile("/d/f", &file, EnvOptions()).ok());
    ASSERT_TRUE(file->Append("durable ").ok());
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(m.sync_directory("/d").ok());
    ASSERT_TRUE(file->Append("not durable").ok());
    EXPECT_EQ(m.read("/d/f"), "durable not durable");
    file.reset();
    m.power_cycle();
    const std::string bytes = m.read("/d/f");
    ASSERT_TRUE(bytes.starts_with("durable ")) << bytes;
    ASSERT_LE(bytes.size(), 19u);
    left.insert(bytes.size());
    garbage |= !std::string("durable not durable").starts_with(bytes);
    m.power_cycle();
    EXPECT_EQ(m.read("/d/f"), bytes) << "lost later what had stayed";
  }
  EXPECT_TRUE(left.contains(8));
  EXPECT_GT(left.size(), 4u) << "no torn tails";
  EXPECT_TRUE(garbage);
}

TEST(SimDisk, NamesAreLostFromTheLastChangeBackwards) {
  std::set<size_t> kept;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Machine m(seed);
    ASSERT_TRUE(m.write("/d/0", "0", true).ok());
    ASSERT_TRUE(m.sync_directory("/d").ok());
    for (int i = 1; i <= 4; ++i) ASSERT_TRUE(m.write("/d/" + std::to_string(i), "x", true).ok());
    ASSERT_TRUE(m.env()->DeleteFile("/d/0").ok());
    m.power_cycle();
    const auto names = m.names("/d");
    for (int i = 1; i <= 4; ++i) {
      const bool there = m.exists("/d/" + std::to_string(i));
      const bool before = i == 1 || m.exists("/d/" + std::to_string(i - 1));
      EXPECT_TRUE(!there || before) << "a later name outlived an earlier one";
    }
    if (!m.exists("/d/0")) {
      EXPECT_EQ(names.size(), 4u);
    }
    kept.insert(names.size());
    EXPECT_TRUE(names.size() >= 4 || m.count(DiskFault::kNamesLost) > 0);
  }
  EXPECT_GE(kept.size(), 4u);
}

TEST(SimDisk, ARenameIsDoneOrNotDone) {
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Machine m(seed);
    ASSERT_TRUE(m.write("/d/f", "old", true).ok());
    ASSERT_TRUE(m.sync_directory("/d").ok());
    ASSERT_TRUE(m.write("/d/f.new", "new", true).ok());
    ASSERT_TRUE(m.sync_directory("/d").ok());
    ASSERT_TRUE(m.env()->RenameFile("/d/f.new", "/d/f").ok());
    EXPECT_EQ(m.read("/d/f"), "new");
    EXPECT_FALSE(m.exists("/d/f.new"));
    m.power_cycle();
    EXPECT_EQ(m.exists("/d/f.new"), m.read("/d/f") == "old");
    seen.insert(m.read("/d/f"));
  }
  EXPECT_EQ(seen, (std::set<std::string>{"new", "old"}));
}

TEST(SimDisk, ARenameOfWhatWasNotSyncedMayLeaveAnything) {
  size_t damaged = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Machine m(seed);
    ASSERT_TRUE(m.write("/d/f", "the old contents", true).ok());
    ASSERT_TRUE(m.sync_directory("/d").ok());
    ASSERT_TRUE(m.write("/d/f.new", "the new contents", false).ok());
    ASSERT_TRUE(m.env()->RenameFile("/d/f.new", "/d/f").ok());
    ASSERT_TRUE(m.sync_directory("/d").ok());
    m.power_cycle();
    const std::string bytes = m.read("/d/f");
    EXPECT_NE(bytes, "the old contents");
    if (bytes != "the new contents") ++damaged;
  }
  EXPECT_GT(damaged, 10u);
}

TEST(SimDisk, ATruncationThatWasNotSyncedIsUndone) {
  Machine m(3);
  ASSERT_TRUE(m.write("/d/f", "durable", true).ok());
  ASSERT_TRUE(m.sync_directory("/d").ok());
  ASSERT_TRUE(m.write("/d/f", "other", false).ok());
  EXPECT_EQ(m.read("/d/f"), "other");
  m.power_cycle();
  EXPECT_EQ(m.read("/d/f"), "durable");
}

TEST(SimDisk, DirectoriesNeedTheirParentsSynced) {
  size_t lost = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Machine m(seed);
    ASSERT_TRUE(m.env()->CreateDir("/d/e").ok());
    ASSERT_TRUE(m.write("/d/e/f", "x", true).ok());
    ASSERT_TRUE(m.sync_directory("/d/e").ok());
    m.power_cycle();
    if (!m.exists("/d/e")) {
      ++lost;
    } else {
      EXPECT_EQ(m.read("/d/e/f"), "x");
    }
  }
  EXPECT_GT(lost, 2u);
  EXPECT_LT(lost, 20u);
}

TEST(SimDisk, AFailedSyncIsNotMadeGoodByTheNextOne) {
  Machine m(5);
  std::unique_ptr<rocksdb::WritableFile> file;
  ASSERT_TRUE(m.env()->NewWritableFile("/d/f", &file, EnvOptions()).ok());
  ASSERT_TRUE(m.sync_directory("/d").ok());
  ASSERT_TRUE(file->Append("bytes").ok());
  m.disk().set_failing(1);
  EXPECT_TRUE(file->Sync().IsIOError());
  m.disk().heal();
  EXPECT_TRUE(file->Sync().ok());
  file.reset();
  EXPECT_EQ(m.count(DiskFault::kFailedSync), 1u);
  bool lost = false;
  for (int i = 0; i < 10 && !lost; ++i) {
    m.power_cycle();
    lost = m.read("/d/f") != "bytes";
  }
  EXPECT_TRUE(lost || m.count(DiskFault::kBytesLost) == 0);
}

TEST(SimDisk, LinksShareBytesAndOutliveTheFirstName) {
  Machine m(6);
  ASSERT_TRUE(m.write("/d/a", "shared", true).ok());
  ASSERT_TRUE(m.env()->LinkFile("/d/a", "/d/b").ok());
  uint64_t links = 0;
  ASSERT_TRUE(m.env()->NumFileLinks("/d/a", &links).ok());
  EXPECT_EQ(links, 2u);
  ASSERT_TRUE(m.disk().flip_bit("/d/b"));
  EXPECT_EQ(m.read("/d/a"), m.read("/d/b"));
  EXPECT_NE(m.read("/d/a"), "shared");
  ASSERT_TRUE(m.sync_directory("/d").ok());
  ASSERT_TRUE(m.env()->DeleteFile("/d/a").ok());
  m.power_cycle();
  EXPECT_TRUE(m.exists("/d/b"));
  ASSERT_TRUE(m.env()->NumFileLinks("/d/b", &links).ok());
  EXPECT_EQ(links, m.exists("/d/a") ? 2u : 1u);
}

TEST(SimDisk, ARemovedFileCanBeReadByWhoHasItOpen) {
  Machine m(7);
  ASSERT_TRUE(m.write("/d/f", "still here", true).ok());
  std::unique_ptr<rocksdb::RandomAccessFile> file;
  ASSERT_TRUE(m.env()->NewRandomAccessFile("/d/f", &file, EnvOptions()).ok());
  ASSERT_TRUE(m.env()->DeleteFile("/d/f").ok());
  char scratch[16];
  rocksdb::Slice bytes;
  ASSERT_TRUE(file->Read(6, 16, &bytes, scratch).ok());
  EXPECT_EQ(bytes.ToString(), "here");
}

TEST(SimDisk, AFormerMountGetsErrorsAndItsLocksAreFree) {
  Machine m(8);
  rocksdb::FileLock* lock = nullptr;
  rocksdb::FileLock* second = nullptr;
  ASSERT_TRUE(m.env()->LockFile("/d/LOCK", &lock).ok());
  EXPECT_FALSE(m.env()->LockFile("/d/LOCK", &second).ok());
  const auto former = m.mounted();
  m.remount();
  EXPECT_TRUE(m.env()->LockFile("/d/LOCK", &second).ok());
  EXPECT_FALSE(rocksdb::WriteStringToFile(former->env(), "x", "/d/f", false).ok());
  EXPECT_FALSE(m.exists("/d/f"));
  EXPECT_TRUE(former->env()->UnlockFile(lock).ok());
  EXPECT_FALSE(m.env()->LockFile("/d/LOCK", &lock).ok()) << "unlocked by a former mount";
  EXPECT_TRUE(m.env()->UnlockFile(second).ok());
}

TEST(SimDisk, AFullDiskRefusesWhatNeedsSpaceOnly) {
  Machine m(9);
  ASSERT_TRUE(m.write("/d/f", "x", true).ok());
  m.disk().set_full(true);
  EXPECT_TRUE(m.write("/d/g", "x", true).IsNoSpace());
  EXPECT_TRUE(m.env()->CreateDir("/d/e").IsNoSpace());
  EXPECT_EQ(m.read("/d/f"), "x");
  EXPECT_TRUE(m.env()->RenameFile("/d/f", "/d/g").ok());
  EXPECT_TRUE(m.env()->DeleteFile("/d/g").ok());
  uint64_t free = 1;
  EXPECT_TRUE(m.env()->GetFreeSpace("/d", &free).ok());
  EXPECT_EQ(free, 0u);
  m.disk().heal();
  EXPECT_TRUE(m.write("/d/g", "x", true).ok());
}

TEST(SimDisk, NoBitFlipsInAFileThatIsBeingWritten) {
  Machine m(10);
  std::unique_ptr<rocksdb::WritableFile> file;
  ASSERT_TRUE(m.env()->NewWritableFile("/d/f", &file, EnvOptions()).ok());
  EXPECT_FALSE(m.disk().flip_bit("/d/f"));
  ASSERT_TRUE(file->Append("bytes").ok());
  EXPECT_FALSE(m.disk().flip_bit("/d/f"));
  ASSERT_TRUE(file->Close().ok());
  EXPECT_TRUE(m.disk().flip_bit("/d/f"));
  EXPECT_FALSE(m.disk().flip_bit("/d/none"));
  EXPECT_FALSE(m.disk().flip_bit("/d"));
}

TEST(SimDisk, AWipedDiskIsEmpty) {
  Machine m(11);
  ASSERT_TRUE(m.write("/d/f", "x", true).ok());
  m.disk().wipe();
  EXPECT_FALSE(m.exists("/d/f")) << "by the former mount";
  m.remount();
  EXPECT_TRUE(m.disk().paths().empty());
  EXPECT_FALSE(m.exists("/d"));
}

rocksdb::Options small_database(Env* env) {
  rocksdb::Options options;
  options.env = env;
  options.create_if_missing = true;
  options.write_buffer_size = 64 << 10;
  options.max_background_jobs = 1;
  return options;
}

// Writes with a synced log until an error. The number of writes that were acknowledged.
int write_synced(rocksdb::DB* db, int from, int to) {
  rocksdb::WriteOptions synced;
  synced.sync = true;
  for (int i = from; i < to; ++i) {
    if (!db->Put(synced, std::to_string(i), std::to_string(i * 7)).ok()) return i;
  }
  return to;
}

// Whatever change a process ends in, with the power or without, RocksDB holds what it acknowledged.
TEST(SimDisk, RocksDbKeepsWhatItAcknowledged) {
  std::set<uint64_t> lost;
  for (uint64_t at = 1; at <= 60; ++at) {
    Machine m(at);
    bool crashed = false;
    m.disk().crash_at(at, [&] { crashed = true; });
    rocksdb::DB* raw = nullptr;
    int acknowledged = 0;
    if (rocksdb::DB::Open(small_database(m.env()), "/d/db", &raw).ok()) {
      const std::unique_ptr<rocksdb::DB> db(raw);
      // The directory of the database is the business of whoever opens it.
      if (m.sync_directory("/d").ok()) acknowledged = write_synced(raw, 0, 20);
    }
    EXPECT_EQ(crashed, m.count(DiskFault::kCrash) == 1);
    if (at % 2 == 0) m.disk().lose_power();
    m.remount();
    const Status opened = rocksdb::DB::Open(small_database(m.env()), "/d/db", &raw);
    ASSERT_TRUE(opened.ok()) << opened.ToString() << ", of crash at change " << at;
    const std::unique_ptr<rocksdb::DB> db(raw);
    for (int i = 0; i < acknowledged; ++i) {
      std::string value;
      ASSERT_TRUE(db->Get({}, std::to_string(i), &value).ok()) << "of crash at change " << at;
      EXPECT_EQ(value, std::to_string(i * 7));
    }
    lost.insert(static_cast<uint64_t>(20 - acknowledged));
  }
  EXPECT_GT(lost.size(), 5u) << "crashes are all at the same place";
}

std::string table_of(rocksdb::Env* env) {
  rocksdb::Options options;
  options.env = env;
  rocksdb::SstFileWriter writer(EnvOptions(), options);
  EXPECT_TRUE(writer.Open("/d/t.sst").ok());
  EXPECT_TRUE(writer.Put("a", "1").ok());
  EXPECT_TRUE(writer.Finish().ok());
  std::string bytes;
  EXPECT_TRUE(rocksdb::ReadFileToString(env, "/d/t.sst", &bytes).ok());
  return bytes;
}

// But for the identity that RocksDB gives to each writer, which has a fixed size.
TEST(SimDisk, TablesHaveNoTimeInThem) {
  Machine a(1);
  Machine b(2);
  EXPECT_EQ(table_of(a.env()).size(), table_of(b.env()).size());
}

TEST(SimDisk, TheSameSeedGivesTheSameLosses) {
  const auto run = [](uint64_t seed) {
    Machine m(seed);
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(m.write("/d/" + std::to_string(i), std::string(100, 'x'), i % 3 == 0).ok());
    }
    m.power_cycle();
    std::string all;
    for (const std::string& path : m.disk().paths()) all += path + "=" + m.read(path) + "\n";
    return all;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

}  // namespace
}  // namespace tidemill::test
