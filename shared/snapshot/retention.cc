// Which objects of a key partition may go.
#include <algorithm>
#include <optional>
#include <set>

#include "shared/base/mutation.h"
#include "shared/snapshot/snapshot_name.h"
#include "shared/snapshot/snapshots.h"

namespace tidemill {
namespace {

struct Retained {
  std::set<std::string> names;
  std::optional<uint64_t> newest_of_own;  // version
};

Result<Retained> read_retained(SnapshotStorage* storage, Epoch own,
                               std::span<const std::string> manifests) {
  Retained out;
  for (const std::string& name : manifests) {
    const auto manifest = read_manifest(storage, name);
    if (!manifest) return manifest.error().within("a retained snapshot cannot be read");
    out.names.insert(name);
    for (const proto::StateFile& file : manifest->files()) out.names.insert(file.object());
    const auto parsed = parse_snapshot_object(name);
    if (parsed && parsed->owner == own) {
      out.newest_of_own = std::max(out.newest_of_own.value_or(0), parsed->version);
    }
  }
  return out;
}

bool may_go(const SnapshotObjectName& object, const std::string& name, Epoch own,
            const Retained& retained) {
  if (object.owner > own) return false;
  // What is newer may be a snapshot on its way to the registry, whose answer to an older one has
  // come late.
  if (object.owner == own && object.version > retained.newest_of_own.value_or(0)) return false;
  if (mutated(Mutation::kDeleteNamedFile) && !object.manifest) return true;
  return !retained.names.contains(name);
}

}  // namespace

Result<uint64_t> remove_unretained(SnapshotStorage* storage, JobId job, KeyPartitionId k, Epoch own,
                                   std::span<const std::string> retained) {
  const auto kept = read_retained(storage, own, retained);
  if (!kept) return kept.error();
  const auto objects = storage->list(snapshot_prefix(job, k));
  if (!objects) return objects.error();
  std::vector<std::string> manifests;
  std::vector<std::string> files;
  for (const StoredObject& object : *objects) {
    const auto parsed = parse_snapshot_object(object.name);
    if (!parsed || !may_go(*parsed, object.name, own, *kept)) continue;
    (parsed->manifest ? manifests : files).push_back(object.name);
  }
  // Manifests first: as long as one is there, so are its files.
  manifests.insert(manifests.end(), files.begin(), files.end());
  for (const std::string& name : manifests) {
    if (Status removed = storage->remove(name); !removed) return removed.error();
  }
  return manifests.size();
}

}  // namespace tidemill
