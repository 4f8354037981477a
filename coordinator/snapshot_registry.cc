#include "coordinator/snapshot_registry.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "shared/plan/limits.h"
#include "shared/snapshot/snapshots.h"

namespace tidemill {
namespace {

constexpr size_t kMostManifestBytes = 512;

bool is_older(const Stamp& a, const Stamp& b) {
  return a.epoch == b.epoch ? a.version < b.version : a.epoch < b.epoch;
}

const PartitionGrant* grant_of(const JobEntry& entry, uint32_t k) {
  const auto& grants = entry.grants->key_partitions;
  return k < grants.size() ? &grants[k] : nullptr;
}

RegisteredSnapshot snapshot_of(const proto::SnapshotTaken& claim) {
  RegisteredSnapshot out;
  out.manifest = claim.manifest();
  out.stamp = {Epoch{claim.epoch()}, claim.version()};
  out.total_bytes = claim.total_bytes();
  out.new_bytes = claim.new_bytes();
  out.rows = claim.rows();
  out.taken_at = claim.taken_at_us();
  out.trigger = claim.trigger();
  out.offsets.assign(claim.offsets().begin(), claim.offsets().end());
  return out;
}

// Whether the one that is there makes the claim needless.
bool is_known(const RegisteredSnapshot& newest, const RegisteredSnapshot& claimed) {
  if (newest.stamp == claimed.stamp) return newest.trigger >= claimed.trigger;
  return is_older(claimed.stamp, newest.stamp);
}

PartitionSnapshots with_newest(const PartitionSnapshots& before, RegisteredSnapshot newest) {
  PartitionSnapshots out;
  out.push_back(std::move(newest));
  for (const auto& each : before) {
    if (out.size() == kRetainedSnapshots) break;
    // One that was taken again for a newer trigger is no second one.
    if (each.manifest != out.front().manifest && each.stamp != out.front().stamp) {
      out.push_back(each);
    }
  }
  return out;
}

// It holds a copy of the key partition, or is about to.
bool follows(const JobGrants& grants, uint32_t k, NodeId node) {
  const auto standby = grants.standbys.find(k);
  if (standby != grants.standbys.end() && standby->second.node == node) return true;
  return std::any_of(grants.moves.begin(), grants.moves.end(), [&](const KeyPartitionMove& move) {
    return move.key_partition == k && move.to.node == node;
  });
}

class NameList {
 public:
  void add(const std::string& name) {
    if (std::find(names_.begin(), names_.end(), name) == names_.end()) names_.push_back(name);
  }
  std::vector<std::string> take() { return std::move(names_); }

 private:
  std::vector<std::string> names_;  // a handful
};

void take_needed(const PartitionSnapshots& snapshots, std::vector<uint64_t>* needed) {
  for (size_t s = 0; s < needed->size(); ++s) {
    for (const auto& each : snapshots) {
      const uint64_t offset = s < each.offsets.size() ? each.offsets[s] : 0;
      (*needed)[s] = std::min((*needed)[s], offset);
    }
    if (snapshots.empty()) (*needed)[s] = 0;
  }
}

}  // namespace

Status check_claim(const proto::SnapshotTaken& claim) {
  const std::string prefix =
      snapshot_prefix(JobId{claim.job()}, KeyPartitionId{claim.key_partition()});
  const std::string& name = claim.manifest();
  if (!name.starts_with(prefix) || name.size() == prefix.size() ||
      name.size() > kMostManifestBytes) {
    return user_error("the manifest of a snapshot must be an object of its key partition, " +
                      prefix + "...");
  }
  if (claim.offsets_size() > static_cast<int>(limits::kSourcePartitions)) {
    return user_error("a snapshot has at most " + std::to_string(limits::kSourcePartitions) +
                      " offsets");
  }
  return {};
}

Registration register_snapshot(const proto::SnapshotTaken& claim, NodeId from,
                               CoordinatorState* state) {
  const auto found = state->jobs.find(JobId{claim.job()});
  if (found == state->jobs.end()) return Registration::kRefused;
  JobEntry& entry = found->second;
  const uint32_t k = claim.key_partition();
  const auto* grant = grant_of(entry, k);
  if (grant == nullptr) return Registration::kRefused;
  if (grant->node != from || grant->epoch.value != claim.epoch()) return Registration::kRefused;
  RegisteredSnapshot claimed = snapshot_of(claim);
  JobSnapshots snapshots = entry.snapshots ? *entry.snapshots : JobSnapshots{};
  const PartitionSnapshots& before = snapshots.of(k);
  if (!before.empty() && is_known(before.front(), claimed)) return Registration::kKnown;
  auto after = std::make_shared<const PartitionSnapshots>(with_newest(before, std::move(claimed)));
  snapshots.key_partitions.resize(entry.job->plan->key_partitions());
  snapshots.key_partitions[k] = std::move(after);
  entry.snapshots = std::make_shared<const JobSnapshots>(std::move(snapshots));
  return Registration::kNew;
}

std::vector<std::string> retained_manifests(const CoordinatorState& state, JobId job, uint32_t k) {
  NameList out;
  const auto add = [&](const JobEntry& entry) {
    if (entry.snapshots == nullptr) return;
    for (const auto& each : entry.snapshots->of(k)) out.add(each.manifest);
  };
  if (const auto own = state.jobs.find(job); own != state.jobs.end()) add(own->second);
  for (const auto& [name, savepoint] : state.savepoints) {
    if (savepoint->job != job || k >= savepoint->snapshots.size()) continue;
    out.add(savepoint->snapshots[k].manifest);
  }
  for (const auto& [id, entry] : state.jobs) {
    if (entry.job->origin == job) add(entry);
  }
  return out.take();
}

proto::SnapshotsKnown known_snapshots(const CoordinatorState& state, NodeId asker,
                                      const proto::SnapshotQuery& query) {
  proto::SnapshotsKnown out;
  out.set_job(query.job());
  const auto found = state.jobs.find(JobId{query.job()});
  if (found == state.jobs.end()) return out;
  const JobEntry& entry = found->second;
  const int asked = std::min(query.key_partitions_size(), query.epochs_size());
  for (int i = 0; i < asked; ++i) {
    const uint32_t k = query.key_partitions(i);
    const auto* grant = grant_of(entry, k);
    if (grant == nullptr || grant->epoch.value != query.epochs(i)) continue;
    if (grant->node != asker && !follows(*entry.grants, k, asker)) continue;
    auto* known = out.add_entries();
    known->set_key_partition(k);
    known->set_epoch(query.epochs(i));
    if (entry.snapshots == nullptr) continue;
    for (const auto& each : entry.snapshots->of(k)) known->add_manifests(each.manifest);
  }
  return out;
}

SnapshotSummary summarize_snapshots(const JobEntry& entry) {
  static const JobSnapshots kNone;
  const JobSnapshots& snapshots = entry.snapshots ? *entry.snapshots : kNone;
  SnapshotSummary out;
  out.key_partitions = entry.job->plan->key_partitions();
  out.needed_offsets.assign(entry.job->plan->source_partitions(), UINT64_MAX);
  for (uint32_t k = 0; k < out.key_partitions; ++k) {
    const PartitionSnapshots& retained = snapshots.of(k);
    take_needed(retained, &out.needed_offsets);
    out.retained += retained.size();
    if (retained.empty()) {
      ++out.without;
      continue;
    }
    const auto& newest = retained.front();
    out.total_bytes += newest.total_bytes;
    out.rows += newest.rows;
    out.oldest_at = std::min(out.oldest_at.value_or(newest.taken_at), newest.taken_at);
  }
  return out;
}

std::optional<uint64_t> snapshot_age_ms(const SnapshotSummary& summary, TimeUs now) {
  if (summary.without > 0 || !summary.oldest_at) return std::nullopt;
  return static_cast<uint64_t>(std::max<int64_t>(0, now - *summary.oldest_at) / 1000);
}

}  // namespace tidemill
