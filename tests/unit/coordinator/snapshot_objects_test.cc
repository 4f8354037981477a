#include "coordinator/snapshot_objects.h"

#include <gtest/gtest.h>

#include "coordinator/decision.h"
#include "coordinator/savepoints.h"
#include "coordinator/snapshot_registry.h"
#include "shared/state/partition_disk.h"
#include "tests/unit/coordinator/snapshot_fixture.h"
#include "tests/unit/coordinator/test_jobs.h"

namespace tidemill {
namespace {

using testing::extend;
using testing::MemorySnapshots;
using testing::put_manifest;
using testing::state_with_job;
using testing::StateFiles;

constexpr JobId kJob{1};

// Job 1 with one key partition: three snapshots in storage, each with the files of the one before,
// the first one named by savepoint "s", and what is left of an upload that failed.
class SnapshotObjects : public ::testing::Test {
 protected:
  void SetUp() override {
    StateFiles files;
    for (const uint64_t version : {1, 2, 3}) {
      // From the third on with a file in place of the first two.
      if (version == 3) files.clear();
      extend(kJob, 0, 100, version, &files, &storage_);
      manifests_.push_back(put_manifest(kJob, 0, files, &storage_));
      const bool first = version == 1;
      ASSERT_TRUE(!first || trigger_snapshot("a", "s", 0, &state_).ok());
      ASSERT_EQ(register_snapshot(testing::claim_of(kJob, 0, 100, version, 1), NodeId{10}, &state_),
                Registration::kNew);
      update_savepoints(0, &state_);
    }
    ASSERT_TRUE(state_.savepoints.at("s")->complete);
    ASSERT_TRUE(
        storage_.put(snapshot_prefix_ + "0000000000000064/rows-half.sst", std::vector<uint8_t>{1})
            .ok());
  }

  void forget_job() {
    forget_objects(kJob, &state_);
    state_.jobs.erase(kJob);
  }

  Result<RemovedObjects> remove(uint64_t trigger) {
    return remove_objects(&storage_, plan_removal(state_, *state_.removals.at({kJob, trigger}), 0));
  }

  bool readable(const std::string& manifest) {
    const auto read = read_manifest_of(manifest);
    if (!read) return false;
    for (const auto& file : read->files()) {
      if (!storage_.objects.contains(file.object())) return false;
    }
    return true;
  }
  Result<proto::StateManifest> read_manifest_of(const std::string& name);

  const std::string snapshot_prefix_ = "job-00000001/k-00000/";
  MemorySnapshots storage_;
  CoordinatorState state_ = state_with_job(1);
  std::vector<std::string> manifests_;
};

Result<proto::StateManifest> SnapshotObjects::read_manifest_of(const std::string& name) {
  const auto bytes = storage_.get(name);
  if (!bytes) return bytes.error();
  return decode_manifest(*bytes);
}

TEST_F(SnapshotObjects, AForgottenJobLeavesWhatItsSavepointsName) {
  forget_job();
  const auto kept = remove(0);
  ASSERT_TRUE(kept.ok()) << kept.error().message();
  EXPECT_EQ(kept->removed, 5u);  // two manifests with a file each, and what was left
  EXPECT_EQ(kept->kept, 2u);
  EXPECT_TRUE(readable(manifests_[0]));
  ASSERT_TRUE(delete_savepoint("s", &state_).ok());
  ASSERT_TRUE(remove(0).ok());
  EXPECT_TRUE(storage_.objects.empty());
}

TEST_F(SnapshotObjects, ADeletedSavepointLeavesWhatTheJobNeeds) {
  ASSERT_TRUE(delete_savepoint("s", &state_).ok());
  const auto removed = remove(1);
  ASSERT_TRUE(removed.ok()) << removed.error().message();
  EXPECT_EQ(removed->removed, 1u);  // its manifest; the second one names its file too
  EXPECT_EQ(removed->kept, 1u);
  EXPECT_FALSE(readable(manifests_[0]));
  EXPECT_TRUE(readable(manifests_[1]));
  EXPECT_TRUE(readable(manifests_[2]));
  EXPECT_EQ(remove(1)->removed, 0u);  // once more, as after a restart
}

TEST_F(SnapshotObjects, AJobThatWasStartedFromADeletedSavepointKeepsIt) {
  const auto savepoint = state_.savepoints.at("s");
  Draft draft(state_);
  const auto id = draft.submit(testing::small_plan("b", 1, 2), 0, {}, savepoint.get());
  ASSERT_TRUE(id.ok());
  ASSERT_TRUE(draft.delete_savepoint("s").ok());
  state_ = draft.take();
  forget_job();
  ASSERT_TRUE(remove(0).ok());
  EXPECT_EQ(remove(1)->removed, 0u);
  EXPECT_TRUE(readable(manifests_[0]));
  // Until it has two snapshots of its own.
  testing::grant(&state_, *id, 0, NodeId{5}, 200);
  StateFiles files;
  for (const uint64_t version : {8, 9}) {
    extend(*id, 0, 200, version, &files, &storage_);
    put_manifest(*id, 0, files, &storage_);
    ASSERT_EQ(register_snapshot(testing::claim_of(*id, 0, 200, version), NodeId{5}, &state_),
              Registration::kNew);
  }
  EXPECT_EQ(remove(0)->kept, 0u);
  EXPECT_EQ(storage_.objects.size(), 4u);
}

TEST_F(SnapshotObjects, NothingIsRemovedWhileAManifestThatProtectsCannotBeRead) {
  ASSERT_TRUE(delete_savepoint("s", &state_).ok());
  storage_.objects.at(manifests_[1])[20] ^= 1;
  const auto before = storage_.objects;
  EXPECT_EQ(remove(1).error().code(), ErrorCode::kCorrupt);
  storage_.broken = true;
  EXPECT_EQ(remove(1).error().code(), ErrorCode::kRetryable);
  EXPECT_EQ(storage_.objects, before);
}

TEST_F(SnapshotObjects, ADamagedSavepointIsRemovedAsFarAsItIsKnown) {
  ASSERT_TRUE(delete_savepoint("s", &state_).ok());
  storage_.objects.at(manifests_[0])[20] ^= 1;
  EXPECT_EQ(remove(1)->removed, 1u);
  EXPECT_FALSE(storage_.objects.contains(manifests_[0]));
}

}  // namespace
}  // namespace tidemill
