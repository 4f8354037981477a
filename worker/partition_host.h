// PartitionHost: the actor that holds this shard's key partitions, of all jobs: restores them,
// opens their sessions with readers, applies batches, publishes to replicas, takes snapshots; and
// follows owners on other workers where this one is their standby. shard-affine
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "proto/control.pb.h"
#include "shared/member/memory_watch.h"
#include "shared/wire/held_acks.h"
#include "worker/holdings.h"
#include "worker/publisher.h"
#include "worker/snapshotter.h"
#include "worker/wiring.h"

namespace tidemill {

class PartitionHost : public Actor {
 public:
  // `config`: the bounds of this shard, one of `shards`.
  PartitionHost(Runtime& runtime, uint16_t shards, const WorkerConfig& config,
                const WorkerResources& resources);

  void start() override;
  void receive(Message message) override;
  void on_timer(uint64_t token) override;

  // For tests to look into: the epoch and state of what is owned, null while it is restored.
  std::vector<std::pair<Epoch, const KeyPartition*>> owned(JobId job, KeyPartitionId k) const;

 private:
  struct Job {
    JobId id;
    std::shared_ptr<const Plan> plan;
    std::vector<Grant> readers;  // by source partition
    bool read_no_more = false;   // nobody is to read the sources
    uint64_t snapshot_trigger = 0;
    Owned owned;
    Standbys standbys;
    std::unique_ptr<Publisher> publisher;
    std::unique_ptr<Snapshotter> snapshotter;
    uint64_t session_gaps = 0;
    uint64_t refused_snapshots = 0;
    uint64_t states_from_stores = 0;
    StageCost apply_cost;
  };

  void on_local(LocalPayload* payload);
  void end_for_damage(const DiskAnswer& answer);
  // partition_host_view.cc: what the view says this shard is to hold.
  void on_view(const ClusterState& view);
  void update_job(const ClusterState& view, const JobInView& in_view);
  void drop_job(Job* job);
  void release_owned(Job* job, const JobInView& in_view);
  void take_owned(Job* job, KeyPartitionId k, const Grant& grant);
  void update_standbys(Job* job, const JobInView& in_view);
  void promote(Job* job, KeyPartitionId k, StandbyPartition* standby);
  void activate(Job* job, OwnedPartition* owner, std::unique_ptr<KeyPartition> partition);
  void release(Job* job, Holding* held, bool remove);
  std::unique_ptr<DiskLane> open_lane(const Job& job, KeyPartitionId k);
  void on_directories(const DirectoriesFound& found);
  bool holds(JobId job, KeyPartitionId k) const;

  // partition_host_restore.cc: from the snapshot registry to an active key partition.
  void ask_registry(Job* job);
  void on_snapshots_known(const Message& message);
  void on_restored(const DiskRestored& restored);
  void on_restored(Job* job, OwnedPartition* owner, const DiskRestored& restored);
  void begin(Job* job, OwnedPartition* owner, KeyPartitionId k, StateHead head);
  void on_registered(const Message& message);
  void on_written(const DiskWritten& written);

  // partition_host_take_over.cc: without a snapshot, from a store's replica.
  void search_stores(Job* job);
  void on_state_written(const Message& message);
  void on_taken_over(Job* job, OwnedPartition* owner, const DiskRestored& restored);
  void end_search(Job* job, OwnedPartition* owner, KeyPartitionId k, StateHead head);

  // Sessions with readers.
  void on_batch(Message message);
  void on_sessions_closed(const Message& message);
  void open_sessions(Job* job);
  bool needs_opening(const Job& job, uint32_t source, OwnedPartition* owner,
                     OpenSessions::Session* out);

  // partition_host_memory.cc
  void write_snapshots();
  struct PendingBytes {
    uint64_t all = 0;
    uint64_t most = 0;  // of one key partition
  };
  PendingBytes pending_bytes() const;
  uint64_t accounted_bytes() const;
  MemoryUse memory_use() const;
  // Beyond it what is pending is written before its time.
  uint64_t pending_limit(const PendingBytes& pending) const;
  bool ahead_of_stores() const;
  void send_acks();

  void report();  // partition_host_report.cc
  void report_owned(Job* job, proto::JobReport* out);

  Job* find(JobId job);

  Runtime& runtime_;
  WorkerConfig config_;
  WorkerResources resources_;
  ActorId self_;
  std::map<JobId, Job> jobs_;
  NodeId coordinator_;
  uint64_t next_session_ = 1;
  uint64_t next_lane_ = 1;
  int64_t last_report_us_ = 0;
  uint64_t view_version_ = 0;
  int64_t look_at_directories_us_ = 0;  // 0: not before the first view; INT64_MAX: done
  MemoryWatch memory_;
  HeldAcks batch_acks_;
  HeldAcks frame_acks_;
  bool short_of_memory_ = false;  // so much is pending that senders get no more credit
  bool refusing_ = false;         // so much is pending that nothing more is taken in
};

}  // namespace tidemill
