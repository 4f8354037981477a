#include "tests/unit/coordinator/snapshot_fixture.h"

#include "shared/snapshot/snapshot_name.h"
#include "shared/state/manifest.h"
#include "shared/state/partition_disk.h"
#include "tests/unit/coordinator/test_jobs.h"

namespace tidemill::testing {
namespace {

Error broken_error() { return retryable_error("the storage cannot be reached"); }

}  // namespace

Status MemorySnapshots::put(const std::string& name, std::span<const uint8_t> bytes) {
  if (broken) return broken_error();
  objects[name].assign(bytes.begin(), bytes.end());
  return {};
}

Status MemorySnapshots::put_file(const std::string&, const Disk&, const std::string&) {
  return broken_error();
}

Result<std::vector<uint8_t>> MemorySnapshots::get(const std::string& name) {
  if (broken) return broken_error();
  const auto found = objects.find(name);
  if (found == objects.end()) return corrupt_error("there is no object " + name);
  return found->second;
}

Status MemorySnapshots::get_file(const std::string&, const Disk&, const std::string&) {
  return broken_error();
}

Result<std::vector<StoredObject>> MemorySnapshots::list(const std::string& prefix) {
  if (broken) return broken_error();
  std::vector<StoredObject> out;
  for (const auto& [name, bytes] : objects) {
    if (name.starts_with(prefix)) out.push_back({name, bytes.size()});
  }
  return out;
}

Status MemorySnapshots::remove(const std::string& name) {
  if (broken) return broken_error();
  objects.erase(name);
  return {};
}

std::string manifest_of(JobId job, uint32_t k, uint64_t epoch, uint64_t version) {
  return owner_prefix(job, KeyPartitionId{k}, Epoch{epoch}) + manifest_name(Epoch{epoch}, version);
}

void extend(JobId job, uint32_t k, uint64_t epoch, uint64_t version, StateFiles* files,
            SnapshotStorage* storage) {
  const uint64_t from = files->empty() ? 0 : files->back().to_version();
  const std::string name = rows_file_name({Epoch{epoch}, version}, from);
  proto::StateFile file;
  file.set_name(name);
  file.set_object(owner_prefix(job, KeyPartitionId{k}, Epoch{epoch}) + name);
  file.set_bytes(1);
  file.set_from_version(from);
  file.set_to_version(version);
  file.set_epoch(epoch);
  files->push_back(file);
  const std::vector<uint8_t> bytes{1};
  ASSERT(storage->put(file.object(), bytes).ok());
}

std::string put_manifest(JobId job, uint32_t k, const StateFiles& files, SnapshotStorage* storage) {
  const auto& last = files.back();
  proto::StateManifest manifest;
  manifest.set_format_version(kManifestFormat);
  manifest.set_job(job.value);
  manifest.set_key_partition(k);
  for (const auto& file : files) {
    *manifest.add_files() = file;
    auto* ancestor = manifest.mutable_head()->add_ancestry();
    ancestor->set_epoch(file.epoch());
    ancestor->set_last_version(file.to_version());
  }
  const std::string name = manifest_of(job, k, last.epoch(), last.to_version());
  ASSERT(storage->put(name, encode_manifest(manifest)).ok());
  return name;
}

proto::SnapshotTaken claim_of(JobId job, uint32_t k, uint64_t epoch, uint64_t version,
                              uint64_t trigger) {
  proto::SnapshotTaken out;
  out.set_job(job.value);
  out.set_key_partition(k);
  out.set_epoch(epoch);
  out.set_version(version);
  out.set_manifest(manifest_of(job, k, epoch, version));
  out.set_total_bytes(100 * version);
  out.set_new_bytes(10);
  out.set_rows(version);
  out.set_taken_at_us(static_cast<int64_t>(1'000'000 * version));
  out.set_trigger(trigger);
  out.add_offsets(version);
  out.add_offsets(2 * version);
  return out;
}

CoordinatorState state_with_job(uint32_t key_partitions) {
  CoordinatorState state;
  state.generation = 1;
  state.next_job = JobId{2};
  state.next_epoch = Epoch{1000};
  const JobId id{1};
  auto job = std::make_shared<JobRecord>(
      JobRecord{id, "a", JobState::kRunning, 0, small_plan("a", key_partitions, 2), {}});
  auto grants = std::make_shared<JobGrants>();
  grants->sources.resize(2);
  grants->key_partitions.resize(key_partitions);
  state.jobs[id] = {std::move(job), std::move(grants)};
  for (uint32_t k = 0; k < key_partitions; ++k) grant(&state, id, k, NodeId{10 + k}, 100 + k);
  return state;
}

void grant(CoordinatorState* state, JobId job, uint32_t k, NodeId node, uint64_t epoch) {
  JobEntry& entry = state->jobs.at(job);
  JobGrants grants = *entry.grants;
  grants.key_partitions.at(k) = {node, 0, Epoch{epoch}};
  entry.grants = std::make_shared<const JobGrants>(std::move(grants));
}

}  // namespace tidemill::testing
