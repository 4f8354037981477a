#include "worker/partition_host.h"

#include "shared/member/member_agent.h"
#include "shared/obs/log.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"

namespace tidemill {
namespace {

void refuse(const char* what, const Error& error) {
  log_event(LogLevel::kWarning, "message_refused", {{"what", what}, {"reason", error.message()}});
}

// Adds one key partition's V to the least over all of them.
void add_progress(const OffsetVector& offsets,
                  google::protobuf::RepeatedPtrField<proto::SourceProgress>* out) {
  proto::JobReport part;
  for (uint32_t s = 0; s < offsets.size(); ++s) {
    proto::SourceProgress* p =
        s < static_cast<uint32_t>(out->size()) ? out->Mutable(static_cast<int>(s)) : nullptr;
    if (p == nullptr) {
      p = out->Add();
      p->set_source_partition(s);
      p->set_offset(offsets[s].offset);
      p->set_finished(offsets[s].finished);
      p->set_max_event_time_us(offsets[s].max_event_time);
      continue;
    }
    p->set_offset(std::min<uint64_t>(p->offset(), offsets[s].offset));
    p->set_finished(p->finished() && offsets[s].finished);
    p->set_max_event_time_us(std::min<int64_t>(p->max_event_time_us(), offsets[s].max_event_time));
  }
}

}  // namespace

PartitionHost::PartitionHost(Runtime& runtime, const WorkerConfig& config)
    : runtime_(runtime), config_(config), self_{runtime.shard(), kPartitionHostIndex} {}

void PartitionHost::start() { runtime_.start_timer(self_, config_.publish_interval_ms * 1000, 0); }

void PartitionHost::receive(Message message) {
  if (message.local) {
    if (auto* changed = dynamic_cast<ViewChanged*>(message.local.get())) on_view(*changed->view);
    return;
  }
  switch (message.type) {
    case kSourceBatch:
      return on_batch(std::move(message));
    case kSessionsClosed:
      return on_sessions_closed(message);
    case kReplicaStates: {
      auto states = ReplicaStates::decode(message.body);
      if (!states) return refuse("ReplicaStates", states.error());
      const auto job = jobs_.find(states->job);
      if (job == jobs_.end()) return;
      job->second.publisher->on_replica_states(message.from, *states, job->second.owned);
      break;
    }
    case kFrameAck: {
      auto ack = FrameAck::decode(message.body);
      if (!ack) return refuse("FrameAck", ack.error());
      const auto job = jobs_.find(ack->job);
      if (job == jobs_.end()) return;
      job->second.publisher->on_ack(message.from, *ack, job->second.owned);
      break;
    }
    default:
      break;
  }
}

void PartitionHost::on_view(const ClusterState& view) {
  view_version_ = view.version;
  std::erase_if(jobs_, [&](const auto& job) { return !view.jobs.contains(job.first); });
  for (const auto& [id, in_view] : view.jobs) update_job(view, in_view);
}

void PartitionHost::update_job(const ClusterState& view, const JobInView& in_view) {
  Job& job = jobs_[in_view.id];
  if (!job.publisher) {
    job.id = in_view.id;
    job.plan = in_view.plan;
    job.publisher = std::make_unique<Publisher>(runtime_, self_, config_, in_view.id);
  }
  if (job.plan != in_view.plan) {
    job.plan = in_view.plan;
    for (auto& [k, owner] : job.owned) owner->grow(job.plan);
  }
  job.readers = in_view.sources;
  for (uint32_t k = 0; k < in_view.key_partitions.size(); ++k) {
    const Grant& grant = in_view.key_partitions[k];
    const KeyPartitionId id(k);
    const bool mine = grant.node == runtime_.node() && grant.shard == runtime_.shard();
    const auto it = job.owned.find(id);
    if (it != job.owned.end() && (!mine || it->second->epoch() != grant.epoch)) job.owned.erase(it);
  }
  job.publisher->on_view(view,
                         job.owned);  // sessions of what is gone end before it is granted anew
  for (uint32_t k = 0; k < in_view.key_partitions.size(); ++k) {
    const Grant& grant = in_view.key_partitions[k];
    const KeyPartitionId id(k);
    if (grant.node != runtime_.node() || grant.shard != runtime_.shard()) continue;
    auto& owner = job.owned[id];
    if (!owner) owner = std::make_unique<KeyPartition>(job.plan, id, grant.epoch);
  }
  job.publisher->on_view(view, job.owned);
  for (auto& [k, owner] : job.owned) {
    for (uint32_t s = 0; s < job.readers.size(); ++s) {
      if (owner->sessions()[s].reader_epoch != job.readers[s].epoch) owner->close_session(s);
    }
  }
  open_sessions(&job);
}

void PartitionHost::on_batch(Message message) {
  auto batch = SourceBatch::decode(std::move(message.body));
  if (!batch) return refuse("SourceBatch", batch.error());
  const auto found = jobs_.find(batch->header.job);
  if (found == jobs_.end()) return;
  Job& job = found->second;
  if (batch->header.source.value >= job.plan->source_partitions()) return;
  const int64_t now = runtime_.monotonic_us();
  const int64_t wall = runtime_.wall_us();
  StageTimer timer(runtime_, &job.apply_cost);
  for (const SourceBatchPart& part : batch->parts) {
    const auto it = job.owned.find(part.key_partition);
    if (it == job.owned.end()) continue;
    auto outcome = it->second->apply(*batch, part, now, wall);
    if (!outcome) {
      refuse("row block", outcome.error());
    } else if (*outcome != PartOutcome::kGap) {
      continue;
    }
    it->second->close_session(batch->header.source.value);
    ++job.session_gaps;
  }
  runtime_.send(
      self_, message.from, kBatchAck,
      BatchAck{job.id, batch->header.source, batch->header.reader_epoch, batch->header.link_seq}
          .encode());
}

void PartitionHost::on_sessions_closed(const Message& message) {
  auto closed = SessionsClosed::decode(message.body);
  if (!closed) return refuse("SessionsClosed", closed.error());
  const auto job = jobs_.find(closed->job);
  if (job == jobs_.end() || closed->source.value >= job->second.plan->source_partitions()) return;
  for (const SessionsClosed::Session& s : closed->sessions) {
    const auto owner = job->second.owned.find(s.key_partition);
    if (owner == job->second.owned.end()) continue;
    const uint32_t source = closed->source.value;
    if (owner->second->sessions()[source].id == s.session) owner->second->close_session(source);
  }
}

// A session opens at V_k[s] under an id of its own. While nothing of it has come the opening is
// repeated under that id; once it has been silent for long it is given up for a new one.
bool PartitionHost::needs_opening(const Job& job, uint32_t source, KeyPartition* owner,
                                  OpenSessions::Session* out) {
  InboundSession& session = owner->sessions()[source];
  const int64_t now = runtime_.monotonic_us();
  const int64_t silent_us = now - session.last_heard_us;
  if (session.open && session.answered && silent_us >= config_.session_silence_ms * 1000) {
    owner->close_session(source);
  }
  if (session.open && (session.answered || silent_us < config_.session_retry_ms * 1000)) {
    return false;
  }
  if (!session.open) {
    session = {};
    session.id = next_session_++;
    session.reader_epoch = job.readers[source].epoch;
    session.open = true;
  }
  session.last_heard_us = now;
  *out = {owner->id(), owner->epoch(), session.id, owner->offsets()[source]};
  return true;
}

void PartitionHost::open_sessions(Job* job) {
  for (uint32_t s = 0; s < job->readers.size(); ++s) {
    const Grant& reader = job->readers[s];
    if (reader.node == NodeId(0)) continue;
    OpenSessions message{job->id, SourcePartitionId(s), reader.epoch, {}};
    for (auto& [k, owner] : job->owned) {
      OpenSessions::Session session;
      if (needs_opening(*job, s, owner.get(), &session)) message.sessions.push_back(session);
    }
    if (message.sessions.empty()) continue;
    runtime_.send(self_, {reader.node, {reader.shard, kReaderHostIndex}}, kOpenSessions,
                  message.encode());
  }
}

void PartitionHost::on_timer(uint64_t) {
  for (auto& [id, job] : jobs_) {
    open_sessions(&job);
    job.publisher->publish(job.owned);
  }
  if (runtime_.monotonic_us() - last_report_us_ >= config_.report_interval_ms * 1000) report();
  runtime_.start_timer(self_, config_.publish_interval_ms * 1000, 0);
}

void PartitionHost::report() {
  last_report_us_ = runtime_.monotonic_us();
  auto report = std::make_unique<ShardReport>();
  report->reporter = self_;
  report->view_version = view_version_;
  for (const auto& [id, job] : jobs_) {
    proto::JobReport& out = report->jobs.emplace_back();
    out.set_job(id.value);
    out.set_key_partitions(static_cast<uint32_t>(job.owned.size()));
    out.set_images_sent(job.publisher->images_sent());
    out.set_session_gaps(job.session_gaps);
    StageCost apply = job.apply_cost;
    StageCost publish = job.publisher->cost();
    TimeUs horizon = kMaxTime;
    std::vector<uint64_t> too_late(job.plan->views().size());
    for (const auto& [k, owner] : job.owned) {
      add_progress(owner->offsets(), out.mutable_applied());
      OffsetVector published = job.publisher->published(*owner);
      published.resize(owner->offsets().size());
      add_progress(published, out.mutable_published());
      horizon = std::min(horizon, owner->horizon());
      const WindowStats stats = owner->state().stats();
      out.set_rows(out.rows() + stats.rows);
      out.set_keys(out.keys() + stats.keys);
      out.set_state_bytes(out.state_bytes() + stats.bytes);
      out.set_rows_applied(out.rows_applied() + owner->rows_applied());
      out.set_too_late_rows(out.too_late_rows() + stats.too_late_rows);
      for (size_t v = 0; v < stats.too_late_by_view.size(); ++v) {
        too_late[v] += stats.too_late_by_view[v];
      }
      out.set_full_chunks(out.full_chunks() + stats.full_chunks);
      out.set_recut_chunks(out.recut_chunks() + stats.recut_chunks);
      out.set_freed_rows(out.freed_rows() + stats.freed_rows);
    }
    if (!job.owned.empty()) out.set_horizon_us(horizon);
    out.mutable_too_late_by_view()->Assign(too_late.begin(), too_late.end());
    apply.rows = publish.rows = out.rows_applied();
    add_stage("apply", apply, &out);
    add_stage("publish", publish, &out);
  }
  runtime_.post_local(self_, kAgent, std::move(report));
}

}  // namespace tidemill
