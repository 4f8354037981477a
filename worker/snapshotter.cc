#include "worker/snapshotter.h"

#include <algorithm>

#include "shared/obs/log.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"

namespace tidemill {
namespace {

constexpr int64_t kTellAgainUs = 500'000;
constexpr int64_t kRetryUs = 1'000'000;  // after a write or an upload that failed

}  // namespace

Snapshotter::Snapshotter(Runtime& runtime, ActorId self, const WorkerConfig& config, JobId job)
    : runtime_(runtime), self_(self), config_(config), job_(job) {}

// Since when a write is due; nothing: it is not.
std::optional<int64_t> Snapshotter::due_since(const OwnedPartition& owner, uint64_t trigger,
                                              bool pressed) const {
  if (owner.phase != HoldingPhase::kActive || owner.writing || !owner.registry_known) return {};
  const int64_t now = runtime_.monotonic_us();
  if (owner.failed_at_us != 0 && now - owner.failed_at_us < kRetryUs) return {};
  const KeyPartition& partition = *owner.partition;
  if (partition.disk_version() < owner.wanted_disk_version) return 0;
  if (trigger > owner.begun_trigger) return 1;
  if (pressed && partition.pending_bytes() > 0) return partition.oldest_pending_us();
  const bool something = partition.changed_since_disk() || !owner.in_storage;
  if (something && owner.write_at_us <= now) return owner.write_at_us;
  return {};
}

std::optional<int64_t> Snapshotter::due_since(const StandbyPartition& standby, bool pressed) const {
  if (standby.phase != HoldingPhase::kActive || standby.writing) return {};
  const int64_t now = runtime_.monotonic_us();
  if (standby.failed_at_us != 0 && now - standby.failed_at_us < kRetryUs) return {};
  const Follower& follower = *standby.follower;
  if (!follower.holds_state() || !follower.changed() || follower.writing()) return {};
  if (standby.write_at_us <= now || (pressed && follower.pending_bytes() > 0)) {
    return standby.write_at_us;
  }
  return {};
}

size_t Snapshotter::begin_due(Owned* owned, Standbys* standbys, uint64_t trigger, bool pressed,
                              size_t budget) {
  if (budget == 0) return 0;
  std::vector<Due> due;
  for (const auto& [k, owner] : *owned) {
    if (auto since = due_since(owner, trigger, pressed)) due.push_back({*since, k, false});
  }
  for (const auto& [k, standby] : *standbys) {
    if (auto since = due_since(standby, pressed)) due.push_back({*since, k, true});
  }
  const size_t count = std::min(budget, due.size());
  std::partial_sort(due.begin(), due.begin() + static_cast<ptrdiff_t>(count), due.end(),
                    [](const Due& a, const Due& b) {
                      return std::tie(a.since_us, a.k, a.standby) <
                             std::tie(b.since_us, b.k, b.standby);
                    });
  for (size_t i = 0; i < count; ++i) {
    if (due[i].standby) {
      begin(&standbys->at(due[i].k));
    } else {
      begin(&owned->at(due[i].k), trigger);
    }
  }
  return count;
}

void Snapshotter::begin(OwnedPartition* owner, uint64_t trigger) {
  KeyPartition& partition = *owner->partition;
  std::optional<Increment> increment;
  if (partition.changed_since_disk()) increment = partition.begin_increment(runtime_.wall_us());
  owner->writing = true;
  owner->in_storage = false;
  owner->write_at_us = runtime_.monotonic_us() + config_.snapshot_interval_ms * 1000;
  ++in_flight_;
  owner->disk->write(std::move(increment), true, trigger);
}

void Snapshotter::begin(StandbyPartition* standby) {
  standby->writing = true;
  standby->write_at_us = runtime_.monotonic_us() + config_.snapshot_interval_ms * 1000;
  ++in_flight_;
  standby->disk->write(standby->follower->begin_increment(runtime_.wall_us()), false, 0);
  standby->changes.cut();
}

// Once for each cause: it is tried again and again.
void Snapshotter::log_failure(const DiskWritten& written, const std::string& reason) {
  ++failures_;
  if (reason == last_failure_) return;
  last_failure_ = reason;
  log_event(
      LogLevel::kWarning, "snapshot_failed",
      {{"job", job_.value}, {"key_partition", written.key_partition.value}, {"reason", reason}});
}

void Snapshotter::on_written(const DiskWritten& written, OwnedPartition* owner) {
  --in_flight_;
  owner->writing = false;
  const bool wrote = written.error.empty();
  writes_fail_ = !wrote;
  // A standby's increment of a state that it had replaced before it was promoted is of no use.
  if (written.wrote && owner->partition->writing()) owner->partition->end_increment(wrote);
  if (wrote && !written.to_upload) {  // begun by the standby that it was
    owner->disk_bytes = written.disk_bytes;
    return;
  }
  if (!wrote || !written.uploaded) {
    owner->failed_at_us = runtime_.monotonic_us();
    owner->write_at_us = owner->failed_at_us + kRetryUs;
    log_failure(written, wrote ? written.upload_error : written.error);
    if (wrote) owner->disk_bytes = written.disk_bytes;
    return;
  }
  owner->failed_at_us = 0;
  last_failure_.clear();
  owner->disk_bytes = written.disk_bytes;
  owner->in_storage = true;
  owner->begun_trigger = std::max(owner->begun_trigger, written.trigger);
  uploaded_bytes_ += written.snapshot.new_bytes;
  owner->unregistered = written.snapshot;
  owner->unregistered_trigger = written.trigger;
  owner->unregistered_taken_at_us = written.taken_at_us;
  owner->told_at_us = 0;
}

void Snapshotter::on_written(const DiskWritten& written, StandbyPartition* standby) {
  --in_flight_;
  standby->writing = false;
  const bool wrote = written.error.empty();
  writes_fail_ = !wrote;
  standby->follower->end_increment(wrote);
  standby->failed_at_us = wrote ? 0 : runtime_.monotonic_us();
  if (!wrote) log_failure(written, written.error);
}

void Snapshotter::tell_registry(NodeId coordinator, Owned* owned) {
  const int64_t now = runtime_.monotonic_us();
  for (auto& [k, owner] : *owned) {
    if (!owner.unregistered || (owner.told_at_us != 0 && now - owner.told_at_us < kTellAgainUs)) {
      continue;
    }
    owner.told_at_us = now;
    const TakenSnapshot& taken = *owner.unregistered;
    proto::SnapshotTaken message;
    message.set_job(job_.value);
    message.set_key_partition(k.value);
    message.set_epoch(owner.epoch.value);
    message.set_version(taken.stamp.version);
    message.set_manifest(taken.manifest);
    message.set_total_bytes(taken.total_bytes);
    message.set_new_bytes(taken.new_bytes);
    message.set_rows(taken.rows);
    message.set_taken_at_us(owner.unregistered_taken_at_us);
    message.set_trigger(owner.unregistered_trigger);
    for (const SourcePosition& p : taken.offsets) message.add_offsets(p.offset);
    runtime_.send(self_, {coordinator, kAgent}, kSnapshotTaken,
                  Buffer(message.SerializeAsString()));
  }
}

void Snapshotter::on_registered(const proto::SnapshotRegistered& message, OwnedPartition* owner) {
  if (!owner->unregistered || message.epoch() != owner->epoch.value ||
      message.version() < owner->unregistered->stamp.version) {
    return;
  }
  owner->unregistered.reset();
  owner->registered_at_us = owner->unregistered_taken_at_us;
  ++registered_;
  owner->disk->remove_unretained(owner->epoch,
                                 {message.retained().begin(), message.retained().end()});
}

void Snapshotter::add_to(proto::JobReport* report) const {
  report->set_snapshots(registered_);
  report->set_snapshot_bytes(uploaded_bytes_);
  report->set_snapshot_failures(failures_);
}

}  // namespace tidemill
