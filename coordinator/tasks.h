// What the blocking pool answers the coordinator.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/coordinator_state.h"
#include "coordinator/decision.h"
#include "coordinator/leader_election.h"
#include "shared/base/result.h"
#include "shared/net/http_server.h"
#include "shared/plan/yaml_job.h"
#include "shared/runtime/runtime.h"

namespace tidemill {

// Lanes of the blocking pool. The process has a thread for each: none of them waits for another,
// so a broker that cannot be reached holds up no decision.
inline constexpr uint64_t kStoreLane = 1;
inline constexpr uint64_t kCompileLane = 2;
inline constexpr uint64_t kDiscoverLane = 3;
inline constexpr uint64_t kDeadLetterLane = 4;
inline constexpr uint64_t kElectionLane = 5;
inline constexpr uint64_t kSnapshotLane = 6;  // reads snapshot storage
inline constexpr uint64_t kRemovalLane = 7;   // removes from it
inline constexpr uint16_t kBlockingThreads = 7;

using Answers = std::vector<std::pair<HttpResponder, HttpResponse>>;

struct LoadedState : LocalPayload {
  explicit LoadedState(Result<CoordinatorState> s) : state(std::move(s)) {}
  Result<CoordinatorState> state;
};

// An attempt to lead, or to go on leading; when it began by the coordinator's clock.
struct StoodForLeader : LocalPayload {
  StoodForLeader(Result<Candidacy> o, int64_t at) : outcome(std::move(o)), began_at_us(at) {}
  Result<Candidacy> outcome;
  int64_t began_at_us;
};
struct RenewedLeadership : LocalPayload {
  RenewedLeadership(Status s, int64_t at) : status(std::move(s)), began_at_us(at) {}
  Status status;
  int64_t began_at_us;
};

// A job as submitted, bound to its sources; or all that is wrong with it.
struct CompiledPlan : LocalPayload {
  std::vector<JobError> errors;
  std::shared_ptr<const Plan> plan;
  std::shared_ptr<const Savepoint> from;  // null: it starts with nothing
  HttpResponder respond;
};

// A definition of a job that runs, or all that is wrong with it. It is bound as the job is.
struct CompiledUpdate : LocalPayload {
  std::string job;
  bool plan_only = false;
  CompiledJob compiled;
  HttpResponder respond;
};

struct CommittedState : LocalPayload {
  Status status;
  std::shared_ptr<const CoordinatorState> state;
  bool view_changed = false;
  Answers answers;
};

struct DiscoveredSources : LocalPayload {
  std::vector<FoundSource> found;
  std::map<JobId, std::string> errors;
};

// The answer to a request that only reads.
struct FinishedRead : LocalPayload {
  HttpResponder respond;
  HttpResponse response;
};

}  // namespace tidemill
