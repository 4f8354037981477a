#include "coordinator/probe.h"

#include "coordinator/job_status.h"

namespace tidemill {

CoordinatorProbe::CoordinatorProbe(MetricsRegistry* registry)
    : heartbeats(registry->counter("tidemill_coordinator_heartbeats_total",
                                   "Heartbeats of members received")),
      joins(registry->counter("tidemill_coordinator_joins_total", "Members that have joined")),
      deaths(registry->counter("tidemill_coordinator_deaths_total", "Members declared dead")),
      fenced(registry->counter("tidemill_coordinator_fenced_total",
                               "Heartbeats answered by the order to end")),
      refused(registry->counter("tidemill_coordinator_refused_heartbeats_total",
                                "Heartbeats that made no sense or found no room")),
      commits(registry->counter("tidemill_coordinator_commits_total",
                                "States made durable in the metadata store")),
      moved_grants(registry->counter("tidemill_coordinator_moved_grants_total",
                                     "Grants of partitions given to another owner")),
      requests(registry->counter("tidemill_coordinator_requests_total", "REST requests")),
      registry_(registry) {}

std::string CoordinatorProbe::render(const CoordinatorState& state,
                                     const MembershipTable& members) {
  double workers = 0;
  double stores = 0;
  for (const auto& [node, member] : members.entries()) {
    if (!member.alive) continue;
    (member.info.role == MemberRole::kStore ? stores : workers) += 1;
  }
  const std::string help = "Members alive, by role";
  registry_->gauge("tidemill_coordinator_members", help, {{"role", "worker"}}).set(workers);
  registry_->gauge("tidemill_coordinator_members", help, {{"role", "store"}}).set(stores);
  registry_->gauge("tidemill_coordinator_view_version", "Version of the newest view")
      .set(static_cast<double>(state.view_version));
  registry_->gauge("tidemill_coordinator_generation", "Starts of a coordinator on these metadata")
      .set(static_cast<double>(state.generation));
  double live = 0;
  for (const auto& [id, entry] : state.jobs) {  // a live job is the newest of its name
    live += entry.job->live() ? 1 : 0;
    set_job(entry, members);
  }
  registry_->gauge("tidemill_coordinator_jobs", "Jobs not stopped").set(live);
  return registry_->render();
}

void CoordinatorProbe::set_job(const JobEntry& entry, const MembershipTable& members) {
  JobStatus status;  // all 0 once it is stopped: metrics are never removed
  if (entry.job->live()) status = job_status(entry, members, 0);
  const MetricLabels labels{{"job", entry.job->name}};
  const auto set = [&](const char* name, const char* help, uint64_t value) {
    registry_->gauge(name, help, labels).set(static_cast<double>(value));
  };
  set("tidemill_coordinator_job_unowned_partitions", "Key partitions that nobody owns",
      status.key_partitions - status.owned);
  set("tidemill_coordinator_job_store_ready_partitions", "Key partitions that every store holds",
      status.store_ready);
  set("tidemill_coordinator_job_rows", "Rows in the workers' state", status.rows);
  set("tidemill_coordinator_job_keys", "Entity keys in the workers' state", status.keys);
  set("tidemill_coordinator_job_state_bytes", "Bytes of the workers' state", status.state_bytes);
  set("tidemill_coordinator_job_too_late_rows", "Rows that came too late for any read",
      status.too_late_rows);
  uint64_t bad = 0;
  uint64_t stuck = 0;
  for (const auto& source : status.sources) {
    bad += source.bad_records;
    stuck += source.error.empty() ? 0 : 1;
  }
  set("tidemill_coordinator_job_bad_records", "Bad records read by the present readers", bad);
  set("tidemill_coordinator_job_stuck_sources", "Source partitions that stand still on an error",
      stuck);
}

}  // namespace tidemill
