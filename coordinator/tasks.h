// What the blocking pool answers the coordinator.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/coordinator_state.h"
#include "coordinator/decision.h"
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
inline constexpr uint16_t kBlockingThreads = 4;

using Answers = std::vector<std::pair<HttpResponder, HttpResponse>>;

struct LoadedState : LocalPayload {
  explicit LoadedState(Result<CoordinatorState> s) : state(std::move(s)) {}
  Result<CoordinatorState> state;
};

// A job as submitted, bound to its sources; or all that is wrong with it.
struct CompiledPlan : LocalPayload {
  std::vector<JobError> errors;
  std::shared_ptr<const Plan> plan;
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
