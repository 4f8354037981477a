#include "coordinator/job_status.h"

#include <algorithm>

namespace tidemill {
namespace {

std::string input_of(const Plan& plan, uint32_t partition, std::string* source_name) {
  uint32_t index = 0;
  const auto& source = plan.source_of(partition, &index);
  *source_name = source.name();
  if (source.has_files() && static_cast<int>(index) < source.files().paths_size()) {
    return source.files().paths(static_cast<int>(index));
  }
  return "generator " + std::to_string(index);
}

const proto::JobReport* report_of(const MembershipTable::Entry& member, JobId job) {
  for (const auto& report : member.report.jobs()) {
    if (report.job() == job.value) return &report;
  }
  return nullptr;
}

void read_reader(const proto::JobReport& report, SourceStatus* out) {
  for (const auto& reader : report.readers()) {
    if (reader.read().source_partition() != out->partition) continue;
    if (reader.epoch() != out->grant.epoch.value) continue;
    out->offset = reader.read().offset();
    out->finished = reader.read().finished();
    out->max_event_time = reader.read().max_event_time_us();
    out->records = reader.records();
    out->bad_records = reader.bad_records();
    out->error = reader.error();
    out->bad_samples.assign(reader.bad_samples().begin(), reader.bad_samples().end());
  }
}

template <typename Progress>
uint64_t offset_in(const Progress& progress, uint32_t partition) {
  for (const auto& p : progress) {
    if (p.source_partition() == partition) return p.offset();
  }
  return 0;
}

// The least of what the owners report; of an owner that reports nothing it is 0.
void take_least(const proto::JobReport* report, bool first, std::vector<SourceStatus>* sources) {
  for (auto& source : *sources) {
    const uint64_t applied = report ? offset_in(report->applied(), source.partition) : 0;
    const uint64_t published = report ? offset_in(report->published(), source.partition) : 0;
    source.applied = first ? applied : std::min(source.applied, applied);
    source.published = first ? published : std::min(source.published, published);
  }
}

void add_stages(const proto::JobReport& report, JobStatus* out) {
  for (const proto::StageCost& cost : report.stages()) {
    StageSum& sum = out->stages[cost.stage()];
    sum.cpu_ns += cost.cpu_ns();
    sum.rows += cost.rows();
  }
}

void add_counts(const proto::JobReport& report, JobStatus* out) {
  out->rows += report.rows();
  out->keys += report.keys();
  out->state_bytes += report.state_bytes();
  out->rows_applied += report.rows_applied();
  out->too_late_rows += report.too_late_rows();
  out->full_chunks += report.full_chunks();
  out->recut_chunks += report.recut_chunks();
  out->freed_rows += report.freed_rows();
  out->images_sent += report.images_sent();
  out->session_gaps += report.session_gaps();
  add_stages(report, out);
}

void read_sources(const JobEntry& entry, const MembershipTable& members, JobStatus* out) {
  const Plan& plan = *entry.job->plan;
  for (uint32_t s = 0; s < plan.source_partitions(); ++s) {
    SourceStatus source;
    source.partition = s;
    source.input = input_of(plan, s, &source.source);
    if (s < entry.grants->sources.size()) source.grant = entry.grants->sources[s];
    if (const auto* owner = members.find_alive(source.grant.node)) {
      if (const auto* report = report_of(*owner, entry.job->id)) read_reader(*report, &source);
    }
    out->sources.push_back(std::move(source));
  }
}

void read_stores(JobId job, const MembershipTable& members, JobStatus* out, bool* any_store) {
  *any_store = false;
  for (const auto& [node, member] : members.entries()) {
    if (!member.alive || member.info.role != MemberRole::kStore) continue;
    const auto* report = report_of(member, job);
    const uint32_t ready = report ? report->key_partitions() : 0;
    if (report) add_stages(*report, out);
    out->store_ready = *any_store ? std::min(out->store_ready, ready) : ready;
    *any_store = true;
  }
}

bool sources_done(const std::vector<SourceStatus>& sources) {
  return std::all_of(sources.begin(), sources.end(), [](const SourceStatus& s) {
    return s.finished && s.applied >= s.offset && s.published >= s.offset;
  });
}

}  // namespace

JobStatus job_status(const JobEntry& entry, const MembershipTable& members, uint64_t view_version) {
  JobStatus out;
  const JobId job = entry.job->id;
  out.key_partitions = entry.job->plan->key_partitions();
  for (const auto& grant : entry.grants->key_partitions) {
    if (grant.node == NodeId{}) continue;
    ++out.owned;
    ++out.owned_by[grant.node];
  }
  read_sources(entry, members, &out);
  bool settled = out.owned == out.key_partitions && out.owned > 0;
  bool first = true;
  for (const auto& [node, owned] : out.owned_by) {
    const auto* member = members.find_alive(node);
    const auto* report = member ? report_of(*member, job) : nullptr;
    take_least(report, first, &out.sources);
    settled = settled && report != nullptr && report->key_partitions() == owned &&
              member->report.view_version() == view_version;
    if (report != nullptr && report->key_partitions() > 0) {
      const TimeUs horizon = report->horizon_us();
      out.horizon = first ? horizon : std::min(out.horizon, horizon);
    } else {
      out.horizon = kMinTime;
    }
    first = false;
  }
  for (const auto& [node, member] : members.entries()) {
    if (!member.alive || member.info.role != MemberRole::kWorker) continue;
    if (const auto* report = report_of(member, job)) add_counts(*report, &out);
  }
  bool any_store = false;
  read_stores(job, members, &out, &any_store);
  out.complete =
      settled && any_store && out.store_ready == out.key_partitions && sources_done(out.sources);
  return out;
}

}  // namespace tidemill
