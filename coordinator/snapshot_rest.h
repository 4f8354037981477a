// The REST API of snapshots and savepoints: which call a request is, and what the answers look
// like. Reference: docs/coordinator.md. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "coordinator/coordinator_state.h"
#include "coordinator/savepoints.h"
#include "coordinator/snapshot_checks.h"
#include "coordinator/snapshot_registry.h"
#include "proto/state.pb.h"
#include "shared/net/http_server.h"

namespace tidemill {

enum class SnapshotCall {
  kListSnapshots,
  kTrigger,
  kShowTrigger,
  kShowSnapshots,  // of one key partition, with what their manifests say
  kCheckJob,
  kShowCheck,
  kListSavepoints,
  kShowSavepoint,
  kDeleteSavepoint,
  kShowSavepointSnapshot,
  kCheckSavepoint,
};

struct SnapshotRoute {
  SnapshotCall call{};
  std::string job;                        // name or id, of calls about a job
  std::string savepoint;                  // of calls about one
  std::optional<uint32_t> key_partition;  // of calls about one, and of kCheckJob if it is given
  uint64_t number = 0;                    // of kShowTrigger and kShowCheck
};

// Nothing if the path is none of snapshots. A wrong method is answered 405, a bad parameter 400.
std::optional<std::variant<SnapshotRoute, HttpResponse>> snapshot_route(const HttpRequest& request);

// The body of kTrigger: nothing, or {"name": "<of a savepoint>"}. Empty: no savepoint. kUser.
Result<std::string> read_trigger_body(const std::string& body);

HttpResponse snapshots_response(const JobEntry& entry, TimeUs now);
HttpResponse triggered_response(const Triggered& triggered, const std::string& savepoint);
// How far a trigger is that the job has handed out.
HttpResponse trigger_response(const CoordinatorState& state, const JobEntry& entry,
                              uint64_t trigger);
HttpResponse savepoints_response(const CoordinatorState& state);
HttpResponse savepoint_response(const Savepoint& savepoint);
HttpResponse deleted_savepoint_response(const std::string& name);
HttpResponse started_check_response(uint64_t id);
HttpResponse check_response(const SnapshotCheck& check);

// A snapshot and its manifest as read from storage, or why it cannot be.
struct ReadSnapshot {
  RegisteredSnapshot snapshot;
  std::optional<proto::StateManifest> manifest;
  std::string problem;
};
HttpResponse contents_response(uint32_t key_partition, const std::vector<ReadSnapshot>& snapshots);

}  // namespace tidemill
