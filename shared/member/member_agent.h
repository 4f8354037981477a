// MemberAgent: a worker's or store's side of the control plane. Reports to the coordinator by
// heartbeats, connects to the members of the view, and hands every newer view to the actors of its
// process. Told that it is fenced, it ends the process. shard-affine (shard 0)
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "proto/control.pb.h"
#include "shared/member/cluster_view.h"
#include "shared/runtime/runtime.h"
#include "shared/runtime/stage_cost.h"

namespace tidemill {

struct MemberConfig {
  std::string coordinator_endpoint;
  proto::Role role = proto::WORKER;
  uint16_t shards = 1;
  std::string http_address;  // of a store
  uint64_t pid = 0;
  int64_t heartbeat_ms = 250;
};

// What the actors of a process post to its agent about one shard; replaces the former report of
// the same (shard, actor).
struct ShardReport : LocalPayload {
  ActorId reporter;
  uint64_t view_version = 0;  // of the view that the reporter has applied
  std::vector<proto::JobReport> jobs;
};

class MemberAgent : public Actor {
 public:
  // `followers` get ViewChanged whenever the view changes.
  MemberAgent(Runtime& runtime, MemberConfig config, std::vector<ActorId> followers);

  void start() override;
  void receive(Message message) override;
  void on_timer(uint64_t token) override;

 private:
  void send_heartbeat();
  void on_view(const Message& message);
  void tell_followers();
  uint64_t applied_view_version() const;
  proto::JobReport merged_report(uint32_t job) const;

  Runtime& runtime_;
  MemberConfig config_;
  std::vector<ActorId> followers_;
  std::set<ActorId> untold_;  // followers whose mailbox was full when the view changed
  std::string coordinator_instance_;
  std::shared_ptr<const ClusterState> view_;
  std::map<ActorId, ShardReport> reports_;
};

// Adds a stage's cost to those of the same name.
void add_stage(const std::string& stage, const StageCost& cost, proto::JobReport* report);

// Adds `part` into `sum`: counts add up, progress is the least of both.
void merge_report(const proto::JobReport& part, proto::JobReport* sum);

}  // namespace tidemill
