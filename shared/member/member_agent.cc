#include "shared/member/member_agent.h"

#include "shared/obs/log.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"

namespace tidemill {
namespace {

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
  sum->set_images_sent(sum->images_sent() + part.images_sent());
  sum->set_session_gaps(sum->session_gaps() + part.session_gaps());
  for (int v = 0; v < part.too_late_by_view_size(); ++v) {
    if (v == sum->too_late_by_view_size()) sum->add_too_late_by_view(0);
    sum->set_too_late_by_view(v, sum->too_late_by_view(v) + part.too_late_by_view(v));
  }
  for (const proto::StageCost& cost : part.stages()) {
    add_stage(cost.stage(), {cost.cpu_ns(), cost.rows()}, sum);
  }
}

MemberAgent::MemberAgent(Runtime& runtime, MemberConfig config, std::vector<ActorId> followers)
    : runtime_(runtime), config_(std::move(config)), followers_(std::move(followers)) {}

void MemberAgent::start() {
  runtime_.connect(kCoordinatorNode, config_.coordinator_endpoint);
  on_timer(0);
}

void MemberAgent::on_timer(uint64_t) {
  tell_followers();
  send_heartbeat();
  runtime_.start_timer(kAgent, config_.heartbeat_ms * 1000, 0);
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
  if (view_) {
    for (const auto& [id, job] : view_->jobs) *beat.add_jobs() = merged_report(id.value);
  }
  runtime_.send(kAgent, {kCoordinatorNode, kAgent}, kHeartbeat, serialize(beat));
}

void MemberAgent::receive(Message message) {
  if (message.local) {
    if (auto* report = dynamic_cast<ShardReport*>(message.local.get())) {
      reports_[report->reporter] = std::move(*report);
    }
    return;
  }
  if (message.from.node != kCoordinatorNode) return;
  if (message.type == kClusterView) {
    on_view(message);
  } else if (message.type == kFenced) {
    proto::Fenced fenced;
    const auto bytes = message.body.bytes();
    if (!fenced.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    runtime_.stop(1, "fenced by the coordinator: " + fenced.reason());
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
  view_ = std::move(view).value();
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
