// PartitionHost: the actor that holds this shard's key partitions, of all jobs: opens their
// sessions with readers, applies batches, and publishes to the stores. shard-affine
#pragma once

#include <map>
#include <memory>

#include "worker/publisher.h"

namespace tidemill {

class PartitionHost : public Actor {
 public:
  PartitionHost(Runtime& runtime, const WorkerConfig& config);

  void start() override;
  void receive(Message message) override;
  void on_timer(uint64_t token) override;

 private:
  struct Job {
    JobId id;
    std::shared_ptr<const Plan> plan;
    std::vector<Grant> readers;  // by source partition
    KeyPartitions owned;
    std::unique_ptr<Publisher> publisher;
    uint64_t session_gaps = 0;
    StageCost apply_cost;
  };

  void on_view(const ClusterState& view);
  void update_job(const ClusterState& view, const JobInView& in_view);
  void on_batch(Message message);
  void on_sessions_closed(const Message& message);
  void open_sessions(Job* job);
  bool needs_opening(const Job& job, uint32_t source, KeyPartition* owner,
                     OpenSessions::Session* out);
  void report();

  Runtime& runtime_;
  WorkerConfig config_;
  ActorId self_;
  std::map<JobId, Job> jobs_;
  uint64_t next_session_ = 1;
  int64_t last_report_us_ = 0;
  uint64_t view_version_ = 0;
};

}  // namespace tidemill
