#include "worker/partition_host.h"

#include "shared/member/member_agent.h"
#include "shared/obs/log.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"
#include "worker/standby_link.h"

namespace tidemill {
namespace {

void refuse(const char* what, const Error& error) {
  log_event(LogLevel::kWarning, "message_refused", {{"what", what}, {"reason", error.message()}});
}

}  // namespace

PartitionHost::PartitionHost(Runtime& runtime, uint16_t shards, const WorkerConfig& config,
                             const WorkerResources& resources)
    : runtime_(runtime),
      config_(config),
      resources_(resources),
      self_{runtime.shard(), kPartitionHostIndex},
      coordinator_(kCoordinatorNode),
      memory_(runtime, self_, static_cast<uint64_t>(config.memory_budget_bytes), shards,
              resources.memory),
      batch_acks_(runtime, self_, config.link_stall_ms * 1000 / 2),
      frame_acks_(runtime, self_, config.link_stall_ms * 1000 / 2) {
  // Key partitions may change shards; a directory belongs to one.
  resources_.data_dir += "/shard-" + std::to_string(runtime.shard());
}

void PartitionHost::start() { runtime_.start_timer(self_, config_.publish_interval_ms * 1000, 0); }

PartitionHost::Job* PartitionHost::find(JobId job) {
  const auto it = jobs_.find(job);
  return it == jobs_.end() ? nullptr : &it->second;
}

std::vector<std::pair<Epoch, const KeyPartition*>> PartitionHost::owned(JobId job,
                                                                        KeyPartitionId k) const {
  const auto found = jobs_.find(job);
  if (found == jobs_.end()) return {};
  const auto owner = found->second.owned.find(k);
  if (owner == found->second.owned.end()) return {};
  return {{owner->second.epoch, owner->second.partition.get()}};
}

void PartitionHost::on_local(LocalPayload* payload) {
  if (auto* changed = dynamic_cast<ViewChanged*>(payload)) {
    on_view(*changed->view);
  } else if (auto* page = dynamic_cast<DiskPage*>(payload)) {
    Job* job = find(page->job);
    if (page->damaged) return end_for_damage(*page);
    if (job != nullptr) job->publisher->on_page(page->key_partition, page->page);
  } else if (const auto* written = dynamic_cast<DiskWritten*>(payload)) {
    on_written(*written);
  } else if (const auto* restored = dynamic_cast<DiskRestored*>(payload)) {
    on_restored(*restored);
  } else if (const auto* found = dynamic_cast<DirectoriesFound*>(payload)) {
    on_directories(*found);
  } else {
    memory_.receive(payload, accounted_bytes());
  }
}

// What the disk does not give back cannot be continued under this grant. Whoever is granted the key
// partition next, perhaps this worker when it is started again, begins with a snapshot.
void PartitionHost::end_for_damage(const DiskAnswer& answer) {
  log_event(LogLevel::kWarning, "state_damaged",
            {{"job", answer.job.value},
             {"key_partition", answer.key_partition.value},
             {"reason", answer.error}});
  runtime_.stop(1, "the state of a key partition is damaged on disk: " + answer.error);
}

void PartitionHost::receive(Message message) {
  if (message.local) return on_local(message.local.get());
  switch (message.type) {
    case kSourceBatch:
      return on_batch(std::move(message));
    case kSessionsClosed:
      return on_sessions_closed(message);
    case kSnapshotsKnown:
      return on_snapshots_known(message);
    case kSnapshotRegistered:
      return on_registered(message);
    case kStateWritten:
      return on_state_written(message);
    case kReplicaStates: {
      auto states = ReplicaStates::decode(message.body);
      if (!states) return refuse("ReplicaStates", states.error());
      Job* job = find(states->job);
      if (job != nullptr) job->publisher->on_replica_states(message.from, *states, job->owned);
      break;
    }
    case kFrameAck: {
      auto ack = FrameAck::decode(message.body);
      if (!ack) return refuse("FrameAck", ack.error());
      Job* job = find(ack->job);
      if (job != nullptr) job->publisher->on_ack(message.from, *ack, job->owned);
      send_acks();
      break;
    }
    case kRegisterReplicas: {
      auto asked = RegisterReplicas::decode(message.body);
      if (!asked) return refuse("RegisterReplicas", asked.error());
      Job* job = find(asked->job);
      if (job != nullptr) {
        answer_registration(runtime_, self_, message.from, *asked, &job->standbys);
      }
      break;
    }
    case kFrames: {
      auto frames = Frames::decode(std::move(message.body));
      if (!frames) return refuse("Frames", frames.error());
      Job* job = find(frames->job);
      if (job == nullptr) break;
      frame_acks_.add(message.from, frames->job.value, kFrameAck,
                      apply_frames(runtime_, self_, message.from, std::move(*frames),
                                   memory_.bounded(), &job->standbys));
      send_acks();
      break;
    }
    default:
      break;
  }
}

void PartitionHost::on_batch(Message message) {
  auto batch = SourceBatch::decode(std::move(message.body));
  if (!batch) return refuse("SourceBatch", batch.error());
  Job* job = find(batch->header.job);
  if (job == nullptr || batch->header.source.value >= job->plan->source_partitions()) return;
  const int64_t now = runtime_.monotonic_us();
  const int64_t wall = runtime_.wall_us();
  StageTimer timer(runtime_, &job->apply_cost);
  for (const SourceBatchPart& part : batch->parts) {
    const auto it = job->owned.find(part.key_partition);
    if (it == job->owned.end() || !it->second.partition) continue;
    KeyPartition& partition = *it->second.partition;
    if (refusing_) {
      partition.close_session(batch->header.source.value);
      continue;
    }
    auto outcome = partition.apply(*batch, part, now, wall);
    if (!outcome) {
      refuse("row block", outcome.error());
    } else if (*outcome != PartOutcome::kGap) {
      continue;
    }
    partition.close_session(batch->header.source.value);
    ++job->session_gaps;
  }
  const uint64_t link = uint64_t{job->id.value} << 32 | batch->header.source.value;
  const BatchAck ack{job->id, batch->header.source, batch->header.reader_epoch,
                     batch->header.link_seq};
  batch_acks_.add(message.from, link, kBatchAck, ack.encode());
  send_acks();
}

void PartitionHost::on_sessions_closed(const Message& message) {
  auto closed = SessionsClosed::decode(message.body);
  if (!closed) return refuse("SessionsClosed", closed.error());
  Job* job = find(closed->job);
  if (job == nullptr || closed->source.value >= job->plan->source_partitions()) return;
  for (const SessionsClosed::Session& s : closed->sessions) {
    const auto owner = job->owned.find(s.key_partition);
    if (owner == job->owned.end() || !owner->second.partition) continue;
    const uint32_t source = closed->source.value;
    KeyPartition& partition = *owner->second.partition;
    if (partition.sessions()[source].id == s.session) partition.close_session(source);
  }
}

// A session opens at V_k[s] under an id of its own. While nothing of it has come the opening is
// repeated under that id; once it has been silent for long it is given up for a new one.
bool PartitionHost::needs_opening(const Job& job, uint32_t source, OwnedPartition* owner,
                                  OpenSessions::Session* out) {
  KeyPartition& partition = *owner->partition;
  InboundSession& session = partition.sessions()[source];
  const int64_t now = runtime_.monotonic_us();
  const int64_t silent_us = now - session.last_heard_us;
  if (session.open && session.answered && silent_us >= config_.session_silence_ms * 1000) {
    partition.close_session(source);
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
  const SourcePosition& from = partition.offsets()[source];
  *out = {partition.id(), partition.epoch(), session.id, from,
          job.publisher->cuts(partition.id(), source, from.offset)};
  return true;
}

void PartitionHost::open_sessions(Job* job) {
  const int64_t now = runtime_.monotonic_us();
  for (uint32_t s = 0; s < job->readers.size(); ++s) {
    const Grant& reader = job->readers[s];
    if (reader.node == NodeId(0) || refusing_) continue;
    OpenSessions message{job->id, SourcePartitionId(s), reader.epoch, {}};
    for (auto& [k, owner] : job->owned) {
      if (!owner.partition) continue;
      if (now < owner.open_sessions_at_us && !job->publisher->all_answered(k)) continue;
      OpenSessions::Session session;
      if (needs_opening(*job, s, &owner, &session)) message.sessions.push_back(session);
    }
    if (message.sessions.empty()) continue;
    runtime_.send(self_, {reader.node, {reader.shard, kReaderHostIndex}}, kOpenSessions,
                  message.encode());
  }
}

void PartitionHost::on_timer(uint64_t) {
  for (auto& [id, job] : jobs_) {
    ask_registry(&job);
    search_stores(&job);
    open_sessions(&job);
    job.publisher->publish(job.owned);
  }
  write_snapshots();
  memory_.tick(accounted_bytes());
  const int64_t now = runtime_.monotonic_us();
  if (now - last_report_us_ >= config_.report_interval_ms * 1000) report();
  if (look_at_directories_us_ != 0 && now >= look_at_directories_us_) {
    look_at_directories_us_ = INT64_MAX;
    find_directories(runtime_, self_, resources_);
  }
  runtime_.start_timer(self_, config_.publish_interval_ms * 1000, 0);
}

}  // namespace tidemill
