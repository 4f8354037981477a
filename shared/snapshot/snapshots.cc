#include "shared/snapshot/snapshots.h"

#include <set>

#include "shared/obs/log.h"
#include "shared/snapshot/snapshot_name.h"
#include "shared/state/manifest.h"

namespace tidemill {
namespace {

std::string path_of(const PartitionDisk& disk, const proto::StateFile& file) {
  return disk.directory() + "/" + file.name();
}

// One upload: which of the files that `manifest` names are in storage, and bringing the rest there.
class Upload {
 public:
  // `store`: that writes for the owner; 0: the owner itself does.
  Upload(PartitionDisk* disk, SnapshotStorage* storage, Epoch own, NodeId store,
         std::span<const std::string> retained)
      : disk_(disk),
        storage_(storage),
        own_(own),
        store_(store),
        retained_(retained),
        manifest_(*disk->manifest()) {}

  Result<TakenSnapshot> run() {
    Status done = upload_files();
    // Also of an upload that failed half way: what is there need not go again.
    if (!uploaded_.empty()) {
      Status noted = disk_->note_objects(uploaded_);
      if (done && !noted) done = noted;
    }
    if (!done) return done.error();
    TakenSnapshot taken;
    taken.stamp = stamp_of(manifest_);
    taken.manifest = prefix() + manifest_name(own_, taken.stamp.version);
    const std::vector<uint8_t> bytes = encode_manifest(manifest_);
    if (Status put = storage_->put(taken.manifest, bytes); !put) return put.error();
    taken.new_bytes = new_bytes_ + bytes.size();
    for (const proto::StateFile& file : manifest_.files()) {
      taken.total_bytes += file.bytes();
      taken.rows += file.rows();
    }
    taken.offsets = from_proto(manifest_.head()).offsets;
    return taken;
  }

 private:
  JobId job() const { return disk_->config().job; }
  KeyPartitionId key_partition() const { return disk_->config().key_partition; }
  std::string prefix() const {
    if (store_ == NodeId(0)) return owner_prefix(job(), key_partition(), own_);
    return store_prefix(job(), key_partition(), own_, store_);
  }

  Status upload_files() {
    for (proto::StateFile& file : *manifest_.mutable_files()) {
      const auto there = is_in_storage(file);
      if (!there) return there.error();
      if (*there) continue;
      // What is damaged here shall not be what others build on.
      if (Status good = verify_file(*disk_->config().disk, path_of(*disk_, file), file); !good) {
        return good;
      }
      const std::string object = prefix() + file.name();
      Status put = storage_->put_file(object, *disk_->config().disk, path_of(*disk_, file));
      if (!put) return put;
      file.set_object(object);
      new_bytes_ += file.bytes();
      uploaded_.push_back(file);
    }
    return {};
  }

  // The owner goes on from what a store has written for it.
  bool is_written_under_own(const proto::StateFile& file) const {
    const auto object = parse_snapshot_object(file.object());
    return object && object->job == job() && object->key_partition == key_partition() &&
           object->owner == own_ && (store_ == NodeId(0) || object->store == store_);
  }

  Result<bool> is_in_storage(const proto::StateFile& file) {
    if (is_written_under_own(file)) return true;
    if (!file.object().starts_with(snapshot_prefix(job(), key_partition()))) return false;
    while (!retained_objects_.contains(file.object()) && !retained_.empty()) {
      const auto manifest = read_manifest(storage_, retained_.front());
      // One that is damaged vouches for nothing.
      if (!manifest && manifest.error().code() != ErrorCode::kCorrupt) return manifest.error();
      retained_ = retained_.subspan(1);
      if (!manifest) continue;
      for (const proto::StateFile& named : manifest->files()) {
        retained_objects_.insert(named.object());
      }
    }
    return retained_objects_.contains(file.object());
  }

  PartitionDisk* disk_;
  SnapshotStorage* storage_;
  Epoch own_;
  NodeId store_;
  std::span<const std::string> retained_;  // those that were not read yet
  std::set<std::string> retained_objects_;
  proto::StateManifest manifest_;
  std::vector<proto::StateFile> uploaded_;
  uint64_t new_bytes_ = 0;
};

Status fetch_missing(const proto::StateManifest& manifest, PartitionDisk* disk,
                     SnapshotStorage* storage) {
  for (const proto::StateFile& file : manifest.files()) {
    if (disk->has(file)) continue;
    Status fetched = storage->get_file(file.object(), *disk->config().disk, path_of(*disk, file));
    if (!fetched) return fetched;
  }
  return {};
}

Status restore_one(PartitionDisk* disk, SnapshotStorage* storage, const std::string& name) {
  auto manifest = read_manifest(storage, name);
  if (!manifest) return manifest.error();
  if (manifest->key_partition() != disk->config().key_partition.value) {
    return corrupt_error("it is a snapshot of key partition " +
                         std::to_string(manifest->key_partition()));
  }
  // One of another job, a savepoint, becomes this job's.
  manifest->set_job(disk->config().job.value);
  Status done;
  // A file may have been damaged on its way here.
  constexpr int kTries = 2;
  for (int i = 0; i < kTries; ++i) {
    done = fetch_missing(*manifest, disk, storage);
    if (!done) return done;
    done = disk->adopt(*manifest);
    if (done || done.error().code() != ErrorCode::kCorrupt) break;
  }
  return done;
}

}  // namespace

Result<TakenSnapshot> upload_snapshot(PartitionDisk* disk, SnapshotStorage* storage, Epoch own,
                                      std::span<const std::string> retained) {
  ASSERT(disk->manifest() != nullptr);
  return Upload(disk, storage, own, NodeId(0), retained).run();
}

Result<TakenSnapshot> upload_snapshot_of_store(PartitionDisk* disk, SnapshotStorage* storage,
                                               Epoch owner, NodeId store) {
  ASSERT(disk->manifest() != nullptr && store != NodeId(0));
  return Upload(disk, storage, owner, store, {}).run();
}

Result<RestoredSnapshot> restore_snapshot(PartitionDisk* disk, SnapshotStorage* storage,
                                          std::span<const std::string> candidates) {
  RestoredSnapshot out;
  for (const std::string& name : candidates) {
    const Status restored = restore_one(disk, storage, name);
    if (restored) {
      out.manifest = name;
      return out;
    }
    const Error& error = restored.error();
    if (error.code() != ErrorCode::kCorrupt) return error.within("restoring " + name);
    out.refused.push_back(name + ": " + error.message());
    log_event(LogLevel::kWarning, "snapshot_refused",
              {{"manifest", name}, {"reason", error.message()}});
  }
  if (candidates.empty()) return out;
  return corrupt_error("none of " + std::to_string(candidates.size()) +
                       " snapshots verifies; the last one: " + out.refused.back());
}

Result<proto::StateManifest> read_manifest(SnapshotStorage* storage, const std::string& name) {
  const auto bytes = storage->get(name);
  if (!bytes) return bytes.error();
  auto manifest = decode_manifest(*bytes);
  if (!manifest) return manifest.error().within(name);
  const auto named = parse_snapshot_object(name);
  if (!named || !named->manifest || named->job.value != manifest->job() ||
      named->key_partition.value != manifest->key_partition() ||
      named->version != stamp_of(*manifest).version) {
    return corrupt_error(name + " holds version " + std::to_string(stamp_of(*manifest).version) +
                         " of key partition " + std::to_string(manifest->key_partition()) +
                         " of job " + std::to_string(manifest->job()) +
                         ", which is not what its name says");
  }
  for (const proto::StateFile& file : manifest->files()) {
    if (!parse_snapshot_object(file.object())) {
      return corrupt_error(name + " names an object '" + file.object() + "'");
    }
  }
  return manifest;
}

}  // namespace tidemill
