#include "serving/replica_set.h"

#include <algorithm>

#include "serving/replica_set_jobs.h"
#include "shared/obs/log.h"
#include "shared/state/sst_readers.h"
#include "shared/state/state_directories.h"

namespace tidemill {
namespace {

constexpr int64_t kOpenAgainUs = 5'000'000;
constexpr int64_t kLogAgainUs = 60'000'000;
constexpr uint64_t kStrangersLane = UINT64_MAX;
constexpr size_t kSamplePageBytes = 1 << 20;
constexpr int kSamplePages = 16;
constexpr uint64_t kLogsPerShare = 64;

uint64_t lane_of(ReplicaId id) { return uint64_t{id.job.value} << 32 | id.key_partition.value; }

bool maybe_on_disk(const Replica& replica, const StateKey& key) {
  return replica.window().find(key.table, key.key, key.hash) == PartitionState::Found::kMaybeOnDisk;
}

}  // namespace

ReplicaSet::ReplicaSet(Runtime& runtime, ActorId actor, uint16_t shards, const StoreConfig& config,
                       StoreResources resources)
    : runtime_(runtime),
      actor_(actor),
      shards_(shards),
      config_(config),
      resources_(std::move(resources)),
      readers_(resources_.readers),
      memory_(runtime, actor, static_cast<uint64_t>(config.memory_budget_bytes), shards,
              resources_.memory) {
  if (readers_ == nullptr) readers_ = std::make_shared<SstReaders>();
}

ReplicaSet::~ReplicaSet() = default;

void ReplicaSet::set_view(const ClusterState& view) {
  for (auto it = held_.begin(); it != held_.end();) {
    const auto next = std::next(it);
    if (!view.jobs.contains(it->first.job)) drop(it);
    it = next;
  }
  std::erase_if(counts_, [&](const auto& entry) { return !view.jobs.contains(entry.first); });
  for (const auto& [job, in_view] : view.jobs) {
    for (uint32_t k = runtime_.shard(); k < in_view.plan->key_partitions(); ++k) {
      const ReplicaId id{job, KeyPartitionId(k)};
      if (store_shard_of(id.key_partition, shards_) != runtime_.shard()) continue;
      HeldReplica* held = find(id);
      if (held == nullptr) {
        add(id, in_view.plan->tables());
      } else if (held->tables != in_view.plan->tables()) {
        set_tables(held, in_view.plan->tables());
      }
    }
  }
  if (view_seen_) return;
  view_seen_ = true;
  for (const auto& [id, held] : held_) awaited_.insert(id);
  remove_strangers();
}

void ReplicaSet::add(ReplicaId id, TableSchemas tables) {
  HeldReplica& held = held_[id];
  held.id = id;
  held.generation = next_generation_++;
  held.tables = tables;
  held.replica = std::make_unique<Replica>(tables, id.key_partition);
  open(&held);
}

// The job was changed. A disk that is being opened is told once it is.
void ReplicaSet::set_tables(HeldReplica* held, TableSchemas tables) {
  held->tables = std::move(tables);
  held->replica->set_features(held->tables);
  if (held->disk != nullptr) tell_disk_of_tables(*held);
}

void ReplicaSet::tell_disk_of_tables(const HeldReplica& held) {
  on_disk(held, [tables = held.tables](PartitionDisk& disk) {
    disk.set_schemas(tables);
    return Then([](HeldReplica*) {});
  });
}

void ReplicaSet::drop(Held::iterator it) {
  if (warm_up_ && warm_up_->id == it->first) end_warm_up();
  const ReplicaId id = it->first;
  auto disk = std::move(it->second.disk);
  held_.erase(it);
  awaited_.erase(id);
  remove(id, std::move(disk));
}

// On its lane: whoever wants the directory again comes after that.
void ReplicaSet::remove(ReplicaId id, std::shared_ptr<PartitionDisk> disk) {
  const std::string directory = partition_directory(resources_.data_dir, id.job, id.key_partition);
  const auto work = [disk = std::move(disk), on = resources_.disk, directory]() mutable {
    disk.reset();
    auto done = std::make_unique<Done>();
    const Status removed = remove_directory(*on, directory);
    done->then = [directory, removed](HeldReplica*) {
      if (removed.ok()) return;
      log_event(LogLevel::kWarning, "store_directory_kept",
                {{"directory", directory}, {"reason", removed.error().message()}});
    };
    return done;
  };
  runtime_.run_blocking(actor_, lane_of(id), work);
}

// Directories of jobs that have ended while this process was not there.
void ReplicaSet::remove_strangers() {
  runtime_.run_blocking(actor_, kStrangersLane, [this, resources = resources_] {
    auto done = std::make_unique<Done>();
    auto found = held_directories(*resources.disk, resources.data_dir);
    if (!found) return done;
    done->then = [this, found = std::move(*found)](HeldReplica*) {
      for (const auto& [job, k] : found) {
        const bool ours = store_shard_of(k, shards_) == runtime_.shard();
        if (ours && !held_.contains({job, k})) remove({job, k}, nullptr);
      }
    };
    return done;
  });
}

HeldReplica* ReplicaSet::find(ReplicaId id) {
  const auto it = held_.find(id);
  return it == held_.end() ? nullptr : &it->second;
}

bool ReplicaSet::receive(LocalPayload* payload) {
  if (auto* done = dynamic_cast<Done*>(payload)) {
    HeldReplica* held = find(done->id);
    if (held != nullptr && held->generation != done->generation) held = nullptr;
    if (done->then) done->then(held);
    return true;
  }
  return memory_.receive(payload, accounted_bytes());
}

void ReplicaSet::run(const HeldReplica& held, std::function<Then()> work) {
  runtime_.run_blocking(actor_, lane_of(held.id),
                        [id = held.id, generation = held.generation, work = std::move(work)] {
                          auto done = std::make_unique<Done>();
                          done->id = id;
                          done->generation = generation;
                          done->then = work();
                          return done;
                        });
}

// Whatever was done with the disk, what it holds now is noted.
void ReplicaSet::on_disk(const HeldReplica& held, Work work) {
  run(held, [disk = held.disk, release = resources_.memory.release, work = std::move(work)] {
    Then then = work(*disk);
    if (release) release();
    const uint64_t rows = rows_in(*disk);
    return Then([then = std::move(then), rows](HeldReplica* found) {
      if (found != nullptr) found->disk_rows = rows;
      then(found);
    });
  });
}

// Likewise, and what comes for the replica meanwhile is watched.
void ReplicaSet::read_on_disk(HeldReplica* held, Work work) {
  held->reads.push_back({runtime_.monotonic_us(), held->replica->follower().written_until_bytes()});
  on_disk(*held, [this, work = std::move(work)](PartitionDisk& disk) -> Then {
    return [this, then = work(disk)](HeldReplica* found) {
      if (found != nullptr) {
        found->reads.pop_front();
        if (!found->reads.empty()) found->reads.front().since_us = runtime_.monotonic_us();
      }
      then(found);
    };
  });
}

void ReplicaSet::open(HeldReplica* held) {
  held->opening = true;
  PartitionDiskConfig config;
  config.disk = resources_.disk;
  config.directory = partition_directory(resources_.data_dir, held->id.job, held->id.key_partition);
  config.job = held->id.job;
  config.key_partition = held->id.key_partition;
  config.schemas = held->tables;
  config.log_limit_bytes = static_cast<uint64_t>(config_.log_limit_bytes);
  // Logs are read whole.
  if (memory_.bounded()) {
    config.log_limit_bytes = std::min(config.log_limit_bytes, memory_.share() / kLogsPerShare);
  }
  config.readers = readers_;
  run(*held, [this, config]() -> Then {
    auto disk =
        std::make_shared<Result<std::unique_ptr<PartitionDisk>>>(PartitionDisk::open(config));
    return [this, disk](HeldReplica* found) {
      if (found != nullptr) opened(found, std::move(*disk));
    };
  });
}

// Without a disk the replica goes on in memory, and what the disk had counts no longer: the first
// increment that can be written will be a whole one.
void ReplicaSet::opened(HeldReplica* held, Result<std::unique_ptr<PartitionDisk>> disk) {
  held->opening = false;
  const int64_t now_us = runtime_.monotonic_us();
  if (!disk) {
    failed(held, "open", disk.error());
    held->opened = true;
    held->next_open_us = now_us + kOpenAgainUs;
    failing_ = true;
    return;
  }
  held->disk = std::move(*disk);
  held->disk_rows = rows_in(*held->disk);
  if (held->disk->config().schemas != held->tables) tell_disk_of_tables(*held);
  const int64_t interval_us = config_.snapshot_interval_ms * 1'000;
  held->next_write_us = now_us + interval_us * (held->id.key_partition.value % 64 + 1) / 64;
  if (held->opened) return;
  held->opened = true;
  if (const auto* manifest = held->disk->manifest()) {
    held->replica->restore(from_proto(manifest->head()));
  }
}

void ReplicaSet::load(ReplicaId id, std::vector<StateKey> keys, Loaded done) {
  HeldReplica* held = find(id);
  if (held == nullptr) return done(nullptr);
  const auto in_memory = std::stable_partition(keys.begin(), keys.end(), [&](const StateKey& key) {
    return maybe_on_disk(*held->replica, key);
  });
  const auto cold = static_cast<size_t>(in_memory - keys.begin());
  if (cold == 0) return done(held);
  if (held->replica->follower().on_disk() == Stamp{}) {
    // Whatever is there counts no longer.
    const std::vector<std::vector<uint8_t>> nothing(cold);
    return take_loaded(held, Stamp{}, std::move(keys), nothing, done);
  }
  if (held->disk == nullptr) return done(nullptr);
  counts_[id.job].cold_reads += cold;
  write_before_reading(held);
  read_on_disk(held,
               [this, cold, keys = std::move(keys), done = std::move(done)](PartitionDisk& disk) {
                 const Stamp at = stamp_of(disk);
                 auto images = std::make_shared<Result<std::vector<std::vector<uint8_t>>>>(
                     disk.get(std::span(keys).first(cold)));
                 return [this, at, keys, images, done](HeldReplica* found) {
                   if (found == nullptr) return done(nullptr);
                   take_loaded(found, at, keys, *images, done);
                 };
               });
}

// `images` are of the first keys; the others were in memory when these were asked for. Where one of
// them was evicted since, nothing of it is taken, so that all that is missing by now comes in one
// turn.
void ReplicaSet::take_loaded(HeldReplica* held, const Stamp& at, std::vector<StateKey> keys,
                             const Result<std::vector<std::vector<uint8_t>>>& images,
                             const Loaded& done) {
  if (!images.ok()) {
    failed(held, "read", images.error());
    return done(nullptr);
  }
  const std::span<const StateKey> read = std::span(keys).first(images->size());
  const std::span<const StateKey> others = std::span(keys).subspan(images->size());
  const bool evicted = std::any_of(others.begin(), others.end(), [&](const StateKey& key) {
    return maybe_on_disk(*held->replica, key);
  });
  if (evicted) return load(held->id, std::move(keys), done);
  const Result<bool> loaded = held->replica->load(at, read, *images);
  if (!loaded) {
    failed(held, "read", loaded.error());
    return done(nullptr);
  }
  if (!*loaded) return load(held->id, std::move(keys), done);  // an increment came in between
  done(held);
}

void ReplicaSet::sample(ReplicaId id, uint16_t table, size_t limit, Sampled done) {
  const HeldReplica* held = find(id);
  if (held == nullptr || held->disk == nullptr) return done({});
  on_disk(
      *held,
      [tables = held->tables, table, limit, done = std::move(done)](PartitionDisk& disk) -> Then {
        std::vector<std::string> keys;
        auto scan = disk.scan(std::nullopt);
        for (int page = 0; scan.ok() && page < kSamplePages && keys.size() < limit; ++page) {
          ByteWriter images;
          const auto more = (*scan)->next(kSamplePageBytes, &images);
          PartitionState some(tables);
          ByteReader in(images.bytes());
          while (in.remaining() > 0 && some.apply_image(&in, 1).ok()) {
          }
          some.sample_keys(table, limit - keys.size(), &keys);
          if (!more || !*more) break;
        }
        return [keys = std::move(keys), done](HeldReplica*) { done(keys); };
      });
}

// A disk that fails does so for all replicas, again and again.
bool ReplicaSet::may_log(const std::string& cause) {
  const int64_t now_us = runtime_.monotonic_us();
  const auto [it, first] = logged_us_.try_emplace(cause, now_us);
  if (!first && now_us - it->second < kLogAgainUs) return false;
  it->second = now_us;
  return true;
}

// Bytes that are not what was written cannot be waited for: the owner is to send everything again.
void ReplicaSet::failed(HeldReplica* held, const char* doing, const Error& error) {
  if (may_log(std::string(doing) + std::to_string(static_cast<int>(error.code())))) {
    log_event(LogLevel::kWarning, "store_disk_failed",
              {{"job", std::to_string(held->id.job.value)},
               {"key_partition", std::to_string(held->id.key_partition.value)},
               {"doing", doing},
               {"reason", error.message()}});
  }
  if (error.code() == ErrorCode::kCorrupt) held->replica->forget();
}

bool ReplicaSet::ready() {
  if (ready_ || !view_seen_) return ready_;
  std::erase_if(awaited_, [&](const ReplicaId& id) {
    const HeldReplica* held = find(id);
    if (held == nullptr) return true;
    const Follower& follower = held->replica->follower();
    return held->opened && (!follower.holds_state() || follower.current());
  });
  ready_ = awaited_.empty();
  return ready_;
}

ReplicaSet::Counts ReplicaSet::counts_of(JobId job) const {
  const auto it = counts_.find(job);
  return it == counts_.end() ? Counts() : it->second;
}

}  // namespace tidemill
