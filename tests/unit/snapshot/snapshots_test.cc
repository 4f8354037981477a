#include "shared/snapshot/snapshots.h"

#include <gtest/gtest.h>

#include "shared/obs/log.h"
#include "shared/snapshot/snapshot_name.h"
#include "tests/unit/snapshot/recording_storage.h"
#include "tests/unit/snapshot/snapshot_fixture.h"

namespace tidemill {
namespace {

using testing::kJob;
using testing::kPartition;
using testing::RecordingStorage;
using testing::StateWriter;
using Names = std::vector<std::string>;

constexpr Epoch kOwner{5};

TakenSnapshot upload(StateWriter* owner, SnapshotStorage* storage, Epoch own,
                     const Names& retained = {}) {
  auto taken = upload_snapshot(owner->disk(), storage, own, retained);
  EXPECT_TRUE(taken.ok()) << taken.error().message();
  return *taken;
}

class Lines : public LogSink {
 public:
  int64_t now_us() override { return 0; }
  void write(LogLevel, std::string_view line) override { lines.emplace_back(line); }
  Names lines;
};

TEST(SnapshotNames, SayWhoWroteWhat) {
  EXPECT_EQ(snapshot_prefix(JobId{1}, KeyPartitionId{17}), "job-00000001/k-00017/");
  EXPECT_EQ(owner_prefix(JobId{0xab}, KeyPartitionId{7}, Epoch{0x1f}),
            "job-000000ab/k-00007/000000000000001f/");
  EXPECT_EQ(manifest_name(Epoch{2}, 300), "manifest-0000000000000002-000000000000012c");
  const std::string below = owner_prefix(JobId{0xab}, KeyPartitionId{7}, Epoch{0x1f});
  const auto manifest = parse_snapshot_object(below + manifest_name(Epoch{2}, 300));
  ASSERT_TRUE(manifest);
  EXPECT_EQ(manifest->job, JobId{0xab});
  EXPECT_EQ(manifest->key_partition, KeyPartitionId{7});
  EXPECT_EQ(manifest->owner, Epoch{0x1f});
  EXPECT_EQ(manifest->version, 300u);
  EXPECT_TRUE(manifest->manifest);
  const std::string rows = below + "rows-0000000000000001-0000000000000002-0000000000000003.sst";
  ASSERT_TRUE(parse_snapshot_object(rows));
  EXPECT_EQ(parse_snapshot_object(rows)->version, 3u);
  EXPECT_FALSE(parse_snapshot_object(rows)->manifest);
  EXPECT_EQ(parse_snapshot_object(rows + ".partial")->version, 3u);
  EXPECT_EQ(parse_snapshot_object(below + "base-0000000000000001-0000000000000009.sst")->version,
            9u);
  EXPECT_EQ(manifest->store, NodeId{0});
  const std::string of_store =
      store_prefix(JobId{0xab}, KeyPartitionId{7}, Epoch{0x1f}, NodeId{0x2a});
  EXPECT_EQ(of_store, "job-000000ab/k-00007/000000000000001f-000000000000002a/");
  const auto written = parse_snapshot_object(of_store + manifest_name(Epoch{2}, 300));
  ASSERT_TRUE(written);
  EXPECT_EQ(written->owner, Epoch{0x1f});
  EXPECT_EQ(written->store, NodeId{0x2a});
  const std::string of_k = snapshot_prefix(JobId{0xab}, KeyPartitionId{7});
  for (const std::string& other :
       {of_k + "000000000000001f-/" + manifest_name(Epoch{2}, 300),
        of_k + "000000000000001f-2a/" + manifest_name(Epoch{2}, 300),
        of_k + "000000000000001f-0000000000000000/" + manifest_name(Epoch{2}, 300),
        of_k + "000000000000001f+000000000000002a/" + manifest_name(Epoch{2}, 300), std::string(),
        below, below + "other-0000000000000001-0000000000000009.sst",
        below + "base-0000000000000001-0000000000000009", below + "base-1-9.sst",
        below + manifest_name(Epoch{2}, 300) + ".sst", std::string("manifest-1"),
        "x" + below + manifest_name(Epoch{2}, 300)}) {
    EXPECT_FALSE(parse_snapshot_object(other)) << other;
  }
}

TEST(Upload, BringsOnlyWhatIsNew) {
  RecordingStorage storage;
  StateWriter owner;
  owner.write(kOwner, 30);
  const TakenSnapshot first = upload(&owner, &storage, kOwner);
  EXPECT_EQ(first.manifest, owner_prefix(kJob, kPartition, kOwner) + manifest_name(kOwner, 1));
  EXPECT_EQ(first.stamp, (Stamp{kOwner, 1}));
  EXPECT_EQ(first.rows, 30u);
  EXPECT_EQ(first.offsets.front().offset, 100u);
  EXPECT_EQ(storage.files_of("put"),
            (Names{owner.disk()->manifest()->files(0).name(), manifest_name(kOwner, 1)}));
  storage.calls.clear();

  owner.write(kOwner, 12);
  const TakenSnapshot second = upload(&owner, &storage, kOwner);
  const auto& files = owner.disk()->manifest()->files();
  ASSERT_EQ(files.size(), 2);
  EXPECT_EQ(storage.files_of("put"), (Names{files[1].name(), manifest_name(kOwner, 2)}));
  EXPECT_EQ(second.rows, 42u);
  EXPECT_EQ(second.total_bytes, files[0].bytes() + files[1].bytes());
  const uint64_t manifest_bytes = storage.get(second.manifest)->size();
  EXPECT_EQ(second.new_bytes, files[1].bytes() + manifest_bytes);

  const auto stored = read_manifest(&storage, second.manifest);
  ASSERT_TRUE(stored.ok());
  for (const proto::StateFile& file : stored->files()) EXPECT_TRUE(storage.has(file.object()));
}

TEST(Upload, GoesOnWhereItBrokeOff) {
  RecordingStorage storage;
  StateWriter owner;
  owner.write(kOwner);
  owner.write(kOwner);
  const std::string last = owner.disk()->manifest()->files(1).name();
  storage.fails = [&](const std::string& call) { return call.ends_with(last); };
  const auto broken = upload_snapshot(owner.disk(), &storage, kOwner, {});
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.error().code(), ErrorCode::kRetryable);
  EXPECT_FALSE(storage.has(owner_prefix(kJob, kPartition, kOwner) + manifest_name(kOwner, 2)))
      << "a manifest is written last";
  storage.fails = [](const std::string&) { return false; };
  storage.calls.clear();
  upload(&owner, &storage, kOwner);
  EXPECT_EQ(storage.files_of("put"), (Names{last, manifest_name(kOwner, 2)}));
}

TEST(Upload, WhatIsDamagedOnDiskDoesNotGo) {
  RecordingStorage storage;
  StateWriter owner;
  owner.write(kOwner);
  const std::string path = owner.directory() + "/" + owner.disk()->manifest()->files(0).name();
  auto bytes = testing::read_file(*owner.files(), path);
  bytes[bytes.size() / 2] ^= 1;
  testing::write_file(*owner.files(), path, bytes);
  const auto taken = upload_snapshot(owner.disk(), &storage, kOwner, {});
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().code(), ErrorCode::kCorrupt);
  EXPECT_TRUE(storage.files_of("put").empty());
}

// The next owner builds on what the one before it has left, as long as that is retained.
TEST(Upload, BuildsOnRetainedObjectsOnly) {
  RecordingStorage storage;
  StateWriter first;
  first.write(kOwner);
  const TakenSnapshot old = upload(&first, &storage, kOwner);
  constexpr Epoch kNext{6};
  for (const bool retained : {true, false}) {
    StateWriter next;
    ASSERT_TRUE(restore_snapshot(next.disk(), &storage, Names{old.manifest}).ok());
    next.write(kNext);
    storage.calls.clear();
    const TakenSnapshot taken =
        upload(&next, &storage, kNext, retained ? Names{old.manifest} : Names{});
    const auto stored = read_manifest(&storage, taken.manifest);
    ASSERT_TRUE(stored.ok());
    EXPECT_EQ(storage.files_of("put").size(), retained ? 2u : 3u);
    EXPECT_EQ(stored->files(0).object().starts_with(owner_prefix(kJob, kPartition, kOwner)),
              retained);
    EXPECT_TRUE(stored->files(1).object().starts_with(owner_prefix(kJob, kPartition, kNext)));
  }
}

// What a store has written for an owner: the owner goes on from it without writing it again, the
// next one does not.
TEST(Upload, AStoreWritesForItsOwnerBesideIt) {
  constexpr NodeId kStore{42};
  RecordingStorage storage;
  StateWriter replica;
  replica.write(Epoch{2});
  const auto handed = upload_snapshot_of_store(replica.disk(), &storage, kOwner, kStore);
  ASSERT_TRUE(handed.ok()) << handed.error().message();
  const std::string below = store_prefix(kJob, kPartition, kOwner, kStore);
  EXPECT_TRUE(handed->manifest.starts_with(below)) << handed->manifest;
  storage.calls.clear();
  ASSERT_TRUE(upload_snapshot_of_store(replica.disk(), &storage, kOwner, kStore).ok());
  EXPECT_EQ(storage.files_of("put"), (Names{manifest_name(kOwner, 1)})) << "asked again";
  ASSERT_TRUE(upload_snapshot_of_store(replica.disk(), &storage, kOwner, NodeId{43}).ok());
  EXPECT_EQ(storage.files_of("put").size(), 3u) << "another store does not rely on this one's";

  for (const Epoch own : {kOwner, Epoch{6}}) {
    StateWriter owner;
    ASSERT_TRUE(restore_snapshot(owner.disk(), &storage, Names{handed->manifest}).ok());
    owner.write(own);
    storage.calls.clear();
    const auto taken = upload_snapshot(owner.disk(), &storage, own, {});
    ASSERT_TRUE(taken.ok());
    EXPECT_EQ(storage.files_of("put").size(), own == kOwner ? 2u : 3u);
    const auto stored = read_manifest(&storage, taken->manifest);
    ASSERT_TRUE(stored.ok());
    EXPECT_EQ(stored->files(0).object().starts_with(below), own == kOwner);
  }
}

TEST(Upload, ARetainedManifestThatIsDamagedVouchesForNothing) {
  RecordingStorage storage;
  StateWriter owner;
  owner.write(kOwner);
  const TakenSnapshot old = upload(&owner, &storage, kOwner);
  ASSERT_TRUE(storage.put(old.manifest, {}).ok());
  storage.calls.clear();
  upload(&owner, &storage, Epoch{6}, {old.manifest});
  EXPECT_EQ(storage.files_of("put").size(), 2u);
  storage.fails = [&](const std::string& call) { return call == "get " + old.manifest; };
  EXPECT_EQ(upload_snapshot(owner.disk(), &storage, Epoch{7}, Names{old.manifest}).error().code(),
            ErrorCode::kRetryable);
}

// A savepoint may be deleted, with the job that it is of.
TEST(Upload, ASnapshotNamesNothingOfAnotherJob) {
  RecordingStorage storage;
  StateWriter other;
  other.write(kOwner);
  const TakenSnapshot savepoint = upload(&other, &storage, kOwner);
  StateWriter mine(JobId{9});
  const auto restored = restore_snapshot(mine.disk(), &storage, Names{savepoint.manifest});
  ASSERT_TRUE(restored.ok()) << restored.error().message();
  EXPECT_EQ(mine.contents(), other.contents());
  EXPECT_EQ(mine.disk()->manifest()->job(), 9u);
  const TakenSnapshot taken = upload(&mine, &storage, Epoch{8}, {savepoint.manifest});
  const auto stored = read_manifest(&storage, taken.manifest);
  ASSERT_TRUE(stored.ok());
  for (const proto::StateFile& file : stored->files()) {
    EXPECT_TRUE(file.object().starts_with(snapshot_prefix(JobId{9}, kPartition)));
  }
}

TEST(Restore, FetchesWhatIsMissing) {
  RecordingStorage storage;
  StateWriter owner;
  owner.write(kOwner);
  const TakenSnapshot first = upload(&owner, &storage, kOwner);
  StateWriter other;
  ASSERT_TRUE(restore_snapshot(other.disk(), &storage, Names{first.manifest}).ok());
  EXPECT_EQ(other.contents(), owner.contents());
  owner.write(kOwner);
  const TakenSnapshot second = upload(&owner, &storage, kOwner);
  storage.calls.clear();
  const auto restored =
      restore_snapshot(other.disk(), &storage, Names{second.manifest, first.manifest});
  ASSERT_TRUE(restored.ok());
  EXPECT_EQ(restored->manifest, second.manifest);
  EXPECT_TRUE(restored->refused.empty());
  EXPECT_EQ(storage.files_of("get"),
            (Names{manifest_name(kOwner, 2), owner.disk()->manifest()->files(1).name()}));
  EXPECT_EQ(other.contents(), owner.contents());
  other.reopen();
  EXPECT_EQ(other.contents(), owner.contents());
}

TEST(Restore, OfNothing) {
  RecordingStorage storage;
  StateWriter disk;
  const auto restored = restore_snapshot(disk.disk(), &storage, {});
  ASSERT_TRUE(restored.ok());
  EXPECT_EQ(restored->manifest, "");
}

TEST(Restore, StorageThatIsAwayRefusesNoSnapshot) {
  RecordingStorage storage;
  StateWriter owner;
  owner.write(kOwner);
  const TakenSnapshot taken = upload(&owner, &storage, kOwner);
  for (const std::string& part : {std::string("manifest-"), std::string(".log")}) {
    storage.fails = [&](const std::string& call) { return call.find(part) != std::string::npos; };
    StateWriter other;
    const auto restored = restore_snapshot(other.disk(), &storage, Names{taken.manifest});
    ASSERT_FALSE(restored.ok());
    EXPECT_EQ(restored.error().code(), ErrorCode::kRetryable);
    EXPECT_EQ(other.disk()->manifest(), nullptr);
  }
}

TEST(Restore, SaysWhichSnapshotsItRefusedAndWhy) {
  RecordingStorage storage;
  StateWriter owner;
  owner.write(kOwner);
  const TakenSnapshot first = upload(&owner, &storage, kOwner);
  owner.write(kOwner);
  const TakenSnapshot second = upload(&owner, &storage, kOwner);
  ASSERT_TRUE(storage.remove(second.manifest).ok());
  Lines sink;
  LogChannel channel(&sink);
  const ScopedLogChannel scope(&channel);
  StateWriter other;
  const auto restored =
      restore_snapshot(other.disk(), &storage, Names{second.manifest, first.manifest});
  ASSERT_TRUE(restored.ok());
  EXPECT_EQ(restored->manifest, first.manifest);
  ASSERT_EQ(restored->refused.size(), 1u);
  EXPECT_TRUE(restored->refused.front().starts_with(second.manifest));
  ASSERT_EQ(sink.lines.size(), 1u);
  for (const std::string& part :
       {std::string("level=warning"), std::string("event=snapshot_refused"), second.manifest,
        std::string("reason=")}) {
    EXPECT_NE(sink.lines.front().find(part), std::string::npos) << sink.lines.front();
  }
  const auto none = restore_snapshot(other.disk(), &storage, Names{second.manifest});
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code(), ErrorCode::kCorrupt);
}

TEST(Restore, AFileThatWasDamagedOnItsWayIsFetchedAgain) {
  // Flips a bit of the first file that it gives out.
  class Noisy : public RecordingStorage {
   public:
    Status get_file(const std::string& name, const Disk& disk, const std::string& path) override {
      Status done = RecordingStorage::get_file(name, disk, path);
      if (std::exchange(noisy_, false)) {
        auto bytes = testing::read_file(disk, path);
        bytes.front() ^= 4;
        testing::write_file(disk, path, bytes);
      }
      return done;
    }

   private:
    bool noisy_ = true;
  } storage;
  StateWriter owner;
  owner.write(kOwner);
  owner.write(kOwner);
  const TakenSnapshot taken = upload(&owner, &storage, kOwner);
  StateWriter other;
  const auto restored = restore_snapshot(other.disk(), &storage, Names{taken.manifest});
  ASSERT_TRUE(restored.ok()) << restored.error().message();
  EXPECT_EQ(storage.files_of("get").size(), 4u) << "a manifest, two files, one of them twice";
  EXPECT_EQ(other.contents(), owner.contents());
}

TEST(Restore, OfAnotherKeyPartitionIsRefused) {
  RecordingStorage storage;
  StateWriter owner;
  owner.write(kOwner);
  const TakenSnapshot taken = upload(&owner, &storage, kOwner);
  PartitionDiskConfig config = owner.disk()->config();
  config.key_partition = KeyPartitionId{18};
  config.directory = "/elsewhere";
  const auto disk = PartitionDisk::open(config);
  ASSERT_TRUE(disk.ok());
  EXPECT_EQ(restore_snapshot(disk->get(), &storage, Names{taken.manifest}).error().code(),
            ErrorCode::kCorrupt);
}

TEST(Verify, NamesWhatIsWrong) {
  RecordingStorage storage;
  StateWriter owner;
  for (int i = 0; i < 3; ++i) owner.write(kOwner);
  const TakenSnapshot taken = upload(&owner, &storage, kOwner);
  const auto good = verify_snapshot(&storage, taken.manifest);
  ASSERT_TRUE(good.ok());
  EXPECT_TRUE(good->empty()) << good->front();
  const auto manifest = read_manifest(&storage, taken.manifest);
  ASSERT_TRUE(storage.remove(manifest->files(0).object()).ok());
  ASSERT_TRUE(storage.put(manifest->files(2).object(), std::vector<uint8_t>(10)).ok());
  const auto wrong = verify_snapshot(&storage, taken.manifest);
  ASSERT_TRUE(wrong.ok());
  ASSERT_EQ(wrong->size(), 2u);
  EXPECT_TRUE((*wrong)[0].starts_with(manifest->files(0).object())) << (*wrong)[0];
  EXPECT_TRUE((*wrong)[1].starts_with(manifest->files(2).object())) << (*wrong)[1];
  EXPECT_EQ(verify_snapshot(&storage, "job-00000001/none")->size(), 1u);
  storage.fails = [](const std::string&) { return true; };
  EXPECT_FALSE(verify_snapshot(&storage, taken.manifest).ok());
}

}  // namespace
}  // namespace tidemill
