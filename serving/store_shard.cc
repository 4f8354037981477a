#include "serving/store_shard.h"

#include <algorithm>

#include "shared/member/member_agent.h"
#include "shared/obs/log.h"
#include "shared/state/floors.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"

namespace tidemill {
namespace {

constexpr int64_t kReportIntervalUs = 250'000;
constexpr int64_t kAckIntervalUs = 1'000'000;  // half of what a worker's link-stall-ms is
constexpr uint64_t kReportTimer = 0;
constexpr uint64_t kUpkeepTimer = 1;

void refuse(const char* what, const Error& error) {
  log_event(LogLevel::kWarning, "message_refused", {{"what", what}, {"reason", error.message()}});
}

}  // namespace

struct StoreShard::WaitingRead {
  ActorId from;
  std::unique_ptr<ReadRequest> request;
  std::unique_ptr<ReadAnswer> answer;
  size_t outstanding = 0;  // key partitions whose keys are being brought
};

struct StoreShard::WaitingKeys {
  ActorId from;
  KeysRequest request;
  std::unique_ptr<KeysAnswer> answer;
  std::vector<ReplicaId> unasked;  // whose keys are not all in memory
};

StoreShard::StoreShard(Runtime& runtime, uint16_t shards, const StoreConfig& config,
                       StoreResources resources)
    : runtime_(runtime),
      self_{runtime.shard(), kStoreShardIndex},
      replicas_(runtime, self_, shards, config, std::move(resources)),
      acks_(runtime, self_, kAckIntervalUs) {}

void StoreShard::start() {
  on_timer(kReportTimer);
  on_timer(kUpkeepTimer);
}

void StoreShard::on_timer(uint64_t token) {
  edges_.clear();
  if (token == kReportTimer) {
    report();
    runtime_.start_timer(self_, kReportIntervalUs, kReportTimer);
    return;
  }
  runtime_.start_timer(self_, replicas_.tick(), kUpkeepTimer);
  acks_.send(replicas_.wants_no_more());
  tell_ready();
}

void StoreShard::receive(Message message) {
  if (message.local) {
    return on_local(std::move(message));
  }
  edges_.clear();
  if (message.type == kFrames) {
    on_frames(message);
  } else if (message.type == kRegisterReplicas) {
    on_register(message);
  } else if (message.type == kStateWanted) {
    on_state_wanted(message);
  }
}

void StoreShard::on_local(Message message) {
  LocalPayload* const local = message.local.get();
  if (auto* read = dynamic_cast<ReadRequest*>(local)) {
    message.local.release();
    on_read(message.from.actor, std::unique_ptr<ReadRequest>(read));
  } else if (const auto* edge = dynamic_cast<EdgeRequest*>(local)) {
    on_edge(message.from.actor, *edge);
  } else if (const auto* keys = dynamic_cast<KeysRequest*>(local)) {
    on_keys(message.from.actor, *keys);
  } else {
    edges_.clear();
    on_news(local);
  }
}

void StoreShard::on_news(LocalPayload* local) {
  if (const auto* changed = dynamic_cast<ViewChanged*>(local)) {
    on_view(*changed->view);
  } else {
    replicas_.receive(local);
  }
}

void StoreShard::on_view(const ClusterState& view) {
  view_version_ = view.version;
  std::erase_if(jobs_, [&](const auto& job) { return !view.jobs.contains(job.first); });
  for (const auto& [id, job] : view.jobs) jobs_[id].plan = job.plan;
  replicas_.set_view(view);
}

void StoreShard::on_register(const Message& message) {
  auto asked = RegisterReplicas::decode(message.body);
  if (!asked) return refuse("RegisterReplicas", asked.error());
  const auto job = jobs_.find(asked->job);
  if (job == jobs_.end()) return;  // the view that has it is on its way; the owner asks again
  ReplicaStates answer{asked->job, {}};
  for (const RegisterReplicas::Entry& entry : asked->entries) {
    HeldReplica* held = replicas_.find({asked->job, entry.key_partition});
    if (held == nullptr || !held->opened) continue;  // the owner asks again
    answer.entries.push_back(held->replica->follower().register_owner(entry));
  }
  runtime_.send(self_, message.from, kReplicaStates, answer.encode());
}

void StoreShard::on_state_wanted(const Message& message) {
  auto wanted = StateWanted::decode(message.body);
  if (!wanted) return refuse("StateWanted", wanted.error());
  HeldReplica* held = replicas_.find({wanted->job, wanted->key_partition});
  if (held == nullptr || !held->opened) return;  // the owner asks again
  replicas_.hand_over(held, message.from, *wanted);
}

void StoreShard::on_frames(const Message& message) {
  auto frames = Frames::decode(message.body);
  if (!frames) return refuse("Frames", frames.error());
  const auto job = jobs_.find(frames->job);
  if (job == jobs_.end()) return;
  StageTimer timer(runtime_, &job->second.apply_cost);
  FrameAck ack{frames->job, frames->link_seq, {}};
  ReplicaStates refused{frames->job, {}};
  for (FramePart& part : frames->parts) {
    HeldReplica* held = replicas_.find({frames->job, part.key_partition});
    if (held == nullptr || !held->opened) continue;
    replicas_.prepare(held, &part);
    apply(part, held, &ack, &refused);
  }
  replicas_.applied();
  acks_.add(message.from, frames->job.value, kFrameAck, ack.encode());
  acks_.send(replicas_.wants_no_more());
  if (!refused.entries.empty()) {
    runtime_.send(self_, message.from, kReplicaStates, refused.encode());
  }
}

void StoreShard::apply(const FramePart& part, HeldReplica* held, FrameAck* ack,
                       ReplicaStates* refused) {
  Follower& follower = held->replica->follower();
  switch (follower.apply(part)) {
    case Follower::Outcome::kApplied: {
      // While images come in, what is held may be a former owner's, whose versions are not ours.
      const Stamp stamp = follower.head().stamp();
      ack->entries.push_back(
          {part.key_partition, part.session, stamp.epoch == part.epoch ? stamp.version : 0});
      break;
    }
    case Follower::Outcome::kRefused:
      refused->entries.push_back(follower.state());
      refused->entries.back().session = part.session;
      break;
    case Follower::Outcome::kRepeated:
      break;
  }
}

ReadAnswer::Key StoreShard::read_key(const ReadRequest& request, const ReadRequest::Key& key,
                                     const Job* job, const HeldReplica* held,
                                     TimeUs* horizon) const {
  ReadAnswer::Key out;
  out.row = key.row;
  out.key_partition = key.key_partition;
  if (job == nullptr || held == nullptr || !held->replica->current()) return out;
  if (!knows(request)) return out;
  const PartitionState& window = held->replica->window();
  const StateHead& head = held->replica->follower().head();
  *horizon = std::max(*horizon, window.horizon());
  const bool found = compute(window, request, key, &out);
  out.status = found ? ReadAnswer::Status::kPresent : ReadAnswer::Status::kNotFound;
  out.freshness_ms = std::max<int64_t>(0, (runtime_.wall_us() - head.read_wall_us) / 1000);
  if (request.offsets) {
    out.epoch = head.stamp().epoch;
    out.version = head.stamp().version;
    out.offset_vector = head.offsets;
    if (out.offset_vector.size() < job->plan->source_partitions()) {
      out.offset_vector.resize(job->plan->source_partitions());  // nothing of the last ones yet
    }
  }
  return out;
}

bool StoreShard::compute(const PartitionState& window, const ReadRequest& request,
                         const ReadRequest::Key& key, ReadAnswer::Key* out) {
  if (request.tables.size() == 1) {
    return window.compute(request.tables.front(), key.key, key.hash, request.features,
                          request.as_of, &out->values, &out->resolutions, &out->complete_since);
  }
  const size_t count = request.features.size();
  out->values.resize(count);
  out->resolutions.resize(count);
  out->complete_since.resize(count);
  bool found = false;
  for (const uint16_t table : request.tables) {
    std::vector<size_t> places;
    std::vector<const FeatureSpec*> features;
    for (size_t f = 0; f < count; ++f) {
      if (request.features[f]->table != table) continue;
      places.push_back(f);
      features.push_back(request.features[f]);
    }
    ReadAnswer::Key part;
    found |= window.compute(table, key.key, key.hash, features, request.as_of, &part.values,
                            &part.resolutions, &part.complete_since);
    for (size_t p = 0; p < places.size(); ++p) {
      out->values[places[p]] = std::move(part.values[p]);
      out->resolutions[places[p]] = part.resolutions[p];
      out->complete_since[places[p]] = part.complete_since[p];
    }
  }
  return found;
}

bool StoreShard::knows(const ReadRequest& request) const {
  return std::all_of(request.tables.begin(), request.tables.end(),
                     [&](uint16_t table) { return knows(request.job, table); });
}

bool StoreShard::knows(JobId job, uint16_t table) const {
  const auto found = jobs_.find(job);
  return found != jobs_.end() && table < found->second.plan->tables()->size();
}

void StoreShard::read_keys(WaitingRead* waiting, const std::vector<size_t>& keys,
                           const HeldReplica* held) {
  const ReadRequest& request = *waiting->request;
  const auto job = jobs_.find(request.job);
  for (const size_t i : keys) {
    waiting->answer->keys[i] =
        read_key(request, request.keys[i], job == jobs_.end() ? nullptr : &job->second, held,
                 &waiting->answer->horizon);
  }
}

// What is in memory is read now; the rest once it has been brought, all of a key partition at once.
void StoreShard::on_read(ActorId from, std::unique_ptr<ReadRequest> request) {
  const auto waiting = std::make_shared<WaitingRead>();
  waiting->from = from;
  waiting->answer = std::make_unique<ReadAnswer>();
  waiting->answer->request = request->request;
  waiting->answer->group = request->group;
  waiting->answer->keys.resize(request->keys.size());
  waiting->request = std::move(request);
  const std::vector<ReadRequest::Key>& keys = waiting->request->keys;
  struct Cold {
    std::vector<size_t> indexes;
    std::vector<StateKey> keys;
  };
  std::map<KeyPartitionId, Cold> cold;
  for (size_t i = 0; i < keys.size(); ++i) {
    const ReadRequest::Key& key = keys[i];
    const HeldReplica* held = replicas_.find({waiting->request->job, key.key_partition});
    const bool readable = held != nullptr && held->replica->current() && knows(*waiting->request);
    const auto& tables = waiting->request->tables;
    const bool on_disk = readable && std::any_of(tables.begin(), tables.end(), [&](uint16_t table) {
                           return held->replica->window().find(table, key.key, key.hash) ==
                                  PartitionState::Found::kMaybeOnDisk;
                         });
    if (on_disk) {
      Cold& of = cold[key.key_partition];
      of.indexes.push_back(i);
      for (const uint16_t table : tables) of.keys.push_back({table, key.hash, key.key});
    } else {
      read_keys(waiting.get(), {i}, held);
    }
  }
  waiting->outstanding = cold.size() + 1;
  for (auto& [k, of] : cold) {
    replicas_.load({waiting->request->job, k}, std::move(of.keys),
                   [this, waiting, indexes = std::move(of.indexes)](const HeldReplica* held) {
                     read_keys(waiting.get(), indexes, held);
                     end_read(waiting);
                   });
  }
  end_read(waiting);
}

void StoreShard::end_read(const std::shared_ptr<WaitingRead>& waiting) {
  if (--waiting->outstanding > 0) return;
  runtime_.post_local(self_, waiting->from, std::move(waiting->answer));
}

void StoreShard::on_edge(ActorId from, const EdgeRequest& request) {
  auto answer = std::make_unique<EdgeAnswer>();
  answer->request = request.request;
  const auto [known, added] = edges_.try_emplace(request.job);
  if (added) known->second = find_edge(request.job);
  answer->edge = known->second;
  runtime_.post_local(self_, from, std::move(answer));
}

TimeUs StoreShard::find_edge(JobId job) const {
  TimeUs out = kMinTime;
  for (const auto& [id, held] : replicas_.all()) {
    if (id.job != job || !held.replica->current()) continue;
    out = std::max(out, held.replica->follower().max_event_time());
  }
  return out;
}

void StoreShard::on_keys(ActorId from, const KeysRequest& request) {
  const auto waiting = std::make_shared<WaitingKeys>();
  waiting->from = from;
  waiting->request.request = request.request;
  waiting->request.job = request.job;
  waiting->request.table = request.table;
  waiting->request.limit = request.limit;
  waiting->answer = std::make_unique<KeysAnswer>();
  waiting->answer->request = request.request;
  std::vector<std::string>& keys = waiting->answer->keys;
  for (const auto& [id, held] : replicas_.all()) {
    if (id.job != request.job || !held.replica->current()) continue;
    if (!knows(request.job, request.table)) continue;
    held.replica->window().sample_keys(request.table, request.limit - keys.size(), &keys);
    if (!held.replica->window().complete()) waiting->unasked.push_back(id);
  }
  sample_next(waiting);
}

// One disk after another, until there are enough.
void StoreShard::sample_next(const std::shared_ptr<WaitingKeys>& waiting) {
  std::vector<std::string>& keys = waiting->answer->keys;
  const size_t limit = waiting->request.limit;
  if (keys.size() >= limit || waiting->unasked.empty()) {
    runtime_.post_local(self_, waiting->from, std::move(waiting->answer));
    return;
  }
  const ReplicaId id = waiting->unasked.back();
  waiting->unasked.pop_back();
  replicas_.sample(id, waiting->request.table, limit,
                   [this, waiting, limit](const std::vector<std::string>& found) {
                     std::vector<std::string>& have = waiting->answer->keys;
                     const std::set<std::string> before(have.begin(), have.end());
                     for (const std::string& key : found) {
                       if (have.size() < limit && !before.contains(key)) have.push_back(key);
                     }
                     sample_next(waiting);
                   });
}

void StoreShard::tell_ready() {
  if (told_ready_ || !replicas_.ready()) return;
  auto ready = std::make_unique<ShardReady>();
  ready->shard = self_.shard;
  told_ready_ = runtime_.post_local(self_, kReadGateway, std::move(ready)) == SendResult::kAccepted;
}

void StoreShard::report() {
  auto report = std::make_unique<ShardReport>();
  report->reporter = self_;
  report->view_version = view_version_;
  report->resident_bytes = replicas_.memory().resident_bytes();
  report->memory_budget_bytes = replicas_.memory().budget();
  report->shard_use = replicas_.memory_use();
  replicas_.memory().add_process_use(&report->process_use);
  for (const auto& [id, job] : jobs_) {
    proto::JobReport& out = report->jobs.emplace_back();
    out.set_job(id.value);
    uint64_t rows_applied = 0;
    for (const auto& [replica_id, held] : replicas_.all()) {
      if (replica_id.job != id) continue;
      rows_applied += held.replica->rows_applied();
      report_replica(held, &out);
    }
    const ReplicaSet::Counts counts = replicas_.counts_of(id);
    out.set_cold_reads(counts.cold_reads);
    out.set_snapshots(counts.increments);
    out.set_snapshot_failures(counts.failed_increments);
    StageCost apply = job.apply_cost;
    apply.rows = rows_applied;
    add_stage("store_apply", apply, &out);
  }
  runtime_.post_local(self_, kAgent, std::move(report));
}

void StoreShard::report_replica(const HeldReplica& held, proto::JobReport* out) const {
  const Replica& replica = *held.replica;
  const WindowStats stats = replica.window().stats();
  if (replica.current()) out->set_key_partitions(out->key_partitions() + 1);
  add_floors(replica.follower().head().floors, out);
  out->set_rows(out->rows() + stats.rows);
  out->set_keys(out->keys() + stats.keys);
  out->set_state_bytes(out->state_bytes() + stats.bytes);
  out->set_full_chunks(out->full_chunks() + stats.full_chunks);
  out->set_recut_chunks(out->recut_chunks() + stats.recut_chunks);
  out->set_freed_rows(out->freed_rows() + stats.freed_rows);
  out->set_pending_bytes(out->pending_bytes() + replica.follower().pending_bytes());
  out->set_evicted_keys(out->evicted_keys() + replica.evicted_keys());
  out->set_disk_rows(out->disk_rows() + held.disk_rows);
}

}  // namespace tidemill
