#include "coordinator/job_status.h"

#include <algorithm>

#include "shared/plan/source_partitions.h"

namespace tidemill {
namespace {

std::string input_of(const proto::Source& source, uint32_t index) {
  if (source.has_files()) return source.files().paths(static_cast<int>(index));
  const std::string log = source.has_kafka() ? source.kafka().topic() : "generator";
  return log + " " + std::to_string(index);
}

const proto::JobReport* report_of(const MembershipTable::Entry& member, JobId job) {
  for (const auto& report : member.report.jobs()) {
    if (report.job() == job.value) return &report;
  }
  return nullptr;
}

// Where a reader stands: one that has read nothing stands where the plan says.
uint64_t position_of(const proto::Source& source, const SourceStatus& status) {
  if (!source.has_kafka()) return status.offset;
  return std::max<uint64_t>(status.offset,
                            source.kafka().start_offsets(static_cast<int>(status.index)));
}

void read_letters(const proto::ReaderReport& reader, SourceStatus* out) {
  for (const proto::DeadLetterCount& count : reader.dead_letters()) {
    out->dead_letters[{count.reason(), count.view()}] += count.records();
  }
}

void read_reader(const proto::Source& source, const proto::ReaderReport& reader,
                 SourceStatus* out) {
  out->offset = reader.read().offset();
  out->finished = reader.read().finished();
  out->max_event_time = reader.read().max_event_time_us();
  out->idle = reader.idle();
  out->records = reader.records();
  read_letters(reader, out);
  out->null_keys = reader.null_keys();
  out->tombstones = reader.tombstones();
  out->error = reader.error();
  out->bad_samples.assign(reader.bad_samples().begin(), reader.bad_samples().end());
  if (reader.log_end_offset() == 0) return;
  out->log_end_offset = reader.log_end_offset();
  const uint64_t position = position_of(source, *out);
  out->lag = position < *out->log_end_offset ? *out->log_end_offset - position : 0;
}

template <typename Progress>
std::vector<uint64_t> offsets_of(const Progress& progress, size_t partitions) {
  std::vector<uint64_t> out(partitions);
  for (const auto& p : progress) {
    if (p.source_partition() < partitions) out[p.source_partition()] = p.offset();
  }
  return out;
}

// The least of what the owners report; of an owner that reports nothing it is 0.
void take_least(const proto::JobReport* report, bool first, std::vector<SourceStatus>* sources) {
  static const proto::JobReport kNothing;
  if (report == nullptr) report = &kNothing;
  const auto applied = offsets_of(report->applied(), sources->size());
  const auto published = offsets_of(report->published(), sources->size());
  for (auto& source : *sources) {
    const uint32_t s = source.partition;
    source.applied = first ? applied[s] : std::min(source.applied, applied[s]);
    source.published = first ? published[s] : std::min(source.published, published[s]);
  }
}

void add_floors(const proto::JobReport& report, JobStatus* out) {
  for (int t = 0; t < report.floors_us_size(); ++t) {
    const auto table = static_cast<size_t>(t);
    if (table >= out->floors.size()) return;
    out->floors[table] = std::max<TimeUs>(out->floors[table], report.floors_us(t));
  }
}

void add_stages(const proto::JobReport& report, JobStatus* out) {
  for (const proto::StageCost& cost : report.stages()) {
    StageSum& sum = out->stages[cost.stage()];
    sum.cpu_ns += cost.cpu_ns();
    sum.rows += cost.rows();
  }
}

// What features are computed from is held by stores: each holds all of it, once it is ready.
void take_store_figures(const proto::JobReport& report, JobStatus* out) {
  if (report.rows() < out->rows) return;
  out->rows = report.rows();
  out->keys = report.keys();
  out->state_bytes = report.state_bytes();
  out->full_chunks = report.full_chunks();
  out->recut_chunks = report.recut_chunks();
  out->freed_rows = report.freed_rows();
  out->evicted_keys = report.evicted_keys();
  out->cold_reads = report.cold_reads();
  out->disk_rows = report.disk_rows();
}

void count_standbys(const JobEntry& entry, const proto::JobReport& report, JobStatus* out) {
  for (const proto::StandbyReport& standby : report.standbys()) {
    const auto granted = entry.grants->standbys.find(standby.key_partition());
    if (granted == entry.grants->standbys.end()) continue;
    if (granted->second.node.value == standby.node() && standby.caught_up()) {
      ++out->standbys_caught_up;
    }
  }
}

void add_counts(const proto::JobReport& report, JobStatus* out) {
  out->rows_applied += report.rows_applied();
  out->too_late_rows += report.too_late_rows();
  out->restoring += report.restoring();
  out->pending_bytes += report.pending_bytes();
  out->snapshot_failures += report.snapshot_failures();
  out->refused_snapshots += report.refused_snapshots();
  out->states_from_stores += report.states_from_stores();
  out->image_bytes_sent += report.image_bytes_sent();
  out->session_gaps += report.session_gaps();
  const auto views = static_cast<size_t>(report.too_late_by_view_size());
  for (size_t v = 0; v < std::min(views, out->too_late_by_view.size()); ++v) {
    out->too_late_by_view[v] += report.too_late_by_view(static_cast<int>(v));
  }
  add_stages(report, out);
  add_floors(report, out);
}

void read_sources(const JobEntry& entry, const MembershipTable& members,
                  const ReadersBefore& before, JobStatus* out) {
  const Plan& plan = *entry.job->plan;
  const auto readers = current_readers(entry, members);
  for (uint32_t s = 0; s < plan.source_partitions(); ++s) {
    SourceStatus status;
    status.partition = s;
    const proto::Source& source = plan.source_of(s, &status.index);
    status.source = source.name();
    status.input = input_of(source, status.index);
    if (s < entry.grants->sources.size()) status.grant = entry.grants->sources[s];
    const auto last = before.find(s);
    if (s < readers.size() && readers[s] != nullptr) {
      read_reader(source, *readers[s], &status);
      if (!readers[s]->dead_letters_known() && last != before.end()) {
        status.dead_letters.clear();
        read_letters(last->second, &status);
      }
    } else if (last != before.end() && status.grant.node == NodeId{}) {
      read_reader(source, last->second, &status);
    } else if (last != before.end()) {
      read_letters(last->second, &status);
    }
    out->sources.push_back(std::move(status));
  }
}

void read_stores(JobId job, const MembershipTable& members, JobStatus* out, bool* any_store) {
  *any_store = false;
  for (const auto& [node, member] : members.entries()) {
    if (!member.alive || member.info.role != MemberRole::kStore) continue;
    const auto* report = report_of(member, job);
    const uint32_t ready = report ? report->key_partitions() : 0;
    if (report) {
      add_stages(*report, out);
      add_floors(*report, out);
      take_store_figures(*report, out);
    }
    out->store_ready = *any_store ? std::min(out->store_ready, ready) : ready;
    *any_store = true;
  }
}

// A topic gets records, and followed patterns find files, for as long as the job runs.
bool has_an_end(const proto::JobPlan& plan) {
  return std::none_of(plan.sources().begin(), plan.sources().end(), may_grow);
}

bool sources_done(const std::vector<SourceStatus>& sources) {
  return std::all_of(sources.begin(), sources.end(), [](const SourceStatus& s) {
    return s.finished && s.applied >= s.offset && s.published >= s.offset;
  });
}

}  // namespace

uint64_t SourceStatus::bad_records() const {
  uint64_t sum = 0;
  for (const auto& [what, records] : dead_letters) sum += records;
  return sum;
}

std::vector<const proto::ReaderReport*> current_readers(const JobEntry& entry,
                                                        const MembershipTable& members) {
  const auto& grants = entry.grants->sources;
  std::vector<const proto::ReaderReport*> out(grants.size());
  for (const auto& [node, member] : members.entries()) {
    const auto* report = member.alive ? report_of(member, entry.job->id) : nullptr;
    if (report == nullptr) continue;
    for (const auto& reader : report->readers()) {
      const uint32_t s = reader.read().source_partition();
      if (s >= grants.size() || grants[s].node != node) continue;
      if (reader.epoch() == grants[s].epoch.value) out[s] = &reader;
    }
  }
  return out;
}

JobStatus job_status(const JobEntry& entry, const MembershipTable& members, uint64_t view_version,
                     const ReadersBefore& before) {
  JobStatus out;
  const JobId job = entry.job->id;
  out.key_partitions = entry.job->plan->key_partitions();
  for (const auto& grant : entry.grants->key_partitions) {
    if (grant.node == NodeId{}) continue;
    ++out.owned;
    ++out.owned_by[grant.node];
  }
  out.too_late_by_view.resize(entry.job->plan->view_numbers());
  out.floors.resize(entry.job->plan->tables()->size(), kMinTime);
  read_sources(entry, members, before, &out);
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
    if (const auto* report = report_of(member, job)) {
      add_counts(*report, &out);
      count_standbys(entry, *report, &out);
    }
  }
  out.standbys = static_cast<uint32_t>(entry.grants->standbys.size());
  bool any_store = false;
  read_stores(job, members, &out, &any_store);
  out.complete = settled && any_store && out.store_ready == out.key_partitions &&
                 has_an_end(entry.job->plan->proto()) && sources_done(out.sources);
  return out;
}

}  // namespace tidemill
