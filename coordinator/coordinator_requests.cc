// The coordinator's REST requests: what is answered at once, what reads on the blocking pool, and
// what becomes a command of the next decision.
#include "coordinator/coordinator.h"
#include "coordinator/node_text.h"
#include "coordinator/savepoint_plan.h"
#include "coordinator/standby_answer.h"
#include "shared/dead_letter/dead_letter_query.h"
#include "shared/net/query_string.h"
#include "shared/obs/log.h"
#include "shared/plan/yaml_job.h"
#include "shared/wire/actors.h"

namespace tidemill {
namespace {

constexpr size_t kMaxWaitingCommands = 256;
constexpr size_t kMaxReads = 16;

// On the blocking pool.
CompiledPlan compile_and_bind(const std::string& yaml, const std::string& base_dir,
                              SourceCatalog* catalog, TimeUs not_after, const Savepoint* from) {
  CompiledPlan out;
  auto compiled = compile_job(yaml, base_dir);
  out.errors = std::move(compiled.errors);
  if (!out.errors.empty()) return out;
  compiled.plan.set_yaml(yaml);
  out.errors = from == nullptr ? bind_sources(catalog, not_after, &compiled.plan)
                               : bind_from_savepoint(catalog, not_after, *from, &compiled.plan);
  if (!out.errors.empty()) return out;
  auto plan = Plan::from_proto(std::move(compiled.plan));
  if (!plan) {
    out.errors.push_back({0, 0, "", plan.error().message()});
    return out;
  }
  out.plan = std::move(*plan);
  if (from != nullptr && !reads_state_of(*out.plan, *from)) {
    out.errors.push_back(
        {0, 0, "views",
         "the rows that they need have another form than those of savepoint '" + from->name + "'"});
  }
  return out;
}

HttpResponse unavailable() {
  return http_error(503, "the coordinator is starting and waits for its members; try again");
}

}  // namespace

void Coordinator::on_request(CoordinatorRequest request) {
  probe_.requests.add();
  auto routed = route_request(request.request);
  if (auto* response = std::get_if<HttpResponse>(&routed)) {
    request.respond(std::move(*response));
    return;
  }
  const auto& route = std::get<RestRoute>(routed);
  if (route.call == RestCall::kMetrics) {
    static const CoordinatorState kNothing;  // of one that stands by
    request.respond(metrics_response(probe_.render(committed_ == nullptr ? kNothing : *committed_,
                                                   members_, readers_, runtime_.wall_us())));
    return;
  }
  if (phase_ == Phase::kStandby) {
    request.respond(standby_answer(request.request, leader_));
    return;
  }
  if (committed_ == nullptr) {
    request.respond(unavailable());
    return;
  }
  switch (route.call) {
    case RestCall::kSubmitJob:
    case RestCall::kStopJob:
    case RestCall::kUpdateJob:
    case RestCall::kPlanUpdate:
    case RestCall::kMoveReader:
    case RestCall::kDrain:
    case RestCall::kUndrain:
    case RestCall::kRebalance:
      return change(std::move(request), route);
    case RestCall::kDeadLetters:
      return answer_dead_letters(std::move(request), route);
    case RestCall::kSnapshots:
      return on_snapshot_request(std::move(request), route.snapshot);
    default:
      request.respond(answer_now(route));
  }
}

void Coordinator::change(CoordinatorRequest request, const RestRoute& route) {
  if (commands_.size() + compiling_ >= kMaxWaitingCommands) {
    request.respond(http_error(503, "too many changes are waiting; try again"));
    return;
  }
  if (route.call == RestCall::kSubmitJob) {
    compile(std::move(request), route);
    return;
  }
  if (route.call == RestCall::kUpdateJob || route.call == RestCall::kPlanUpdate) {
    compile_update(std::move(request), route);
    return;
  }
  if (route.call == RestCall::kStopJob) {
    commands_.push_back(StopCommand{route.job, std::move(request.respond)});
  } else if (route.call == RestCall::kRebalance) {
    commands_.push_back(RebalanceCommand{route.job, std::move(request.respond)});
  } else if (route.call == RestCall::kDrain || route.call == RestCall::kUndrain) {
    const bool undo = route.call == RestCall::kUndrain;
    commands_.push_back(DrainCommand{route.node, undo, std::move(request.respond)});
  } else {
    const auto to = read_move_body(request.request.body);
    if (!to) {
      request.respond(http_error(400, to.error().message()));
      return;
    }
    commands_.push_back(
        MoveCommand{route.job, route.source_partition, *to, std::move(request.respond)});
  }
  decide();
}

// Also of jobs that have failed or were stopped: their dead letters stay.
void Coordinator::answer_dead_letters(CoordinatorRequest request, const RestRoute& route) {
  const auto* entry = find_job(*committed_, route.job);
  if (entry == nullptr) {
    request.respond(http_error(404, "there is no job '" + route.job + "'"));
    return;
  }
  auto query = parse_dead_letter_query(parse_query(request.request.target));
  if (!query) {
    request.respond(http_error(400, query.error().message()));
    return;
  }
  if (reading_ >= kMaxReads) {
    request.respond(http_error(503, "too many others are reading dead letters; try again"));
    return;
  }
  ++reading_;
  runtime_.run_blocking(kAgent, kDeadLetterLane,
                        [directory = config_.dead_letters, name = entry->job->name,
                         id = entry->job->id, query = std::move(*query),
                         respond = std::move(request.respond)]() -> std::unique_ptr<LocalPayload> {
                          auto out = std::make_unique<FinishedRead>();
                          out->respond = respond;
                          const auto page = read_dead_letters(directory, name, id, query);
                          if (page) {
                            out->response.body = to_json(*page, query);
                          } else {
                            const bool wrong = page.error().code() == ErrorCode::kUser;
                            out->response = http_error(wrong ? 400 : 500, page.error().message());
                          }
                          return out;
                        });
}

HttpResponse Coordinator::answer_now(const RestRoute& route) {
  switch (route.call) {
    case RestCall::kHealth:
      return health_response();
    case RestCall::kListJobs:
      return jobs_response(*committed_);
    case RestCall::kShowJob:
      return show_job(route.job);
    case RestCall::kPlanRebalance:
      return plan_rebalance(route.job);
    case RestCall::kShowRebalance:
      return show_rebalance();
    default:
      return cluster_response(*committed_, members_, runtime_.monotonic_us());
  }
}

HttpResponse Coordinator::show_job(const std::string& name_or_id) {
  const auto* entry = find_job(*committed_, name_or_id);
  if (entry == nullptr) return http_error(404, "there is no job '" + name_or_id + "'");
  static const ReadersBefore kNobody;
  const auto readers = readers_.find(entry->job->id);
  const auto status = job_status(*entry, members_, committed_->view_version,
                                 readers == readers_.end() ? kNobody : readers->second);
  const auto discovery = discovery_errors_.find(entry->job->id);
  return job_response(*entry, status, runtime_.wall_us(),
                      discovery == discovery_errors_.end() ? "" : discovery->second);
}

bool Coordinator::too_long(const CoordinatorRequest& request) const {
  if (request.request.body.size() <= static_cast<size_t>(config_.max_job_bytes)) return false;
  request.respond(http_error(413, "a job has at most " + std::to_string(config_.max_job_bytes) +
                                      " bytes (max-job-bytes)"));
  return true;
}

void Coordinator::compile(CoordinatorRequest request, const RestRoute& route) {
  if (too_long(request)) return;
  std::shared_ptr<const Savepoint> from;
  if (!route.from_savepoint.empty()) {
    const auto found = committed_->savepoints.find(route.from_savepoint);
    if (found == committed_->savepoints.end() || !found->second->complete) {
      request.respond(http_error(404, "there is no complete savepoint '" + route.from_savepoint +
                                          "'; /v1/savepoints lists them"));
      return;
    }
    from = found->second;
  }
  ++compiling_;
  runtime_.run_blocking(kAgent, kCompileLane,
                        [yaml = std::move(request.request.body), base_dir = route.base_dir, from,
                         catalog = catalog_, not_after = runtime_.wall_us() + kMicrosPerDay,
                         respond = std::move(request.respond)]() -> std::unique_ptr<LocalPayload> {
                          auto out = std::make_unique<CompiledPlan>(compile_and_bind(
                              yaml, base_dir, catalog.get(), not_after, from.get()));
                          out->from = from;
                          out->respond = respond;
                          return out;
                        });
}

void Coordinator::on_compiled(CompiledPlan compiled) {
  --compiling_;
  if (!compiled.errors.empty()) {
    compiled.respond(refused_job_response(compiled.errors));
    return;
  }
  commands_.push_back(SubmitCommand{std::move(compiled.plan), std::move(compiled.from),
                                    std::move(compiled.respond)});
  decide();
}

void Coordinator::compile_update(CoordinatorRequest request, const RestRoute& route) {
  if (too_long(request)) return;
  ++compiling_;
  runtime_.run_blocking(kAgent, kCompileLane,
                        [yaml = std::move(request.request.body), base_dir = route.base_dir,
                         job = route.job, plan_only = route.call == RestCall::kPlanUpdate,
                         respond = std::move(request.respond)]() -> std::unique_ptr<LocalPayload> {
                          auto out = std::make_unique<CompiledUpdate>();
                          out->job = job;
                          out->plan_only = plan_only;
                          out->compiled = compile_job(yaml, base_dir, InputFiles::kMayBeGone);
                          out->respond = respond;
                          return out;
                        });
}

void Coordinator::on_compiled(CompiledUpdate compiled) {
  --compiling_;
  if (!compiled.compiled.errors.empty()) {
    compiled.respond(refused_job_response(compiled.compiled.errors));
    return;
  }
  commands_.push_back(UpdateCommand{std::move(compiled.job), compiled.plan_only,
                                    std::move(compiled.compiled.plan),
                                    std::move(compiled.respond)});
  decide();
}

HttpResponse Coordinator::update(const UpdateCommand& command, Draft* draft) {
  const auto evolution = draft->update(command.job, command.wanted, command.plan_only);
  if (!evolution) {
    const bool unknown = evolution.error().code() == ErrorCode::kUser;
    return http_error(unknown ? 404 : 409, evolution.error().message());
  }
  const JobRecord& job = *find_job(draft->state(), command.job)->job;
  if (!command.plan_only && job.plan == evolution->plan) {
    log_event(LogLevel::kInfo, "job_updated",
              {{"job", job.id.value},
               {"name", job.name},
               {"revision", job.plan->proto().revision()},
               {"differences", evolution->differences.size()}});
  }
  return updated_response(job, *evolution, command.plan_only);
}

Answers Coordinator::apply_commands(Draft* draft) {
  Answers answers;
  for (auto& command : commands_) {
    if (auto* submit = std::get_if<SubmitCommand>(&command)) {
      const auto id = draft->submit(std::move(submit->plan), runtime_.wall_us(), job_limits(),
                                    submit->from.get());
      answers.emplace_back(std::move(submit->respond),
                           id ? submitted_response(*draft->state().jobs.at(*id).job)
                              : http_error(409, id.error().message()));
    } else if (auto* changed = std::get_if<UpdateCommand>(&command)) {
      auto response = update(*changed, draft);
      answers.emplace_back(std::move(changed->respond), std::move(response));
    } else if (auto* stop = std::get_if<StopCommand>(&command)) {
      const auto id = draft->stop(stop->job, job_limits());
      answers.emplace_back(std::move(stop->respond),
                           id ? stopped_response(*id) : http_error(404, id.error().message()));
    } else if (auto* drain_command = std::get_if<DrainCommand>(&command)) {
      auto response = drain(*drain_command, draft);
      answers.emplace_back(std::move(drain_command->respond), std::move(response));
    } else if (auto* rebalance_command = std::get_if<RebalanceCommand>(&command)) {
      auto response = rebalance(*rebalance_command, draft);
      answers.emplace_back(std::move(rebalance_command->respond), std::move(response));
    } else if (auto* snapshot = std::get_if<SnapshotCommand>(&command)) {
      auto response = apply_snapshot_command(*snapshot, draft);
      answers.emplace_back(std::move(snapshot->respond), std::move(response));
    } else {
      auto& move = std::get<MoveCommand>(command);
      auto response = move_reader(move, draft);
      answers.emplace_back(std::move(move.respond), std::move(response));
    }
  }
  commands_.clear();
  return answers;
}

HttpResponse Coordinator::move_reader(const MoveCommand& move, Draft* draft) {
  // A worker that is dead is none to move a reader to, though it is in the committed state.
  draft->set_members(members_.alive());
  const auto grant = draft->move_reader(move.job, move.source_partition, move.to);
  if (!grant) {
    const bool unknown = grant.error().code() == ErrorCode::kUser;
    return http_error(unknown ? 404 : 409, grant.error().message());
  }
  probe_.moved_grants.add();
  const JobId job = find_job(draft->state(), move.job)->job->id;
  log_event(LogLevel::kInfo, "reader_moved",
            {{"job", job.value},
             {"source_partition", move.source_partition},
             {"to", node_text(grant->node)}});
  return moved_response(job, move.source_partition, *grant);
}

}  // namespace tidemill
