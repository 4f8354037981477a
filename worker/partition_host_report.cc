// PartitionHost: what it reports to the coordinator.
#include "shared/member/member_agent.h"
#include "shared/state/floors.h"
#include "shared/wire/actors.h"
#include "worker/partition_host.h"

namespace tidemill {
namespace {

// Adds one key partition's V to the least over all of them.
void add_progress(const OffsetVector& offsets,
                  google::protobuf::RepeatedPtrField<proto::SourceProgress>* out) {
  for (uint32_t s = 0; s < offsets.size(); ++s) {
    if (s >= static_cast<uint32_t>(out->size())) {
      proto::SourceProgress* p = out->Add();
      p->set_source_partition(s);
      p->set_offset(offsets[s].offset);
      p->set_finished(offsets[s].finished);
      p->set_max_event_time_us(offsets[s].max_event_time);
      continue;
    }
    proto::SourceProgress* p = out->Mutable(static_cast<int>(s));
    p->set_offset(std::min<uint64_t>(p->offset(), offsets[s].offset));
    p->set_finished(p->finished() && offsets[s].finished);
    p->set_max_event_time_us(std::min<int64_t>(p->max_event_time_us(), offsets[s].max_event_time));
  }
}

}  // namespace

void PartitionHost::report_owned(Job* job, proto::JobReport* out) {
  TimeUs horizon = kMaxTime;
  std::vector<uint64_t> too_late(job->plan->view_numbers());
  int64_t oldest_snapshot = INT64_MAX;
  const uint64_t spent_ns = job->apply_cost.cpu_ns + job->publisher->cost().cpu_ns;
  uint64_t all_rows = 0;
  for (const auto& [k, owner] : job->owned) {
    if (owner.partition) all_rows += owner.partition->rows_applied_here();
  }
  for (auto& [k, owner] : job->owned) {
    oldest_snapshot = std::min(oldest_snapshot, owner.registered_at_us);
    if (!owner.partition) {
      out->set_restoring(out->restoring() + 1);
      OffsetVector nothing(job->plan->source_partitions());
      add_progress(nothing, out->mutable_applied());
      add_progress(nothing, out->mutable_published());
      continue;
    }
    const KeyPartition& partition = *owner.partition;
    add_progress(partition.offsets(), out->mutable_applied());
    OffsetVector published = job->publisher->published(partition);
    published.resize(partition.offsets().size());
    add_progress(published, out->mutable_published());
    horizon = std::min(horizon, partition.horizon());
    add_floors(partition.head().floors, out);
    out->set_rows_applied(out->rows_applied() + partition.rows_applied_here());
    out->set_too_late_rows(out->too_late_rows() + partition.late_rows().dropped());
    const std::vector<uint64_t>& by_view = partition.late_rows().by_view();
    for (size_t v = 0; v < std::min(by_view.size(), too_late.size()); ++v) {
      too_late[v] += by_view[v];
    }
    out->set_pending_bytes(out->pending_bytes() + partition.pending_bytes());
    for (const auto& [node, has_all] : job->publisher->standbys(k, owner.reported_version)) {
      proto::StandbyReport* standby = out->add_standbys();
      standby->set_key_partition(k.value);
      standby->set_node(node.value);
      standby->set_caught_up(has_all);
    }
    owner.reported_version = partition.version();
    proto::KeyPartitionLoad* load = out->add_loads();
    load->set_key_partition(k.value);
    load->set_rows(partition.rows_applied_here());
    // What a row costs is the same everywhere; measuring each part would cost more than it tells.
    load->set_cpu_ns(all_rows == 0
                         ? 0
                         : static_cast<uint64_t>(static_cast<double>(spent_ns) *
                                                 partition.rows_applied_here() / all_rows));
    load->set_disk_bytes(owner.disk_bytes);
  }
  if (!job->owned.empty()) {
    out->set_horizon_us(horizon == kMaxTime ? kMinTime : horizon);
    out->set_oldest_snapshot_us(oldest_snapshot);
  }
  out->mutable_too_late_by_view()->Assign(too_late.begin(), too_late.end());
}

void PartitionHost::report() {
  last_report_us_ = runtime_.monotonic_us();
  auto report = std::make_unique<ShardReport>();
  report->reporter = self_;
  report->view_version = view_version_;
  report->resident_bytes = memory_.resident_bytes();
  report->memory_budget_bytes = memory_.budget();
  report->shard_use = memory_use();
  memory_.add_process_use(&report->process_use);
  for (auto& [id, job] : jobs_) {
    proto::JobReport& out = report->jobs.emplace_back();
    out.set_job(id.value);
    out.set_key_partitions(static_cast<uint32_t>(job.owned.size()));
    out.set_image_bytes_sent(job.publisher->image_bytes());
    out.set_session_gaps(job.session_gaps);
    out.set_refused_snapshots(job.refused_snapshots);
    out.set_states_from_stores(job.states_from_stores);
    job.snapshotter->add_to(&out);
    report_owned(&job, &out);
    StageCost apply = job.apply_cost;
    StageCost publish = job.publisher->cost();
    apply.rows = publish.rows = out.rows_applied();
    add_stage("apply", apply, &out);
    add_stage("publish", publish, &out);
  }
  runtime_.post_local(self_, kAgent, std::move(report));
}

}  // namespace tidemill
