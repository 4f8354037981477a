// What is removed from storage and what is not, whoever removes it and however late.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <rocksdb/env.h>

#include <deque>
#include <map>
#include <set>

#include "shared/snapshot/snapshot_name.h"
#include "shared/snapshot/snapshots.h"
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

std::string take(StateWriter* owner, SnapshotStorage* storage, Epoch own, const Names& retained) {
  owner->write(own);
  const auto taken = upload_snapshot(owner->disk(), storage, own, retained);
  EXPECT_TRUE(taken.ok()) << taken.error().message();
  return taken->manifest;
}

std::set<std::string> all_names(SnapshotStorage* storage) {
  std::set<std::string> out;
  const auto listed = storage->list("");
  EXPECT_TRUE(listed.ok());
  for (const StoredObject& object : *listed) out.insert(object.name);
  return out;
}

std::set<std::string> named_by(SnapshotStorage* storage, const Names& manifests) {
  std::set<std::string> out(manifests.begin(), manifests.end());
  for (const std::string& name : manifests) {
    const auto manifest = read_manifest(storage, name);
    EXPECT_TRUE(manifest.ok());
    if (!manifest) continue;
    for (const proto::StateFile& file : manifest->files()) out.insert(file.object());
  }
  return out;
}

TEST(RemoveUnretained, LeavesWhatRetainedSnapshotsName) {
  RecordingStorage storage;
  StateWriter owner(kJob, 2);
  Names manifests;
  for (int i = 0; i < 6; ++i) {
    const Names before = manifests.empty() ? Names{} : Names{manifests.back()};
    manifests.push_back(take(&owner, &storage, kOwner, before));
  }
  const Names retained{manifests[5], manifests[4]};
  const size_t before = all_names(&storage).size();
  const auto removed = remove_unretained(&storage, kJob, kPartition, kOwner, retained);
  ASSERT_TRUE(removed.ok()) << removed.error().message();
  EXPECT_EQ(all_names(&storage), named_by(&storage, retained));
  EXPECT_EQ(*removed, before - all_names(&storage).size());
  EXPECT_GT(*removed, 4u);
  EXPECT_EQ(*remove_unretained(&storage, kJob, kPartition, kOwner, retained), 0u);
}

// What a store has written for an owner stays as long as a snapshot of that owner needs it, and is
// removed by that owner and later ones only.
TEST(RemoveUnretained, WhatAStoreHasWrittenGoesOnceItIsNotNeeded) {
  constexpr NodeId kStore{42};
  RecordingStorage storage;
  StateWriter replica;
  replica.write(Epoch{2});
  const auto handed = upload_snapshot_of_store(replica.disk(), &storage, kOwner, kStore);
  ASSERT_TRUE(handed.ok());
  const std::string former = take(&replica, &storage, Epoch{4}, {});
  ASSERT_TRUE(remove_unretained(&storage, kJob, kPartition, Epoch{4}, Names{former}).ok());
  EXPECT_TRUE(storage.has(handed->manifest)) << "for a newer owner";

  StateWriter owner(kJob, 2);
  ASSERT_TRUE(restore_snapshot(owner.disk(), &storage, Names{handed->manifest}).ok());
  const std::string first = take(&owner, &storage, kOwner, {});
  ASSERT_TRUE(remove_unretained(&storage, kJob, kPartition, kOwner, Names{first}).ok());
  EXPECT_FALSE(storage.has(handed->manifest));
  EXPECT_EQ(all_names(&storage), named_by(&storage, Names{first}));
  std::string last = first;
  for (int i = 0; i < 4; ++i) last = take(&owner, &storage, kOwner, Names{last});
  ASSERT_TRUE(remove_unretained(&storage, kJob, kPartition, kOwner, Names{last}).ok());
  EXPECT_EQ(all_names(&storage), named_by(&storage, Names{last}));
  for (const std::string& name : all_names(&storage)) {
    EXPECT_EQ(parse_snapshot_object(name)->store, NodeId{0}) << "a new base has been cut";
  }
}

TEST(RemoveUnretained, NothingIsRemovedIfARetainedManifestCannotBeRead) {
  RecordingStorage storage;
  StateWriter owner;
  const std::string first = take(&owner, &storage, kOwner, {});
  const std::string second = take(&owner, &storage, kOwner, {});
  const std::string third = take(&owner, &storage, kOwner, {});
  auto bytes = *storage.get(third);
  bytes[20] ^= 1;
  ASSERT_TRUE(storage.put(third, bytes).ok());
  const auto before = all_names(&storage);
  EXPECT_FALSE(remove_unretained(&storage, kJob, kPartition, kOwner, Names{third, second}).ok());
  storage.fails = [&](const std::string& call) { return call == "get " + second; };
  EXPECT_FALSE(remove_unretained(&storage, kJob, kPartition, kOwner, Names{second}).ok());
  EXPECT_EQ(all_names(&storage), before);
}

TEST(RemoveUnretained, WhatIsNewerThanTheOwnersNewestIsLeft) {
  RecordingStorage storage;
  StateWriter owner;
  const std::string first = take(&owner, &storage, kOwner, {});
  const std::string second = take(&owner, &storage, kOwner, {});
  const auto before = all_names(&storage);
  EXPECT_EQ(*remove_unretained(&storage, kJob, kPartition, kOwner, Names{first}), 0u);
  EXPECT_EQ(*remove_unretained(&storage, kJob, kPartition, kOwner, {}), 0u);
  EXPECT_EQ(all_names(&storage), before);
}

TEST(RemoveUnretained, WhatBrokenUploadsLeftGoes) {
  RecordingStorage storage;
  const std::string broken = owner_prefix(kJob, kPartition, Epoch{4}) +
                             "rows-0000000000000004-0000000000000001-0000000000000002.sst";
  ASSERT_TRUE(storage.put(broken, {}).ok());
  ASSERT_TRUE(storage.disk()
                  ->env()
                  ->RenameFile(RecordingStorage::path_of(broken),
                               RecordingStorage::path_of(broken + ".partial"))
                  .ok());
  StateWriter owner;
  const std::string mine = take(&owner, &storage, kOwner, {});
  EXPECT_EQ(*remove_unretained(&storage, kJob, kPartition, kOwner, Names{mine}), 1u);
  EXPECT_EQ(all_names(&storage), named_by(&storage, {mine}));
}

TEST(RemoveUnretained, OthersObjectsAreLeft) {
  RecordingStorage storage;
  StateWriter later;
  take(&later, &storage, Epoch{9}, {});
  for (const std::string& name :
       {owner_prefix(JobId{4}, kPartition, Epoch{1}) + manifest_name(Epoch{1}, 1),
        owner_prefix(kJob, KeyPartitionId{18}, Epoch{1}) + manifest_name(Epoch{1}, 1),
        snapshot_prefix(kJob, kPartition) + "notes.txt"}) {
    ASSERT_TRUE(storage.put(name, {}).ok());
  }
  const auto before = all_names(&storage);
  StateWriter owner;
  const std::string mine = take(&owner, &storage, kOwner, {});
  EXPECT_TRUE(remove_unretained(&storage, kJob, kPartition, kOwner, Names{mine}).ok());
  for (const std::string& name : before) EXPECT_TRUE(storage.has(name)) << name;
}

// The registry of one key partition, and all that ever owned it, of which only the newest does now.
class Cluster {
 public:
  Cluster() { grant(false); }

  void step(uint8_t what, uint8_t who) {
    // Most is done by the newest and the one before it, which does not know that it is over.
    Owner& owner = *owners_[owners_.size() - 1 - std::min<size_t>(who % 3, owners_.size() - 1)];
    switch (what % 12) {
      case 0:
        return owner.writer.write(owner.epoch, 1 + who % 5);
      case 1:
        return upload(&owner);
      case 2:
        return register_one(&owner);
      case 3:
      case 4:
      case 5:
      case 6:
        owner.writer.write(owner.epoch, 1 + who % 5);
        upload(&owner);
        register_one(&owner);
        return;
      case 7:
        return remove(&owner, owner.answers.size() - 1);
      case 8:
        return remove(&owner, who % owner.answers.size());  // an answer that was late
      case 9:
        return grant(who % 2 == 0);
      case 10:
        return follow();
      default:
        return pin(who);
    }
  }

  // Every file that a retained snapshot names is there and is what it was.
  void check() {
    for (const std::string& manifest : retained()) {
      for (const auto& [object, bytes] : registered_.at(manifest)) {
        const auto got = storage_.get(object);
        RC_ASSERT(got.ok());
        RC_ASSERT(*got == bytes);
      }
    }
  }

  // After the newest owner has gone on for a while, nothing else is left.
  void settle() {
    Owner& owner = *owners_.back();
    for (int i = 0; i < 2; ++i) {
      owner.writer.write(owner.epoch);
      upload(&owner);
      while (!owner.taken.empty()) register_one(&owner);
    }
    remove(&owner, owner.answers.size() - 1);
    check();
    const Names kept = retained();
    RC_ASSERT(all_names(&storage_) == named_by(&storage_, kept));
    StateWriter restored(kJob);
    const auto done = restore_snapshot(restored.disk(), &storage_, kept);
    RC_ASSERT(done.ok());
    RC_ASSERT(done->refused.empty());
    RC_ASSERT(restored.contents() == owner.writer.contents());
    for (const std::string& manifest : kept) {
      const auto wrong = verify_snapshot(&storage_, manifest);
      RC_ASSERT(wrong.ok());
      RC_ASSERT(wrong->empty());
    }
  }

 private:
  struct Owner {
    Epoch epoch;
    StateWriter writer{kJob, 3};
    std::deque<std::string> taken;  // not registered yet
    std::vector<Names> answers;     // of the registry: what it knew first, then what is retained
  };

  // Newest first, then savepoints.
  Names retained() const {
    Names out(newest_.begin(), newest_.end());
    out.insert(out.end(), pinned_.begin(), pinned_.end());
    return out;
  }

  void upload(Owner* owner) {
    if (owner->writer.disk()->manifest() == nullptr) return;
    const auto taken =
        upload_snapshot(owner->writer.disk(), &storage_, owner->epoch, owner->answers.back());
    // What vouches for files may be gone for one whose time is over; the newest is never refused.
    if (!taken) RC_ASSERT(owner != owners_.back().get());
    if (taken) owner->taken.push_back(taken->manifest);
  }

  void register_one(Owner* owner) {
    if (owner->taken.empty()) return;
    const std::string manifest = owner->taken.front();
    owner->taken.pop_front();
    if (owner != owners_.back().get()) return;  // fenced
    newest_.push_front(manifest);
    if (newest_.size() > 2) newest_.pop_back();
    for (const std::string& object : named_by(&storage_, {manifest})) {
      const auto got = storage_.get(object);
      RC_ASSERT(got.ok());
      registered_[manifest][object] = *got;
    }
    owner->answers.push_back(retained());
  }

  void remove(Owner* owner, size_t answer) {
    if (answer == 0) return;  // removing follows a registration
    const auto removed =
        remove_unretained(&storage_, kJob, kPartition, owner->epoch, owner->answers[answer]);
    if (!removed && owner == owners_.back().get() && answer + 1 == owner->answers.size()) {
      RC_FAIL(removed.error().message());
    }
  }

  // To a worker that restores, or to a standby with files of its own.
  void grant(bool standby) {
    auto next = std::make_unique<Owner>();
    next->epoch = Epoch{owners_.empty() ? 1 : owners_.back()->epoch.value + 1};
    if (standby && standby_ != nullptr) {
      next->writer = std::move(*standby_);
      standby_.reset();
    } else {
      restore(&next->writer);
    }
    next->answers.push_back(retained());
    owners_.push_back(std::move(next));
  }

  // A standby begins as the newest snapshot; then its files are called as the owner's are, but it
  // cuts them as it likes.
  void follow() {
    if (standby_ == nullptr) {
      standby_ = std::make_unique<StateWriter>(kJob, 3);
      return restore(standby_.get());
    }
    standby_->write(owners_.back()->epoch, 7);
  }

  void restore(StateWriter* writer) {
    if (newest_.empty()) return;
    const auto restored = restore_snapshot(writer->disk(), &storage_, retained());
    RC_ASSERT(restored.ok());
    RC_ASSERT(restored->refused.empty());
  }

  void pin(uint8_t which) {
    if (pinned_.empty() && !newest_.empty() && which % 2 == 0) {
      pinned_.push_back(newest_[which / 2 % newest_.size()]);
    } else {
      pinned_.clear();
    }
  }

  RecordingStorage storage_;
  std::vector<std::unique_ptr<Owner>> owners_;
  std::unique_ptr<StateWriter> standby_;
  std::deque<std::string> newest_;
  Names pinned_;
  std::map<std::string, std::map<std::string, std::vector<uint8_t>>> registered_;
};

RC_GTEST_PROP(RemoveUnretained, NothingThatIsRetainedIsEverLost,
              (const std::vector<std::pair<uint8_t, uint8_t>>& steps)) {
  Cluster cluster;
  for (const auto& [what, who] : steps) {
    cluster.step(what, who);
    cluster.check();
  }
  cluster.settle();
}

}  // namespace
}  // namespace tidemill
