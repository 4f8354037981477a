#include "coordinator/snapshot_metrics.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "coordinator/snapshot_registry.h"
#include "shared/obs/metrics.h"

namespace tidemill {
namespace {

struct Summarized {
  const JobRecord* job = nullptr;
  SnapshotSummary snapshots;
};

using Figure = std::function<double(const Summarized&)>;

void add_family(const std::vector<Summarized>& jobs, const char* name, const char* help,
                const Figure& figure, GaugeText* out) {
  out->family(name, help);
  for (const auto& each : jobs) out->sample({{"job", each.job->name}}, figure(each));
}

// For as long as a key partition has none, everything since the submission would be read again.
double age_seconds(const Summarized& each, TimeUs now) {
  TimeUs oldest = each.snapshots.oldest_at.value_or(each.job->submitted_at);
  if (each.snapshots.without > 0) oldest = std::min(oldest, each.job->submitted_at);
  return static_cast<double>(std::max<int64_t>(0, now - oldest)) / kMicrosPerSecond;
}

void add_needed_offsets(const std::vector<Summarized>& jobs, GaugeText* out) {
  out->family("tidemill_coordinator_source_needed_offset",
              "Offset from which on a source partition's log is needed to recover from the "
              "snapshots retained");
  for (const auto& [job, snapshots] : jobs) {
    for (uint32_t s = 0; s < snapshots.needed_offsets.size(); ++s) {
      uint32_t index = 0;
      const proto::Source& source = job->plan->source_of(s, &index);
      out->sample(
          {{"job", job->name}, {"source", source.name()}, {"partition", std::to_string(index)}},
          static_cast<double>(snapshots.needed_offsets[s]));
    }
  }
}

}  // namespace

std::string snapshot_metrics(const CoordinatorState& state, TimeUs now) {
  std::vector<Summarized> jobs;
  for (const auto& [id, entry] : state.jobs) {
    if (entry.job->live()) jobs.push_back({entry.job.get(), summarize_snapshots(entry)});
  }
  GaugeText out;
  add_family(
      jobs, "tidemill_coordinator_job_snapshot_age_seconds",
      "Age of the least fresh newest snapshot of a key partition; since the submission where one "
      "has none",
      [now](const Summarized& each) { return age_seconds(each, now); }, &out);
  add_family(
      jobs, "tidemill_coordinator_job_partitions_without_snapshot",
      "Key partitions that have no snapshot",
      [](const Summarized& each) { return each.snapshots.without; }, &out);
  add_family(
      jobs, "tidemill_coordinator_job_snapshot_bytes", "Bytes of the newest snapshots",
      [](const Summarized& each) { return static_cast<double>(each.snapshots.total_bytes); }, &out);
  add_family(
      jobs, "tidemill_coordinator_job_retained_snapshots", "Snapshots in the registry",
      [](const Summarized& each) { return static_cast<double>(each.snapshots.retained); }, &out);
  add_needed_offsets(jobs, &out);
  out.family("tidemill_coordinator_savepoints", "Savepoints, those that are not complete included");
  out.sample({}, static_cast<double>(state.savepoints.size()));
  out.family("tidemill_coordinator_snapshot_removals",
             "Forgotten jobs and deleted savepoints whose objects may still be in storage");
  out.sample({}, static_cast<double>(state.removals.size()));
  return out.text();
}

}  // namespace tidemill
