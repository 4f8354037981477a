// Publisher: sends what one shard owns of one job to every store replica: collects the parts of
// its replica sessions into one message per (store, shard) under that link's credit. Missing
// credit stops publishing only; what is unsent is bounded, and beyond the bound becomes images.
// shard-affine: part of the PartitionHost actor.
#pragma once

#include <map>
#include <vector>

#include "shared/member/cluster_view.h"
#include "shared/runtime/runtime.h"
#include "shared/runtime/stage_cost.h"
#include "shared/wire/link.h"
#include "worker/config.h"
#include "worker/replica_session.h"

namespace tidemill {

using KeyPartitions = std::map<KeyPartitionId, std::unique_ptr<KeyPartition>>;

class Publisher {
 public:
  Publisher(Runtime& runtime, ActorId self, const WorkerConfig& config, JobId job);

  // Sessions follow the stores of the view and the key partitions owned.
  void on_view(const ClusterState& view, const KeyPartitions& owned);
  void on_replica_states(const ActorAddress& from, const ReplicaStates& message,
                         const KeyPartitions& owned);
  void on_ack(const ActorAddress& from, const FrameAck& message, KeyPartitions& owned);
  // Sends what credit allows; regularly, and after an acknowledgement.
  void publish(KeyPartitions& owned);

  // V acknowledged by every replica, component by component; empty if one has none yet.
  OffsetVector published(const KeyPartition& owner) const;
  uint64_t images_sent() const { return images_sent_; }
  const StageCost& cost() const { return cost_; }

 private:
  struct Link {
    explicit Link(uint64_t credit) : sending(credit) {}
    SendLink sending;
    std::map<KeyPartitionId, ReplicaSession> sessions;
    KeyPartitionId next{};  // where the last message stopped: everybody gets a turn
  };

  static void give_up(Link* link);
  void register_sessions(const ActorAddress& store, Link* link, const KeyPartitions& owned);
  void send_parts(const ActorAddress& store, Link* link, const KeyPartitions& owned);
  bool send_message(const ActorAddress& store, Link* link, const KeyPartitions& owned);
  void forget_what_all_have(KeyPartitions& owned);

  Runtime& runtime_;
  ActorId self_;
  const WorkerConfig& config_;
  JobId job_;
  std::map<ActorAddress, Link> links_;  // by store shard
  uint64_t next_session_ = 1;
  uint64_t images_sent_ = 0;
  StageCost cost_;
};

}  // namespace tidemill
