// PartitionHost: what the view says this shard is to hold.
#include <algorithm>

#include "shared/obs/log.h"
#include "worker/partition_host.h"

namespace tidemill {
namespace {

// Directories that nobody has claimed by then are left from former grants.
constexpr int64_t kLookAtDirectoriesAfterUs = 60'000'000;

}  // namespace

void PartitionHost::on_view(const ClusterState& view) {
  view_version_ = view.version;
  coordinator_ = view.coordinator;
  if (look_at_directories_us_ == 0) {
    look_at_directories_us_ = runtime_.monotonic_us() + kLookAtDirectoriesAfterUs;
  }
  for (auto it = jobs_.begin(); it != jobs_.end();) {
    if (view.jobs.contains(it->first)) {
      ++it;
      continue;
    }
    drop_job(&it->second);
    it = jobs_.erase(it);
  }
  for (const auto& [id, in_view] : view.jobs) update_job(view, in_view);
}

void PartitionHost::drop_job(Job* job) {
  for (auto& [k, owner] : job->owned) release(job, &owner, true);
  for (auto& [k, standby] : job->standbys) release(job, &standby, true);
}

void PartitionHost::update_job(const ClusterState& view, const JobInView& in_view) {
  Job& job = jobs_[in_view.id];
  if (!job.publisher) {
    job.id = in_view.id;
    job.plan = in_view.plan;
    job.publisher = std::make_unique<Publisher>(runtime_, self_, config_, in_view.id);
    job.snapshotter = std::make_unique<Snapshotter>(runtime_, self_, config_, in_view.id);
  }
  if (job.plan != in_view.plan) {
    job.plan = in_view.plan;
    for (auto& [k, owner] : job.owned) {
      if (owner.partition) owner.partition->grow(job.plan);
      if (owner.disk) owner.disk->set_schemas(job.plan->tables());
    }
    for (auto& [k, standby] : job.standbys) {
      if (standby.disk) standby.disk->set_schemas(job.plan->tables());
      if (standby.follower) standby.follower->set_schemas(job.plan->tables());
    }
  }
  job.readers = in_view.sources;
  job.read_no_more = std::all_of(job.readers.begin(), job.readers.end(),
                                 [](const Grant& reader) { return reader.node == NodeId(0); });
  job.snapshot_trigger = in_view.snapshot_trigger;
  release_owned(&job, in_view);
  // Sessions of what is gone end before it is granted anew.
  job.publisher->on_view(view, in_view, job.owned);
  for (uint32_t k = 0; k < in_view.key_partitions.size(); ++k) {
    const Grant& grant = in_view.key_partitions[k];
    const bool mine = grant.node == runtime_.node() && grant.shard == runtime_.shard();
    if (mine && !job.owned.contains(KeyPartitionId(k))) take_owned(&job, KeyPartitionId(k), grant);
  }
  update_standbys(&job, in_view);
  job.publisher->on_view(view, in_view, job.owned);
  for (auto& [k, owner] : job.owned) {
    if (!owner.partition) continue;
    if (job.read_no_more) owner.partition->set_read_no_more();
    for (uint32_t s = 0; s < job.readers.size(); ++s) {
      if (owner.partition->sessions()[s].reader_epoch != job.readers[s].epoch) {
        owner.partition->close_session(s);
      }
    }
  }
  open_sessions(&job);
}

void PartitionHost::release_owned(Job* job, const JobInView& in_view) {
  for (auto it = job->owned.begin(); it != job->owned.end();) {
    const Grant& grant = in_view.key_partitions[it->first.value];
    const bool mine = grant.node == runtime_.node() && grant.shard == runtime_.shard();
    if (mine && it->second.epoch == grant.epoch) {
      ++it;
      continue;
    }
    const bool follows =
        std::find(grant.standbys.begin(), grant.standbys.end(),
                  Standby{runtime_.node(), runtime_.shard()}) != grant.standbys.end();
    release(job, &it->second, !mine && !follows);
    it = job->owned.erase(it);
  }
}

std::unique_ptr<DiskLane> PartitionHost::open_lane(const Job& job, KeyPartitionId k) {
  PartitionDiskConfig config;
  config.disk = resources_.disk;
  config.directory = partition_directory(resources_.data_dir, job.id, k);
  config.job = job.id;
  config.key_partition = k;
  config.schemas = job.plan->tables();
  config.log_limit_bytes = static_cast<uint64_t>(config_.log_limit_bytes);
  return std::make_unique<DiskLane>(runtime_, self_, next_lane_++, resources_, std::move(config));
}

void PartitionHost::take_owned(Job* job, KeyPartitionId k, const Grant& grant) {
  OwnedPartition& owner = job->owned[k];
  owner.epoch = grant.epoch;
  const auto standby = job->standbys.find(k);
  if (standby != job->standbys.end() && standby->second.phase == HoldingPhase::kActive &&
      standby->second.follower->holds_state()) {
    return promote(job, k, &standby->second);
  }
  if (standby != job->standbys.end()) {
    release(job, &standby->second, false);
    job->standbys.erase(standby);
  }
  owner.disk = open_lane(*job, k);
}

void PartitionHost::release(Job* job, Holding* held, bool remove) {
  if (held->writing) job->snapshotter->forget_in_flight(*held);
  if (held->disk) held->disk->close(remove);
}

void PartitionHost::update_standbys(Job* job, const JobInView& in_view) {
  for (auto it = job->standbys.begin(); it != job->standbys.end();) {
    const Grant& grant = in_view.key_partitions[it->first.value];
    const Standby self{runtime_.node(), runtime_.shard()};
    if (std::find(grant.standbys.begin(), grant.standbys.end(), self) != grant.standbys.end()) {
      it->second.epoch = grant.epoch;
      ++it;
      continue;
    }
    release(job, &it->second, true);
    it = job->standbys.erase(it);
  }
  for (uint32_t k = 0; k < in_view.key_partitions.size(); ++k) {
    for (const Standby& standby : in_view.key_partitions[k].standbys) {
      const bool mine = standby.node == runtime_.node() && standby.shard == runtime_.shard();
      const KeyPartitionId id(k);
      if (!mine || job->standbys.contains(id) || job->owned.contains(id)) continue;
      StandbyPartition& held = job->standbys[id];
      held.epoch = in_view.key_partitions[k].epoch;
      held.disk = open_lane(*job, id);
    }
  }
}

bool PartitionHost::holds(JobId job, KeyPartitionId k) const {
  const auto found = jobs_.find(job);
  return found != jobs_.end() &&
         (found->second.owned.contains(k) || found->second.standbys.contains(k));
}

void PartitionHost::on_directories(const DirectoriesFound& found) {
  for (const auto& [job, k] : found.directories) {
    if (!holds(job, k)) remove_directory(runtime_, self_, resources_, job, k);
  }
}

}  // namespace tidemill
