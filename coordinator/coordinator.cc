#include "coordinator/coordinator.h"

#include <cstdio>

#include "coordinator/cluster_view.h"
#include "shared/obs/log.h"
#include "shared/plan/yaml_job.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"

namespace tidemill {
namespace {

constexpr uint64_t kTickTimer = 1;
constexpr uint64_t kStoreLane = 1;
constexpr uint64_t kCompileLane = 2;
constexpr size_t kMaxHeartbeatBytes = 8u << 20;
constexpr size_t kMaxFencedLinks = 1024;
constexpr size_t kMaxWaitingCommands = 256;

HttpResponse unavailable() {
  return http_error(503, "the coordinator is starting and waits for its members; try again");
}

}  // namespace

struct Coordinator::Loaded : LocalPayload {
  explicit Loaded(Result<CoordinatorState> s) : state(std::move(s)) {}
  Result<CoordinatorState> state;
};

struct Coordinator::Compiled : LocalPayload {
  std::vector<JobError> errors;
  std::shared_ptr<const Plan> plan;
  HttpResponder respond;
};

struct Coordinator::Committed : LocalPayload {
  Status status;
  std::shared_ptr<const CoordinatorState> state;
  bool view_changed = false;
  Answers answers;
};

Coordinator::Coordinator(Runtime& runtime, const CoordinatorConfig& config,
                         std::shared_ptr<MetadataStore> store)
    : runtime_(runtime),
      config_(config),
      store_(std::move(store)),
      probe_(config.metrics != nullptr ? config.metrics : &own_metrics_),
      members_(config.membership_limits()) {}

void Coordinator::start() {
  runtime_.run_blocking(kAgent, kStoreLane, [store = store_]() -> std::unique_ptr<LocalPayload> {
    return std::make_unique<Loaded>(store->start_generation());
  });
  runtime_.start_timer(kAgent, config_.tick_ms * 1000, kTickTimer);
}

void Coordinator::receive(Message message) {
  if (message.local == nullptr) {
    if (message.type == kHeartbeat) on_heartbeat(message);
    return;
  }
  auto* local = message.local.get();
  if (auto* request = dynamic_cast<CoordinatorRequest*>(local)) {
    on_request(std::move(*request));
  } else if (auto* committed = dynamic_cast<Committed*>(local)) {
    on_committed(std::move(*committed));
  } else if (auto* compiled = dynamic_cast<Compiled*>(local)) {
    on_compiled(std::move(*compiled));
  } else if (auto* loaded = dynamic_cast<Loaded*>(local)) {
    on_loaded(std::move(*loaded));
  }
}

void Coordinator::on_timer(uint64_t) {
  runtime_.start_timer(kAgent, config_.tick_ms * 1000, kTickTimer);
  if (phase_ == Phase::kLoading) return;
  const int64_t now = runtime_.monotonic_us();
  for (const auto node : members_.expire(now)) {
    probe_.deaths.add();
    runtime_.disconnect(node);
    log_event(LogLevel::kWarning, "member_dead",
              {{"node", node_text(node)}, {"reason", "no heartbeat for the length of the lease"}});
  }
  drop_fenced_links(now);
  decide();
}

void Coordinator::on_loaded(Loaded loaded) {
  if (!loaded.state) {
    runtime_.stop(1, loaded.state.error().message());
    return;
  }
  auto state = std::make_shared<CoordinatorState>(std::move(*loaded.state));
  char instance[48];
  std::snprintf(instance, sizeof(instance), "%llu-%016llx",
                static_cast<unsigned long long>(state->generation),
                static_cast<unsigned long long>(runtime_.random()));
  instance_ = instance;
  const int64_t now = runtime_.monotonic_us();
  for (const auto& [node, info] : state->members) {
    members_.expect(info, now);
    runtime_.connect(node, info.endpoint);
  }
  recovered_at_us_ = now + config_.lease_ms * 1000;
  phase_ = Phase::kRecovering;
  committed_ = std::move(state);
  view_ = encode_cluster_view(*committed_, instance_);
  log_event(LogLevel::kInfo, "coordinator_loaded",
            {{"instance", instance_},
             {"view_version", committed_->view_version},
             {"jobs", committed_->jobs.size()},
             {"members", committed_->members.size()}});
  decide();
}

void Coordinator::on_heartbeat(const Message& message) {
  if (phase_ == Phase::kLoading) return;
  probe_.heartbeats.add();
  proto::Heartbeat report;
  if (message.body.size() > kMaxHeartbeatBytes ||
      !report.ParseFromArray(message.body.data(), static_cast<int>(message.body.size())) ||
      report.node() != message.from.node.value) {
    probe_.refused.add();
    log_event(LogLevel::kWarning, "heartbeat_refused",
              {{"node", node_text(message.from.node)}, {"reason", "not a heartbeat of its node"}});
    return;
  }
  const NodeId node{report.node()};
  const std::string endpoint = report.endpoint();
  const bool stale = report.view_version() < committed_->view_version ||
                     report.coordinator_instance() != instance_;
  const auto answer = members_.heartbeat(std::move(report), runtime_.monotonic_us());
  switch (answer.verdict) {
    case MembershipTable::Verdict::kJoined:
      on_joined(answer, node);
      break;
    case MembershipTable::Verdict::kKnown:
      if (phase_ == Phase::kRecovering) decide();
      if (stale) send_view(node);
      break;
    case MembershipTable::Verdict::kFenced:
      send_fenced(node, endpoint, answer.reason);
      break;
    case MembershipTable::Verdict::kRefused:
      probe_.refused.add();
      log_event(LogLevel::kWarning, "heartbeat_refused",
                {{"node", node_text(node)}, {"reason", answer.reason}});
      break;
  }
}

void Coordinator::on_joined(const MembershipTable::Answer& answer, NodeId node) {
  probe_.joins.add();
  if (answer.replaced != NodeId{}) {
    probe_.deaths.add();
    runtime_.disconnect(answer.replaced);
    log_event(LogLevel::kWarning, "member_dead",
              {{"node", node_text(answer.replaced)}, {"reason", "replaced at its endpoint"}});
  }
  const auto& info = members_.entries().at(node).info;
  runtime_.connect(node, info.endpoint);
  log_event(LogLevel::kInfo, "member_joined",
            {{"node", node_text(node)},
             {"endpoint", info.endpoint},
             {"role", info.role == MemberRole::kStore ? "store" : "worker"}});
  size_t workers = 0;
  for (const auto& [id, member] : members_.alive()) {
    workers += member.role == MemberRole::kWorker ? 1 : 0;
  }
  if (info.role == MemberRole::kWorker && workers == 1) {
    settled_at_us_ = runtime_.monotonic_us() + config_.join_settle_ms * 1000;
  }
  decide();
}

void Coordinator::send_view(NodeId node) {
  if (phase_ != Phase::kServing || !committed_->members.contains(node)) return;
  // Refused or lost: the node's next heartbeat is answered again.
  (void)runtime_.send(kAgent, {node, kAgent}, kClusterView, view_);
}

void Coordinator::send_fenced(NodeId node, const std::string& endpoint, const std::string& reason) {
  probe_.fenced.add();
  if (!fenced_links_.contains(node) && fenced_links_.size() >= kMaxFencedLinks) return;
  fenced_links_[node] = runtime_.monotonic_us();
  runtime_.connect(node, endpoint);
  proto::Fenced fenced;
  fenced.set_reason(reason);
  (void)runtime_.send(kAgent, {node, kAgent}, kFenced, Buffer(fenced.SerializeAsString()));
  log_event(LogLevel::kWarning, "member_fenced", {{"node", node_text(node)}, {"reason", reason}});
}

void Coordinator::drop_fenced_links(int64_t now_us) {
  for (auto it = fenced_links_.begin(); it != fenced_links_.end();) {
    if (now_us - it->second < config_.lease_ms * 1000) {
      ++it;
      continue;
    }
    runtime_.disconnect(it->first);
    it = fenced_links_.erase(it);
  }
}

void Coordinator::on_request(CoordinatorRequest request) {
  probe_.requests.add();
  auto routed = route_request(request.request);
  if (auto* response = std::get_if<HttpResponse>(&routed)) {
    request.respond(std::move(*response));
    return;
  }
  const auto& route = std::get<RestRoute>(routed);
  if (committed_ == nullptr) {
    request.respond(unavailable());
    return;
  }
  const bool changes = route.call == RestCall::kSubmitJob || route.call == RestCall::kStopJob;
  if (changes && commands_.size() + compiling_ >= kMaxWaitingCommands) {
    request.respond(http_error(503, "too many changes are waiting; try again"));
    return;
  }
  if (route.call == RestCall::kSubmitJob) {
    compile(std::move(request), route.base_dir);
  } else if (route.call == RestCall::kStopJob) {
    commands_.push_back(StopCommand{route.job, std::move(request.respond)});
    decide();
  } else {
    request.respond(answer_now(route));
  }
}

HttpResponse Coordinator::answer_now(const RestRoute& route) {
  switch (route.call) {
    case RestCall::kHealth:
      return health_response();
    case RestCall::kMetrics:
      return metrics_response(probe_.render(*committed_, members_));
    case RestCall::kListJobs:
      return jobs_response(*committed_);
    case RestCall::kShowJob: {
      const auto* entry = find_job(*committed_, route.job);
      if (entry == nullptr) return http_error(404, "there is no job '" + route.job + "'");
      return job_response(*entry->job, job_status(*entry, members_, committed_->view_version));
    }
    default:
      return cluster_response(*committed_, members_, runtime_.monotonic_us());
  }
}

void Coordinator::compile(CoordinatorRequest request, const std::string& base_dir) {
  if (request.request.body.size() > static_cast<size_t>(config_.max_job_bytes)) {
    request.respond(http_error(413, "a job has at most " + std::to_string(config_.max_job_bytes) +
                                        " bytes (max-job-bytes)"));
    return;
  }
  ++compiling_;
  runtime_.run_blocking(kAgent, kCompileLane,
                        [yaml = std::move(request.request.body), base_dir,
                         not_after = runtime_.wall_us() + kMicrosPerDay,
                         respond = std::move(request.respond)]() -> std::unique_ptr<LocalPayload> {
                          auto out = std::make_unique<Compiled>();
                          out->respond = respond;
                          auto compiled = compile_job(yaml, base_dir);
                          out->errors = std::move(compiled.errors);
                          if (!out->errors.empty()) return out;
                          compiled.plan.set_yaml(yaml);
                          // Decided once, so that a replay decides alike.
                          for (proto::Source& source : *compiled.plan.mutable_sources()) {
                            if (source.not_after_us() == 0) source.set_not_after_us(not_after);
                          }
                          auto plan = Plan::from_proto(std::move(compiled.plan));
                          if (plan) {
                            out->plan = std::move(*plan);
                          } else {
                            out->errors.push_back({0, 0, "", plan.error().message()});
                          }
                          return out;
                        });
}

void Coordinator::on_compiled(Compiled compiled) {
  --compiling_;
  if (!compiled.errors.empty()) {
    compiled.respond(refused_job_response(compiled.errors));
    return;
  }
  commands_.push_back(SubmitCommand{std::move(compiled.plan), std::move(compiled.respond)});
  decide();
}

JobLimits Coordinator::job_limits() const {
  return {static_cast<size_t>(config_.max_jobs), static_cast<size_t>(config_.max_stopped_jobs)};
}

void Coordinator::decide() {
  const int64_t now = runtime_.monotonic_us();
  if (phase_ == Phase::kRecovering && (members_.all_reported() || now >= recovered_at_us_)) {
    phase_ = Phase::kServing;
  }
  if (phase_ != Phase::kServing || committing_) return;
  Draft draft(*committed_);
  Answers answers = apply_commands(&draft);
  draft.set_members(members_.alive());
  for (const auto job : draft.complete(members_)) {
    log_event(LogLevel::kInfo, "job_completed", {{"job", job.value}});
  }
  if (now >= settled_at_us_) probe_.moved_grants.add(draft.place());
  if (draft.changed()) {
    commit(std::move(draft), std::move(answers));
    return;
  }
  for (auto& [respond, response] : answers) respond(std::move(response));
}

Coordinator::Answers Coordinator::apply_commands(Draft* draft) {
  Answers answers;
  for (auto& command : commands_) {
    if (auto* submit = std::get_if<SubmitCommand>(&command)) {
      const auto id = draft->submit(std::move(submit->plan), runtime_.wall_us(), job_limits());
      answers.emplace_back(std::move(submit->respond),
                           id ? submitted_response(*draft->state().jobs.at(*id).job)
                              : http_error(409, id.error().message()));
    } else {
      auto& stop = std::get<StopCommand>(command);
      const auto id = draft->stop(stop.job, job_limits());
      answers.emplace_back(std::move(stop.respond),
                           id ? stopped_response(*id) : http_error(404, id.error().message()));
    }
  }
  commands_.clear();
  return answers;
}

void Coordinator::commit(Draft draft, Answers answers) {
  committing_ = true;
  const bool view_changed = draft.view_changed();
  auto after = std::make_shared<const CoordinatorState>(draft.take());
  runtime_.run_blocking(kAgent, kStoreLane,
                        [store = store_, before = committed_, after, view_changed,
                         answers = std::move(answers)]() -> std::unique_ptr<LocalPayload> {
                          auto out = std::make_unique<Committed>();
                          out->status = store->commit(*before, *after);
                          out->state = after;
                          out->view_changed = view_changed;
                          out->answers = answers;
                          return out;
                        });
}

void Coordinator::on_committed(Committed committed) {
  committing_ = false;
  if (!committed.status) {
    for (auto& [respond, response] : committed.answers) {
      respond(http_error(500, committed.status.error().message()));
    }
    phase_ = Phase::kLoading;  // decides and answers no more
    runtime_.stop(1, committed.status.error().message());
    return;
  }
  probe_.commits.add();
  committed_ = std::move(committed.state);
  if (committed.view_changed) {
    view_ = encode_cluster_view(*committed_, instance_);
    for (const auto& [node, info] : committed_->members) send_view(node);
  }
  for (auto& [respond, response] : committed.answers) respond(std::move(response));
  decide();
}

}  // namespace tidemill
