#include "tests/simulation/sim_plan.h"

#include <algorithm>
#include <cstdio>

#include "shared/base/assert.h"
#include "shared/runtime/random.h"

namespace tidemill::test {
namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr double kLargeShare = 0.08;

class Draw {
 public:
  explicit Draw(uint64_t seed) : random_(seed * 2 + 0x706c616e) {}

  SimPlan draw() {
    plan_.start_us = 2 * kSecond;
    plan_.end_us = 16 * kSecond;
    draw_shape();
    draw_settings();
    draw_disk_mishaps();
    draw_storage_mishaps();
    draw_operations();
    if (random_.chance(0.2)) add(MishapKind::kSnapshotsLost, 0);
    std::stable_sort(plan_.mishaps.begin(), plan_.mishaps.end(),
                     [](const Mishap& a, const Mishap& b) { return a.at_us < b.at_us; });
    return std::move(plan_);
  }

 private:
  void draw_shape() {
    SimShape& shape = plan_.shape;
    if (random_.chance(kLargeShare)) {
      shape = {16, 1'500, 60, 25, 75, 12};
      return;
    }
    shape.key_partitions = static_cast<uint32_t>(random_.between(3, 6));
    shape.events = 300;
    shape.customers = 24;
    shape.terminals = 20;  // more than are counted exactly
    shape.events_per_second = 15;
    shape.replay = static_cast<uint32_t>(random_.between(10, 16));
  }

  void draw_settings() {
    plan_.snapshot_interval_ms = random_.between(700, 2'500);
    plan_.store_snapshot_interval_ms = random_.between(700, 3'000);
    plan_.pending_limit_bytes = random_.chance(0.3) ? 64 << 10 : 4 << 20;
    plan_.log_limit_bytes = random_.chance(0.5) ? 4 << 10 : 64 << 10;
    plan_.store_memory_bytes = random_.chance(0.4) ? 256 << 10 : 0;
    plan_.blocking_delay_us_max = random_.chance(0.5) ? 2'000 : 15'000;
    plan_.small_queues = random_.chance(0.2);
    plan_.standbys = random_.chance(0.4);
    plan_.clocks_near_events = random_.chance(0.5);
    plan_.power_losses = 0.6;
  }

  void draw_disk_mishaps() {
    for (int i = 0; i < 3; ++i) {
      Mishap& m = add(MishapKind::kCrashInChange, random_.below(kMachines));
      m.count = 1 + random_.below(random_.chance(0.5) ? 12 : 80);
      m.power_lost = random_.chance(plan_.power_losses);
    }
    if (random_.chance(0.5)) lasting(&add(MishapKind::kDiskFull, random_.below(kMachines)), 2);
    if (random_.chance(0.5)) {
      Mishap& m = add(MishapKind::kDiskFailing, random_.below(kMachines));
      lasting(&m, 2);
      m.share = 0.01 + random_.unit() * 0.3;
    }
    if (random_.chance(0.4)) {
      Mishap& m = add(MishapKind::kDiskSlow, random_.below(kMachines));
      lasting(&m, 3);
      m.amount_us = random_.between(20'000, 300'000);
    }
    if (random_.chance(0.6)) add(MishapKind::kBitFlip, some_worker());
    if (random_.chance(0.6)) add(MishapKind::kBitFlip, some_store());
    if (random_.chance(0.3)) add(MishapKind::kStoreWiped, some_store());
    if (random_.chance(0.1)) {
      add(MishapKind::kAllWiped, kFirstWorker).at_us = plan_.end_us - kSecond / 2;
    }
  }

  void draw_storage_mishaps() {
    if (random_.chance(0.5)) {
      Mishap& m = add(MishapKind::kStorageAway, 0);
      lasting(&m, 4);
      m.power_lost = random_.chance(0.7);
    }
    if (random_.chance(0.5)) {
      Mishap& m = add(MishapKind::kStorageFailing, 0);
      lasting(&m, 4);
      m.share = 0.05 + random_.unit() * 0.4;
    }
    if (random_.chance(0.4)) add(MishapKind::kStorageBitFlip, 0);
  }

  void draw_operations() {
    // Of the workers some are there from the beginning.
    const size_t late = 1 + random_.below(2);
    for (size_t i = 0; i < late; ++i) {
      add(MishapKind::kWorkerJoins, kFirstWorker + kWorkerMachines - 1 - i);
    }
    if (random_.chance(0.3)) {
      Mishap& m = add(MishapKind::kCoordinatorAway, kCoordinatorMachine);
      m.duration_us = random_.between(4 * kSecond, 8 * kSecond);
      m.at_us = std::min(m.at_us, plan_.end_us - m.duration_us);
      m.power_lost = random_.chance(plan_.power_losses);
    }
    if (random_.chance(0.6)) {
      Mishap& m = add(MishapKind::kDrain, some_worker());
      m.duration_us = random_.between(kSecond, 5 * kSecond);
    }
    if (random_.chance(0.5)) add(MishapKind::kRebalance, 0);
    if (random_.chance(0.5)) add(MishapKind::kTerminate, some_worker());
    if (random_.chance(0.3)) add(MishapKind::kFalseBrokenLink, some_worker());
    if (random_.chance(0.5)) add(MishapKind::kTriggerSnapshot, 0);
    if (random_.chance(0.3)) add(MishapKind::kSavepoint, 0);
    while (random_.chance(0.4)) add(MishapKind::kUpdateJob, kCoordinatorMachine);
  }

  size_t some_worker() { return kFirstWorker + random_.below(kWorkerMachines); }
  size_t some_store() { return kFirstStore + random_.below(kStoreMachines); }

  Mishap& add(MishapKind kind, size_t machine) {
    Mishap m;
    m.kind = kind;
    m.machine = machine;
    m.at_us = random_.between(plan_.start_us, plan_.end_us - kSecond);
    return plan_.mishaps.emplace_back(m);
  }

  void lasting(Mishap* m, int64_t seconds_max) {
    m->duration_us = random_.between(kSecond / 5, seconds_max * kSecond);
    m->duration_us = std::min(m->duration_us, plan_.end_us - m->at_us);
  }

  Random random_;
  SimPlan plan_;
};

std::string seconds(int64_t us) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3fs", static_cast<double>(us) / 1e6);
  return text;
}

}  // namespace

std::string machine_name(size_t machine) {
  if (machine == kCoordinatorMachine) return "coordinator";
  if (machine < kFirstStore) return "worker" + std::to_string(machine - kFirstWorker);
  return "store" + std::to_string(machine - kFirstStore);
}

std::string mishap_name(MishapKind kind) {
  static constexpr const char* kNames[] = {
      "crash_in_change",   "disk_filled",      "disk_failing",   "disk_slow",
      "bit_flip",          "storage_bit_flip", "snapshots_lost", "storage_away",
      "storage_failing",   "coordinator_away", "store_wiped",    "all_wiped",
      "worker_joins",      "terminate",        "drain",          "rebalance",
      "false_broken_link", "trigger_snapshot", "savepoint",      "update_job"};
  static_assert(std::size(kNames) == static_cast<size_t>(MishapKind::kCount));
  ASSERT(kind != MishapKind::kCount);
  return kNames[static_cast<size_t>(kind)];
}

std::string describe(const Mishap& m) {
  std::string out = "at=" + seconds(m.at_us) + " for=" + seconds(m.duration_us) + " " +
                    mishap_name(m.kind) + " " + machine_name(m.machine);
  if (m.count > 0) out += " change=" + std::to_string(m.count);
  if (m.share > 0) out += " share=" + std::to_string(m.share);
  if (m.amount_us > 0) out += " delay_us_max=" + std::to_string(m.amount_us);
  if (m.power_lost) out += " power_lost";
  return out;
}

SimPlan draw_plan(uint64_t seed) { return Draw(seed).draw(); }

std::string describe(const SimPlan& plan) {
  std::string out =
      "key_partitions=" + std::to_string(plan.shape.key_partitions) +
      " events=" + std::to_string(plan.shape.events) +
      " replay=" + std::to_string(plan.shape.replay) +
      " snapshot_interval_ms=" + std::to_string(plan.snapshot_interval_ms) +
      " store_snapshot_interval_ms=" + std::to_string(plan.store_snapshot_interval_ms) +
      " pending_limit_bytes=" + std::to_string(plan.pending_limit_bytes) +
      " log_limit_bytes=" + std::to_string(plan.log_limit_bytes) +
      " store_memory_bytes=" + std::to_string(plan.store_memory_bytes) +
      " blocking_delay_us_max=" + std::to_string(plan.blocking_delay_us_max) +
      " small_queues=" + std::to_string(static_cast<int>(plan.small_queues)) +
      " standbys=" + std::to_string(static_cast<int>(plan.standbys)) +
      " clocks_near_events=" + std::to_string(static_cast<int>(plan.clocks_near_events)) + "\n";
  for (const Mishap& m : plan.mishaps) out += describe(m) + "\n";
  return out;
}

}  // namespace tidemill::test
