// MemberAgent: a worker's or store's side of the control plane. Reports to the coordinator by
// heartbeats, connects to the members of the view, and hands every newer view to the actors of its
// process. Told that it is fenced, it ends the process. When the process is to end (SIGTERM) it
// says so to the coordinator first, and waits a little to be let go: what the process owns goes to
// others without a lease being waited for. Without a coordinator everything goes on as it is; of
// several, it follows the one that leads.
// shard-affine (shard 0)
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "proto/control.pb.h"
#include "shared/member/cluster_view.h"
#include "shared/member/coordinator_choice.h"
#include "shared/member/memory_watch.h"
#include "shared/runtime/runtime.h"
#include "shared/runtime/stage_cost.h"

namespace tidemill {

struct MemberConfig {
  std::vector<std::string> coordinators;  // endpoints, 1 to kCoordinatorsMax
  proto::Role role = proto::WORKER;
  uint16_t shards = 1;
  std::string http_address;  // of a store
  uint64_t pid = 0;
  int64_t heartbeat_ms = 250;
  int64_t leave_ms = 300;  // to be let go, when the process is to end
};

// Posted to the agent by an actor that has seen signs of a newer view than it has, such as that its
// epoch is refused. The agent asks the coordinator soon rather than at its next heartbeat.
struct ViewWanted : LocalPayload {};

// What the actors of a process post to its agent about one shard; replaces the former report of
// the same (shard, actor).
struct ShardReport : LocalPayload {
  ActorId reporter;
  uint64_t view_version = 0;  // of the view that the reporter has applied
  // Of the whole process; 0: the reporter does not know, or there is no budget.
  uint64_t resident_bytes = 0;
  uint64_t memory_budget_bytes = 0;
  MemoryUse shard_use;    // what the reporter accounts for: those of all reporters add up
  MemoryUse process_use;  // of the whole process (MemoryWatch::add_process_use())
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
  void on_local(LocalPayload* payload);
  void leave(const std::string& reason);
  void send_heartbeat();
  void on_ack(const Message& message);
  void on_fenced(const Message& message);
  void on_view(const Message& message);
  void follow(std::shared_ptr<const ClusterState> view);
  void tell_followers();
  uint64_t applied_view_version() const;
  void add_memory(proto::Heartbeat* beat) const;
  proto::JobReport merged_report(uint32_t job) const;

  Runtime& runtime_;
  MemberConfig config_;
  std::vector<ActorId> followers_;
  CoordinatorChoice coordinators_;
  std::set<ActorId> untold_;  // followers whose mailbox was full when the view changed
  std::string coordinator_instance_;
  std::string leaving_;  // why the process is to end; empty: it is not
  int64_t last_heartbeat_us_ = 0;
  std::shared_ptr<const ClusterState> view_;
  std::map<ActorId, ShardReport> reports_;
};

// Adds a stage's cost to those of the same name.
void add_stage(const std::string& stage, const StageCost& cost, proto::JobReport* report);

// Adds `part` into `sum`: counts add up, progress is the least of both.
void merge_report(const proto::JobReport& part, proto::JobReport* sum);

}  // namespace tidemill
