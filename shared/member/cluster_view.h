// ClusterView as members use it: plans checked, grants by index. immutable, shared by all shards.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "proto/control.pb.h"
#include "shared/base/ids.h"
#include "shared/base/result.h"
#include "shared/plan/plan.h"
#include "shared/runtime/runtime.h"
#include "shared/wire/actors.h"

namespace tidemill {

// A worker that holds a copy of a key partition and follows its owner.
struct Standby {
  NodeId node;
  uint16_t shard = 0;

  friend bool operator==(const Standby& a, const Standby& b) {
    return a.node == b.node && a.shard == b.shard;
  }
};

struct Grant {
  NodeId node;  // 0: nobody
  Epoch epoch;
  uint16_t shard = 0;
  // Of a key partition; by node, never on the owner's own. Members that are not alive in the view
  // are left out by the coordinator.
  std::vector<Standby> standbys{};
};

struct StoreMember {
  NodeId node;
  uint16_t shards = 1;
};

struct JobInView {
  JobId id;
  std::shared_ptr<const Plan> plan;
  std::vector<Grant> sources{};         // by source partition
  std::vector<Grant> key_partitions{};  // by key partition
  uint64_t plan_hash = 0;               // of the message that the plan was made from
  uint64_t snapshot_trigger = 0;        // snapshots begun after it was seen are wanted
};

struct ClusterState {
  uint64_t version = 0;
  // Where messages to the coordinator go, as long as this view holds: the one that leads, as far as
  // the agent knows.
  NodeId coordinator = kCoordinatorNode;
  std::map<NodeId, std::string> endpoints;  // of all alive members
  std::vector<StoreMember> stores;          // by node
  std::map<JobId, JobInView> jobs;

  // Plans of `previous` are kept where the message's is the same. A plan that differs, by further
  // source partitions or by what is known of its files, is another object. Refuses an inconsistent
  // message.
  static Result<std::shared_ptr<const ClusterState>> from_proto(const proto::ClusterView& message,
                                                                const ClusterState* previous);
};

// The shard of a store that holds a key partition.
inline uint16_t store_shard_of(KeyPartitionId k, uint16_t shards) {
  return static_cast<uint16_t>(k.value % shards);
}

// What the agent posts to the actors of its process when the view changes.
struct ViewChanged : LocalPayload {
  std::shared_ptr<const ClusterState> view;
};

}  // namespace tidemill
