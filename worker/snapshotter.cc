#include "worker/snapshotter.h"

#include <algorithm>

#include "shared/obs/log.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"

namespace tidemill {
namespace {

constexpr int64_t kTellAgainUs = 500'000;
constexpr int64_t kRetryUs = 1'000'000;  // after a write or an upload that failed

// For the disk to hold what images can be made of.
bool replica_waits(const OwnedPartition& owner) {
  return owner.partition->disk_version() < owner.wanted_disk_version;
}

// Something has come to wait for the write that is under way.
void hurry(Holding* held) {
  if (!held->writing || held->urgent || held->hurried) return;
  held->hurried = true;
  held->disk->hurry();
}

}  // namespace

Snapshotter::Snapshotter(Runtime& runtime, ActorId self, const WorkerConfig& config, JobId job)
    : runtime_(runtime), self_(self), config_(config), job_(job) {}

bool Snapshotter::may_begin(const Holding& held) const {
  return held.phase == HoldingPhase::kActive && !held.writing &&
         (held.failed_at_us == 0 || runtime_.monotonic_us() - held.failed_at_us >= kRetryUs);
}

// It is to be uploaded.
bool Snapshotter::is_turn(const OwnedPartition& owner, uint64_t trigger) const {
  if (trigger > owner.begun_trigger) return true;
  const bool something = owner.partition->changed_since_disk() || !owner.in_storage;
  return something && owner.write_at_us <= runtime_.monotonic_us();
}

// Nothing: no write is due.
std::optional<Snapshotter::Due> Snapshotter::due(const OwnedPartition& owner, uint64_t trigger,
                                                 Pressure pressure) const {
  if (!may_begin(owner) || !owner.registry_known) return {};
  const KeyPartition& partition = *owner.partition;
  if (replica_waits(owner)) return Due{0, true};
  const bool pending = partition.pending_bytes() > 0;
  if (pressure == Pressure::kHeld && pending) return Due{partition.oldest_pending_us(), true};
  if (trigger > owner.begun_trigger) return Due{1};
  if (pressure == Pressure::kPiledUp && pending) return Due{partition.oldest_pending_us()};
  if (is_turn(owner, trigger)) return Due{owner.write_at_us};
  return {};
}

std::optional<Snapshotter::Due> Snapshotter::due(const StandbyPartition& standby,
                                                 Pressure pressure) const {
  if (!may_begin(standby)) return {};
  const Follower& follower = *standby.follower;
  if (!follower.holds_state() || !follower.changed() || follower.writing()) return {};
  const bool pressed = pressure != Pressure::kNone && follower.pending_bytes() > 0;
  if (!pressed && standby.write_at_us > runtime_.monotonic_us()) return {};
  return Due{standby.write_at_us, pressed && pressure == Pressure::kHeld};
}

void Snapshotter::begin_due(Owned* owned, Standbys* standbys, uint64_t trigger, Pressure pressure,
                            WriteRoom* room) {
  std::vector<Due> ordinary;
  std::vector<Due> urgent;
  const auto note = [&](std::optional<Due> is_due, KeyPartitionId k, bool standby) {
    if (!is_due) return;
    is_due->k = k;
    is_due->standby = standby;
    (is_due->urgent ? urgent : ordinary).push_back(*is_due);
  };
  const bool held = pressure == Pressure::kHeld;
  for (auto& [k, owner] : *owned) {
    if (owner.partition && (replica_waits(owner) || (held && owner.partition->writing()))) {
      hurry(&owner);
    }
    note(due(owner, trigger, pressure), k, false);
  }
  for (auto& [k, standby] : *standbys) {
    if (held) hurry(&standby);
    note(due(standby, pressure), k, true);
  }
  for (const auto& [all, left] :
       {std::pair(&urgent, &room->urgent), {&ordinary, &room->ordinary}}) {
    const size_t count = std::min(*left, all->size());
    std::partial_sort(all->begin(), all->begin() + static_cast<ptrdiff_t>(count), all->end(),
                      [](const Due& a, const Due& b) {
                        return std::tie(a.since_us, a.k, a.standby) <
                               std::tie(b.since_us, b.k, b.standby);
                      });
    for (size_t i = 0; i < count; ++i) {
      const Due& first = (*all)[i];
      if (first.standby) {
        begin(&standbys->at(first.k), first.urgent);
      } else {
        begin(&owned->at(first.k), trigger, first.urgent);
      }
    }
    *left -= count;
  }
}

void Snapshotter::note_begun(Holding* held, bool urgent) {
  held->writing = true;
  held->urgent = urgent;
  held->hurried = false;
  ++count_of(urgent);
}

void Snapshotter::begin(OwnedPartition* owner, uint64_t trigger, bool urgent) {
  KeyPartition& partition = *owner->partition;
  const bool upload = !urgent || is_turn(*owner, trigger);
  std::optional<Increment> increment;
  if (partition.changed_since_disk()) increment = partition.begin_increment(runtime_.wall_us());
  owner->in_storage = false;
  if (upload) {
    owner->write_at_us = runtime_.monotonic_us() + config_.snapshot_interval_ms * 1000;
  }
  note_begun(owner, urgent);
  owner->disk->write(std::move(increment), upload, trigger, urgent);
}

void Snapshotter::begin(StandbyPartition* standby, bool urgent) {
  standby->write_at_us = runtime_.monotonic_us() + config_.snapshot_interval_ms * 1000;
  note_begun(standby, urgent);
  standby->disk->write(standby->follower->begin_increment(runtime_.wall_us()), false, 0, urgent);
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
  --count_of(owner->urgent);
  owner->writing = false;
  const bool wrote = written.error.empty();
  writes_fail_ = !wrote;
  // A standby's increment of a state that it had replaced before it was promoted is of no use.
  if (written.wrote && owner->partition->writing()) owner->partition->end_increment(wrote);
  if (wrote && !written.to_upload) {  // urgent, or begun by the standby that it was
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
  --count_of(standby->urgent);
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
