#include "coordinator/probe.h"

#include <functional>

#include "coordinator/node_text.h"
#include "coordinator/snapshot_metrics.h"
#include "shared/dead_letter/dead_letter.h"

namespace tidemill {
namespace {

// A live job and how it is doing.
struct Shown {
  const JobRecord* job = nullptr;
  JobStatus status;
};

constexpr BadReason kReasons[] = {BadReason::kUnparsable, BadReason::kOversized, BadReason::kFuture,
                                  BadReason::kExpression};

void add_dead_letters(const std::vector<Shown>& jobs, GaugeText* out) {
  out->family("tidemill_coordinator_job_dead_letters", "Dead letters in storage");
  for (const auto& [job, status] : jobs) {
    std::map<std::pair<std::string, std::string>, uint64_t> sums;  // by (source, reason)
    for (const SourceStatus& source : status.sources) {
      for (const BadReason reason : kReasons) sums[{source.source, reason_name(reason)}] += 0;
      for (const auto& [what, records] : source.dead_letters) {
        sums[{source.source, what.first}] += records;
      }
    }
    for (const auto& [what, records] : sums) {
      out->sample({{"job", job->name}, {"source", what.first}, {"reason", what.second}},
                  static_cast<double>(records));
    }
  }
}

// Of those alive: the text of a member that has died would stay for ever otherwise.
void add_members(const MembershipTable& members, const char* name, const char* help,
                 uint64_t (*value)(const proto::Heartbeat&), GaugeText* out) {
  out->family(name, help);
  for (const auto& [node, member] : members.entries()) {
    if (!member.alive) continue;
    const bool store = member.info.role == MemberRole::kStore;
    out->sample({{"node", node_text(node)}, {"role", store ? "store" : "worker"}},
                static_cast<double>(value(member.report)));
  }
}

// Beside the role the consumer; the sum of all is what the process takes.
void add_memory(const MembershipTable& members, GaugeText* out) {
  out->family("tidemill_memory_bytes", "Memory of a member's process, by what takes it");
  for (const auto& [node, member] : members.entries()) {
    if (!member.alive) continue;
    const bool store = member.info.role == MemberRole::kStore;
    for (const proto::MemoryUse& use : member.report.memory()) {
      out->sample({{"node", node_text(node)},
                   {"role", store ? "store" : "worker"},
                   {"consumer", use.consumer()}},
                  static_cast<double>(use.bytes()));
    }
  }
}

void add_views(const std::vector<Shown>& jobs, GaugeText* out) {
  out->family("tidemill_coordinator_view_too_late_rows",
              "Rows that came too late for the view's features");
  for (const auto& [job, status] : jobs) {
    for (const ViewSpec& view : job->plan->views()) {
      if (view.number >= status.too_late_by_view.size()) continue;
      out->sample({{"job", job->name}, {"view", view.name}},
                  static_cast<double>(status.too_late_by_view[view.number]));
    }
  }
}

using Figure = std::function<std::optional<uint64_t>(const SourceStatus&)>;

void add_sources(const std::vector<Shown>& jobs, const char* name, const char* help,
                 const Figure& figure, GaugeText* out) {
  out->family(name, help);
  for (const auto& [job, status] : jobs) {
    for (const SourceStatus& source : status.sources) {
      const auto value = figure(source);
      if (!value) continue;
      out->sample({{"job", job->name},
                   {"source", source.source},
                   {"partition", std::to_string(source.index)}},
                  static_cast<double>(*value));
    }
  }
}

}  // namespace

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
      moves_done(registry->counter("tidemill_coordinator_moves_done_total",
                                   "Moves of key partitions and standbys that have ended")),
      moves_dropped(registry->counter("tidemill_coordinator_moves_dropped_total",
                                      "Moves that were dropped, as when their target died")),
      requests(registry->counter("tidemill_coordinator_requests_total", "REST requests")),
      snapshots_registered(registry->counter("tidemill_coordinator_snapshots_registered_total",
                                             "Snapshots of key partitions registered")),
      snapshots_refused(
          registry->counter("tidemill_coordinator_snapshots_refused_total",
                            "Snapshots refused, as their sender does not own the key partition")),
      objects_removed(registry->counter("tidemill_coordinator_snapshot_objects_removed_total",
                                        "Objects removed from snapshot storage")),
      removal_failures(registry->counter("tidemill_coordinator_snapshot_removal_failures_total",
                                         "Attempts to remove such objects that have failed")),
      registry_(registry) {}

std::string CoordinatorProbe::render(const CoordinatorState& state, const MembershipTable& members,
                                     const std::map<JobId, ReadersBefore>& readers, TimeUs now) {
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
  std::vector<Shown> jobs;
  for (const auto& [id, entry] : state.jobs) {  // a live job is the newest of its name
    JobStatus status;  // all 0 once it is stopped: these metrics are never removed
    if (entry.job->live()) {
      const auto before = readers.find(id);
      status =
          job_status(entry, members, 0, before == readers.end() ? ReadersBefore{} : before->second);
    }
    set_job(*entry.job, status);
    if (entry.job->live()) jobs.push_back({entry.job.get(), std::move(status)});
  }
  registry_->gauge("tidemill_coordinator_jobs", "Jobs not stopped")
      .set(static_cast<double>(jobs.size()));
  GaugeText more;
  add_dead_letters(jobs, &more);
  add_views(jobs, &more);
  add_sources(
      jobs, "tidemill_coordinator_source_applied_offset",
      "Offset up to which every key partition has applied a source partition",
      [](const SourceStatus& s) { return s.applied; }, &more);
  add_sources(
      jobs, "tidemill_coordinator_source_log_end_offset",
      "End of a source partition's log as its reader has seen it last",
      [](const SourceStatus& s) { return s.log_end_offset; }, &more);
  add_sources(
      jobs, "tidemill_coordinator_source_lag",
      "What of a source partition's log is still to be read, in its offsets",
      [](const SourceStatus& s) { return s.lag; }, &more);
  add_sources(
      jobs, "tidemill_coordinator_source_failing",
      "1 while a source partition cannot be read, else 0; what is wrong is in the job's status",
      [](const SourceStatus& s) -> uint64_t { return s.error.empty() ? 0 : 1; }, &more);
  add_members(
      members, "tidemill_coordinator_member_resident_bytes", "Memory that a member's process takes",
      [](const proto::Heartbeat& h) -> uint64_t { return h.resident_bytes(); }, &more);
  add_members(
      members, "tidemill_coordinator_member_memory_budget_bytes",
      "Memory that a member's process keeps to; 0: no bound",
      [](const proto::Heartbeat& h) -> uint64_t { return h.memory_budget_bytes(); }, &more);
  add_memory(members, &more);
  return registry_->render() + more.text() + snapshot_metrics(state, now);
}

void CoordinatorProbe::set_job(const JobRecord& job, const JobStatus& status) {
  const MetricLabels labels{{"job", job.name}};
  const auto set = [&](const char* name, const char* help, uint64_t value) {
    registry_->gauge(name, help, labels).set(static_cast<double>(value));
  };
  set("tidemill_coordinator_job_unowned_partitions", "Key partitions that nobody owns",
      status.key_partitions - status.owned);
  set("tidemill_coordinator_job_store_ready_partitions", "Key partitions that every store holds",
      status.store_ready);
  set("tidemill_coordinator_job_rows", "Rows in the store", status.rows);
  set("tidemill_coordinator_job_keys", "Entity keys in the store", status.keys);
  set("tidemill_coordinator_job_state_bytes", "Bytes of rows and keys in the store",
      status.state_bytes);
  const auto per = [](uint64_t bytes, uint64_t n) { return n == 0 ? 0 : bytes / n; };
  set("tidemill_coordinator_job_bytes_per_key", "Bytes of state in the store for each key",
      per(status.state_bytes, status.keys));
  set("tidemill_coordinator_job_bytes_per_row",
      "Bytes of state in the store for each row, its part of keys and summaries included",
      per(status.state_bytes, status.rows));
  set("tidemill_coordinator_job_restoring_partitions",
      "Key partitions whose owner does not have their state yet", status.restoring);
  set("tidemill_coordinator_job_pending_bytes", "Changes that no file of a worker holds yet",
      status.pending_bytes);
  set("tidemill_coordinator_job_snapshot_failures",
      "Snapshots that the workers could not write or upload", status.snapshot_failures);
  set("tidemill_coordinator_job_refused_snapshots",
      "Snapshots that did not verify when they were to be restored", status.refused_snapshots);
  set("tidemill_coordinator_job_states_from_stores",
      "Key partitions that began with a store's state, without a snapshot",
      status.states_from_stores);
  set("tidemill_coordinator_job_too_late_rows", "Rows that came too late for any read",
      status.too_late_rows);
  uint64_t bad = 0;
  uint64_t stuck = 0;
  for (const auto& source : status.sources) {
    bad += source.bad_records();
    stuck += source.error.empty() ? 0 : 1;
  }
  set("tidemill_coordinator_job_bad_records", "Dead letters in storage, of all reasons", bad);
  set("tidemill_coordinator_job_failed", "1 if the job has failed and reads nothing any more",
      job.state == JobState::kFailed ? 1 : 0);
  set("tidemill_coordinator_job_stuck_sources", "Source partitions that stand still on an error",
      stuck);
}

}  // namespace tidemill
