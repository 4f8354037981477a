// The coordinator's part in snapshots and savepoints: messages of workers and requests for people.
#include "coordinator/coordinator.h"
#include "coordinator/snapshot_rest.h"
#include "shared/obs/log.h"
#include "shared/snapshot/snapshots.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"

namespace tidemill {
namespace {

constexpr size_t kMaxReads = 16;
constexpr size_t kMaxWaitingCommands = 256;

HttpResponse no_job(const std::string& job) {
  return http_error(404, "there is no job '" + job + "'");
}

HttpResponse no_savepoint(const std::string& name) {
  return http_error(404,
                    "there is no savepoint '" + name + "'; /v1/savepoints lists those there are");
}

HttpResponse failed(const Error& error) {
  return http_error(error.code() == ErrorCode::kUser ? 404 : 409, error.message());
}

const Savepoint* find_savepoint(const CoordinatorState& state, const std::string& name) {
  const auto found = state.savepoints.find(name);
  return found == state.savepoints.end() ? nullptr : found->second.get();
}

HttpResponse no_key_partition(uint32_t k, uint32_t total) {
  return http_error(404, "there is no key partition " + std::to_string(k) + "; there are 0 to " +
                             std::to_string(total - 1));
}

// On the blocking pool.
HttpResponse read_manifests(SnapshotStorage* storage, uint32_t k,
                            const PartitionSnapshots& snapshots) {
  std::vector<ReadSnapshot> out;
  for (const auto& snapshot : snapshots) {
    ReadSnapshot read{snapshot, std::nullopt, ""};
    auto manifest = read_manifest(storage, snapshot.manifest);
    if (manifest) {
      read.manifest = std::move(*manifest);
    } else {
      read.problem = manifest.error().message();
    }
    out.push_back(std::move(read));
  }
  return contents_response(k, out);
}

}  // namespace

bool Coordinator::on_snapshot_message(const Message& message) {
  if (committed_ == nullptr) return false;
  if (message.type == kSnapshotTaken) {
    snapshots_.on_taken(message);
  } else if (message.type == kSnapshotQuery && phase_ == Phase::kServing) {
    snapshots_.on_query(message, *committed_);
  }
  return true;
}

void Coordinator::on_snapshot_request(CoordinatorRequest request, const SnapshotRoute& route) {
  switch (route.call) {
    case SnapshotCall::kTrigger:
    case SnapshotCall::kDeleteSavepoint:
      return change_snapshots(std::move(request), route);
    case SnapshotCall::kShowSnapshots:
    case SnapshotCall::kShowSavepointSnapshot:
      return read_contents(std::move(request), route);
    case SnapshotCall::kCheckJob:
    case SnapshotCall::kCheckSavepoint:
      return request.respond(start_check(route));
    case SnapshotCall::kListSnapshots:
    case SnapshotCall::kShowTrigger:
      return request.respond(show_snapshots(route));
    case SnapshotCall::kListSavepoints:
      return request.respond(savepoints_response(*committed_));
    case SnapshotCall::kShowSavepoint:
      return request.respond(show_savepoint(route));
    case SnapshotCall::kShowCheck: {
      const auto* check = snapshot_checks_.find(route.number);
      return request.respond(check != nullptr ? check_response(*check)
                                              : http_error(404, "there is no check of snapshots " +
                                                                    std::to_string(route.number) +
                                                                    "; the latest are remembered"));
    }
  }
}

HttpResponse Coordinator::show_snapshots(const SnapshotRoute& route) {
  const auto* entry = find_job(*committed_, route.job);
  if (entry == nullptr) return no_job(route.job);
  if (route.call == SnapshotCall::kListSnapshots) {
    return snapshots_response(*entry, runtime_.wall_us());
  }
  if (route.number == 0 || route.number > entry->job->snapshot_trigger) {
    return http_error(404, "job '" + entry->job->name + "' has handed out no trigger " +
                               std::to_string(route.number));
  }
  return trigger_response(*committed_, *entry, route.number);
}

HttpResponse Coordinator::show_savepoint(const SnapshotRoute& route) {
  const auto* savepoint = find_savepoint(*committed_, route.savepoint);
  return savepoint == nullptr ? no_savepoint(route.savepoint) : savepoint_response(*savepoint);
}

HttpResponse Coordinator::start_check(const SnapshotRoute& route) {
  std::string what;
  std::vector<CheckedManifest> manifests;
  if (route.call == SnapshotCall::kCheckSavepoint) {
    const auto* savepoint = find_savepoint(*committed_, route.savepoint);
    if (savepoint == nullptr) return no_savepoint(route.savepoint);
    what = "savepoint " + savepoint->name;
    manifests = manifests_to_check(*savepoint);
  } else {
    const auto* entry = find_job(*committed_, route.job);
    if (entry == nullptr) return no_job(route.job);
    const uint32_t total = entry->job->plan->key_partitions();
    if (route.key_partition.value_or(0) >= total) {
      return no_key_partition(*route.key_partition, total);
    }
    what = "job " + entry->job->name;
    manifests = manifests_to_check(*entry, route.key_partition);
  }
  const auto id = snapshot_checks_.start(std::move(what), std::move(manifests));
  return id ? started_check_response(*id) : http_error(503, id.error().message());
}

void Coordinator::read_contents(CoordinatorRequest request, const SnapshotRoute& route) {
  const uint32_t k = route.key_partition.value_or(0);
  PartitionSnapshots snapshots;
  uint32_t total = 0;
  if (route.call == SnapshotCall::kShowSnapshots) {
    const auto* entry = find_job(*committed_, route.job);
    if (entry == nullptr) return request.respond(no_job(route.job));
    total = entry->job->plan->key_partitions();
    if (entry->snapshots != nullptr) snapshots = entry->snapshots->of(k);
  } else {
    const auto* savepoint = find_savepoint(*committed_, route.savepoint);
    if (savepoint == nullptr) return request.respond(no_savepoint(route.savepoint));
    if (!savepoint->complete) {
      return request.respond(
          http_error(409, "savepoint '" + savepoint->name + "' is not complete yet"));
    }
    total = savepoint->plan->key_partitions();
    if (k < total) snapshots = {savepoint->snapshots[k]};
  }
  if (k >= total) return request.respond(no_key_partition(k, total));
  if (config_.snapshots == nullptr || reading_ >= kMaxReads) {
    return request.respond(http_error(503, "too many others are reading; try again"));
  }
  ++reading_;
  runtime_.run_blocking(kAgent, kSnapshotLane,
                        [storage = config_.snapshots, k, snapshots,
                         respond = std::move(request.respond)]() -> std::unique_ptr<LocalPayload> {
                          auto out = std::make_unique<FinishedRead>();
                          out->respond = respond;
                          out->response = read_manifests(storage.get(), k, snapshots);
                          return out;
                        });
}

void Coordinator::change_snapshots(CoordinatorRequest request, const SnapshotRoute& route) {
  if (commands_.size() + compiling_ >= kMaxWaitingCommands) {
    return request.respond(http_error(503, "too many changes are waiting; try again"));
  }
  std::string savepoint = route.savepoint;
  if (route.call == SnapshotCall::kTrigger) {
    auto name = read_trigger_body(request.request.body);
    if (!name) return request.respond(http_error(400, name.error().message()));
    savepoint = std::move(*name);
  }
  commands_.push_back(SnapshotCommand{route, std::move(savepoint), std::move(request.respond)});
  decide();
}

HttpResponse Coordinator::apply_snapshot_command(const SnapshotCommand& command, Draft* draft) {
  if (command.route.call == SnapshotCall::kDeleteSavepoint) {
    const auto deleted = draft->delete_savepoint(command.savepoint);
    if (!deleted) return failed(deleted.error());
    log_event(LogLevel::kInfo, "savepoint_deleted", {{"savepoint", command.savepoint}});
    return deleted_savepoint_response(command.savepoint);
  }
  const auto triggered =
      draft->trigger_snapshot(command.route.job, command.savepoint, runtime_.wall_us());
  if (!triggered) return failed(triggered.error());
  log_event(LogLevel::kInfo, "snapshot_triggered",
            {{"job", triggered->job.value},
             {"trigger", triggered->trigger},
             {"savepoint", command.savepoint}});
  return triggered_response(*triggered, command.savepoint);
}

}  // namespace tidemill
