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
  struct Loaded;
  struct Compiled;
  struct Committed;
  struct SubmitCommand {
    std::shared_ptr<const Plan> plan;
    HttpResponder respond;
  };
  struct StopCommand {
    std::string job;
    HttpResponder respond;
  };
  using Command = std::variant<SubmitCommand, StopCommand>;
  using Answers = std::vector<std::pair<HttpResponder, HttpResponse>>;

  void on_loaded(Loaded loaded);
  void on_committed(Committed committed);
  void on_compiled(Compiled compiled);

  void on_heartbeat(const Message& message);
  void on_joined(const MembershipTable::Answer& answer, NodeId node);
  void send_view(NodeId node);
  void send_fenced(NodeId node, const std::string& endpoint, const std::string& reason);
  void drop_fenced_links(int64_t now_us);

  void on_request(CoordinatorRequest request);
  HttpResponse answer_now(const RestRoute& route);
  void compile(CoordinatorRequest request, const std::string& base_dir);

  void decide();
  Answers apply_commands(Draft* draft);
  void commit(Draft draft, Answers answers);
  JobLimits job_limits() const;

  Runtime& runtime_;
  CoordinatorConfig config_;
  std::shared_ptr<MetadataStore> store_;
  MetricsRegistry own_metrics_;
  CoordinatorProbe probe_;

  Phase phase_ = Phase::kLoading;
  std::string instance_;
  MembershipTable members_;
  int64_t recovered_at_us_ = 0;             // kRecovering ends then at the latest
  int64_t settled_at_us_ = 0;               // nothing is placed before
  std::map<NodeId, int64_t> fenced_links_;  // to nodes that are no members; when used last
  size_t compiling_ = 0;
  std::deque<Command> commands_;

  std::shared_ptr<const CoordinatorState> committed_;
  bool committing_ = false;
  Buffer view_;  // of committed_
};

}  // namespace tidemill
