// Coordinator: decides who is a member, which jobs run and who owns their partitions, and tells
// the members. Every decision is durable before anybody sees it: a draft of the next state is
// made, written by the blocking pool, and only then becomes the committed state that views and
// answers are made from. One write is under way at a time; what happens meanwhile goes into the
// next draft.
//
// shard-affine: actor kAgent (shard 0) of a process with node kCoordinatorNode.
// Restart: the durable members have one lease to report; until all have, or it is over, nothing is
// decided and nobody gets a view, so a restart moves no grant of a member that lives.
// Failure: when the metadata cannot be read or written the process ends; members go on with the
// view they have.
#pragma once

#include <deque>
#include <memory>
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
#include "coordinator/rest.h"
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
  enum class Phase { kLoading, kRecovering, kServing };
  struct SubmitCommand {
    std::shared_ptr<const Plan> plan;
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
  using Command = std::variant<SubmitCommand, StopCommand, MoveCommand>;

  void on_loaded(LoadedState loaded);
  void on_committed(CommittedState committed);

  void on_heartbeat(const Message& message);
  void on_joined(const MembershipTable::Answer& answer, NodeId node);
  void remember_readers(NodeId node);
  void send_view(NodeId node);
  void send_fenced(NodeId node, const std::string& endpoint, const std::string& reason);
  void drop_fenced_links(int64_t now_us);

  // coordinator_requests.cc
  void on_request(CoordinatorRequest request);
  void change(CoordinatorRequest request, const RestRoute& route);
  void answer_dead_letters(CoordinatorRequest request, const RestRoute& route);
  HttpResponse answer_now(const RestRoute& route);
  HttpResponse show_job(const std::string& job);
  void compile(CoordinatorRequest request, const std::string& base_dir);
  void on_compiled(CompiledPlan compiled);
  Answers apply_commands(Draft* draft);
  HttpResponse move_reader(const MoveCommand& move, Draft* draft);

  // What sources that may grow have got since.
  void discover_sources(int64_t now_us);
  void on_discovered(DiscoveredSources discovered);

  void decide();
  void apply_reports(Draft* draft);
  void commit(Draft draft, Answers answers);
  JobLimits job_limits() const;

  Runtime& runtime_;
  CoordinatorConfig config_;
  std::shared_ptr<MetadataStore> store_;
  std::shared_ptr<SourceCatalog> catalog_;
  MetricsRegistry own_metrics_;
  CoordinatorProbe probe_;

  Phase phase_ = Phase::kLoading;
  std::string instance_;
  MembershipTable members_;
  int64_t recovered_at_us_ = 0;             // kRecovering ends then at the latest
  int64_t settled_at_us_ = 0;               // nothing is placed before
  std::map<NodeId, int64_t> fenced_links_;  // to nodes that are no members; when used last
  size_t compiling_ = 0;
  size_t reading_letters_ = 0;
  std::deque<Command> commands_;
  std::map<JobId, ReadersBefore> readers_;  // of live jobs, what each reader said last

  bool discovering_ = false;
  int64_t discovered_at_us_ = 0;  // when the last look began
  std::vector<FoundSource> found_sources_;
  std::map<JobId, std::string> discovery_errors_;  // of the last look

  std::shared_ptr<const CoordinatorState> committed_;
  bool committing_ = false;
  Buffer view_;  // of committed_
};

}  // namespace tidemill
