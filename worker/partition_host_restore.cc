// PartitionHost: from the snapshot registry to an active key partition, and back to the registry.
#include "shared/base/mutation.h"
#include "shared/obs/log.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"
#include "worker/partition_host.h"

namespace tidemill {
namespace {

constexpr int64_t kAskAgainUs = 300'000;
constexpr int64_t kRestoreAgainUs = 1'000'000;
// How long a new owner waits for replicas to say where they stand before it reads its sources. A
// replica that answers later may need images instead of rows.
constexpr int64_t kReplicasWaitUs = 300'000;

template <typename Message>
bool parse(const Buffer& body, const char* what, Message* out) {
  if (out->ParseFromArray(body.data(), static_cast<int>(body.size()))) return true;
  log_event(LogLevel::kWarning, "message_refused", {{"what", what}, {"reason", "it is damaged"}});
  return false;
}

}  // namespace

void PartitionHost::ask_registry(Job* job) {
  const int64_t now = runtime_.monotonic_us();
  proto::SnapshotQuery message;
  message.set_job(job->id.value);
  const auto ask = [&](KeyPartitionId k, Holding* held) {
    if (!held->disk || held->ask_at_us > now) return;
    held->ask_at_us = now + kAskAgainUs;
    message.add_key_partitions(k.value);
    message.add_epochs(held->epoch.value);
  };
  for (auto& [k, owner] : job->owned) {
    if (!owner.registry_known || owner.phase == HoldingPhase::kAsking) ask(k, &owner);
  }
  for (auto& [k, standby] : job->standbys) {
    if (standby.phase == HoldingPhase::kAsking) ask(k, &standby);
  }
  if (message.key_partitions_size() == 0) return;
  runtime_.send(self_, {coordinator_, kAgent}, kSnapshotQuery, Buffer(message.SerializeAsString()));
}

void PartitionHost::on_snapshots_known(const Message& message) {
  proto::SnapshotsKnown known;
  if (!parse(message.body, "SnapshotsKnown", &known)) return;
  Job* job = find(JobId(known.job()));
  if (job == nullptr) return;
  for (const proto::KnownSnapshots& entry : known.entries()) {
    const KeyPartitionId k(entry.key_partition());
    const std::vector<std::string> manifests(entry.manifests().begin(), entry.manifests().end());
    const auto restore = [&](Holding* held, bool keep_local) {
      if (held->phase != HoldingPhase::kAsking || !held->disk ||
          held->epoch.value != entry.epoch()) {
        return;
      }
      held->phase = HoldingPhase::kRestoring;
      held->disk->restore(manifests, keep_local);
    };
    if (const auto owner = job->owned.find(k); owner != job->owned.end()) {
      OwnedPartition& owned = owner->second;
      if (!owned.registry_known && owned.disk && owned.epoch.value == entry.epoch()) {
        owned.registry_known = true;
        owned.disk->set_retained(owned.epoch, manifests);
      }
      restore(&owned, false);
    }
    if (const auto standby = job->standbys.find(k); standby != job->standbys.end()) {
      restore(&standby->second, true);
    }
  }
}

void PartitionHost::on_restored(const DiskRestored& restored) {
  Job* job = find(restored.job);
  if (job == nullptr) return;
  job->refused_snapshots += restored.refused;
  const auto owner = job->owned.find(restored.key_partition);
  if (owner != job->owned.end() && owner->second.disk &&
      owner->second.disk->id() == restored.lane) {
    return on_restored(job, &owner->second, restored);
  }
  const auto standby = job->standbys.find(restored.key_partition);
  if (standby == job->standbys.end() || standby->second.disk->id() != restored.lane) return;
  StandbyPartition& held = standby->second;
  if (!restored.error.empty() && !restored.damaged) {
    held.phase = HoldingPhase::kAsking;
    held.ask_at_us = runtime_.monotonic_us() + kRestoreAgainUs;
    return;
  }
  held.phase = HoldingPhase::kActive;
  held.write_at_us = runtime_.monotonic_us() + config_.snapshot_interval_ms * 1000;
  held.follower = std::make_unique<Follower>(job->plan->tables(), restored.key_partition, nullptr);
  if (!restored.head.ancestry.empty()) held.follower->restore(restored.head);
}

void PartitionHost::on_restored(Job* job, OwnedPartition* owner, const DiskRestored& restored) {
  if (owner->search) return on_taken_over(job, owner, restored);
  if (!restored.error.empty()) {
    log_event(LogLevel::kWarning, "restore_failed",
              {{"job", job->id.value},
               {"key_partition", restored.key_partition.value},
               {"then", restored.damaged ? "a store's state is looked for" : "again"},
               {"reason", restored.error}});
    if (!restored.damaged) {
      owner->phase = HoldingPhase::kAsking;
      owner->ask_at_us = runtime_.monotonic_us() + kRestoreAgainUs;
      return;
    }
  }
  if (restored.manifest.empty()) {  // of all that there is in storage
    owner->phase = HoldingPhase::kSearching;
    owner->search.emplace(runtime_.monotonic_us(), restored.damaged);
    return;
  }
  log_event(LogLevel::kInfo, "key_partition_restored",
            {{"job", job->id.value},
             {"key_partition", restored.key_partition.value},
             {"snapshot", restored.manifest}});
  begin(job, owner, restored.key_partition, restored.head);
}

void PartitionHost::begin(Job* job, OwnedPartition* owner, KeyPartitionId k, StateHead head) {
  if (mutated(Mutation::kHorizonFallsOnRecovery)) head.horizon = kMinTime;
  activate(job, owner, std::make_unique<KeyPartition>(job->plan, k, owner->epoch, std::move(head)));
}

void PartitionHost::activate(Job* job, OwnedPartition* owner,
                             std::unique_ptr<KeyPartition> partition) {
  const int64_t now = runtime_.monotonic_us();
  owner->phase = HoldingPhase::kActive;
  owner->partition = std::move(partition);
  if (memory_.bounded()) owner->partition->set_own_bytes();
  owner->open_sessions_at_us = now + kReplicasWaitUs;
  // Turns are spread over the interval.
  const int64_t interval_us = config_.snapshot_interval_ms * 1000;
  owner->write_at_us = now + interval_us / 4 +
                       interval_us * (owner->partition->id().value + 1) /
                           std::max<uint32_t>(job->plan->key_partitions(), 1);
  if (job->read_no_more) owner->partition->set_read_no_more();
}

// The copy becomes the owner's state, with its disk, and with the write that is under way.
void PartitionHost::promote(Job* job, KeyPartitionId k, StandbyPartition* standby) {
  OwnedPartition* const owner = &job->owned.at(k);
  owner->disk = std::move(standby->disk);
  owner->writing = standby->writing;
  owner->urgent = standby->urgent;
  owner->hurried = standby->hurried;
  owner->in_storage = false;
  auto partition = std::make_unique<KeyPartition>(job->plan, k, owner->epoch, *standby->follower);
  job->standbys.erase(k);
  log_event(LogLevel::kInfo, "standby_promoted",
            {{"job", job->id.value},
             {"key_partition", k.value},
             {"epoch", owner->epoch.value},
             {"version", partition->version()}});
  activate(job, owner, std::move(partition));
}

void PartitionHost::on_written(const DiskWritten& written) {
  Job* job = find(written.job);
  if (job == nullptr) return;
  if (written.damaged) return end_for_damage(written);
  const auto owner = job->owned.find(written.key_partition);
  if (owner != job->owned.end() && owner->second.disk && owner->second.disk->id() == written.lane) {
    job->snapshotter->on_written(written, &owner->second);
    return;
  }
  const auto standby = job->standbys.find(written.key_partition);
  if (standby != job->standbys.end() && standby->second.disk->id() == written.lane) {
    job->snapshotter->on_written(written, &standby->second);
  }
}

void PartitionHost::on_registered(const Message& message) {
  proto::SnapshotRegistered registered;
  if (!parse(message.body, "SnapshotRegistered", &registered)) return;
  Job* job = find(JobId(registered.job()));
  if (job == nullptr) return;
  const auto owner = job->owned.find(KeyPartitionId(registered.key_partition()));
  if (owner != job->owned.end()) job->snapshotter->on_registered(registered, &owner->second);
}

}  // namespace tidemill
