#include "coordinator/coordinator.h"

#include <cstdio>

#include "coordinator/cluster_view.h"
#include "shared/base/utf8.h"
#include "shared/obs/log.h"
#include "shared/plan/source_partitions.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"

namespace tidemill {
namespace {

constexpr uint64_t kTickTimer = 1;
constexpr uint64_t kSuspectTimer = 2;
constexpr size_t kMaxHeartbeatBytes = 8u << 20;
constexpr size_t kMaxFencedLinks = 1024;
constexpr int64_t kDiscoverIntervalUs = kMicrosPerSecond;

// Of dead letters, which are in storage, what was counted there last: a reader that has not looked
// yet knows of none.
void remember(const proto::ReaderReport& reader, proto::ReaderReport* kept) {
  if (reader.dead_letters_known()) {
    *kept = reader;
    return;
  }
  auto letters = std::move(*kept->mutable_dead_letters());
  *kept = reader;
  *kept->mutable_dead_letters() = std::move(letters);
}

}  // namespace

Coordinator::Coordinator(Runtime& runtime, const CoordinatorConfig& config,
                         std::shared_ptr<MetadataStore> store)
    : runtime_(runtime),
      config_(config),
      store_(std::move(store)),
      catalog_(config.catalog ? config.catalog : make_source_catalog()),
      probe_(config.metrics != nullptr ? config.metrics : &own_metrics_),
      members_(config.membership_limits()),
      rebalancer_({config.auto_rebalance, config.join_settle_ms * 1000}),
      snapshots_(runtime, config.snapshots, 2 * config.lease_ms * 1000, &probe_),
      snapshot_checks_(runtime, config.snapshots) {}

void Coordinator::start() {
  if (config_.election != nullptr) {
    phase_ = Phase::kStandby;
    stand_for_leadership();
  } else {
    load();
  }
  runtime_.watch_links(kAgent);
  runtime_.start_timer(kAgent, config_.tick_ms * 1000, kTickTimer);
}

void Coordinator::load() {
  load_again_ = false;
  runtime_.run_blocking(kAgent, kStoreLane, [store = store_]() -> std::unique_ptr<LocalPayload> {
    return std::make_unique<LoadedState>(store->start_generation());
  });
}

void Coordinator::receive(Message message) {
  if (!may_act()) return;
  if (message.local == nullptr) {
    if (message.type == kHeartbeat) {
      on_heartbeat(message);
    } else {
      on_snapshot_message(message);
    }
    return;
  }
  auto* local = message.local.get();
  if (auto* request = dynamic_cast<CoordinatorRequest*>(local)) {
    on_request(std::move(*request));
  } else if (auto* committed = dynamic_cast<CommittedState*>(local)) {
    on_committed(std::move(*committed));
  } else if (auto* update = dynamic_cast<CompiledUpdate*>(local)) {
    on_compiled(std::move(*update));
  } else if (auto* compiled = dynamic_cast<CompiledPlan*>(local)) {
    on_compiled(std::move(*compiled));
  } else if (auto* loaded = dynamic_cast<LoadedState*>(local)) {
    on_loaded(std::move(*loaded));
  } else if (auto* discovered = dynamic_cast<DiscoveredSources*>(local)) {
    on_discovered(std::move(*discovered));
  } else if (auto* read = dynamic_cast<FinishedRead*>(local)) {
    --reading_;
    read->respond(std::move(read->response));
  } else if (auto* removed = dynamic_cast<RemovedStep*>(local)) {
    snapshots_.on_removed(*removed, *committed_);
  } else if (auto* verified = dynamic_cast<VerifiedManifest*>(local)) {
    snapshot_checks_.on_verified(std::move(*verified), *committed_);
  } else if (auto* broken = dynamic_cast<LinkBroken*>(local)) {
    on_link_broken(broken->node);
  } else if (auto* renewed = dynamic_cast<RenewedLeadership*>(local)) {
    on_renewed(std::move(*renewed));
  } else if (auto* stood = dynamic_cast<StoodForLeader*>(local)) {
    on_stood(std::move(*stood));
  }
}

void Coordinator::on_timer(uint64_t token) {
  if (token == kTickTimer) runtime_.start_timer(kAgent, config_.tick_ms * 1000, kTickTimer);
  if (!may_act()) return;
  if (phase_ == Phase::kStandby) return stand_for_leadership();
  renew_leadership();
  if (load_again_) load();
  if (unwritten_) write(std::exchange(unwritten_, std::nullopt).value());
  if (committed_ == nullptr) return;
  const int64_t now = runtime_.monotonic_us();
  declare_dead();
  drop_fenced_links(now);
  claims_due_ = true;
  decide();
  if (phase_ == Phase::kServing) snapshots_.remove_objects(*committed_);
  discover_sources(now);
}

void Coordinator::declare_dead() {
  for (const auto node : members_.expire(runtime_.monotonic_us())) {
    const bool suspected = members_.entries().at(node).suspected;
    probe_.deaths.add();
    runtime_.disconnect(node);
    log_event(LogLevel::kWarning, "member_dead",
              {{"node", node_text(node)},
               {"reason", suspected ? "its connection broke, and no heartbeat came"
                                    : "no heartbeat for the length of the lease"}});
  }
}

void Coordinator::on_link_broken(NodeId node) {
  if (!members_.suspect(node, runtime_.monotonic_us())) return;
  log_event(LogLevel::kInfo, "member_link_broken", {{"node", node_text(node)}});
  runtime_.start_timer(kAgent, config_.membership_limits().broken_link_us, kSuspectTimer);
}

void Coordinator::on_loaded(LoadedState loaded) {
  if (!loaded.state) {
    const Error& error = loaded.state.error();
    if (error.code() != ErrorCode::kRetryable) return end(error.message());
    log_event(LogLevel::kWarning, "loading_waits", {{"reason", error.message()}});
    load_again_ = true;
    return;
  }
  auto state = std::make_shared<CoordinatorState>(std::move(*loaded.state));
  char instance[48];
  std::snprintf(instance, sizeof(instance), "%llu-%016llx",
                static_cast<unsigned long long>(state->generation),
                static_cast<unsigned long long>(runtime_.random()));
  instance_ = instance;
  const int64_t now = runtime_.monotonic_us();
  for (const auto& [node, info] : state->members) {
    members_.expect(info, now);
    runtime_.connect(node, info.endpoint);
  }
  recovered_at_us_ = now + config_.lease_ms * 1000;
  phase_ = Phase::kRecovering;
  committed_ = std::move(state);
  for (const auto& [id, entry] : committed_->jobs) readers_[id] = entry.job->readers;
  view_ = encode_cluster_view(*committed_, instance_);
  log_event(LogLevel::kInfo, "coordinator_loaded",
            {{"instance", instance_},
             {"view_version", committed_->view_version},
             {"jobs", committed_->jobs.size()},
             {"members", committed_->members.size()}});
  decide();
}

void Coordinator::on_heartbeat(const Message& message) {
  if (committed_ == nullptr) return;
  probe_.heartbeats.add();
  proto::Heartbeat report;
  if (message.body.size() > kMaxHeartbeatBytes ||
      !report.ParseFromArray(message.body.data(), static_cast<int>(message.body.size())) ||
      report.node() != message.from.node.value) {
    probe_.refused.add();
    log_event(LogLevel::kWarning, "heartbeat_refused",
              {{"node", node_text(message.from.node)}, {"reason", "not a heartbeat of its node"}});
    return;
  }
  const NodeId node{report.node()};
  const std::string endpoint = report.endpoint();
  const uint64_t addressed_to = report.addressed_to();
  const bool stale = report.view_version() < committed_->view_version ||
                     report.coordinator_instance() != instance_;
  const auto answer = members_.heartbeat(std::move(report), runtime_.monotonic_us());
  switch (answer.verdict) {
    case MembershipTable::Verdict::kJoined:
      on_joined(answer, node);
      acknowledge(node, addressed_to);
      break;
    case MembershipTable::Verdict::kKnown:
      acknowledge(node, addressed_to);
      remember_readers(node);
      rebalancer_.take(members_.entries().at(node).report, *committed_, runtime_.monotonic_us());
      if (phase_ == Phase::kRecovering) decide();
      if (stale) send_view(node);
      break;
    case MembershipTable::Verdict::kLeft:
      probe_.deaths.add();
      log_event(LogLevel::kInfo, "member_left", {{"node", node_text(node)}});
      send_fenced(node, endpoint, answer.reason);
      decide();
      break;
    case MembershipTable::Verdict::kFenced:
      send_fenced(node, endpoint, answer.reason);
      break;
    case MembershipTable::Verdict::kRefused:
      probe_.refused.add();
      log_event(LogLevel::kWarning, "heartbeat_refused",
                {{"node", node_text(node)}, {"reason", answer.reason}});
      break;
  }
}

void Coordinator::on_joined(const MembershipTable::Answer& answer, NodeId node) {
  probe_.joins.add();
  if (answer.replaced != NodeId{}) {
    probe_.deaths.add();
    runtime_.disconnect(answer.replaced);
    log_event(LogLevel::kWarning, "member_dead",
              {{"node", node_text(answer.replaced)}, {"reason", "replaced at its endpoint"}});
  }
  const auto& info = members_.entries().at(node).info;
  runtime_.connect(node, info.endpoint);
  log_event(LogLevel::kInfo, "member_joined",
            {{"node", node_text(node)},
             {"endpoint", info.endpoint},
             {"role", info.role == MemberRole::kStore ? "store" : "worker"}});
  size_t workers = 0;
  for (const auto& [id, member] : members_.alive()) {
    workers += member.role == MemberRole::kWorker ? 1 : 0;
  }
  if (info.role == MemberRole::kWorker && workers == 1) {
    settled_at_us_ = runtime_.monotonic_us() + config_.join_settle_ms * 1000;
  }
  if (info.role == MemberRole::kWorker) {
    rebalancer_.want("worker " + node_text(node) + " has joined", runtime_.monotonic_us());
  }
  decide();
}

void Coordinator::remember_readers(NodeId node) {
  for (const auto& report : members_.entries().at(node).report.jobs()) {
    const auto entry = committed_->jobs.find(JobId{report.job()});
    if (entry == committed_->jobs.end() || !entry->second.job->live()) continue;
    const auto& grants = entry->second.grants->sources;
    for (const auto& reader : report.readers()) {
      const uint32_t s = reader.read().source_partition();
      if (s >= grants.size() || grants[s].epoch.value != reader.epoch()) continue;
      remember(reader, &readers_[entry->first][s]);
    }
  }
}

void Coordinator::send_view(NodeId node) {
  if (phase_ != Phase::kServing || !committed_->members.contains(node)) return;
  // Refused or lost: the node's next heartbeat is answered again.
  (void)runtime_.send(kAgent, {node, kAgent}, kClusterView, view_);
}

void Coordinator::send_fenced(NodeId node, const std::string& endpoint, const std::string& reason) {
  probe_.fenced.add();
  if (!fenced_links_.contains(node) && fenced_links_.size() >= kMaxFencedLinks) return;
  fenced_links_[node] = runtime_.monotonic_us();
  runtime_.connect(node, endpoint);
  proto::Fenced fenced;
  fenced.set_reason(reason);
  fenced.set_generation(committed_->generation);
  (void)runtime_.send(kAgent, {node, kAgent}, kFenced, Buffer(fenced.SerializeAsString()));
  log_event(LogLevel::kWarning, "member_fenced", {{"node", node_text(node)}, {"reason", reason}});
}

void Coordinator::drop_fenced_links(int64_t now_us) {
  for (auto it = fenced_links_.begin(); it != fenced_links_.end();) {
    if (now_us - it->second < config_.lease_ms * 1000) {
      ++it;
      continue;
    }
    runtime_.disconnect(it->first);
    it = fenced_links_.erase(it);
  }
}

JobLimits Coordinator::job_limits() const {
  return {static_cast<size_t>(config_.max_jobs), static_cast<size_t>(config_.max_stopped_jobs)};
}

void Coordinator::decide() {
  const int64_t now = runtime_.monotonic_us();
  if (phase_ == Phase::kRecovering && (members_.all_reported() || now >= recovered_at_us_)) {
    phase_ = Phase::kServing;
    rebalancer_.want("the coordinator has started", now);
  }
  if (phase_ != Phase::kServing || committing_) return;
  Draft draft(*committed_);
  Answers answers = apply_commands(&draft);
  draft.set_members(members_.alive());
  apply_reports(&draft);
  if (now >= settled_at_us_) {
    const auto outcome = rebalancer_.advance(&draft, members_, now, runtime_.wall_us());
    probe_.moved_grants.add(outcome.placed + outcome.taken_over);
    probe_.moves_done.add(outcome.done);
    probe_.moves_dropped.add(outcome.dropped);
  }
  // A commit at a tick is enough for all the claims since the last one.
  if (std::exchange(claims_due_, false) || draft.changed()) {
    snapshots_.decide(runtime_.wall_us(), &draft);
  }
  if (draft.changed()) {
    commit(std::move(draft), std::move(answers));
    return;
  }
  snapshots_.answer(*committed_);
  for (auto& [respond, response] : answers) respond(std::move(response));
}

void Coordinator::apply_reports(Draft* draft) {
  for (const auto job : draft->grow_topics(members_)) {
    log_event(LogLevel::kInfo, "topic_has_grown", {{"job", job.value}});
  }
  for (const auto& found : found_sources_) {
    if (!draft->take_source(found)) continue;
    log_event(LogLevel::kInfo, "source_discovered",
              {{"job", found.job.value},
               {"source", found.source.name()},
               {"partitions", partition_count(found.source)}});
  }
  found_sources_.clear();
  (void)draft->fail_changed(members_);
  for (const auto job : draft->complete(members_)) {
    log_event(LogLevel::kInfo, "job_completed", {{"job", job.value}});
  }
  std::vector<JobId> failed;
  for (const auto& [id, entry] : draft->state().jobs) {
    if (entry.job->state != JobState::kFailed) continue;
    const auto before = committed_->jobs.find(id);
    if (before != committed_->jobs.end() && !before->second.job->reading()) continue;
    failed.push_back(id);
    log_event(LogLevel::kError, "job_failed", {{"job", id.value}, {"error", entry.job->error}});
  }
  for (const JobId id : failed) draft->keep_readers(id, readers_[id]);
}

void Coordinator::discover_sources(int64_t now_us) {
  if (phase_ != Phase::kServing || committing_ || discovering_ || !found_sources_.empty()) return;
  if (now_us - discovered_at_us_ < kDiscoverIntervalUs) return;
  std::vector<FoundSource> look;
  for (const auto& [id, entry] : committed_->jobs) {
    if (entry.job->state != JobState::kRunning) continue;
    const auto& plan = entry.job->plan->proto();
    for (int s = 0; s < plan.sources_size(); ++s) {
      const proto::Source& source = plan.sources(s);
      if (source.has_kafka() || !may_grow(source)) continue;
      look.push_back({id, static_cast<uint32_t>(s), source});
    }
  }
  discovered_at_us_ = now_us;
  if (look.empty()) {
    discovery_errors_.clear();
    return;
  }
  discovering_ = true;
  runtime_.run_blocking(
      kAgent, kDiscoverLane,
      [catalog = catalog_, look = std::move(look)]() mutable -> std::unique_ptr<LocalPayload> {
        auto out = std::make_unique<DiscoveredSources>();
        for (FoundSource& found : look) {
          proto::Source& source = found.source;
          const std::string before = source.SerializeAsString();
          if (const auto status = catalog->discover(&source); !status) {
            const std::string error = "source '" + source.name() + "': " + status.error().message();
            out->errors[found.job] = printable(error, error.size());
          }
          if (source.SerializeAsString() == before) continue;
          out->found.push_back(std::move(found));
        }
        return out;
      });
}

void Coordinator::on_discovered(DiscoveredSources discovered) {
  discovering_ = false;
  for (const auto& [job, error] : discovered.errors) {
    const auto before = discovery_errors_.find(job);
    if (before != discovery_errors_.end() && before->second == error) continue;
    log_event(LogLevel::kWarning, "discovery_failed", {{"job", job.value}, {"error", error}});
  }
  discovery_errors_ = std::move(discovered.errors);
  found_sources_ = std::move(discovered.found);
  decide();
}

void Coordinator::commit(Draft draft, Answers answers) {
  committing_ = true;
  CommittedState next;
  next.view_changed = draft.view_changed();
  next.state = std::make_shared<const CoordinatorState>(draft.take());
  next.answers = std::move(answers);
  write(std::move(next));
}

void Coordinator::write(CommittedState next) {
  auto work = std::make_shared<CommittedState>(std::move(next));
  runtime_.run_blocking(
      kAgent, kStoreLane,
      [store = store_, before = committed_, work]() -> std::unique_ptr<LocalPayload> {
        work->status = store->commit(*before, *work->state);
        return std::make_unique<CommittedState>(std::move(*work));
      });
}

void Coordinator::on_committed(CommittedState committed) {
  if (!committed.status && committed.status.error().code() == ErrorCode::kRetryable) {
    log_event(LogLevel::kWarning, "commit_waits", {{"reason", committed.status.error().message()}});
    unwritten_ = std::move(committed);
    return;
  }
  committing_ = false;
  if (!committed.status) {
    for (auto& [respond, response] : committed.answers) {
      respond(http_error(500, committed.status.error().message()));
    }
    return end(committed.status.error().message());
  }
  probe_.commits.add();
  committed_ = std::move(committed.state);
  std::erase_if(readers_, [&](const auto& job) {
    const auto entry = committed_->jobs.find(job.first);
    return entry == committed_->jobs.end() || !entry->second.job->live();
  });
  if (committed.view_changed) {
    view_ = encode_cluster_view(*committed_, instance_);
    for (const auto& [node, info] : committed_->members) send_view(node);
  }
  for (auto& [respond, response] : committed.answers) respond(std::move(response));
  snapshots_.answer(*committed_);
  decide();
}

}  // namespace tidemill
