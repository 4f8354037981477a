// States with snapshots, and a snapshot storage in memory, for the coordinator's tests.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/coordinator_state.h"
#include "proto/control.pb.h"
#include "proto/state.pb.h"
#include "shared/snapshot/snapshot_storage.h"

namespace tidemill::testing {

// Objects by name. It fails while `broken`.
class MemorySnapshots : public SnapshotStorage {
 public:
  Status put(const std::string& name, std::span<const uint8_t> bytes) override;
  Status put_file(const std::string& name, const Disk& disk, const std::string& path) override;
  Result<std::vector<uint8_t>> get(const std::string& name) override;
  Status get_file(const std::string& name, const Disk& disk, const std::string& path) override;
  Result<std::vector<StoredObject>> list(const std::string& prefix) override;
  Status remove(const std::string& name) override;

  std::map<std::string, std::vector<uint8_t>> objects;
  bool broken = false;
};

// Where the owner under `epoch` puts the manifest of that version.
std::string manifest_of(JobId job, uint32_t k, uint64_t epoch, uint64_t version);

// The files of a state, each going on where the one before ends.
using StateFiles = std::vector<proto::StateFile>;
// Adds what came up to `version` under the owner of `epoch`, and puts the object.
void extend(JobId job, uint32_t k, uint64_t epoch, uint64_t version, StateFiles* files,
            SnapshotStorage* storage);
// Puts the manifest of the state that these files make up. Gives its name.
std::string put_manifest(JobId job, uint32_t k, const StateFiles& files, SnapshotStorage* storage);

// What the owner of that epoch would say of its snapshot.
proto::SnapshotTaken claim_of(JobId job, uint32_t k, uint64_t epoch, uint64_t version,
                              uint64_t trigger = 0);

// Job 1, 'a', of K key partitions and two source partitions: k is granted to node 10 + k under
// epoch 100 + k.
CoordinatorState state_with_job(uint32_t key_partitions = 4);
void grant(CoordinatorState* state, JobId job, uint32_t k, NodeId node, uint64_t epoch);

}  // namespace tidemill::testing
