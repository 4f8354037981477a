// ReaderHost: the actor that holds this shard's source readers, of all jobs. Starts and ends them
// as grants come and go, and passes messages on. shard-affine
#pragma once

#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "worker/source_reader.h"

namespace tidemill {

class ReaderHost : public Actor {
 public:
  ReaderHost(Runtime& runtime, const WorkerConfig& config,
             std::shared_ptr<DeadLetterStorage> dead_letters);

  void start() override;
  void receive(Message message) override;
  void on_timer(uint64_t token) override;

 private:
  using ReaderKey = std::pair<JobId, SourcePartitionId>;

  // A key partition host and this one learn of a grant at different times.
  struct EarlyOpening {
    ActorAddress from;
    OpenSessions message;
    int64_t at_us = 0;
  };

  void on_view(const ClusterState& view);
  void on_open(const ActorAddress& from, OpenSessions message);
  void try_early_openings();
  SourceReader* find(JobId job, SourcePartitionId source);
  void report();

  Runtime& runtime_;
  WorkerConfig config_;
  std::shared_ptr<DeadLetterStorage> dead_letters_;
  ActorId self_;
  std::map<ReaderKey, std::unique_ptr<SourceReader>> readers_;
  int64_t last_report_us_ = 0;
  uint64_t view_version_ = 0;
  std::set<NodeId> reachable_;  // as of the view
  std::vector<EarlyOpening> early_;
};

}  // namespace tidemill
