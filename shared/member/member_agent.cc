#include "shared/member/member_agent.h"

#include "shared/obs/log.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"

namespace tidemill {
namespace {

constexpr uint64_t kBeatTimer = 0;
constexpr uint64_t kLeaveTimer = 1;
constexpr uint64_t kLeaveAgainTimer = 2;
constexpr int64_t kLeaveAgainUs = 50'000;   // a goodbye that is not answered is repeated after
constexpr int64_t kSoonestBeatUs = 20'000;  // between heartbeats that are asked for

Buffer serialize(const google::protobuf::MessageLite& message) {
  std::string bytes;
  message.SerializeToString(&bytes);
  return Buffer(std::move(bytes));
}

// Progress over several key partitions or shards is that of the one furthest behind.
void merge_progress(const google::protobuf::RepeatedPtrField<proto::SourceProgress>& part,
                    google::protobuf::RepeatedPtrField<proto::SourceProgress>* sum) {
  for (const proto::SourceProgress& p : part) {
    proto::SourceProgress* found = nullptr;
    for (proto::SourceProgress& s : *sum) {
      if (s.source_partition() == p.source_partition()) found = &s;
    }
    if (found == nullptr) {
      *sum->Add() = p;
      continue;
    }
    if (p.offset() < found->offset()) found->set_offset(p.offset());
    if (p.max_event_time_us() < found->max_event_time_us()) {
      found->set_max_event_time_us(p.max_event_time_us());
    }
    found->set_finished(found->finished() && p.finished());
  }
}

}  // namespace

void add_stage(const std::string& stage, const StageCost& cost, proto::JobReport* report) {
  proto::StageCost* found = nullptr;
  for (proto::StageCost& s : *report->mutable_stages()) {
    if (s.stage() == stage) found = &s;
  }
  if (found == nullptr) {
    found = report->add_stages();
    found->set_stage(stage);
  }
  found->set_cpu_ns(found->cpu_ns() + cost.cpu_ns);
  found->set_rows(found->rows() + cost.rows);
}

void merge_report(const proto::JobReport& part, proto::JobReport* sum) {
  const bool first = sum->key_partitions() == 0;
  sum->mutable_readers()->MergeFrom(part.readers());
  merge_progress(part.applied(), sum->mutable_applied());
  merge_progress(part.published(), sum->mutable_published());
  if (part.key_partitions() > 0) {
    sum->set_horizon_us(first ? part.horizon_us()
                              : std::min<int64_t>(sum->horizon_us(), part.horizon_us()));
    sum->set_oldest_snapshot_us(
        first ? part.oldest_snapshot_us()
              : std::min<int64_t>(sum->oldest_snapshot_us(), part.oldest_snapshot_us()));
  }
  sum->set_key_partitions(sum->key_partitions() + part.key_partitions());
  sum->set_rows(sum->rows() + part.rows());
  sum->set_keys(sum->keys() + part.keys());
  sum->set_state_bytes(sum->state_bytes() + part.state_bytes());
  sum->set_rows_applied(sum->rows_applied() + part.rows_applied());
  sum->set_too_late_rows(sum->too_late_rows() + part.too_late_rows());
  sum->set_full_chunks(sum->full_chunks() + part.full_chunks());
  sum->set_recut_chunks(sum->recut_chunks() + part.recut_chunks());
  sum->set_freed_rows(sum->freed_rows() + part.freed_rows());
  sum->set_image_bytes_sent(sum->image_bytes_sent() + part.image_bytes_sent());
  sum->set_session_gaps(sum->session_gaps() + part.session_gaps());
  for (int t = 0; t < part.floors_us_size(); ++t) {
    if (t == sum->floors_us_size()) sum->add_floors_us(part.floors_us(t));
    sum->set_floors_us(t, std::max(sum->floors_us(t), part.floors_us(t)));
  }
  for (int v = 0; v < part.too_late_by_view_size(); ++v) {
    if (v == sum->too_late_by_view_size()) sum->add_too_late_by_view(0);
    sum->set_too_late_by_view(v, sum->too_late_by_view(v) + part.too_late_by_view(v));
  }
  sum->set_restoring(sum->restoring() + part.restoring());
  sum->mutable_standbys()->MergeFrom(part.standbys());
  sum->mutable_loads()->MergeFrom(part.loads());
  sum->set_pending_bytes(sum->pending_bytes() + part.pending_bytes());
  sum->set_snapshots(sum->snapshots() + part.snapshots());
  sum->set_snapshot_bytes(sum->snapshot_bytes() + part.snapshot_bytes());
  sum->set_snapshot_failures(sum->snapshot_failures() + part.snapshot_failures());
  sum->set_refused_snapshots(sum->refused_snapshots() + part.refused_snapshots());
  sum->set_states_from_stores(sum->states_from_stores() + part.states_from_stores());
  sum->set_evicted_keys(sum->evicted_keys() + part.evicted_keys());
  sum->set_cold_reads(sum->cold_reads() + part.cold_reads());
  sum->set_disk_rows(sum->disk_rows() + part.disk_rows());
  for (const proto::StageCost& cost : part.stages()) {
    add_stage(cost.stage(), {cost.cpu_ns(), cost.rows()}, sum);
  }
}

MemberAgent::MemberAgent(Runtime& runtime, MemberConfig config, std::vector<ActorId> followers)
    : runtime_(runtime),
      config_(std::move(config)),
      followers_(std::move(followers)),
      coordinators_(config_.coordinators.size(), 2 * config_.heartbeat_ms * 1000) {}

void MemberAgent::start() {
  for (size_t i = 0; i < config_.coordinators.size(); ++i) {
    runtime_.connect(CoordinatorChoice::node(i), config_.coordinators[i]);
  }
  runtime_.watch_stop(kAgent);
  on_timer(kBeatTimer);
}

void MemberAgent::on_timer(uint64_t token) {
  if (token == kLeaveTimer) return runtime_.stop(0, leaving_);
  if (token == kLeaveAgainTimer) {
    send_heartbeat();
    runtime_.start_timer(kAgent, kLeaveAgainUs, kLeaveAgainTimer);
    return;
  }
  tell_followers();
  send_heartbeat();
  runtime_.start_timer(kAgent, config_.heartbeat_ms * 1000, kBeatTimer);
}

// Answered with Fenced, or not at all.
void MemberAgent::leave(const std::string& reason) {
  if (!leaving_.empty()) return;
  leaving_ = reason;
  runtime_.start_timer(kAgent, config_.leave_ms * 1000, kLeaveTimer);
  on_timer(kLeaveAgainTimer);
}

proto::JobReport MemberAgent::merged_report(uint32_t job) const {
  proto::JobReport sum;
  sum.set_job(job);
  for (const auto& [reporter, report] : reports_) {
    for (const proto::JobReport& part : report.jobs) {
      if (part.job() == job) merge_report(part, &sum);
    }
  }
  return sum;
}

// Reporters look at their own times: of what they say of the process the greatest counts.
void MemberAgent::add_memory(proto::Heartbeat* beat) const {
  MemoryUse shards;
  MemoryUse process;
  for (const auto& [reporter, report] : reports_) {
    beat->set_resident_bytes(std::max<uint64_t>(beat->resident_bytes(), report.resident_bytes));
    beat->set_memory_budget_bytes(
        std::max<uint64_t>(beat->memory_budget_bytes(), report.memory_budget_bytes));
    for (const auto& [consumer, bytes] : report.shard_use) shards[consumer] += bytes;
    for (const auto& [consumer, bytes] : report.process_use) {
      process[consumer] = std::max(process[consumer], bytes);
    }
  }
  for (const auto& [consumer, bytes] : process) shards[consumer] += bytes;
  uint64_t known = 0;
  for (const auto& [consumer, bytes] : shards) known += bytes;
  // What the allocator keeps and rounds, code, stacks, and what nobody accounts for.
  if (!shards.empty()) {
    shards["other"] = beat->resident_bytes() - std::min<uint64_t>(beat->resident_bytes(), known);
  }
  for (const auto& [consumer, bytes] : shards) {
    proto::MemoryUse* use = beat->add_memory();
    use->set_consumer(consumer);
    use->set_bytes(bytes);
  }
}

void MemberAgent::send_heartbeat() {
  proto::Heartbeat beat;
  beat.set_node(runtime_.node().value);
  beat.set_endpoint(runtime_.endpoint());
  beat.set_role(config_.role);
  beat.set_shards(config_.shards);
  beat.set_http_address(config_.http_address);
  beat.set_pid(config_.pid);
  beat.set_coordinator_instance(coordinator_instance_);
  beat.set_view_version(applied_view_version());
  beat.set_leaving(!leaving_.empty());
  add_memory(&beat);
  last_heartbeat_us_ = runtime_.monotonic_us();
  if (view_) {
    for (const auto& [id, job] : view_->jobs) *beat.add_jobs() = merged_report(id.value);
  }
  for (const NodeId coordinator : coordinators_.to_ask(last_heartbeat_us_)) {
    beat.set_addressed_to(coordinator.value);
    runtime_.send(kAgent, {coordinator, kAgent}, kHeartbeat, serialize(beat));
  }
}

void MemberAgent::receive(Message message) {
  if (message.local) return on_local(message.local.get());
  if (message.from.node != kCoordinatorNode) return;
  if (message.type == kClusterView) {
    on_view(message);
  } else if (message.type == kHeartbeatAck) {
    on_ack(message);
  } else if (message.type == kFenced) {
    on_fenced(message);
  }
}

void MemberAgent::on_ack(const Message& message) {
  proto::HeartbeatAck ack;
  const auto bytes = message.body.bytes();
  if (!ack.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  const NodeId coordinator{ack.addressed_to()};
  if (!coordinators_.answered(coordinator, ack.generation(), runtime_.monotonic_us())) return;
  log_event(LogLevel::kInfo, "coordinator_followed",
            {{"endpoint", config_.coordinators[coordinator.value - kCoordinatorNode.value]},
             {"generation", ack.generation()}});
  if (view_ == nullptr) return;
  auto view = std::make_shared<ClusterState>(*view_);
  view->coordinator = coordinator;
  follow(std::move(view));
}

void MemberAgent::on_fenced(const Message& message) {
  proto::Fenced fenced;
  const auto bytes = message.body.bytes();
  if (!fenced.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  // One that no longer leads knows nothing about who is alive.
  if (coordinators_.is_deposed(fenced.generation(), runtime_.monotonic_us())) return;
  if (!leaving_.empty()) return runtime_.stop(0, leaving_);
  runtime_.stop(1, "fenced by the coordinator: " + fenced.reason());
}

void MemberAgent::on_local(LocalPayload* payload) {
  if (auto* report = dynamic_cast<ShardReport*>(payload)) {
    reports_[report->reporter] = std::move(*report);
  } else if (auto* asked = dynamic_cast<StopAsked*>(payload)) {
    leave(asked->reason);
  } else if (dynamic_cast<ViewWanted*>(payload) != nullptr &&
             runtime_.monotonic_us() - last_heartbeat_us_ >= kSoonestBeatUs) {
    send_heartbeat();
  }
}

void MemberAgent::on_view(const Message& message) {
  proto::ClusterView proto_view;
  const auto bytes = message.body.bytes();
  if (!proto_view.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    log_event(LogLevel::kWarning, "cluster_view_refused", {{"reason", "not a ClusterView"}});
    return;
  }
  coordinator_instance_ = proto_view.coordinator_instance();
  if (view_ && proto_view.version() <= view_->version) return;
  auto view = ClusterState::from_proto(proto_view, view_.get());
  if (!view) {
    log_event(LogLevel::kError, "cluster_view_refused", {{"reason", view.error().message()}});
    return;
  }
  if (view_) {
    for (const auto& [node, endpoint] : view_->endpoints) {
      if (!(*view)->endpoints.contains(node)) runtime_.disconnect(node);
    }
  }
  for (const auto& [node, endpoint] : (*view)->endpoints) {
    if (node != runtime_.node()) runtime_.connect(node, endpoint);
  }
  auto followed = std::make_shared<ClusterState>(**view);
  followed->coordinator = coordinators_.current();
  follow(std::move(followed));
}

void MemberAgent::follow(std::shared_ptr<const ClusterState> view) {
  view_ = std::move(view);
  untold_.insert(followers_.begin(), followers_.end());
  tell_followers();
}

void MemberAgent::tell_followers() {
  std::erase_if(untold_, [&](ActorId follower) {
    auto changed = std::make_unique<ViewChanged>();
    changed->view = view_;
    return runtime_.post_local(kAgent, follower, std::move(changed)) == SendResult::kAccepted;
  });
}

// What a heartbeat says of jobs is of this version: the oldest that an actor reports from.
uint64_t MemberAgent::applied_view_version() const {
  if (!view_ || reports_.empty()) return 0;
  uint64_t version = view_->version;
  for (const auto& [reporter, report] : reports_) version = std::min(version, report.view_version);
  return version;
}

}  // namespace tidemill
