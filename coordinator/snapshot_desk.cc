#include "coordinator/snapshot_desk.h"

#include <algorithm>
#include <utility>

#include "coordinator/node_text.h"
#include "coordinator/savepoints.h"
#include "coordinator/snapshot_registry.h"
#include "coordinator/tasks.h"
#include "shared/obs/log.h"
#include "shared/snapshot/snapshots.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"

namespace tidemill {
namespace {

constexpr size_t kMaxClaims = 65'536;
constexpr size_t kMaxMessageBytes = 1u << 20;
constexpr int64_t kRetryUs = 10 * kMicrosPerSecond;
constexpr int64_t kLookAgainUs = 600 * kMicrosPerSecond;

template <typename Report>
bool parse(const Message& message, Report* out) {
  return message.body.size() <= kMaxMessageBytes &&
         out->ParseFromArray(message.body.data(), static_cast<int>(message.body.size()));
}

void warn_refused(const Message& message, const std::string& reason) {
  log_event(LogLevel::kWarning, "snapshot_message_refused",
            {{"node", node_text(message.from.node)}, {"reason", reason}});
}

// It was started from a savepoint, and some key partition has not taken two snapshots since.
bool needs_origin(const JobEntry& entry) {
  if (entry.job->origin == JobId{} || entry.snapshots == nullptr) return false;
  for (uint32_t k = 0; k < entry.snapshots->key_partitions.size(); ++k) {
    const auto prefix = snapshot_prefix(entry.job->id, KeyPartitionId{k});
    for (const auto& each : entry.snapshots->of(k)) {
      if (!each.manifest.starts_with(prefix)) return true;
    }
  }
  return false;
}

// Whoever may need objects of forgotten jobs: only when these change can more be removed.
std::string referrers_of(const CoordinatorState& state) {
  std::string out;
  for (const auto& [name, savepoint] : state.savepoints) {
    out += name + "/" + std::to_string(savepoint->trigger) + "\n";
  }
  for (const auto& [id, entry] : state.jobs) {
    if (needs_origin(entry)) out += std::to_string(id.value) + "\n";
  }
  return out;
}

}  // namespace

SnapshotDesk::SnapshotDesk(Runtime& runtime, std::shared_ptr<SnapshotStorage> storage,
                           int64_t removal_delay_us, CoordinatorProbe* probe)
    : runtime_(runtime),
      storage_(std::move(storage)),
      removal_delay_us_(removal_delay_us),
      probe_(probe) {}

void SnapshotDesk::on_taken(const Message& message) {
  Claim claim{message.from, {}};
  if (!parse(message, &claim.claim)) {
    warn_refused(message, "not a claim of a snapshot");
    return;
  }
  if (auto status = check_claim(claim.claim); !status) {
    warn_refused(message, status.error().message());
    return;
  }
  const ClaimId id{claim.claim.job(), claim.claim.key_partition(), message.from.node};
  if (claims_.size() >= kMaxClaims && !claims_.contains(id)) return;  // it is repeated
  claims_[id] = std::move(claim);
}

void SnapshotDesk::on_query(const Message& message, const CoordinatorState& committed) {
  proto::SnapshotQuery query;
  if (!parse(message, &query)) {
    warn_refused(message, "not a query for snapshots");
    return;
  }
  const auto known = known_snapshots(committed, message.from.node, query);
  if (known.entries().empty()) return;
  // Refused or lost: it is asked again.
  (void)runtime_.send(kAgent, message.from, kSnapshotsKnown, Buffer(known.SerializeAsString()));
}

void SnapshotDesk::decide(TimeUs wall_us, Draft* draft) {
  register_claims(draft);
  update_savepoints(wall_us, draft);
  for (auto& [id, removal] : removals_) {
    if (!removal.finished || draft->state().removals.count(id) == 0) continue;
    draft->end_removal(id);
    log_event(LogLevel::kInfo, "snapshot_objects_removed",
              {{"job", id.first.value}, {"trigger", id.second}});
  }
}

void SnapshotDesk::register_claims(Draft* draft) {
  for (auto& [id, claim] : claims_) {
    const auto outcome = draft->register_snapshot(claim.claim, claim.from.node);
    if (outcome == Registration::kNew) probe_->snapshots_registered.add();
    if (outcome == Registration::kRefused) {
      probe_->snapshots_refused.add();
      log_event(LogLevel::kWarning, "snapshot_refused",
                {{"node", node_text(claim.from.node)},
                 {"job", claim.claim.job()},
                 {"key_partition", claim.claim.key_partition()},
                 {"epoch", claim.claim.epoch()},
                 {"reason", "not the epoch of its newest grant"}});
      continue;
    }
    decided_.push_back(std::move(claim));
  }
  claims_.clear();
}

void SnapshotDesk::update_savepoints(TimeUs wall_us, Draft* draft) {
  const auto changes = draft->update_savepoints(wall_us);
  for (const auto& name : changes.completed) {
    log_event(LogLevel::kInfo, "savepoint_complete", {{"savepoint", name}});
  }
  for (const auto& name : changes.dropped) {
    log_event(LogLevel::kWarning, "savepoint_dropped",
              {{"savepoint", name}, {"reason", "its job was stopped before it was complete"}});
  }
}

void SnapshotDesk::answer(const CoordinatorState& committed) {
  for (const auto& [to, claim] : decided_) {
    proto::SnapshotRegistered out;
    out.set_job(claim.job());
    out.set_key_partition(claim.key_partition());
    out.set_epoch(claim.epoch());
    out.set_version(claim.version());
    for (auto& name : retained_manifests(committed, JobId{claim.job()}, claim.key_partition())) {
      out.add_retained(std::move(name));
    }
    (void)runtime_.send(kAgent, to, kSnapshotRegistered, Buffer(out.SerializeAsString()));
  }
  decided_.clear();
}

SnapshotDesk::Removal* SnapshotDesk::next_removal(const CoordinatorState& committed,
                                                  RemovalId* id) {
  std::erase_if(removals_,
                [&](const auto& each) { return committed.removals.count(each.first) == 0; });
  const int64_t now = runtime_.monotonic_us();
  const std::string referrers = referrers_of(committed);
  for (const auto& [each, removal] : committed.removals) {
    const auto [at, added] = removals_.try_emplace(each);
    Removal& known = at->second;
    if (added) known.not_before_us = now + removal_delay_us_;
    if (known.finished) continue;
    const bool changed = known.referrers && *known.referrers != referrers;
    if (now < known.not_before_us && !changed) continue;
    *id = each;
    return &known;
  }
  return nullptr;
}

void SnapshotDesk::remove_objects(const CoordinatorState& committed) {
  if (removing_ || storage_ == nullptr || committed.removals.empty()) return;
  RemovalId id;
  const Removal* removal = next_removal(committed, &id);
  if (removal == nullptr) return;
  const auto& what = *committed.removals.at(id);
  removing_ = true;
  runtime_.run_blocking(
      kAgent, kRemovalLane,
      [storage = storage_, id,
       step = plan_removal(committed, what, removal->next_k)]() -> std::unique_ptr<LocalPayload> {
        auto out = std::make_unique<RemovedStep>();
        out->id = id;
        out->outcome = tidemill::remove_objects(storage.get(), step);
        return out;
      });
}

void SnapshotDesk::on_removed(const RemovedStep& step, const CoordinatorState& committed) {
  removing_ = false;
  const auto found = removals_.find(step.id);
  const auto what = committed.removals.find(step.id);
  if (found == removals_.end() || what == committed.removals.end()) return;
  Removal& removal = found->second;
  if (!step.outcome) {
    probe_->removal_failures.add();
    removal.not_before_us = runtime_.monotonic_us() + kRetryUs;
    removal.referrers.reset();
    log_event(LogLevel::kWarning, "snapshot_removal_failed",
              {{"job", step.id.first.value},
               {"key_partition", removal.next_k},
               {"error", step.outcome.error().message()}});
    return;
  }
  probe_->objects_removed.add(step.outcome->removed);
  removal.kept += step.outcome->kept;
  if (++removal.next_k >= what->second->key_partitions) end_pass(step.id, committed);
  remove_objects(committed);
}

// What is kept of a savepoint belongs to others now; what is kept of a job is looked at again.
void SnapshotDesk::end_pass(const RemovalId& id, const CoordinatorState& committed) {
  Removal& removal = removals_.at(id);
  removal.finished = id.second != 0 || removal.kept == 0;
  removal.not_before_us = runtime_.monotonic_us() + kLookAgainUs;
  removal.referrers = referrers_of(committed);
  removal.next_k = 0;
  removal.kept = 0;
}

}  // namespace tidemill
