#include "worker/reader_host.h"

#include "shared/member/member_agent.h"
#include "shared/obs/log.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"

namespace tidemill {
namespace {

constexpr int64_t kTickUs = 10'000;
constexpr size_t kMaxEarlyOpenings = 4096;

void refuse(const char* what, const Error& error) {
  log_event(LogLevel::kWarning, "message_refused", {{"what", what}, {"reason", error.message()}});
}

}  // namespace

ReaderHost::ReaderHost(Runtime& runtime, const WorkerConfig& config,
                       std::shared_ptr<DeadLetterStorage> dead_letters)
    : runtime_(runtime),
      config_(config),
      dead_letters_(std::move(dead_letters)),
      self_{runtime.shard(), kReaderHostIndex} {}

void ReaderHost::start() { runtime_.start_timer(self_, kTickUs, 0); }

SourceReader* ReaderHost::find(JobId job, SourcePartitionId source) {
  const auto it = readers_.find({job, source});
  return it == readers_.end() ? nullptr : it->second.get();
}

void ReaderHost::receive(Message message) {
  if (message.local) {
    if (auto* changed = dynamic_cast<ViewChanged*>(message.local.get())) {
      on_view(*changed->view);
    } else if (dynamic_cast<BatchLoaded*>(message.local.get()) != nullptr) {
      std::unique_ptr<BatchLoaded> loaded(static_cast<BatchLoaded*>(message.local.release()));
      SourceReader* reader = find(loaded->job, loaded->source);
      if (reader != nullptr && reader->epoch() == loaded->epoch) {
        reader->on_loaded(std::move(loaded));
      } else {
        dispose(runtime_, self_, loaded->lane(), std::move(loaded->loader));
      }
    }
    return;
  }
  if (message.type == kOpenSessions) {
    auto open = OpenSessions::decode(message.body);
    if (!open) return refuse("OpenSessions", open.error());
    on_open(message.from, std::move(*open));
  } else if (message.type == kBatchAck) {
    auto ack = BatchAck::decode(message.body);
    if (!ack) return refuse("BatchAck", ack.error());
    if (SourceReader* reader = find(ack->job, ack->source)) reader->on_ack(message.from, *ack);
  }
}

// An opening may come before the view that has its reader, or its sender: it waits for the view for
// as long as its sender takes to repeat it.
void ReaderHost::on_open(const ActorAddress& from, OpenSessions message) {
  SourceReader* reader = find(message.job, message.source);
  const bool is_newer = reader == nullptr || message.reader_epoch > reader->epoch();
  if (is_newer || !reachable_.contains(from.node)) {
    if (early_.size() >= kMaxEarlyOpenings) return;
    runtime_.post_local(self_, kAgent, std::make_unique<ViewWanted>());
    early_.push_back({from, std::move(message), runtime_.monotonic_us()});
  } else {
    reader->on_open(from, message);
  }
}

void ReaderHost::try_early_openings() {
  const int64_t now = runtime_.monotonic_us();
  std::erase_if(early_, [&](const EarlyOpening& early) {
    if (now - early.at_us > config_.session_retry_ms * 1000) return true;
    SourceReader* reader = find(early.message.job, early.message.source);
    if (reader == nullptr || early.message.reader_epoch > reader->epoch()) return false;
    if (!reachable_.contains(early.from.node)) return false;
    reader->on_open(early.from, early.message);
    return true;
  });
}

void ReaderHost::on_view(const ClusterState& view) {
  view_version_ = view.version;
  reachable_.clear();
  for (const auto& [node, endpoint] : view.endpoints) reachable_.insert(node);
  size_t readers = 0;
  for (const auto& [id, job] : view.jobs) readers += job.sources.size();
  const int64_t credit_bytes = credit_share(config_.batch_credit_bytes, readers);
  // Readers whose grant is another's, or newer, end; what they had in flight is fenced.
  for (auto it = readers_.begin(); it != readers_.end();) {
    const auto job = view.jobs.find(it->first.first);
    bool keep = false;
    if (job != view.jobs.end()) {
      const Grant& grant = job->second.sources[it->first.second.value];
      keep = grant.node == runtime_.node() && grant.shard == runtime_.shard() &&
             grant.epoch == it->second->epoch();
    }
    if (keep) {
      ++it;
      continue;
    }
    it->second->close();
    it = readers_.erase(it);
  }
  for (const auto& [id, job] : view.jobs) {
    for (uint32_t s = 0; s < job.sources.size(); ++s) {
      const Grant& grant = job.sources[s];
      if (grant.node != runtime_.node() || grant.shard != runtime_.shard()) continue;
      auto& reader = readers_[{id, SourcePartitionId(s)}];
      if (reader) {
        reader->set_plan(job.plan);
        continue;
      }
      reader = std::make_unique<SourceReader>(runtime_, self_, config_, id, job.plan,
                                              SourcePartitionId(s), grant.epoch, dead_letters_);
    }
  }
  const ReadBounds bounds = read_bounds(config_, readers_.size());
  for (auto& [key, reader] : readers_) reader->on_view(view, credit_bytes, bounds);
  try_early_openings();
}

void ReaderHost::on_timer(uint64_t) {
  for (auto& [key, reader] : readers_) reader->on_tick();
  try_early_openings();  // forgets those that no view came for
  if (runtime_.monotonic_us() - last_report_us_ >= config_.report_interval_ms * 1000) report();
  runtime_.start_timer(self_, kTickUs, 0);
}

void ReaderHost::report() {
  last_report_us_ = runtime_.monotonic_us();
  auto report = std::make_unique<ShardReport>();
  report->reporter = self_;
  report->view_version = view_version_;
  for (const auto& [key, reader] : readers_) {
    if (report->jobs.empty() || report->jobs.back().job() != key.first.value) {
      report->jobs.emplace_back().set_job(key.first.value);
    }
    *report->jobs.back().add_readers() = reader->report();
    reader->add_costs(&report->jobs.back());
  }
  runtime_.post_local(self_, kAgent, std::move(report));
}

}  // namespace tidemill
