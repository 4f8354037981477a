// Publisher: sends what one shard owns of one job to every replica, in stores and at standbys:
// collects the parts of its replica sessions into one message per (process, shard) under that
// link's credit. Missing credit stops publishing only; what is unsent is bounded, and beyond the
// bound becomes images. shard-affine: part of the PartitionHost actor.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "shared/member/cluster_view.h"
#include "shared/runtime/runtime.h"
#include "shared/runtime/stage_cost.h"
#include "shared/wire/link.h"
#include "worker/config.h"
#include "worker/holdings.h"
#include "worker/replica_session.h"

namespace tidemill {

class Publisher {
 public:
  Publisher(Runtime& runtime, ActorId self, const WorkerConfig& config, JobId job);

  // Sessions follow the stores and standbys of the view and the key partitions owned.
  void on_view(const ClusterState& view, const JobInView& job, const Owned& owned);
  void on_replica_states(const ActorAddress& from, const ReplicaStates& message,
                         const Owned& owned);
  void on_ack(const ActorAddress& from, const FrameAck& message, Owned& owned);
  // A page of images for one of its sessions.
  void on_page(KeyPartitionId k, ScanPage page);
  // Sends what credit allows; regularly, and after an acknowledgement.
  void publish(Owned& owned);

  // Every store's replica has said where it stands, or was told of by nobody. A standby that was
  // chosen when its owner was lost has a state to restore first, which is not waited for.
  bool all_answered(KeyPartitionId k) const;
  // What every store's replica of it has said to its registration under this grant.
  std::vector<StoreReplica> store_replicas(KeyPartitionId k) const;
  // Offsets of a source behind `from` at which replicas of a key partition stand that are ahead of
  // it: rising, each once.
  std::vector<uint64_t> cuts(KeyPartitionId k, uint32_t source, uint64_t from) const;
  // A newer owner of it is known to a replica.
  bool fenced(KeyPartitionId k) const;
  // The workers that follow a key partition, each with whether it had all up to `version`.
  std::vector<std::pair<NodeId, bool>> standbys(KeyPartitionId k, uint64_t version) const;

  // V acknowledged by every store, component by component; empty if one has none yet.
  OffsetVector published(const KeyPartition& owner) const;
  // Of rows that no store that follows has acknowledged yet, whether they are still kept or images
  // are to go to it instead.
  uint64_t behind_bytes() const { return behind_bytes_; }
  uint64_t image_bytes() const { return image_bytes_; }
  ReplicaSession::Counts counts() const;
  const StageCost& cost() const { return cost_; }

 private:
  struct Link {
    Link(uint64_t credit, bool to_store) : sending(credit), store(to_store) {}
    SendLink sending;
    bool store;  // or a standby's
    std::map<KeyPartitionId, ReplicaSession> sessions;
    KeyPartitionId next{};       // where the last message stopped: everybody gets a turn
    KeyPartitionId next_walk{};  // likewise, for images
  };

  static void give_up(Link* link);
  void follow(const ActorAddress& address, KeyPartitionId k, uint64_t credit, bool store,
              std::set<std::pair<ActorAddress, KeyPartitionId>>* wanted);
  void register_sessions(const ActorAddress& to, Link* link, const Owned& owned);
  void fetch_images(Link* link, Owned& owned);
  void send_parts(const ActorAddress& to, Link* link, const Owned& owned);
  bool send_message(const ActorAddress& to, Link* link, const Owned& owned);
  void forget_what_all_have(Owned& owned);
  uint64_t behind_bytes_of(KeyPartitionId k, const KeyPartition& owner) const;

  Runtime& runtime_;
  ActorId self_;
  const WorkerConfig& config_;
  JobId job_;
  std::map<ActorAddress, Link> links_;
  uint64_t next_session_ = 1;
  uint64_t behind_bytes_ = 0;
  uint64_t image_bytes_ = 0;            // of sessions that are over
  ReplicaSession::Counts past_counts_;  // likewise
  StageCost cost_;
};

}  // namespace tidemill
