// StoreShard: the actor that holds this shard's replicas, of all jobs; applies frames and answers
// the read gateway. shard-affine
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "serving/replica.h"
#include "shared/member/cluster_view.h"
#include "shared/runtime/runtime.h"
#include "shared/runtime/stage_cost.h"

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

// Features of some keys of one table, all held by this shard.
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
  uint16_t table = 0;
  std::vector<const FeatureSpec*> features;  // of the job's plan, which `plan` keeps alive
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

class StoreShard : public Actor {
 public:
  explicit StoreShard(Runtime& runtime);

  void start() override;
  void receive(Message message) override;
  void on_timer(uint64_t token) override;

 private:
  struct Job {
    std::shared_ptr<const Plan> plan;  // the newest: it gains source partitions, the rest stays
    std::map<KeyPartitionId, Replica> replicas;
    StageCost apply_cost;
  };

  void on_view(const ClusterState& view);
  static Replica& replica_of(Job* job, KeyPartitionId k);
  void on_register(const Message& message);
  void on_frames(const Message& message);
  void on_read(ActorId from, const ReadRequest& request);
  void on_edge(ActorId from, const EdgeRequest& request);
  void on_keys(ActorId from, const KeysRequest& request);
  ReadAnswer::Key read_key(const ReadRequest& request, const ReadRequest::Key& key, const Job* job,
                           TimeUs* horizon) const;
  void report();

  Runtime& runtime_;
  ActorId self_;
  std::map<JobId, Job> jobs_;
  uint64_t view_version_ = 0;
};

}  // namespace tidemill
