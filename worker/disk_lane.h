// DiskLane: a key partition's disk as its actor uses it. Every call runs on the key partition's
// lane of the blocking pool, in order, and is answered by one DiskAnswer unless it says otherwise.
//
// shard-affine: part of the PartitionHost actor.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shared/runtime/runtime.h"
#include "shared/snapshot/snapshots.h"
#include "shared/state/partition_disk.h"
#include "worker/replica_session.h"
#include "worker/wiring.h"

namespace tidemill {

struct DiskAnswer : LocalPayload {
  uint64_t lane = 0;  // DiskLane::id()
  JobId job;
  KeyPartitionId key_partition;
  std::string error;     // why it could not be done; empty if it could
  bool damaged = false;  // because files are not what was written to them: trying again is no use
};

struct DiskRestored : DiskAnswer {
  StateHead head;        // held now; without ancestry: nothing
  std::string manifest;  // the snapshot's object; empty: none
  uint64_t refused = 0;  // snapshots that did not verify
};

struct DiskWritten : DiskAnswer {
  bool wrote = false;        // an increment was to be written (`error` says whether it was)
  bool to_upload = false;    // what the disk holds was to be uploaded as well
  bool uploaded = false;     // and has been
  std::string upload_error;  // why it has not
  TakenSnapshot snapshot;    // of uploaded
  uint64_t disk_bytes = 0;   // of the files of the state
  int64_t taken_at_us = 0;
  uint64_t trigger = 0;
};

struct DiskPage : DiskAnswer {
  ScanPage page;
};

class DiskLane {
 public:
  // `id`: unique in this actor.
  DiskLane(Runtime& runtime, ActorId self, uint64_t id, const WorkerResources& resources,
           PartitionDiskConfig config);
  DiskLane(const DiskLane&) = delete;
  DiskLane& operator=(const DiskLane&) = delete;

  uint64_t id() const { return id_; }
  // Before it is dropped while the process goes on: the disk is closed on its lane, so that the
  // next one of the same key partition finds it closed, and if asked to the directory is removed.
  void close(bool remove);

  // Opens the disk, and makes it hold the newest of these snapshots that verifies. Without any it
  // holds what is in the directory if `keep_local` (a standby, that nobody waits for), else
  // nothing.
  void restore(std::vector<std::string> manifests, bool keep_local);
  // Other features are asked for over the same tables (PartitionDisk::set_schemas()). No answer.
  void set_schemas(TableSchemas schemas);
  // What the registry retains, as it answered to the owner under `own`: known from then on.
  void set_retained(Epoch own, std::vector<std::string> retained);
  // Writes the increment, if there is one, then uploads what the disk holds, if asked to: of an
  // owner, for whom the registry's answer is known. `urgent`: something waits for it.
  void write(std::optional<Increment> increment, bool upload, uint64_t trigger, bool urgent);
  // What has been asked for is urgent from now on. No answer.
  void hurry();
  // Begins or continues a scan.
  void scan(const ReplicaSession::ScanWanted& wanted, size_t page_bytes);
  // Likewise set_retained(); then removes the objects that are retained no more.
  void remove_unretained(Epoch own, std::vector<std::string> retained);

 private:
  struct OnLane;
  template <typename Answer, typename Work>
  void run(Urgency urgency, Work work);

  Runtime& runtime_;
  ActorId self_;
  uint64_t id_;
  uint64_t lane_;
  JobId job_;
  KeyPartitionId key_partition_;
  std::shared_ptr<OnLane> on_lane_;
};

// The directories below the process's data directory.
struct DirectoriesFound : LocalPayload {
  std::vector<std::pair<JobId, KeyPartitionId>> directories;
};
// Answered by DirectoriesFound.
void find_directories(Runtime& runtime, ActorId self, const WorkerResources& resources);
// On the lane of that key partition, which nobody holds.
void remove_directory(Runtime& runtime, ActorId self, const WorkerResources& resources, JobId job,
                      KeyPartitionId k);

}  // namespace tidemill
