// The deliberate bug kDeleteNamedFile must be one that a restore notices.
#include "shared/base/mutation.h"

#include <gtest/gtest.h>

#include "tests/unit/snapshot/recording_storage.h"
#include "tests/unit/snapshot/snapshot_fixture.h"

namespace tidemill {
namespace {

bool is_lost() {
  testing::RecordingStorage storage;
  testing::StateWriter owner;
  constexpr Epoch kOwner{5};
  owner.write(kOwner);
  const auto taken = upload_snapshot(owner.disk(), &storage, kOwner, {});
  EXPECT_TRUE(taken.ok());
  const std::vector<std::string> retained{taken->manifest};
  EXPECT_TRUE(
      remove_unretained(&storage, testing::kJob, testing::kPartition, kOwner, retained).ok());
  testing::StateWriter other;
  return !restore_snapshot(other.disk(), &storage, retained).ok();
}

TEST(DeleteNamedFile, LosesASnapshotOnlyWhenSwitchedOn) {
  EXPECT_FALSE(is_lost());
  active_mutation = Mutation::kDeleteNamedFile;
  EXPECT_TRUE(is_lost());
  active_mutation = Mutation::kNone;
}

}  // namespace
}  // namespace tidemill
