#include "tests/simulation/sim_machines.h"

#include <algorithm>

#include "coordinator/wiring.h"
#include "serving/wiring.h"
#include "shared/snapshot/snapshot_name.h"
#include "shared/snapshot/snapshots.h"
#include "shared/state/sst_readers.h"
#include "worker/wiring.h"

namespace tidemill::test {
namespace {

constexpr int64_t kSuperviseEveryUs = 250'000;
constexpr const char* kDataDir = "/data";

WorkerConfig worker_config(const SimPlan& plan) {
  WorkerConfig c;
  c.read_records = 64;
  c.read_bytes = 1 << 16;
  c.batch_credit_bytes = 256 << 10;
  c.session_wait_ms = 200;
  c.publish_interval_ms = 20;
  c.poll_interval_ms = 20;
  c.frame_credit_bytes = 48 << 10;
  c.frame_bytes = 4 << 10;
  c.unsent_limit_bytes = 32 << 10;
  c.session_silence_ms = 2'000;
  c.link_stall_ms = 1'000;
  c.snapshot_interval_ms = plan.snapshot_interval_ms;
  c.pending_limit_bytes = plan.pending_limit_bytes;
  // Little may be pending: have a budget, too.
  if (plan.pending_limit_bytes <= 64 << 10) c.memory_budget_bytes = 4 << 20;
  c.log_limit_bytes = plan.log_limit_bytes;
  return c;
}

// The directory that a file is in, and its name.
std::pair<std::string, std::string> split_path(const std::string& path) {
  const size_t slash = path.rfind('/');
  return {path.substr(0, slash), path.substr(slash + 1)};
}

bool is_of_a_state(const std::string& path) {
  const std::string name = split_path(path).second;
  return path.find("/links-") == std::string::npos &&
         (name.starts_with("manifest-") || name.starts_with("rows-") || name.starts_with("base-"));
}

}  // namespace

SimMachines::SimMachines(uint64_t seed, const SimPlan& plan, Simulation* sim,
                         std::shared_ptr<SourceCatalog> catalog)
    : plan_(plan),
      sim_(sim),
      random_(seed * 2 + 0x6d616368),
      catalog_(std::move(catalog)),
      letters_(seed, [this](SimProcessId p) { crash(p.value, false); }),
      storage_(seed, [this](SimProcessId p) { crash(p.value, false); }),
      machines_(kMachines) {
  for (size_t m = 0; m < kMachines; ++m) {
    machines_[m].disk = std::make_unique<SimDisk>(seed * kMachines + m);
  }
  for (const Mishap& mishap : plan_.mishaps) {
    if (mishap.kind == MishapKind::kWorkerJoins) machines_[mishap.machine].joined = false;
  }
}

SimLimits SimMachines::limits() const {
  const WorkerConfig c = worker_config(plan_);
  return {static_cast<uint64_t>(c.batch_credit_bytes), static_cast<uint64_t>(c.frame_credit_bytes),
          static_cast<uint64_t>(c.pending_limit_bytes), c.link_stall_ms * 1000};
}

void SimMachines::start() {
  add_coordinator();
  for (size_t m = kFirstWorker; m < kFirstStore; ++m) add_worker(m);
  for (size_t m = kFirstStore; m < kMachines; ++m) add_store(m);
  supervise();
}

void SimMachines::add_coordinator() {
  ASSERT(can_start(kCoordinatorMachine));
  SimProcessOptions options{machine_name(kCoordinatorMachine), "sim://coordinator",
                            kCoordinatorNode, 1};
  sim_->add_process(options, [this](ProcessHost& host) {
    CoordinatorConfig config;
    config.lease_ms = 1'500;
    config.join_settle_ms = 300;
    config.catalog = catalog_;
    config.snapshots = storage_.storage_of(process(kCoordinatorMachine));
    spawn_coordinator(host, config, std::move(metadata_));
  });
}

void SimMachines::add_worker(size_t machine) {
  MemberConfig member;
  member.coordinators = {"sim://coordinator"};
  member.heartbeat_ms = 200;
  const auto shards = static_cast<uint16_t>(machine == kFirstWorker ? 2 : 1);
  const std::string name = machine_name(machine);
  sim_->add_process({name, "sim://" + name, NodeId(0), shards}, [=, this](ProcessHost& host) {
    if (!machines_[machine].joined) return;
    WorkerResources resources;
    resources.dead_letters = letters_.storage_of(process(machine));
    resources.disk = machines_[machine].disk->mount();
    resources.data_dir = kDataDir;
    resources.snapshots = storage_.storage_of(process(machine));
    spawn_worker(host, member, worker_config(plan_), resources);
  });
}

void SimMachines::add_store(size_t machine) {
  MemberConfig member;
  member.coordinators = {"sim://coordinator"};
  member.heartbeat_ms = 200;
  const std::string name = machine_name(machine);
  member.http_address = name + ":80";
  const auto shards = static_cast<uint16_t>(machine == kFirstStore ? 2 : 1);
  sim_->add_process({name, "sim://" + name, NodeId(0), shards}, [=, this](ProcessHost& host) {
    StoreConfig config;
    config.snapshot_interval_ms = plan_.store_snapshot_interval_ms;
    config.memory_budget_bytes = plan_.store_memory_bytes;
    config.log_limit_bytes = plan_.log_limit_bytes;
    StoreResources resources;
    resources.disk = machines_[machine].disk->mount();
    resources.data_dir = kDataDir;
    resources.snapshots = storage_.storage_of(process(machine));
    // Open files take a small part of the budget, as serving/options.cc has it.
    if (plan_.store_memory_bytes > 0) {
      resources.readers = std::make_shared<SstReaders>(plan_.store_memory_bytes / 16);
    }
    spawn_store(host, member, config, resources);
  });
}

bool SimMachines::up(size_t machine) const {
  return machines_[machine].joined && sim_->alive(process(machine)) &&
         !sim_->frozen(process(machine));
}

// A coordinator whose metadata cannot be opened ends at once.
bool SimMachines::can_start(size_t machine) {
  if (machine != kCoordinatorMachine) return true;
  auto opened = MetadataStore::open_on(machines_[machine].disk->mount(), "/coordinator");
  if (!opened) {
    ++counts_["coordinator_could_not_start"];
    return false;
  }
  metadata_ = *opened;
  return true;
}

void SimMachines::supervise() {
  for (size_t m = 0; m < machines_.size(); ++m) {
    if (!machines_[m].held_down && !sim_->alive(process(m)) && can_start(m)) {
      sim_->restart(process(m));
    }
  }
  sim_->at(sim_->now_us() + kSuperviseEveryUs, [this] { supervise(); });
}

void SimMachines::bring_down(size_t machine, bool power_lost) {
  machines_[machine].held_down = true;
  // First the disk: what the actors' ends would write is not written by a process that crashes.
  if (power_lost) {
    machines_[machine].disk->lose_power();
  } else {
    machines_[machine].disk->unmount();
  }
  if (sim_->alive(process(machine))) sim_->crash(process(machine));
}

void SimMachines::bring_up(size_t machine) {
  machines_[machine].held_down = false;
  if (!sim_->alive(process(machine)) && can_start(machine)) sim_->restart(process(machine));
}

void SimMachines::crash(size_t machine, bool power_lost) {
  sim_->at(sim_->now_us(), [=, this] {
    if (!sim_->alive(process(machine))) return;
    const bool held_down = machines_[machine].held_down;
    bring_down(machine, power_lost);
    machines_[machine].held_down = held_down;
  });
}

void SimMachines::arm_crash(const Mishap& mishap) {
  machines_[mishap.machine].disk->crash_at(
      mishap.count, [this, mishap] { crash(mishap.machine, mishap.power_lost); });
}

void SimMachines::wipe(size_t machine) {
  bring_down(machine, false);
  machines_[machine].disk->wipe();
  ++machines_[machine].wipes;
  machines_[machine].held_down = false;
}

// Of one directory, chosen at random: its newest manifest or table.
std::string SimMachines::newest_file(const std::vector<std::string>& paths) {
  std::map<std::string, std::map<std::string, std::string>> newest;  // by directory, then kind
  for (const std::string& path : paths) {
    if (!is_of_a_state(path)) continue;
    const auto [directory, name] = split_path(path);
    std::string& last = newest[directory][name.substr(0, name.find('-'))];
    last = std::max(last, path);
  }
  if (newest.empty()) return {};
  const auto& kinds =
      std::next(newest.begin(), static_cast<ptrdiff_t>(random_.below(newest.size())))->second;
  return std::next(kinds.begin(), static_cast<ptrdiff_t>(random_.below(kinds.size())))->second;
}

bool SimMachines::damaged(size_t machine) const {
  return machines_[machine].disk->counts()[static_cast<size_t>(DiskFault::kBitFlipped)] > 0;
}

void SimMachines::flip_bit(size_t machine) {
  SimDisk* disk = machines_[machine].disk.get();
  const std::string path = newest_file(disk->paths());
  if (!path.empty()) disk->flip_bit(path);
}

void SimMachines::flip_bit_in_storage() {
  const std::string path = newest_file(storage_.disk()->paths());
  if (!path.empty()) damage_object(path);
}

void SimMachines::damage_object(const std::string& path) {
  if (!storage_.disk()->flip_bit(path)) return;
  const std::string object = storage_.object_of(path);
  if (auto bytes = storage_.plain()->get(object)) damaged_objects_[object] = std::move(*bytes);
}

// Of a key partition, chosen at random, every state file: whatever its snapshots build on. With all
// workers its owner ends, whoever that is, and who could stand in for it.
void SimMachines::lose_snapshots() {
  std::map<std::string, std::vector<std::string>> files;  // by job and key partition
  for (const std::string& path : storage_.disk()->paths()) {
    const auto object = parse_snapshot_object(storage_.object_of(path));
    if (object && !object->manifest) {
      files[snapshot_prefix(object->job, object->key_partition)].push_back(path);
    }
  }
  if (files.empty()) return;
  const auto lost = std::next(files.begin(), static_cast<ptrdiff_t>(random_.below(files.size())));
  for (const std::string& path : lost->second) damage_object(path);
  for (size_t m = kFirstWorker; m < kFirstStore; ++m) crash(m, false);
}

bool SimMachines::is_damaged(const std::string& object) {
  const auto damaged = damaged_objects_.find(object);
  if (damaged == damaged_objects_.end()) return false;
  const auto now = storage_.plain()->get(object);
  return now && *now == damaged->second;
}

void SimMachines::begin(const Mishap& m) {
  ++counts_[mishap_name(m.kind)];
  SimDisk* disk = machines_[m.machine].disk.get();
  switch (m.kind) {
    case MishapKind::kCrashInChange:
      return arm_crash(m);
    case MishapKind::kDiskFull:
      return disk->set_full(true);
    case MishapKind::kDiskFailing:
      return disk->set_failing(m.share);
    case MishapKind::kDiskSlow:
      return sim_->slow_blocking(process(m.machine), m.amount_us);
    case MishapKind::kBitFlip:
      return flip_bit(m.machine);
    case MishapKind::kStorageBitFlip:
      return flip_bit_in_storage();
    case MishapKind::kSnapshotsLost:
      return lose_snapshots();
    case MishapKind::kStorageAway:
      return storage_.set_away(true);
    case MishapKind::kStorageFailing:
      return storage_.set_failing(m.share);
    case MishapKind::kCoordinatorAway:
      return bring_down(m.machine, m.power_lost);
    case MishapKind::kStoreWiped:
      return wipe(m.machine);
    case MishapKind::kAllWiped:
      for (size_t each = kFirstWorker; each < kMachines; ++each) wipe(each);
      return;
    case MishapKind::kWorkerJoins:
      machines_[m.machine].joined = true;
      return crash(m.machine, false);
    case MishapKind::kTerminate:
      if (up(m.machine)) sim_->terminate(process(m.machine));
      return;
    case MishapKind::kFalseBrokenLink:
      sim_->tell_link_broken(process(kCoordinatorMachine), process(m.machine));
      return;
    case MishapKind::kDrain:
    case MishapKind::kRebalance:
    case MishapKind::kTriggerSnapshot:
    case MishapKind::kSavepoint:
    case MishapKind::kUpdateJob:
    case MishapKind::kCount:
      return;  // an operator's (sim_operator.h)
  }
}

void SimMachines::end(const Mishap& m) {
  SimDisk* disk = machines_[m.machine].disk.get();
  if (m.kind == MishapKind::kDiskFull) disk->set_full(false);
  if (m.kind == MishapKind::kDiskFailing) disk->set_failing(0);
  if (m.kind == MishapKind::kDiskSlow) sim_->slow_blocking(process(m.machine), 0);
  if (m.kind == MishapKind::kStorageFailing) storage_.set_failing(0);
  if (m.kind == MishapKind::kCoordinatorAway) bring_up(m.machine);
  if (m.kind == MishapKind::kStorageAway) {
    if (m.power_lost) storage_.lose_power();
    storage_.set_away(false);
  }
}

void SimMachines::heal() {
  letters_.set_faults(false);
  storage_.heal();
  for (size_t m = 0; m < machines_.size(); ++m) {
    machines_[m].disk->heal();
    sim_->slow_blocking(process(m), 0);
    machines_[m].held_down = false;
  }
}

void SimMachines::add_counts(std::map<std::string, uint64_t>* counts) const {
  for (const auto& [what, n] : counts_) (*counts)[what] += n;
  std::vector<const SimDisk*> disks;
  for (const Machine& m : machines_) disks.push_back(m.disk.get());
  for (const SimDisk* disk : disks) {
    const SimDisk::Counts of_disk = disk->counts();
    for (size_t f = 0; f < of_disk.size(); ++f) {
      (*counts)[std::string(disk_fault_name(static_cast<DiskFault>(f)))] += of_disk[f];
    }
  }
  (*counts)["storage_refused"] += storage_.refused_calls();
  (*counts)["storage_failed"] += storage_.failed_calls();
  (*counts)["crash_using_storage"] += storage_.crashes();
  (*counts)["dead_letters_half_written"] += letters_.failed_writes();
  (*counts)["crash_writing_dead_letters"] += letters_.crashes();
}

}  // namespace tidemill::test
