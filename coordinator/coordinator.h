// Coordinator: decides who is a member, which jobs run and who owns their partitions, and tells
// the members. Every decision is durable before anybody sees it: a draft of the next state is
// made, written by the blocking pool, and only then becomes the committed state that views and
// answers are made from. One write is under way at a time; what happens meanwhile goes into the
// next draft.
//
// shard-affine: actor kAgent (shard 0) of a process with node kCoordinatorNode.
// Leadership: with an election it stands by until it leads, and then acts only as long as its own
// clock says that the lease holds. When it does not it ends: another one may lead.
// Restart: the durable members have one lease to report; until all have, or it is over, nothing is
// decided and nobody gets a view, so a restart moves no grant of a member that lives.
// Failure: when the metadata cannot be read or written the process ends; members go on with the
// view they have.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "coordinator/config.h"
#include "coordinator/coordinator_state.h"
#include "coordinator/decision.h"
#include "coordinator/membership.h"
#include "coordinator/metadata_store.h"
#include "coordinator/probe.h"
#include "coordinator/rebalancer.h"
#include "coordinator/rest.h"
#include "coordinator/snapshot_checks.h"
#include "coordinator/snapshot_desk.h"
#include "coordinator/source_catalog.h"
#include "coordinator/tasks.h"
#include "shared/net/http_server.h"
#include "shared/runtime/runtime.h"

namespace tidemill {

// A REST request, to be posted to the coordinator. `respond` is called once, from its shard.
struct CoordinatorRequest : LocalPayload {
  CoordinatorRequest(HttpRequest r, HttpResponder answer)
      : request(std::move(r)), respond(std::move(answer)) {}
  HttpRequest request;
  HttpResponder respond;
};

class Coordinator : public Actor {
 public:
  Coordinator(Runtime& runtime, const CoordinatorConfig& config,
              std::shared_ptr<MetadataStore> store);

  void start() override;
  void receive(Message message) override;
  void on_timer(uint64_t token) override;

  // What is durable and shown; null while it is being loaded. For tests to look into.
  const CoordinatorState* committed() const { return committed_.get(); }
  const MembershipTable& members() const { return members_; }

 private:
  // kStandby: another one leads, or nobody yet. kEnded: it leads no more, and does nothing.
  enum class Phase { kStandby, kLoading, kRecovering, kServing, kEnded };
  struct SubmitCommand {
    std::shared_ptr<const Plan> plan;
    std::shared_ptr<const Savepoint> from;  // null: it starts with nothing
    HttpResponder respond;
  };
  struct UpdateCommand {
    std::string job;
    bool plan_only = false;
    proto::JobPlan wanted;
    HttpResponder respond;
  };
  struct StopCommand {
    std::string job;
    HttpResponder respond;
  };
  struct MoveCommand {
    std::string job;
    uint32_t source_partition = 0;
    NodeId to;  // 0: wherever there are fewest readers
    HttpResponder respond;
  };
  struct DrainCommand {
    NodeId node;
    bool undo = false;
    HttpResponder respond;
  };
  struct RebalanceCommand {
    std::string job;  // empty: all
    HttpResponder respond;
  };
  struct SnapshotCommand {  // a trigger, or the deletion of a savepoint
    SnapshotRoute route;
    std::string savepoint;
    HttpResponder respond;
  };
  using Command = std::variant<SubmitCommand, UpdateCommand, StopCommand, MoveCommand, DrainCommand,
                               RebalanceCommand, SnapshotCommand>;

  // coordinator_leadership.cc
  void stand_for_leadership();
  void on_stood(StoodForLeader stood);
  void renew_leadership();
  void on_renewed(RenewedLeadership renewed);
  bool may_act();
  void end(const std::string& reason);

  void load();
  void on_loaded(LoadedState loaded);
  void on_committed(CommittedState committed);

  void on_heartbeat(const Message& message);
  void on_link_broken(NodeId node);
  void declare_dead();
  void on_joined(const MembershipTable::Answer& answer, NodeId node);
  void remember_readers(NodeId node);
  void send_view(NodeId node);
  void acknowledge(NodeId node, uint64_t addressed_to);
  void send_fenced(NodeId node, const std::string& endpoint, const std::string& reason);
  void drop_fenced_links(int64_t now_us);

  // coordinator_requests.cc
  void on_request(CoordinatorRequest request);
  void change(CoordinatorRequest request, const RestRoute& route);
  void answer_dead_letters(CoordinatorRequest request, const RestRoute& route);
  HttpResponse answer_now(const RestRoute& route);
  HttpResponse show_job(const std::string& job);
  void compile(CoordinatorRequest request, const RestRoute& route);
  void on_compiled(CompiledPlan compiled);
  void compile_update(CoordinatorRequest request, const RestRoute& route);
  void on_compiled(CompiledUpdate compiled);
  HttpResponse update(const UpdateCommand& command, Draft* draft);
  bool too_long(const CoordinatorRequest& request) const;
  Answers apply_commands(Draft* draft);
  HttpResponse move_reader(const MoveCommand& move, Draft* draft);

  // coordinator_moves.cc
  HttpResponse drain(const DrainCommand& command, Draft* draft);
  HttpResponse rebalance(const RebalanceCommand& command, Draft* draft);
  HttpResponse plan_rebalance(const std::string& job);
  HttpResponse show_rebalance();

  // coordinator_snapshots.cc
  bool on_snapshot_message(const Message& message);
  void on_snapshot_request(CoordinatorRequest request, const SnapshotRoute& route);
  HttpResponse show_snapshots(const SnapshotRoute& route);
  HttpResponse show_savepoint(const SnapshotRoute& route);
  HttpResponse start_check(const SnapshotRoute& route);
  void read_contents(CoordinatorRequest request, const SnapshotRoute& route);
  void change_snapshots(CoordinatorRequest request, const SnapshotRoute& route);
  HttpResponse apply_snapshot_command(const SnapshotCommand& command, Draft* draft);

  // What sources that may grow have got since.
  void discover_sources(int64_t now_us);
  void on_discovered(DiscoveredSources discovered);

  void decide();
  void apply_reports(Draft* draft);
  void commit(Draft draft, Answers answers);
  void write(CommittedState next);
  JobLimits job_limits() const;

  Runtime& runtime_;
  CoordinatorConfig config_;
  std::shared_ptr<MetadataStore> store_;
  std::shared_ptr<SourceCatalog> catalog_;
  MetricsRegistry own_metrics_;
  CoordinatorProbe probe_;

  Phase phase_ = Phase::kLoading;
  int64_t leads_until_us_ = INT64_MAX;  // of its own clock, unless the lease is renewed
  bool electing_ = false;               // standing or renewing is under way
  int64_t elected_at_us_ = 0;           // when the last of these began
  std::string leader_;                  // of a standby: who leads; empty: nobody that is known
  std::string election_error_;          // of the last attempt
  std::string instance_;
  MembershipTable members_;
  Rebalancer rebalancer_;
  int64_t recovered_at_us_ = 0;             // kRecovering ends then at the latest
  int64_t settled_at_us_ = 0;               // nothing is placed before
  std::map<NodeId, int64_t> fenced_links_;  // to nodes that are no members; when used last
  size_t compiling_ = 0;
  size_t reading_ = 0;  // dead letters and manifests
  std::deque<Command> commands_;
  std::map<JobId, ReadersBefore> readers_;  // of live jobs, what each reader said last

  bool discovering_ = false;
  int64_t discovered_at_us_ = 0;  // when the last look began
  std::vector<FoundSource> found_sources_;
  std::map<JobId, std::string> discovery_errors_;  // of the last look

  SnapshotDesk snapshots_;
  SnapshotChecks snapshot_checks_;
  bool claims_due_ = false;  // they are registered with the next decision, whatever else it is

  std::shared_ptr<const CoordinatorState> committed_;
  bool committing_ = false;
  std::optional<CommittedState> unwritten_;  // could not be written yet, and is tried again
  bool load_again_ = false;
  Buffer view_;  // of committed_
};

}  // namespace tidemill
