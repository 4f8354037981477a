#include "serving/store_shard.h"

#include "shared/member/member_agent.h"
#include "shared/obs/log.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"

namespace tidemill {
namespace {

constexpr int64_t kReportIntervalUs = 250'000;

void refuse(const char* what, const Error& error) {
  log_event(LogLevel::kWarning, "message_refused", {{"what", what}, {"reason", error.message()}});
}

}  // namespace

StoreShard::StoreShard(Runtime& runtime)
    : runtime_(runtime), self_{runtime.shard(), kStoreShardIndex} {}

void StoreShard::start() { runtime_.start_timer(self_, kReportIntervalUs, 0); }

void StoreShard::on_timer(uint64_t) {
  report();
  runtime_.start_timer(self_, kReportIntervalUs, 0);
}

void StoreShard::receive(Message message) {
  if (message.local) {
    if (const auto* read = dynamic_cast<ReadRequest*>(message.local.get())) {
      on_read(message.from.actor, *read);
    } else if (const auto* edge = dynamic_cast<EdgeRequest*>(message.local.get())) {
      on_edge(message.from.actor, *edge);
    } else if (const auto* keys = dynamic_cast<KeysRequest*>(message.local.get())) {
      on_keys(message.from.actor, *keys);
    } else if (const auto* changed = dynamic_cast<ViewChanged*>(message.local.get())) {
      on_view(*changed->view);
    }
    return;
  }
  if (message.type == kFrames) {
    on_frames(message);
  } else if (message.type == kRegisterReplicas) {
    on_register(message);
  }
}

void StoreShard::on_view(const ClusterState& view) {
  view_version_ = view.version;
  std::erase_if(jobs_, [&](const auto& job) { return !view.jobs.contains(job.first); });
  for (const auto& [id, job] : view.jobs) jobs_[id].plan = job.plan;
}

Replica& StoreShard::replica_of(Job* job, KeyPartitionId k) {
  return job->replicas.try_emplace(k, job->plan->tables(), k).first->second;
}

void StoreShard::on_register(const Message& message) {
  auto asked = RegisterReplicas::decode(message.body);
  if (!asked) return refuse("RegisterReplicas", asked.error());
  const auto job = jobs_.find(asked->job);
  if (job == jobs_.end()) return;  // the view that has it is on its way; the owner asks again
  ReplicaStates answer{asked->job, {}};
  for (const RegisterReplicas::Entry& entry : asked->entries) {
    if (entry.key_partition.value >= job->second.plan->key_partitions()) continue;
    answer.entries.push_back(replica_of(&job->second, entry.key_partition).register_owner(entry));
  }
  runtime_.send(self_, message.from, kReplicaStates, answer.encode());
}

void StoreShard::on_frames(const Message& message) {
  auto frames = Frames::decode(message.body);
  if (!frames) return refuse("Frames", frames.error());
  const auto job = jobs_.find(frames->job);
  if (job == jobs_.end()) return;
  StageTimer timer(runtime_, &job->second.apply_cost);
  FrameAck ack{frames->job, frames->link_seq, {}};
  ReplicaStates refused{frames->job, {}};
  for (const FramePart& part : frames->parts) {
    if (part.key_partition.value >= job->second.plan->key_partitions()) continue;
    Replica& replica = replica_of(&job->second, part.key_partition);
    switch (replica.apply(part)) {
      case Replica::Outcome::kApplied:
        // While images come in, what is held may be a former owner's, whose versions are not ours.
        ack.entries.push_back({part.key_partition, part.session,
                               replica.epoch() == part.epoch ? replica.version() : 0});
        break;
      case Replica::Outcome::kRefused:
        refused.entries.push_back(replica.state());
        refused.entries.back().session = part.session;
        break;
      case Replica::Outcome::kRepeated:
        break;
    }
  }
  runtime_.send(self_, message.from, kFrameAck, ack.encode());
  if (!refused.entries.empty()) {
    runtime_.send(self_, message.from, kReplicaStates, refused.encode());
  }
}

ReadAnswer::Key StoreShard::read_key(const ReadRequest& request, const ReadRequest::Key& key,
                                     const Job* job, TimeUs* horizon) const {
  ReadAnswer::Key out;
  out.row = key.row;
  out.key_partition = key.key_partition;
  const auto replica =
      job == nullptr ? decltype(job->replicas.end()){} : job->replicas.find(key.key_partition);
  if (job == nullptr || replica == job->replicas.end() || !replica->second.ready()) return out;
  const Replica& held = replica->second;
  *horizon = std::max(*horizon, held.horizon());
  const bool found = held.window().compute(request.table, key.key, key.hash, request.features,
                                           request.as_of, &out.values);
  out.status = found ? ReadAnswer::Status::kPresent : ReadAnswer::Status::kNotFound;
  out.freshness_ms = std::max<int64_t>(0, (runtime_.wall_us() - held.read_wall_us()) / 1000);
  if (request.offsets) {
    out.epoch = held.epoch();
    out.version = held.version();
    out.offset_vector = held.offsets();
    if (out.offset_vector.size() < job->plan->source_partitions()) {
      out.offset_vector.resize(job->plan->source_partitions());  // nothing of the last ones yet
    }
  }
  return out;
}

void StoreShard::on_read(ActorId from, const ReadRequest& request) {
  const auto it = jobs_.find(request.job);
  const Job* job = it == jobs_.end() ? nullptr : &it->second;
  auto answer = std::make_unique<ReadAnswer>();
  answer->request = request.request;
  answer->group = request.group;
  answer->keys.reserve(request.keys.size());
  for (const ReadRequest::Key& key : request.keys) {
    answer->keys.push_back(read_key(request, key, job, &answer->horizon));
  }
  runtime_.post_local(self_, from, std::move(answer));
}

void StoreShard::on_edge(ActorId from, const EdgeRequest& request) {
  auto answer = std::make_unique<EdgeAnswer>();
  answer->request = request.request;
  const auto job = jobs_.find(request.job);
  if (job != jobs_.end()) {
    for (const auto& [k, replica] : job->second.replicas) {
      if (replica.ready()) answer->edge = std::max(answer->edge, replica.max_event_time());
    }
  }
  runtime_.post_local(self_, from, std::move(answer));
}

void StoreShard::on_keys(ActorId from, const KeysRequest& request) {
  auto answer = std::make_unique<KeysAnswer>();
  answer->request = request.request;
  const auto job = jobs_.find(request.job);
  if (job != jobs_.end()) {
    for (const auto& [k, replica] : job->second.replicas) {
      if (!replica.ready()) continue;
      replica.window().sample_keys(request.table, request.limit - answer->keys.size(),
                                   &answer->keys);
      if (answer->keys.size() >= request.limit) break;
    }
  }
  runtime_.post_local(self_, from, std::move(answer));
}

void StoreShard::report() {
  auto report = std::make_unique<ShardReport>();
  report->reporter = self_;
  report->view_version = view_version_;
  for (const auto& [id, job] : jobs_) {
    proto::JobReport& out = report->jobs.emplace_back();
    out.set_job(id.value);
    uint32_t ready = 0;
    uint64_t rows_applied = 0;
    for (const auto& [k, replica] : job.replicas) {
      if (!replica.ready()) continue;
      ++ready;
      rows_applied += replica.rows_applied();
      const WindowStats stats = replica.window().stats();
      out.set_rows(out.rows() + stats.rows);
      out.set_keys(out.keys() + stats.keys);
      out.set_state_bytes(out.state_bytes() + stats.bytes);
      out.set_full_chunks(out.full_chunks() + stats.full_chunks);
      out.set_recut_chunks(out.recut_chunks() + stats.recut_chunks);
      out.set_freed_rows(out.freed_rows() + stats.freed_rows);
    }
    out.set_key_partitions(ready);
    StageCost apply = job.apply_cost;
    apply.rows = rows_applied;
    add_stage("store_apply", apply, &out);
  }
  runtime_.post_local(self_, kAgent, std::move(report));
}

}  // namespace tidemill
