// Whether a snapshot in storage could be restored. One file at a time, held in memory.
#include <rocksdb/env.h>

#include "shared/snapshot/snapshots.h"
#include "shared/state/state_file.h"

namespace tidemill {
namespace {

constexpr const char* kFetched = "/fetched";

// Error kCorrupt: the file is not what the manifest says.
Status check_head(const Disk& memory, const proto::StateManifest& manifest,
                  const proto::StateFile& file) {
  const auto head = check_state_file(memory, kFetched, file, true);
  if (!head) return head.error();
  if (head->stamp() != Stamp{Epoch(file.epoch()), file.to_version()}) {
    return corrupt_error("its head is of version " + std::to_string(head->stamp().version));
  }
  const bool last = &file == &*manifest.files().rbegin();
  if (last && *head != from_proto(manifest.head())) {
    return corrupt_error("its head is not that of the manifest");
  }
  return {};
}

Status check_file(SnapshotStorage* storage, const proto::StateManifest& manifest,
                  const proto::StateFile& file) {
  const auto memory = Disk::in_memory();
  if (Status got = storage->get_file(file.object(), *memory, kFetched); !got) return got;
  if (Status good = verify_file(*memory, kFetched, file); !good) return good;
  return check_head(*memory, manifest, file);
}

}  // namespace

Result<std::vector<std::string>> verify_snapshot(SnapshotStorage* storage,
                                                 const std::string& manifest) {
  std::vector<std::string> wrong;
  const auto read = read_manifest(storage, manifest);
  if (!read) {
    if (read.error().code() != ErrorCode::kCorrupt) return read.error();
    wrong.push_back(read.error().message());
    return wrong;
  }
  for (const proto::StateFile& file : read->files()) {
    const Status good = check_file(storage, *read, file);
    if (good) continue;
    if (good.error().code() != ErrorCode::kCorrupt) return good.error();
    wrong.push_back(file.object() + ": " + good.error().message());
  }
  return wrong;
}

}  // namespace tidemill
