// SnapshotChecks: verifications of snapshots in storage that were asked for: one manifest with its
// files after the other, in the background. What they find is kept for the latest ones.
//
// shard-affine: part of the Coordinator. Storage is read on the blocking pool only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/coordinator_state.h"
#include "shared/base/result.h"
#include "shared/runtime/runtime.h"
#include "shared/snapshot/snapshot_storage.h"

namespace tidemill {

// A snapshot to be verified. `job`: whose registry retains it; 0: a savepoint does.
struct CheckedManifest {
  JobId job;
  uint32_t key_partition = 0;
  std::string manifest;
};

struct SnapshotProblem {
  uint32_t key_partition = 0;
  std::string manifest;
  std::string problem;
};

struct SnapshotCheck {
  uint64_t id = 0;
  std::string what;  // "job payments", "savepoint before-upgrade"
  std::vector<CheckedManifest> manifests;
  size_t verified = 0;    // of these, in order
  size_t superseded = 0;  // of the verified: gone since a newer one was registered, no problem
  size_t damaged = 0;     // of the verified: with problems
  std::vector<SnapshotProblem> problems;  // the first kMostProblems

  bool done() const { return verified == manifests.size(); }
};

struct VerifiedManifest : LocalPayload {
  uint64_t check = 0;
  Result<std::vector<std::string>> problems{std::vector<std::string>{}};
};

class SnapshotChecks {
 public:
  static constexpr size_t kMostChecks = 32;      // remembered
  static constexpr size_t kMostUnfinished = 8;   // more are refused
  static constexpr size_t kMostProblems = 1000;  // of one check

  SnapshotChecks(Runtime& runtime, std::shared_ptr<SnapshotStorage> storage)
      : runtime_(runtime), storage_(std::move(storage)) {}

  // Its id. kRetryable: too many are under way; kUser: there is no snapshot storage.
  Result<uint64_t> start(std::string what, std::vector<CheckedManifest> manifests);
  // What is retained now tells a snapshot that was superseded from one that is damaged.
  void on_verified(VerifiedManifest verified, const CoordinatorState& committed);
  const SnapshotCheck* find(uint64_t id) const;

 private:
  void verify_next();
  void forget_old();

  Runtime& runtime_;
  std::shared_ptr<SnapshotStorage> storage_;
  std::map<uint64_t, SnapshotCheck> checks_;
  uint64_t next_id_ = 1;
  bool verifying_ = false;
};

// What a check of a job verifies: all that is retained of it, or of one key partition.
std::vector<CheckedManifest> manifests_to_check(const JobEntry& entry,
                                                std::optional<uint32_t> key_partition);
std::vector<CheckedManifest> manifests_to_check(const Savepoint& savepoint);

}  // namespace tidemill
