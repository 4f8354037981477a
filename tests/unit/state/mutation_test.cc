// Deliberate bugs in states on disk must be ones that tests can notice.
#include "shared/base/mutation.h"

#include <gtest/gtest.h>

#include "tests/simulation/sim_disk.h"
#include "tests/unit/state/state_fixture.h"

namespace tidemill::testing {
namespace {

class Mutated : public ::testing::Test {
 protected:
  ~Mutated() override { active_mutation = Mutation::kNone; }

  // Versions found after power was lost behind the last of some writes.
  uint64_t lost_versions(uint64_t seed) {
    test::SimDisk machine(seed);
    ChangingState state(schemas_, seed);
    auto disk = open(state_config(machine.mount(), schemas_));
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(good(disk->write(state.change_rows(100, 20))));
    disk.reset();
    machine.lose_power();
    disk = open(state_config(machine.mount(), schemas_));
    return disk->manifest() == nullptr ? 3 : disk->refused_manifests();
  }

  TableSchemas schemas_ = state_schemas();
};

TEST_F(Mutated, AFileThatIsNotSyncedIsLost) {
  EXPECT_EQ(lost_versions(1), 0u);
  active_mutation = Mutation::kSkipFsync;
  uint64_t lost = 0;
  for (uint64_t seed = 1; seed <= 5; ++seed) lost += lost_versions(seed);
  EXPECT_GT(lost, 0u);
}

TEST_F(Mutated, ADamagedFileIsTrusted) {
  test::SimDisk machine(1);
  ChangingState state(schemas_, 2);
  auto disk = open(state_config(machine.mount(), schemas_));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(good(disk->write(state.change_rows(3000, 20))));
  const std::string file = disk->directory() + "/" + disk->manifest()->files().rbegin()->name();
  disk.reset();
  machine.unmount();
  ASSERT_TRUE(machine.flip_bit(file));
  active_mutation = Mutation::kTrustDamagedManifest;
  disk = open(state_config(machine.mount(), schemas_));
  EXPECT_EQ(disk->refused_manifests(), 0u);
  disk.reset();
  active_mutation = Mutation::kNone;
  disk = open(state_config(machine.mount(), schemas_));
  EXPECT_EQ(disk->refused_manifests(), 1u);
}

}  // namespace
}  // namespace tidemill::testing
