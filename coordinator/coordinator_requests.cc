// The coordinator's REST requests: what is answered at once, what reads on the blocking pool, and
// what becomes a command of the next decision.
#include "coordinator/coordinator.h"
#include "coordinator/node_text.h"
#include "shared/dead_letter/dead_letter_query.h"
#include "shared/net/query_string.h"
#include "shared/obs/log.h"
#include "shared/plan/yaml_job.h"
#include "shared/wire/actors.h"

namespace tidemill {
namespace {

constexpr size_t kMaxWaitingCommands = 256;
constexpr size_t kMaxLetterReads = 16;

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
  if (committed_ == nullptr) {
    request.respond(unavailable());
    return;
  }
  switch (route.call) {
    case RestCall::kSubmitJob:
    case RestCall::kStopJob:
    case RestCall::kMoveReader:
      return change(std::move(request), route);
    case RestCall::kDeadLetters:
      return answer_dead_letters(std::move(request), route);
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
    compile(std::move(request), route.base_dir);
    return;
  }
  if (route.call == RestCall::kStopJob) {
    commands_.push_back(StopCommand{route.job, std::move(request.respond)});
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
  if (reading_letters_ >= kMaxLetterReads) {
    request.respond(http_error(503, "too many others are reading dead letters; try again"));
    return;
  }
  ++reading_letters_;
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
    case RestCall::kMetrics:
      return metrics_response(probe_.render(*committed_, members_, readers_));
    case RestCall::kListJobs:
      return jobs_response(*committed_);
    case RestCall::kShowJob:
      return show_job(route.job);
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
  return job_response(*entry->job, status,
                      discovery == discovery_errors_.end() ? "" : discovery->second);
}

void Coordinator::compile(CoordinatorRequest request, const std::string& base_dir) {
  if (request.request.body.size() > static_cast<size_t>(config_.max_job_bytes)) {
    request.respond(http_error(413, "a job has at most " + std::to_string(config_.max_job_bytes) +
                                        " bytes (max-job-bytes)"));
    return;
  }
  ++compiling_;
  runtime_.run_blocking(kAgent, kCompileLane,
                        [yaml = std::move(request.request.body), base_dir, catalog = catalog_,
                         not_after = runtime_.wall_us() + kMicrosPerDay,
                         respond = std::move(request.respond)]() -> std::unique_ptr<LocalPayload> {
                          auto out = std::make_unique<CompiledPlan>();
                          out->respond = respond;
                          auto compiled = compile_job(yaml, base_dir);
                          out->errors = std::move(compiled.errors);
                          if (!out->errors.empty()) return out;
                          compiled.plan.set_yaml(yaml);
                          out->errors = bind_sources(catalog.get(), not_after, &compiled.plan);
                          if (!out->errors.empty()) return out;
                          auto plan = Plan::from_proto(std::move(compiled.plan));
                          if (plan) {
                            out->plan = std::move(*plan);
                          } else {
                            out->errors.push_back({0, 0, "", plan.error().message()});
                          }
                          return out;
                        });
}

void Coordinator::on_compiled(CompiledPlan compiled) {
  --compiling_;
  if (!compiled.errors.empty()) {
    compiled.respond(refused_job_response(compiled.errors));
    return;
  }
  commands_.push_back(SubmitCommand{std::move(compiled.plan), std::move(compiled.respond)});
  decide();
}

Answers Coordinator::apply_commands(Draft* draft) {
  Answers answers;
  for (auto& command : commands_) {
    if (auto* submit = std::get_if<SubmitCommand>(&command)) {
      const auto id = draft->submit(std::move(submit->plan), runtime_.wall_us(), job_limits());
      answers.emplace_back(std::move(submit->respond),
                           id ? submitted_response(*draft->state().jobs.at(*id).job)
                              : http_error(409, id.error().message()));
    } else if (auto* stop = std::get_if<StopCommand>(&command)) {
      const auto id = draft->stop(stop->job, job_limits());
      answers.emplace_back(std::move(stop->respond),
                           id ? stopped_response(*id) : http_error(404, id.error().message()));
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
