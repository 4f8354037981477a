#include "coordinator/snapshot_objects.h"

#include <algorithm>
#include <set>
#include <utility>

#include "coordinator/snapshot_registry.h"
#include "shared/snapshot/snapshots.h"

namespace tidemill {
namespace {

using Names = std::set<std::string>;

// Manifests themselves, and the objects that they name.
Result<Names> named_by(SnapshotStorage* storage, const std::vector<std::string>& manifests) {
  Names out;
  for (const auto& name : manifests) {
    const auto manifest = read_manifest(storage, name);
    if (!manifest) return manifest.error().within(name);
    out.insert(name);
    for (const auto& file : manifest->files()) out.insert(file.object());
  }
  return out;
}

Result<bool> exists(SnapshotStorage* storage, const std::string& name) {
  const auto found = storage->list(name);
  if (!found) return found.error();
  return std::any_of(found->begin(), found->end(),
                     [&](const StoredObject& object) { return object.name == name; });
}

class Remover {
 public:
  Remover(SnapshotStorage* storage, Names named) : storage_(storage), named_(std::move(named)) {}

  Status remove(const std::string& name) {
    if (named_.contains(name)) {
      ++out_.kept;
      return {};
    }
    if (auto status = storage_->remove(name); !status) return status;
    ++out_.removed;
    return {};
  }

  Status remove_all(const std::string& prefix) {
    const auto objects = storage_->list(prefix);
    if (!objects) return objects.error();
    for (const auto& object : *objects) {
      if (auto status = remove(object.name); !status) return status;
    }
    return {};
  }

  // A manifest that is damaged says nothing of its files: those go with the job.
  Status remove_snapshot(const std::string& name) {
    const auto there = exists(storage_, name);
    if (!there) return there.error();
    if (!*there || named_.contains(name)) return {};
    const auto manifest = read_manifest(storage_, name);
    if (!manifest && manifest.error().code() != ErrorCode::kCorrupt) return manifest.error();
    if (manifest) {
      for (const auto& file : manifest->files()) {
        if (auto status = remove(file.object()); !status) return status;
      }
    }
    return remove(name);
  }

  const RemovedObjects& outcome() const { return out_; }

 private:
  SnapshotStorage* storage_;
  Names named_;
  RemovedObjects out_;
};

}  // namespace

RemovalStep plan_removal(const CoordinatorState& state, const SnapshotRemoval& removal,
                         uint32_t k) {
  RemovalStep out;
  out.protecting = retained_manifests(state, removal.job, k);
  if (removal.trigger == 0) {
    out.prefix = snapshot_prefix(removal.job, KeyPartitionId{k});
    return out;
  }
  out.manifest = removal.manifests.at(k);
  return out;
}

Result<RemovedObjects> remove_objects(SnapshotStorage* storage, const RemovalStep& step) {
  auto named = named_by(storage, step.protecting);
  if (!named) return named.error();
  Remover remover(storage, std::move(*named));
  const auto status = step.prefix.empty() ? remover.remove_snapshot(step.manifest)
                                          : remover.remove_all(step.prefix);
  if (!status) return status.error();
  return remover.outcome();
}

}  // namespace tidemill
