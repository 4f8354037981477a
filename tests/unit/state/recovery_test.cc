// What is found on disk after a crash, after damage, and after a state was taken over.
#include <gtest/gtest.h>
#include <rocksdb/env.h>

#include "shared/state/manifest.h"
#include "tests/simulation/sim_disk.h"
#include "tests/unit/state/state_fixture.h"

namespace tidemill::testing {
namespace {

std::string read(const PartitionDiskConfig& config, const std::string& name) {
  std::string bytes;
  const auto path = config.directory + "/" + name;
  EXPECT_TRUE(rocksdb::ReadFileToString(config.disk->env(), path, &bytes).ok()) << path;
  return bytes;
}

void replace(const PartitionDiskConfig& config, const std::string& name, const std::string& bytes) {
  const auto path = config.directory + "/" + name;
  EXPECT_TRUE(rocksdb::WriteStringToFile(config.disk->env(), bytes, path, true).ok()) << path;
}

void remove(const PartitionDiskConfig& config, const std::string& name) {
  EXPECT_TRUE(config.disk->env()->DeleteFile(config.directory + "/" + name).ok()) << name;
}

std::vector<std::string> list(const PartitionDiskConfig& config) {
  std::vector<std::string> names;
  EXPECT_TRUE(config.disk->env()->GetChildren(config.directory, &names).ok());
  std::erase_if(names, [](const std::string& name) { return name == "." || name == ".."; });
  std::sort(names.begin(), names.end());
  return names;
}

struct CrashRun {
  bool crashed = false;
  uint64_t changes = 0;
};

// Writes eight increments, of which the `change`-th change of the disk (0: none) is the last that
// is begun; power is lost with it or only the process. Then the state before or after, and on.
CrashRun crash_at(uint64_t change, bool lose_power) {
  SCOPED_TRACE("change " + std::to_string(change) + (lose_power ? ", power lost" : ""));
  const TableSchemas schemas = state_schemas();
  test::SimDisk machine(change);
  ChangingState state(schemas, 4);
  CrashRun run;
  uint64_t durable = 0;
  {
    auto config = state_config(machine.mount(), schemas);
    if (change > 0) machine.crash_at(change, [&] { run.crashed = true; });
    auto disk = PartitionDisk::open(config);
    for (int i = 0; disk.ok() && i < 8; ++i) {
      const Increment next = state.change();
      if ((*disk)->write(next).ok()) durable = state.version();
      if (run.crashed) break;
      EXPECT_EQ(durable, state.version());
      // From here on a RocksDB is open.
      const bool read = i != 4 || (*disk)->get(std::vector<StateKey>(1)).ok();
      EXPECT_TRUE(read || run.crashed);
      if (run.crashed) break;
    }
    run.changes = machine.changes();
  }
  lose_power ? machine.lose_power() : machine.unmount();
  auto config = state_config(machine.mount(), schemas);
  auto disk = open(config);
  EXPECT_EQ(disk->refused_manifests(), 0u);
  const uint64_t found =
      disk->manifest() == nullptr ? 0 : from_proto(disk->manifest()->head()).stamp().version;
  EXPECT_TRUE(found == durable || found == state.version()) << found;
  state.go_back(found);
  expect_state(disk.get(), state);
  EXPECT_LE(list(config).size(), 2u + 2 * config.max_increments + 2);
  state.change_owner();
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(good(disk->write(state.change())));
  expect_state(disk.get(), state);
  return run;
}

TEST(Recovery, ACrashAnywhereLeavesTheStateBeforeOrAfter) {
  const uint64_t changes = crash_at(0, true).changes;
  EXPECT_GT(changes, 50u);
  for (uint64_t change = 1; change <= changes; ++change) {
    EXPECT_TRUE(crash_at(change, change % 3 != 0).crashed);
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(Recovery, AFullDiskLeavesTheStateAsItWas) {
  const TableSchemas schemas = state_schemas();
  test::SimDisk machine(1);
  auto config = state_config(machine.mount(), schemas);
  auto disk = open(config);
  ChangingState state(schemas, 11);
  ASSERT_TRUE(good(disk->write(state.change_rows(100, 20))));
  const uint64_t before = state.version();
  machine.set_full(true);
  const Increment next = state.change_rows(100, 20);
  const Status failed = disk->write(next);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code(), ErrorCode::kRetryable);
  EXPECT_EQ(from_proto(disk->manifest()->head()).stamp().version, before);
  machine.heal();
  ASSERT_TRUE(good(disk->write(next)));
  expect_state(disk.get(), state);
}

TEST(Recovery, FailingOperationsLeaveTheStateBeforeOrAfter) {
  const TableSchemas schemas = state_schemas();
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    test::SimDisk machine(seed);
    auto config = state_config(machine.mount(), schemas);
    auto disk = open(config);
    ChangingState state(schemas, seed);
    ASSERT_TRUE(good(disk->write(state.change())));
    int failures = 0;
    for (int i = 0; i < 20; ++i) {
      const Increment next = state.change();
      machine.set_failing(0.02);
      while (!disk->write(next).ok()) {
        ++failures;
        ASSERT_LT(failures, 1000);
      }
      machine.heal();
    }
    expect_state(disk.get(), state);
    disk.reset();
    disk = open(state_config(machine.mount(), schemas));
    expect_state(disk.get(), state);
  }
}

TEST(Recovery, WhatNoHeldManifestNamesIsRemoved) {
  const TableSchemas schemas = state_schemas();
  const auto config = state_config(Disk::in_memory(), schemas);
  ChangingState state(schemas, 12);
  auto disk = open(config);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(good(disk->write(state.change_rows(10, 10))));
  EXPECT_EQ(list(config).size(), 5u);  // three increments, two manifests
  const auto files = list(config);
  disk.reset();
  replace(config, rows_file_name({Epoch(1), 900}, 800), "left over");
  replace(config, base_file_name({Epoch(1), 900}), "left over");
  replace(config, "manifest-0000000000000001-0000000000000007.tmp", "left over");
  ASSERT_TRUE(config.disk->env()->CreateDir(config.directory + "/links-3").ok());
  replace(config, "links-3/link-0", "left over");
  replace(config, "notes", "of somebody else");
  disk = open(config);
  auto expected = files;
  expected.insert(std::lower_bound(expected.begin(), expected.end(), "notes"), "notes");
  EXPECT_EQ(list(config), expected);
  expect_state(disk.get(), state);
}

// What may happen to a file, and what then must happen.
enum class Files { kLogs, kSorted };
class Damage : public ::testing::TestWithParam<Files> {
 protected:
  Damage() : schemas_(state_schemas()), config_(state_config(Disk::in_memory(), schemas_)) {
    config_.log_limit_bytes = UINT64_MAX;
    auto disk = open(config_);
    if (GetParam() == Files::kSorted) {
      EXPECT_TRUE(good(disk->write(state_.change_rows(1, 40))));
      EXPECT_TRUE(disk->get(std::vector<StateKey>{{0, 1, "x"}}).ok());
    }
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(good(disk->write(state_.change_rows(100, 40))));
      manifests_.push_back(*disk->manifest());
    }
  }

  const proto::StateManifest& newest() const { return manifests_[2]; }
  std::string newest_name() const { return manifest_file_name(stamp_of(newest())); }
  std::string newest_file() const { return newest().files(2).name(); }
  void write_manifest(const proto::StateManifest& manifest) {
    const auto bytes = encode_manifest(manifest);
    replace(config_, newest_name(), {bytes.begin(), bytes.end()});
  }

  // The state before is used, and it goes on from there.
  void expect_the_one_before() {
    auto disk = open(config_);
    EXPECT_EQ(disk->refused_manifests(), 1u);
    ASSERT_NE(disk->manifest(), nullptr);
    const Stamp before = stamp_of(manifests_[1]);
    ASSERT_EQ(stamp_of(*disk->manifest()), before);
    state_.go_back(before.version);
    state_.change_owner();
    expect_state(disk.get(), state_);
    ASSERT_TRUE(good(disk->write(state_.change_rows(10, 40))));
    disk.reset();
    disk = open(config_);
    EXPECT_EQ(disk->refused_manifests(), 0u);
    expect_state(disk.get(), state_);
  }

  TableSchemas schemas_;
  PartitionDiskConfig config_;
  ChangingState state_{schemas_, 13};
  std::vector<proto::StateManifest> manifests_;
};

INSTANTIATE_TEST_SUITE_P(Files, Damage, ::testing::Values(Files::kLogs, Files::kSorted),
                         [](const auto& info) {
                           return info.param == Files::kLogs ? "OfLogs" : "OfSortedFiles";
                         });

std::string flipped(std::string bytes, size_t at) {
  bytes.at(at) = static_cast<char>(bytes.at(at) ^ 4);
  return bytes;
}

TEST_P(Damage, NoneIsFoundWhereThereIsNone) {
  auto disk = open(config_);
  EXPECT_EQ(disk->refused_manifests(), 0u);
  EXPECT_EQ(stamp_of(*disk->manifest()), stamp_of(newest()));
  expect_state(disk.get(), state_);
}
TEST_P(Damage, BitOfAFileFlipped) {
  const std::string bytes = read(config_, newest_file());
  replace(config_, newest_file(), flipped(bytes, bytes.size() / 3));
  expect_the_one_before();
}
TEST_P(Damage, LastBitOfAFileFlipped) {
  const std::string bytes = read(config_, newest_file());
  replace(config_, newest_file(), flipped(bytes, bytes.size() - 1));
  expect_the_one_before();
}
TEST_P(Damage, FileTruncated) {
  const std::string bytes = read(config_, newest_file());
  replace(config_, newest_file(), bytes.substr(0, bytes.size() / 2));
  expect_the_one_before();
}
TEST_P(Damage, FileEmpty) {
  replace(config_, newest_file(), "");
  expect_the_one_before();
}
TEST_P(Damage, FileGone) {
  remove(config_, newest_file());
  expect_the_one_before();
}
TEST_P(Damage, GarbageBehindAFile) {
  replace(config_, newest_file(), read(config_, newest_file()) + "garbage");
  expect_the_one_before();
}
TEST_P(Damage, BlockOfZeros) {
  std::string bytes = read(config_, newest_file());
  std::fill(bytes.begin() + 100, bytes.begin() + 612, '\0');
  replace(config_, newest_file(), bytes);
  expect_the_one_before();
}
// Found when it is read, as the file was whole when the state was opened.
TEST_P(Damage, FileInUseDamagedAnywhere) {
  ASSERT_TRUE(good(open(config_)->write(state_.change_rows(20'000, 5'000))));
  const std::string name = open(config_)->manifest()->files(3).name();
  const std::string bytes = read(config_, name);
  ASSERT_GT(bytes.size(), 100u << 10) << "one of several blocks";
  std::vector<StateKey> keys;
  for (const auto& [key, image] : state_.images()) {
    keys.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key)});
  }
  for (size_t at = 0; at < bytes.size(); at += bytes.size() / 40) {
    auto disk = open(config_);
    replace(config_, name, flipped(bytes, at));
    const auto got = disk->get(keys);
    const bool noticed = !got && got.error().code() == ErrorCode::kCorrupt;
    EXPECT_TRUE(noticed || at > bytes.size() / 2) << "nothing seen of the damage at " << at;
    disk.reset();
    replace(config_, name, bytes);
  }
}
TEST_P(Damage, FileOfAnotherVersion) {
  replace(config_, newest_file(), read(config_, newest().files(1).name()));
  expect_the_one_before();
}
TEST_P(Damage, FileOfAnotherJob) {
  auto other = state_config(Disk::in_memory(), schemas_);
  other.job = JobId(8);
  ChangingState state(schemas_, 14);
  auto disk = open(other);
  ASSERT_TRUE(good(disk->write(state.change_rows(100, 40))));
  replace(config_, newest_file(), read(other, disk->manifest()->files(0).name()));
  expect_the_one_before();
}
TEST_P(Damage, EveryBitOfAManifestFlipped) {
  const std::string bytes = read(config_, newest_name());
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(
        decode_manifest({reinterpret_cast<const uint8_t*>(damaged.data()), damaged.size()}).ok());
  }
  replace(config_, newest_name(), flipped(bytes, bytes.size() / 2));
  expect_the_one_before();
}
TEST_P(Damage, ManifestTruncated) {
  replace(config_, newest_name(), read(config_, newest_name()).substr(0, 40));
  expect_the_one_before();
}
TEST_P(Damage, ManifestEmpty) {
  replace(config_, newest_name(), "");
  expect_the_one_before();
}
TEST_P(Damage, ManifestOfZeros) {
  replace(config_, newest_name(), std::string(200, '\0'));
  expect_the_one_before();
}
TEST_P(Damage, GarbageBehindAManifest) {
  replace(config_, newest_name(), read(config_, newest_name()) + "x");
  expect_the_one_before();
}
TEST_P(Damage, ManifestUnderAnotherName) {
  replace(config_, newest_name(), read(config_, manifest_file_name(stamp_of(manifests_[1]))));
  expect_the_one_before();
}
TEST_P(Damage, ManifestOfAnotherJob) {
  proto::StateManifest other = newest();
  other.set_job(8);
  write_manifest(other);
  expect_the_one_before();
}
TEST_P(Damage, ManifestOfAnotherKeyPartition) {
  proto::StateManifest other = newest();
  other.set_key_partition(43);
  write_manifest(other);
  expect_the_one_before();
}
TEST_P(Damage, ManifestOfOtherTables) {
  proto::StateManifest other = newest();
  other.set_schema_hash(1);
  write_manifest(other);
  expect_the_one_before();
}
TEST_P(Damage, ManifestOfAFutureFormat) {
  proto::StateManifest other = newest();
  other.set_format_version(2);
  write_manifest(other);
  expect_the_one_before();
}
TEST_P(Damage, HeadThatIsNotTheFiles) {
  proto::StateManifest other = newest();
  other.mutable_head()->mutable_offsets(0)->set_offset(99'999);
  write_manifest(other);
  expect_the_one_before();
}
TEST_P(Damage, ManifestThatLeavesAFileOut) {
  proto::StateManifest other = newest();
  other.mutable_files()->DeleteSubrange(1, 1);
  write_manifest(other);
  expect_the_one_before();
}
TEST_P(Damage, ManifestThatNamesAFileElsewhere) {
  proto::StateManifest other = newest();
  other.mutable_files(2)->set_name("../k-41/" + newest_file());
  write_manifest(other);
  expect_the_one_before();
}
TEST_P(Damage, OfAFileOfAllManifestsLeavesNothing) {
  remove(config_, newest().files(0).name());
  auto disk = open(config_);
  EXPECT_EQ(disk->refused_manifests(), 2u);
  EXPECT_EQ(disk->manifest(), nullptr);
  EXPECT_TRUE(list(config_).empty());
}

// Its holder was sent everything again, but nothing has changed since.
TEST(Recovery, AWholeIncrementReplacesADamagedStateOfItsStamp) {
  const TableSchemas schemas = state_schemas();
  const auto config = state_config(Disk::in_memory(), schemas);
  ChangingState state(schemas, 13);
  auto disk = open(config);
  Increment whole = state.change_rows(100, 40);
  whole.whole = true;
  ASSERT_TRUE(good(disk->write(whole)));
  const std::string name = disk->manifest()->files(0).name();
  replace(config, name, flipped(read(config, name), 300));
  EXPECT_FALSE(scan_images(disk.get()).ok());
  ASSERT_TRUE(good(disk->write(whole)));
  expect_state(disk.get(), state);
  disk = open(config);
  EXPECT_EQ(disk->refused_manifests(), 0u);
  expect_state(disk.get(), state);
}

class Adoption : public ::testing::Test {
 protected:
  // The newest state of another worker's directory, and of another job's.
  proto::StateManifest made_elsewhere() {
    auto elsewhere = state_config(Disk::in_memory(), schemas_, "/elsewhere");
    elsewhere.job = JobId(6);
    auto disk = open(elsewhere);
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(good(disk->write(state_.change())));
    EXPECT_TRUE(config_.disk->env()->CreateDirIfMissing("/data").ok());
    open(config_);
    for (const proto::StateFile& file : disk->manifest()->files()) {
      replace(config_, file.name(), read(elsewhere, file.name()));
    }
    return *disk->manifest();
  }

  TableSchemas schemas_ = state_schemas();
  PartitionDiskConfig config_ = state_config(Disk::in_memory(), schemas_);
  ChangingState state_{schemas_, 15};
};

TEST_F(Adoption, TheStateGoesOnFromThere) {
  auto disk = open(config_);
  const proto::StateManifest manifest = made_elsewhere();
  for (const proto::StateFile& file : manifest.files()) EXPECT_TRUE(disk->has(file));
  ASSERT_TRUE(good(disk->adopt(manifest)));
  EXPECT_EQ(disk->manifest()->job(), config_.job.value);
  expect_state(disk.get(), state_);
  state_.change_owner();
  ASSERT_TRUE(good(disk->write(state_.change())));
  disk.reset();
  disk = open(config_);
  EXPECT_EQ(disk->refused_manifests(), 0u);
  expect_state(disk.get(), state_);
}

TEST_F(Adoption, OfAnOlderStateThanTheOneHeld) {
  auto disk = open(config_);
  ChangingState own(schemas_, 16);
  own.change_owner();
  const proto::StateManifest manifest = made_elsewhere();
  ASSERT_TRUE(good(disk->adopt(manifest)));
  Increment next = own.change_rows(10, 10);
  next.whole = true;
  next.from_version = 0;
  ASSERT_TRUE(good(disk->write(next)));  // of a later epoch
  ASSERT_LT(stamp_of(manifest).epoch, stamp_of(*disk->manifest()).epoch);
  for (const proto::StateFile& file : manifest.files()) ASSERT_TRUE(disk->has(file));
  ASSERT_TRUE(good(disk->adopt(manifest)));
  expect_state(disk.get(), state_);
  disk.reset();
  disk = open(config_);
  EXPECT_EQ(disk->refused_manifests(), 0u);
  expect_state(disk.get(), state_);
}

TEST_F(Adoption, OfDamagedFilesIsRefused) {
  auto disk = open(config_);
  ChangingState own(schemas_, 16);
  ASSERT_TRUE(good(disk->write(own.change_rows(10, 10))));
  const proto::StateManifest manifest = made_elsewhere();
  const auto& file = manifest.files(0);
  replace(config_, file.name(), flipped(read(config_, file.name()), 50));
  EXPECT_FALSE(disk->has(file));
  const Status adopted = disk->adopt(manifest);
  ASSERT_FALSE(adopted.ok());
  EXPECT_EQ(adopted.error().code(), ErrorCode::kCorrupt);
  expect_state(disk.get(), own);
}

TEST_F(Adoption, OfAnotherKeyPartitionOrOtherTablesIsRefused) {
  auto disk = open(config_);
  proto::StateManifest manifest = made_elsewhere();
  manifest.set_key_partition(3);
  EXPECT_FALSE(disk->adopt(manifest).ok());
  manifest.set_key_partition(config_.key_partition.value);
  manifest.set_schema_hash(4);
  EXPECT_FALSE(disk->adopt(manifest).ok());
  EXPECT_EQ(disk->manifest(), nullptr);
}

TEST(Recovery, PlacesInSnapshotStorageAreKept) {
  const TableSchemas schemas = state_schemas();
  const auto config = state_config(Disk::in_memory(), schemas);
  ChangingState state(schemas, 17);
  auto disk = open(config);
  ASSERT_TRUE(good(disk->write(state.change_rows(100, 40))));
  proto::StateFile noted = disk->manifest()->files(0);
  noted.set_object("job-7/k-42/object");
  proto::StateFile unknown = noted;
  unknown.set_name(base_file_name({Epoch(9), 9}));
  ASSERT_TRUE(good(disk->note_objects({noted, unknown})));
  disk.reset();
  disk = open(config);
  EXPECT_EQ(disk->manifest()->files(0).object(), noted.object());
  ASSERT_TRUE(good(disk->write(state.change_rows(100, 40))));
  EXPECT_EQ(disk->manifest()->files(0).object(), noted.object());
  EXPECT_EQ(disk->manifest()->files(1).object(), "");
  expect_state(disk.get(), state);
}

}  // namespace
}  // namespace tidemill::testing
