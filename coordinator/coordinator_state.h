// CoordinatorState: what the coordinator has decided: who is a member, which jobs there are, who
// owns what. One value is one durable state; a decision copies it, changes the copy, makes it
// durable, and only then shows it to anybody. Copies are cheap: jobs and grants are shared,
// immutable, and changed by replacing the pointer.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "coordinator/snapshot_state.h"
#include "proto/control.pb.h"
#include "shared/base/ids.h"
#include "shared/base/time.h"
#include "shared/plan/plan.h"

namespace tidemill {

enum class MemberRole : uint8_t { kWorker = 1, kStore = 2 };  // numbers as in proto/control.proto

// What never changes during a member's incarnation.
struct MemberInfo {
  NodeId node;
  std::string endpoint;
  MemberRole role{};
  uint32_t shards = 0;
  friend bool operator==(const MemberInfo&, const MemberInfo&) = default;
};

// Who owns one partition. Node 0: nobody.
struct PartitionGrant {
  NodeId node;
  uint32_t shard = 0;
  Epoch epoch;
  friend bool operator==(const PartitionGrant&, const PartitionGrant&) = default;
};

// A shard of a worker. Node 0: none.
struct WorkerSlot {
  NodeId node;
  uint32_t shard = 0;
  friend bool operator==(const WorkerSlot&, const WorkerSlot&) = default;
};

// A key partition on its way to another worker, which follows its owner until it can take over.
struct KeyPartitionMove {
  enum class Role : uint8_t { kOwner = 1, kStandby = 2 };  // numbers as in proto/metadata.proto
  uint32_t key_partition = 0;
  Role role = Role::kOwner;  // what the target becomes
  WorkerSlot to;
  uint64_t shown_in = 0;  // version of the view in which the target is shown first; 0: it waits
  TimeUs begun_at = 0;    // wall clock; 0: it waits
  friend bool operator==(const KeyPartitionMove&, const KeyPartitionMove&) = default;
};

struct JobGrants {
  std::vector<PartitionGrant> sources;         // one per source partition
  std::vector<PartitionGrant> key_partitions;  // one per key partition
  std::map<uint32_t, WorkerSlot> standbys{};   // by key partition, on another worker than its owner
  std::vector<KeyPartitionMove> moves{};       // in the order in which they are to begin
  friend bool operator==(const JobGrants&, const JobGrants&) = default;
};

// What readers of a job said last, by source partition.
using ReadersBefore = std::map<uint32_t, proto::ReaderReport>;

// kFailed: a source is not what was read before. Nothing is read any more; features stay served.
enum class JobState : uint8_t { kRunning = 1, kCompleted = 2, kStopped = 3, kFailed = 4 };

struct JobRecord {
  JobId id;
  std::string name;
  JobState state = JobState::kRunning;
  TimeUs submitted_at = 0;
  // It grows by source partitions and identities of files; its views change with its revision.
  std::shared_ptr<const Plan> plan;
  std::string error;                 // of kFailed: what happened
  ReadersBefore readers = {};        // of kFailed: until then
  uint64_t snapshot_trigger = 0;     // the newest handed out
  std::string from_savepoint = {};   // that it was started from
  JobId origin = {};                 // the savepoint's job; 0: none

  // Its features are served: all but the stopped ones.
  bool live() const { return state != JobState::kStopped; }
  // Its sources are granted to readers.
  bool reading() const { return live() && state != JobState::kFailed; }
};

struct JobEntry {
  std::shared_ptr<const JobRecord> job;                     // never null
  std::shared_ptr<const JobGrants> grants;                  // never null
  std::shared_ptr<const JobSnapshots> snapshots = nullptr;  // null: none
};

// The newest rebalance or drain.
struct RebalanceRecord {
  uint64_t id = 0;  // 0: there has been none
  std::string cause;
  TimeUs started_at = 0;
  TimeUs finished_at = 0;  // 0: under way
  uint32_t moves = 0;      // of readers, key partitions and standbys
  uint32_t done = 0;
  uint32_t dropped = 0;
  friend bool operator==(const RebalanceRecord&, const RebalanceRecord&) = default;
};

struct CoordinatorState {
  uint64_t generation = 0;
  uint64_t view_version = 0;
  Epoch next_epoch{1};
  JobId next_job{1};
  std::map<NodeId, MemberInfo> members;  // alive
  std::set<NodeId> draining;             // of those: workers that are to own nothing
  RebalanceRecord rebalance;
  std::map<JobId, JobEntry> jobs;
  std::map<std::string, std::shared_ptr<const Savepoint>> savepoints;
  std::map<RemovalId, std::shared_ptr<const SnapshotRemoval>> removals;
};

}  // namespace tidemill
