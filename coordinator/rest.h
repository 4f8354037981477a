// The coordinator's REST API without the actor and without sockets: which call a request is, and
// what the answers look like. Reference: docs/coordinator.md. Pure functions.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "coordinator/coordinator_state.h"
#include "coordinator/job_status.h"
#include "coordinator/membership.h"
#include "coordinator/node_text.h"
#include "coordinator/snapshot_rest.h"
#include "shared/evolution/evolution.h"
#include "shared/net/http_server.h"
#include "shared/plan/yaml_job.h"

namespace tidemill {

enum class RestCall {
  kCluster,
  kListJobs,
  kSubmitJob,
  kShowJob,
  kStopJob,
  kUpdateJob,
  kPlanUpdate,
  kMoveReader,
  kDrain,
  kUndrain,
  kRebalance,
  kPlanRebalance,
  kShowRebalance,
  kDeadLetters,
  kSnapshots,
  kHealth,
  kMetrics
};

struct RestRoute {
  RestCall call{};
  std::string job;                // name or id, of calls about one job; of kRebalance empty: all
  std::string base_dir;           // of kSubmitJob, kUpdateJob and kPlanUpdate; absolute
  uint32_t source_partition = 0;  // of kMoveReader
  std::string from_savepoint{};   // of kSubmitJob; empty: none
  SnapshotRoute snapshot{};       // of kSnapshots
  NodeId node{};                  // of kDrain and kUndrain
};

// An unknown path is answered 404, a wrong method 405, and a bad parameter 400.
std::variant<RestRoute, HttpResponse> route_request(const HttpRequest& request);

HttpResponse cluster_response(const CoordinatorState& state, const MembershipTable& members,
                              int64_t now_us);
HttpResponse jobs_response(const CoordinatorState& state);
// `discovery_error`: why followed patterns could not be looked at; empty if they could.
HttpResponse job_response(const JobEntry& entry, const JobStatus& status, TimeUs now,
                          const std::string& discovery_error = {});
HttpResponse submitted_response(const JobRecord& job);
HttpResponse stopped_response(JobId job);
// 200, or 409 if something is refused and it was not only to be planned.
HttpResponse updated_response(const JobRecord& job, const Evolution& evolution, bool plan_only);
HttpResponse moved_response(JobId job, uint32_t source_partition, const PartitionGrant& grant);
HttpResponse health_response();
HttpResponse metrics_response(std::string text);
HttpResponse refused_job_response(const std::vector<JobError>& errors);

// The body of kMoveReader: nothing, or {"to": "<node>"}. Node 0: nobody is named. kUser.
Result<NodeId> read_move_body(const std::string& body);

}  // namespace tidemill
