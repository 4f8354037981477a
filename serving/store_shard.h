// StoreShard: the actor that holds this shard's replicas, of all jobs; applies frames and answers
// the read gateway. Reads of keys that are only on disk wait for it, without holding up others.
// shard-affine
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "serving/replica_set.h"
#include "shared/member/cluster_view.h"
#include "shared/runtime/runtime.h"
#include "shared/runtime/stage_cost.h"
#include "shared/wire/held_acks.h"

namespace tidemill {

// Asks every shard for the largest event time it has applied of a job.
struct EdgeRequest : LocalPayload {
  uint64_t request = 0;
  JobId job;
};
struct EdgeAnswer : LocalPayload {
  uint64_t request = 0;
  TimeUs edge = kMinTime;
};

// Features of some keys of one entity, all held by this shard.
struct ReadRequest : LocalPayload {
  struct Key {
    uint32_t row = 0;  // the gateway's
    KeyPartitionId key_partition;
    uint64_t hash = 0;
    std::string key;
  };
  uint64_t request = 0;
  uint32_t group = 0;  // the gateway's
  JobId job;
  std::vector<const FeatureSpec*> features;  // of the job's plan, which `plan` keeps alive
  std::vector<uint16_t> tables;              // that they are over, each once
  std::shared_ptr<const Plan> plan;
  TimeUs as_of = 0;
  bool offsets = false;
  std::vector<Key> keys;
};
struct ReadAnswer : LocalPayload {
  enum class Status : uint8_t { kNotReady, kNotFound, kPresent };
  struct Key {
    uint32_t row = 0;
    KeyPartitionId key_partition;
    Status status = Status::kNotReady;
    std::vector<FeatureValue> values;
    std::vector<DurationUs> resolutions;  // by value, 0: exact; empty: all are
    // By value: the as_of from which on it is complete; kMinTime, or empty: at this one already.
    std::vector<TimeUs> complete_since;
    int64_t freshness_ms = 0;
    // With offsets only.
    Epoch epoch;
    uint64_t version = 0;
    OffsetVector offset_vector;
  };
  uint64_t request = 0;
  uint32_t group = 0;
  TimeUs horizon = kMinTime;  // greatest over the keys' partitions
  std::vector<Key> keys;
};

// Some keys that this shard holds of a table, for people to look at.
struct KeysRequest : LocalPayload {
  uint64_t request = 0;
  JobId job;
  uint16_t table = 0;
  uint32_t limit = 0;
};
struct KeysAnswer : LocalPayload {
  uint64_t request = 0;
  std::vector<std::string> keys;
};

// To the gateway: what this shard's disks held when the process began can be read again.
struct ShardReady : LocalPayload {
  uint16_t shard = 0;
};

class StoreShard : public Actor {
 public:
  StoreShard(Runtime& runtime, uint16_t shards, const StoreConfig& config,
             StoreResources resources);

  void start() override;
  void receive(Message message) override;
  void on_timer(uint64_t token) override;

 private:
  struct Job {
    std::shared_ptr<const Plan> plan;  // the newest: it gains source partitions, the rest stays
    StageCost apply_cost;
  };
  // A reading, some of whose keys are being brought from disk.
  struct WaitingRead;
  struct WaitingKeys;

  void on_local(Message message);
  void on_news(LocalPayload* local);
  void on_view(const ClusterState& view);
  void on_register(const Message& message);
  void on_state_wanted(const Message& message);
  void on_frames(const Message& message);
  void apply(const FramePart& part, HeldReplica* held, FrameAck* ack, ReplicaStates* refused);
  void on_read(ActorId from, std::unique_ptr<ReadRequest> request);
  // Whether the view that this shard goes by has the table: the gateway may have heard of a changed
  // job before.
  bool knows(JobId job, uint16_t table) const;
  bool knows(const ReadRequest& request) const;
  // The features, each from its table. Whether any of these has the key.
  static bool compute(const PartitionState& window, const ReadRequest& request,
                      const ReadRequest::Key& key, ReadAnswer::Key* out);
  // The keys of one key partition, which are in memory or nowhere.
  void read_keys(WaitingRead* waiting, const std::vector<size_t>& keys, const HeldReplica* held);
  ReadAnswer::Key read_key(const ReadRequest& request, const ReadRequest::Key& key, const Job* job,
                           const HeldReplica* held, TimeUs* horizon) const;
  void end_read(const std::shared_ptr<WaitingRead>& waiting);
  void on_edge(ActorId from, const EdgeRequest& request);
  TimeUs find_edge(JobId job) const;
  void on_keys(ActorId from, const KeysRequest& request);
  void sample_next(const std::shared_ptr<WaitingKeys>& waiting);
  void tell_ready();
  void report();
  void report_replica(const HeldReplica& held, proto::JobReport* out) const;

  Runtime& runtime_;
  ActorId self_;
  ReplicaSet replicas_;
  std::map<JobId, Job> jobs_;
  std::map<JobId, TimeUs> edges_;  // as last found, until something else than a question comes
  // While memory is short owners are to send no more than the disk takes.
  HeldAcks acks_;
  uint64_t view_version_ = 0;
  bool told_ready_ = false;
};

}  // namespace tidemill
