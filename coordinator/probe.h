// The coordinator's metrics; docs/coordinator.md lists them.
#pragma once

#include "coordinator/coordinator_state.h"
#include "coordinator/job_status.h"
#include "coordinator/membership.h"
#include "shared/obs/metrics.h"

namespace tidemill {

class CoordinatorProbe {
 public:
  explicit CoordinatorProbe(MetricsRegistry* registry);

  Counter& heartbeats;
  Counter& joins;
  Counter& deaths;
  Counter& fenced;
  Counter& refused;
  Counter& commits;
  Counter& moved_grants;
  Counter& moves_done;
  Counter& moves_dropped;
  Counter& requests;
  Counter& snapshots_registered;
  Counter& snapshots_refused;
  Counter& objects_removed;
  Counter& removal_failures;

  // Gauges from the durable state and the newest reports, then everything as Prometheus text.
  // `readers`: by job, what its readers said last; `now`: wall clock.
  std::string render(const CoordinatorState& state, const MembershipTable& members,
                     const std::map<JobId, ReadersBefore>& readers, TimeUs now);

 private:
  void set_job(const JobRecord& job, const JobStatus& status);

  MetricsRegistry* registry_;
};

}  // namespace tidemill
