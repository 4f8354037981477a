#include "worker/disk_lane.h"

#include <map>

#include "shared/obs/log.h"
#include "shared/state/state_directories.h"

namespace tidemill {
namespace {

constexpr size_t kMaxScans = 8;  // of one key partition; the oldest gives way

uint64_t lane_of(JobId job, KeyPartitionId k) {
  return static_cast<uint64_t>(job.value) << 32 | k.value;
}

uint64_t bytes_of(const PartitionDisk& disk) {
  uint64_t bytes = 0;
  if (disk.manifest() == nullptr) return 0;
  for (const proto::StateFile& file : disk.manifest()->files()) bytes += file.bytes();
  return bytes;
}

// Best effort: what is left is found again at the next start.
void removed(const WorkerResources& resources, const std::string& directory) {
  if (Status done = remove_directory(*resources.disk, directory); !done) {
    log_event(LogLevel::kWarning, "directory_not_removed", {{"reason", done.error().message()}});
  }
}

}  // namespace

// What only the lane touches.
struct DiskLane::OnLane {
  WorkerResources resources;
  PartitionDiskConfig config;
  std::unique_ptr<PartitionDisk> disk;
  std::map<uint64_t, std::unique_ptr<StateScan>> scans;
  Epoch own;                          // of the owner's grant
  std::vector<std::string> retained;  // by the registry

  Status open() {
    if (disk) return {};
    auto opened = PartitionDisk::open(config);
    if (!opened) return opened.error();
    disk = std::move(*opened);
    return {};
  }

  Status restore(const std::vector<std::string>& manifests, bool keep_local, DiskRestored* out) {
    if (Status opened = open(); !opened) return opened;
    out->refused = disk->refused_manifests();
    if (!manifests.empty()) {
      auto restored = restore_snapshot(disk.get(), resources.snapshots.get(), manifests);
      if (!restored) return restored.error();
      out->manifest = restored->manifest;
      out->refused += restored->refused.size();
    } else if (!keep_local) {
      return {};
    }
    if (disk->manifest() != nullptr) out->head = from_proto(disk->manifest()->head());
    return {};
  }

  Status write(const std::optional<Increment>& increment, bool upload, DiskWritten* out) {
    out->wrote = increment.has_value();
    out->to_upload = upload;
    if (Status opened = open(); !opened) return opened;
    if (increment) {
      if (Status written = disk->write(*increment); !written) return written;
    }
    out->disk_bytes = bytes_of(*disk);
    if (disk->manifest() != nullptr) out->taken_at_us = disk->manifest()->taken_at_us();
    if (!upload || disk->manifest() == nullptr) return {};
    auto taken = upload_snapshot(disk.get(), resources.snapshots.get(), own, retained);
    out->uploaded = taken.ok();
    if (taken) {
      out->snapshot = std::move(*taken);
    } else {
      out->upload_error = taken.error().message();
      if (taken.error().code() == ErrorCode::kCorrupt) return taken.error();
    }
    return {};
  }

  Status next_page(const ReplicaSession::ScanWanted& wanted, size_t page_bytes, ScanPage* page) {
    page->scan = wanted.scan;
    if (Status opened = open(); !opened) return opened;
    if (wanted.begin) {
      auto scan = disk->scan(wanted.since);
      if (!scan) return scan.error();
      if (scans.size() >= kMaxScans) scans.erase(scans.begin());
      scans[wanted.scan] = std::move(*scan);
    }
    const auto found = scans.find(wanted.scan);
    if (found == scans.end()) return retryable_error("the scan has given way to others");
    ByteWriter images;
    auto more = found->second->next(page_bytes, &images);
    if (!more) return more.error();
    page->head = found->second->head();
    page->whole = found->second->whole();
    page->images = Buffer(images.take());
    page->last = !*more;
    if (page->last) scans.erase(found);
    return {};
  }
};

DiskLane::DiskLane(Runtime& runtime, ActorId self, uint64_t id, const WorkerResources& resources,
                   PartitionDiskConfig config)
    : runtime_(runtime),
      self_(self),
      id_(id),
      lane_(lane_of(config.job, config.key_partition)),
      job_(config.job),
      key_partition_(config.key_partition),
      on_lane_(std::make_shared<OnLane>()) {
  on_lane_->resources = resources;
  on_lane_->config = std::move(config);
}

void DiskLane::close(bool remove) {
  runtime_.run_blocking(
      self_, lane_, Urgency::kLater,
      [on_lane = std::move(on_lane_), remove]() mutable -> std::unique_ptr<LocalPayload> {
        on_lane->scans.clear();
        on_lane->disk.reset();
        if (remove) removed(on_lane->resources, on_lane->config.directory);
        on_lane.reset();
        return nullptr;
      });
}

void DiskLane::set_schemas(TableSchemas schemas) {
  runtime_.run_blocking(
      self_, lane_, Urgency::kLater,
      [on_lane = on_lane_,
       schemas = std::move(schemas)]() mutable -> std::unique_ptr<LocalPayload> {
        if (on_lane->disk) on_lane->disk->set_schemas(schemas);
        on_lane->config.schemas = std::move(schemas);
        on_lane.reset();
        return nullptr;
      });
}

template <typename Answer, typename Work>
void DiskLane::run(Urgency urgency, Work work) {
  auto answer = std::make_shared<std::unique_ptr<Answer>>(std::make_unique<Answer>());
  (*answer)->lane = id_;
  (*answer)->job = job_;
  (*answer)->key_partition = key_partition_;
  runtime_.run_blocking(
      self_, lane_, urgency,
      [answer, on_lane = on_lane_,
       work = std::optional<Work>(std::move(work))]() mutable -> std::unique_ptr<LocalPayload> {
        if (Status done = (*work)(on_lane.get(), answer->get()); !done) {
          (*answer)->error = done.error().message();
          (*answer)->damaged = done.error().code() == ErrorCode::kCorrupt;
        }
        const auto release = on_lane->resources.memory.release;
        on_lane.reset();
        work.reset();
        if (release) release();
        return std::move(*answer);
      });
}

void DiskLane::restore(std::vector<std::string> manifests, bool keep_local) {
  // A standby is not yet needed.
  run<DiskRestored>(
      keep_local ? Urgency::kLater : Urgency::kRestore,
      [manifests = std::move(manifests), keep_local](OnLane* lane, DiskRestored* out) {
        return lane->restore(manifests, keep_local, out);
      });
}

void DiskLane::write(std::optional<Increment> increment, bool upload, uint64_t trigger,
                     bool urgent) {
  run<DiskWritten>(
      urgent ? Urgency::kSoon : Urgency::kLater,
      [increment = std::move(increment), upload, trigger](OnLane* lane, DiskWritten* out) {
        out->trigger = trigger;
        return lane->write(increment, upload, out);
      });
}

// A lane is as urgent as the most urgent work in it.
void DiskLane::hurry() {
  runtime_.run_blocking(self_, lane_, Urgency::kSoon,
                        []() -> std::unique_ptr<LocalPayload> { return nullptr; });
}

void DiskLane::scan(const ReplicaSession::ScanWanted& wanted, size_t page_bytes) {
  run<DiskPage>(Urgency::kSoon, [wanted, page_bytes](OnLane* lane, DiskPage* out) {
    Status done = lane->next_page(wanted, page_bytes, &out->page);
    if (!done) out->page.error = done.error().message();
    return done;
  });
}

void DiskLane::set_retained(Epoch own, std::vector<std::string> retained) {
  runtime_.run_blocking(
      self_, lane_, Urgency::kLater,
      [on_lane = on_lane_, own,
       retained = std::move(retained)]() mutable -> std::unique_ptr<LocalPayload> {
        on_lane->own = own;
        on_lane->retained = std::move(retained);
        on_lane.reset();
        return nullptr;
      });
}

void DiskLane::remove_unretained(Epoch own, std::vector<std::string> retained) {
  set_retained(own, retained);
  runtime_.run_blocking(self_, lane_, Urgency::kLater,
                        [on_lane = on_lane_, own, retained = std::move(retained), job = job_,
                         k = key_partition_]() mutable -> std::unique_ptr<LocalPayload> {
                          auto removed = tidemill::remove_unretained(
                              on_lane->resources.snapshots.get(), job, k, own, retained);
                          if (!removed) {
                            log_event(LogLevel::kWarning, "snapshot_objects_not_removed",
                                      {{"job", job.value},
                                       {"key_partition", k.value},
                                       {"reason", removed.error().message()}});
                          }
                          on_lane.reset();
                          return nullptr;
                        });
}

void find_directories(Runtime& runtime, ActorId self, const WorkerResources& resources) {
  runtime.run_blocking(
      self, UINT64_MAX, Urgency::kLater, [resources]() -> std::unique_ptr<LocalPayload> {
        auto answer = std::make_unique<DirectoriesFound>();
        if (auto found = held_directories(*resources.disk, resources.data_dir); found) {
          answer->directories = std::move(*found);
        }
        return answer;
      });
}

void remove_directory(Runtime& runtime, ActorId self, const WorkerResources& resources, JobId job,
                      KeyPartitionId k) {
  runtime.run_blocking(self, lane_of(job, k), Urgency::kLater,
                       [resources, job, k]() -> std::unique_ptr<LocalPayload> {
                         removed(resources, partition_directory(resources.data_dir, job, k));
                         return nullptr;
                       });
}

}  // namespace tidemill
