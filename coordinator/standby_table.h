// StandbyTable: what owners said last of those that follow them. Kept in memory, also of owners
// that have died since: it tells who can take over from them. shard-affine
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "coordinator/coordinator_state.h"
#include "proto/control.pb.h"

namespace tidemill {

class StandbyTable {
 public:
  // A heartbeat of a member; what it says of key partitions that it does not own is ignored.
  void take(const proto::Heartbeat& report, const CoordinatorState& state);
  // Forgets jobs that are gone.
  void keep(const CoordinatorState& state);

  // Whether the owner of the grant has said that the node holds all but the last moments. `since`:
  // said under this view or a newer one.
  bool caught_up(JobId job, uint32_t key_partition, const PartitionGrant& owner, NodeId node,
                 uint64_t since = 0) const;
  // Whether it has said anything of the node.
  bool known(JobId job, uint32_t key_partition, const PartitionGrant& owner, NodeId node,
             uint64_t since) const;

 private:
  struct Said {
    Epoch epoch;                   // of the owner's grant
    uint64_t view_version = 0;     // that the owner had applied
    std::map<NodeId, bool> nodes;  // caught up?
  };
  const Said* find(JobId job, uint32_t key_partition, const PartitionGrant& owner,
                   uint64_t since) const;

  std::map<JobId, std::map<uint32_t, Said>> jobs_;
};

}  // namespace tidemill
