#include "coordinator/snapshot_codec.h"

#include <charconv>
#include <cstdio>
#include <string_view>
#include <utility>

#include "coordinator/metadata_codec.h"
#include "coordinator/savepoints.h"

namespace tidemill {
namespace {

constexpr std::string_view kSnapshotsPrefix = "snapshots/";
constexpr std::string_view kSavepointsPrefix = "savepoints/";
constexpr std::string_view kRemovalsPrefix = "removals/";

std::string snapshots_key(JobId job, uint32_t k) {
  char text[32];
  std::snprintf(text, sizeof(text), "%08x/%08x", job.value, k);
  return std::string(kSnapshotsPrefix) + text;
}

std::string savepoint_key(const std::string& name) { return std::string(kSavepointsPrefix) + name; }

std::string removal_key(const RemovalId& id) {
  char text[32];
  std::snprintf(text, sizeof(text), "%08x/%016llx", id.first.value,
                static_cast<unsigned long long>(id.second));
  return std::string(kRemovalsPrefix) + text;
}

void encode(const RegisteredSnapshot& snapshot, proto::StoredSnapshot* out) {
  out->set_manifest(snapshot.manifest);
  out->set_epoch(snapshot.stamp.epoch.value);
  out->set_version(snapshot.stamp.version);
  out->set_total_bytes(snapshot.total_bytes);
  out->set_new_bytes(snapshot.new_bytes);
  out->set_rows(snapshot.rows);
  out->set_taken_at_us(snapshot.taken_at);
  out->set_trigger(snapshot.trigger);
  for (const uint64_t offset : snapshot.offsets) out->add_offsets(offset);
}

RegisteredSnapshot decode(const proto::StoredSnapshot& stored) {
  RegisteredSnapshot out;
  out.manifest = stored.manifest();
  out.stamp = {Epoch{stored.epoch()}, stored.version()};
  out.total_bytes = stored.total_bytes();
  out.new_bytes = stored.new_bytes();
  out.rows = stored.rows();
  out.taken_at = stored.taken_at_us();
  out.trigger = stored.trigger();
  out.offsets.assign(stored.offsets().begin(), stored.offsets().end());
  return out;
}

template <typename Stored>
Status check_version(const Stored& stored, const std::string& what) {
  if (stored.format_version() == kMetadataFormatVersion) return {};
  return corrupt_error(what + " has format version " + std::to_string(stored.format_version()) +
                       "; this coordinator reads " + std::to_string(kMetadataFormatVersion));
}

void change_job_snapshots(JobId job, const JobSnapshots& before, const JobSnapshots& after,
                          KeyValueBatch* batch) {
  const size_t most = std::max(before.key_partitions.size(), after.key_partitions.size());
  for (uint32_t k = 0; k < most; ++k) {
    const auto* old = k < before.key_partitions.size() ? before.key_partitions[k].get() : nullptr;
    const auto* now = k < after.key_partitions.size() ? after.key_partitions[k].get() : nullptr;
    if (old == now) continue;
    if (now == nullptr) {
      batch->push_back({snapshots_key(job, k), std::nullopt});
    } else {
      batch->push_back({snapshots_key(job, k), encode_snapshots(job, k, *now).SerializeAsString()});
    }
  }
}

// Of maps of shared pointers: what is new or another one now, and what is gone.
template <typename Map, typename Key, typename Encode>
void change_map(const Map& before, const Map& after, const Key& key, const Encode& encode,
                KeyValueBatch* batch) {
  for (const auto& [id, value] : after) {
    const auto old = before.find(id);
    if (old != before.end() && old->second == value) continue;
    batch->push_back({key(id), encode(*value).SerializeAsString()});
  }
  for (const auto& [id, value] : before) {
    if (!after.contains(id)) batch->push_back({key(id), std::nullopt});
  }
}

const JobSnapshots& snapshots_of(const CoordinatorState& state, JobId job) {
  static const JobSnapshots kNone;
  const auto entry = state.jobs.find(job);
  return entry == state.jobs.end() || !entry->second.snapshots ? kNone : *entry->second.snapshots;
}

// Calls `read` with each parsed value whose key begins so.
template <typename Stored, typename Read>
Status read_all(const KeyValues& values, std::string_view prefix, const Read& read) {
  for (auto at = values.lower_bound(std::string(prefix));
       at != values.end() && std::string_view(at->first).starts_with(prefix); ++at) {
    Stored stored;
    if (!stored.ParseFromString(at->second)) {
      return corrupt_error("coordinator metadata: the value of '" + at->first + "' does not parse");
    }
    const std::string& key = at->first;
    if (auto status = read(key, std::move(stored)); !status) return status;
  }
  return {};
}

Error misplaced(const std::string& key) {
  return corrupt_error("coordinator metadata: the value of '" + key + "' belongs elsewhere");
}

Status read_job_snapshots(const KeyValues& values, CoordinatorState* state) {
  std::map<JobId, JobSnapshots> read;
  const auto status = read_all<proto::StoredSnapshots>(
      values, kSnapshotsPrefix,
      [&](const std::string& key, proto::StoredSnapshots stored) -> Status {
        auto snapshots = decode_snapshots(stored);
        if (!snapshots) return snapshots.error();
        const JobId job{stored.job()};
        const auto entry = state->jobs.find(job);
        const uint32_t k = stored.key_partition();
        if (entry == state->jobs.end() || k >= entry->second.job->plan->key_partitions() ||
            key != snapshots_key(job, k)) {
          return misplaced(key);
        }
        auto& partitions = read[job].key_partitions;
        partitions.resize(entry->second.job->plan->key_partitions());
        partitions[k] = std::make_shared<const PartitionSnapshots>(std::move(*snapshots));
        return {};
      });
  for (auto& [job, snapshots] : read) {
    state->jobs.at(job).snapshots = std::make_shared<const JobSnapshots>(std::move(snapshots));
  }
  return status;
}

}  // namespace

proto::StoredSnapshots encode_snapshots(JobId job, uint32_t k,
                                        const PartitionSnapshots& snapshots) {
  proto::StoredSnapshots out;
  out.set_format_version(kMetadataFormatVersion);
  out.set_job(job.value);
  out.set_key_partition(k);
  for (const auto& each : snapshots) encode(each, out.add_snapshots());
  return out;
}

proto::StoredSavepoint encode_savepoint(const Savepoint& savepoint) {
  proto::StoredSavepoint out;
  out.set_format_version(kMetadataFormatVersion);
  out.set_name(savepoint.name);
  out.set_job(savepoint.job.value);
  out.set_job_name(savepoint.job_name);
  out.set_trigger(savepoint.trigger);
  out.set_complete(savepoint.complete);
  out.set_made_at_us(savepoint.made_at);
  if (savepoint.plan) *out.mutable_plan() = savepoint.plan->proto();
  for (const auto& each : savepoint.snapshots) encode(each, out.add_snapshots());
  for (const uint64_t offset : savepoint.offsets) out.add_offsets(offset);
  return out;
}

proto::StoredRemoval encode_removal(const SnapshotRemoval& removal) {
  proto::StoredRemoval out;
  out.set_format_version(kMetadataFormatVersion);
  out.set_job(removal.job.value);
  out.set_trigger(removal.trigger);
  out.set_key_partitions(removal.key_partitions);
  for (const auto& each : removal.manifests) out.add_manifests(each);
  return out;
}

Result<PartitionSnapshots> decode_snapshots(const proto::StoredSnapshots& stored) {
  const std::string what = "snapshots of job " + std::to_string(stored.job());
  if (auto status = check_version(stored, what); !status) return status.error();
  PartitionSnapshots out;
  for (const auto& each : stored.snapshots()) out.push_back(decode(each));
  if (out.empty() || out.size() > kRetainedSnapshots) {
    return corrupt_error(what + ": an impossible number of them");
  }
  return out;
}

Result<Savepoint> decode_savepoint(proto::StoredSavepoint stored) {
  const std::string what = "savepoint '" + stored.name() + "'";
  if (auto status = check_version(stored, what); !status) return status.error();
  Savepoint out;
  out.name = stored.name();
  out.job = JobId{stored.job()};
  out.job_name = stored.job_name();
  out.trigger = stored.trigger();
  out.complete = stored.complete();
  out.made_at = stored.made_at_us();
  for (const auto& each : stored.snapshots()) out.snapshots.push_back(decode(each));
  out.offsets.assign(stored.offsets().begin(), stored.offsets().end());
  if (!is_savepoint_name(out.name) || out.job == JobId{} || out.trigger == 0) {
    return corrupt_error(what + ": impossible name, job or trigger");
  }
  if (!out.complete) return out;
  auto plan = Plan::from_proto(std::move(*stored.mutable_plan()));
  if (!plan) return corrupt_error(what + ": " + plan.error().message());
  out.plan = std::move(*plan);
  if (out.snapshots.size() != out.plan->key_partitions() ||
      out.offsets.size() != out.plan->source_partitions()) {
    return corrupt_error(what + ": does not fit its plan");
  }
  return out;
}

Result<SnapshotRemoval> decode_removal(const proto::StoredRemoval& stored) {
  const std::string what = "removal of objects of job " + std::to_string(stored.job());
  if (auto status = check_version(stored, what); !status) return status.error();
  SnapshotRemoval out;
  out.job = JobId{stored.job()};
  out.trigger = stored.trigger();
  out.key_partitions = stored.key_partitions();
  out.manifests.assign(stored.manifests().begin(), stored.manifests().end());
  const size_t expected = out.trigger == 0 ? 0 : out.key_partitions;
  if (out.job == JobId{} || out.manifests.size() != expected) {
    return corrupt_error(what + ": impossible job or number of manifests");
  }
  return out;
}

void add_snapshot_changes(const CoordinatorState& before, const CoordinatorState& after,
                          KeyValueBatch* batch) {
  for (const auto& [id, entry] : after.jobs) {
    const JobSnapshots& old = snapshots_of(before, id);
    const JobSnapshots& now = snapshots_of(after, id);
    if (&old != &now) change_job_snapshots(id, old, now, batch);
  }
  for (const auto& [id, entry] : before.jobs) {
    if (!after.jobs.contains(id)) change_job_snapshots(id, snapshots_of(before, id), {}, batch);
  }
  change_map(before.savepoints, after.savepoints, savepoint_key, encode_savepoint, batch);
  change_map(before.removals, after.removals, removal_key, encode_removal, batch);
}

Status read_snapshots(const KeyValues& values, CoordinatorState* state) {
  if (auto status = read_job_snapshots(values, state); !status) return status;
  auto status = read_all<proto::StoredSavepoint>(
      values, kSavepointsPrefix,
      [&](const std::string& key, proto::StoredSavepoint stored) -> Status {
        auto savepoint = decode_savepoint(std::move(stored));
        if (!savepoint) return savepoint.error();
        if (key != savepoint_key(savepoint->name)) return misplaced(key);
        const std::string name = savepoint->name;
        state->savepoints[name] = std::make_shared<const Savepoint>(std::move(*savepoint));
        return {};
      });
  if (!status) return status;
  return read_all<proto::StoredRemoval>(
      values, kRemovalsPrefix,
      [&](const std::string& key, const proto::StoredRemoval& stored) -> Status {
        auto removal = decode_removal(stored);
        if (!removal) return removal.error();
        const RemovalId id{removal->job, removal->trigger};
        if (key != removal_key(id)) return misplaced(key);
        state->removals[id] = std::make_shared<const SnapshotRemoval>(std::move(*removal));
        return {};
      });
}

}  // namespace tidemill
