// Random lives of jobs: grants, owners of now and of before, snapshots, savepoints, jobs that start
// from them, deletions and removals, with every message late, repeated or lost. What is retained
// can always be restored.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "coordinator/decision.h"
#include "coordinator/snapshot_objects.h"
#include "shared/snapshot/snapshot_name.h"
#include "shared/snapshot/snapshots.h"
#include "shared/state/manifest.h"
#include "shared/state/partition_disk.h"
#include "tests/unit/coordinator/snapshot_fixture.h"
#include "tests/unit/coordinator/test_jobs.h"

namespace tidemill {
namespace {

using testing::MemorySnapshots;
using testing::StateFiles;

constexpr uint32_t kKeyPartitions = 2;

// A worker that was once granted a key partition, and may not have heard that it is another's now.
struct Owner {
  JobId job;
  uint32_t k = 0;
  Epoch epoch;
  NodeId node;
  bool restored = false;
  StateFiles files;
  uint64_t version = 0;
  std::vector<std::string> told;  // manifests that the registry retains, as answered last
};

struct Answer {
  size_t owner = 0;
  std::vector<std::string> retained;
};

class World {
 public:
  World() : state_(testing::state_with_job(kKeyPartitions)) {
    for (uint32_t k = 0; k < kKeyPartitions; ++k) grant(JobId{1}, k);
  }

  void step(uint32_t word) {
    random_ = word;
    switch (pick(16)) {
      case 0:
        return grant_any();
      case 1:
      case 2:
        return restore();
      case 3:
      case 4:
      case 5:
        return take_snapshot();
      case 6:
      case 7:
      case 8:
        return deliver_claim();
      case 9:
      case 10:
        return deliver_answer();
      case 11:
        return trigger();
      case 12:
        return change_savepoints();
      case 13:
        return change_jobs();
      case 14:
        return plan_step();
      default:
        return remove_step();
    }
  }

  // Everything that is retained is there, and the newest accepted is the newest retained.
  void check() {
    for (const auto& [id, entry] : state_.jobs) {
      for (uint32_t k = 0; k < kKeyPartitions; ++k) {
        for (const auto& name : retained_manifests(state_, id, k)) check_restorable(name);
        const auto accepted = accepted_.find({id, k});
        if (accepted == accepted_.end()) continue;
        RC_ASSERT(entry.snapshots->of(k).front().manifest == accepted->second);
      }
    }
    for (const auto& [name, savepoint] : state_.savepoints) {
      for (const auto& each : savepoint->snapshots) check_restorable(each.manifest);
    }
  }

  size_t accepted() const { return accepted_.size(); }
  size_t removed() const { return removed_; }

 private:
  uint32_t pick(size_t among) {
    random_ = random_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>((random_ >> 33) % among);
  }

  void check_restorable(const std::string& name) {
    const auto manifest = read_manifest(&storage_, name);
    RC_ASSERT(manifest.ok());
    for (const auto& file : manifest->files()) RC_ASSERT(storage_.objects.contains(file.object()));
  }

  void grant(JobId job, uint32_t k) {
    const Epoch epoch = state_.next_epoch;
    state_.next_epoch = Epoch{epoch.value + 1};
    Owner owner;
    owner.job = job;
    owner.k = k;
    owner.epoch = epoch;
    owner.node = NodeId{1000 + epoch.value};
    testing::grant(&state_, job, k, owner.node, epoch.value);
    owners_.push_back(std::move(owner));
  }

  void grant_any() {
    for (const auto& [id, entry] : state_.jobs) {
      if (pick(state_.jobs.size()) == 0) return grant(id, pick(kKeyPartitions));
    }
  }

  Owner& any_owner() { return owners_[pick(owners_.size())]; }

  // From the newest, or, as if that were damaged, from the one before.
  void restore() {
    Owner& owner = any_owner();
    if (owner.restored) return;
    proto::SnapshotQuery query;
    query.set_job(owner.job.value);
    query.add_key_partitions(owner.k);
    query.add_epochs(owner.epoch.value);
    const auto known = known_snapshots(state_, owner.node, query);
    if (known.entries().empty()) return;
    const auto& manifests = known.entries(0).manifests();
    owner.told.assign(manifests.begin(), manifests.end());
    owner.restored = true;
    if (owner.told.empty()) return;
    const auto& name = owner.told[pick(owner.told.size())];
    check_restorable(name);
    const auto manifest = read_manifest(&storage_, name);
    owner.files.assign(manifest->files().begin(), manifest->files().end());
    owner.version = owner.files.back().to_version();
  }

  // As upload_snapshot() does: builds only on what the registry has told of.
  void take_snapshot() {
    Owner& owner = any_owner();
    if (!owner.restored || !state_.jobs.contains(owner.job)) return;
    std::set<std::string> vouched;
    for (const auto& name : owner.told) {
      const auto manifest = read_manifest(&storage_, name);
      if (!manifest) return;  // tried again with newer knowledge
      for (const auto& file : manifest->files()) vouched.insert(file.object());
    }
    if (pick(4) == 0) owner.files.clear();  // a new base
    const std::string own = owner_prefix(owner.job, KeyPartitionId{owner.k}, owner.epoch);
    const std::string ours = snapshot_prefix(owner.job, KeyPartitionId{owner.k});
    for (auto& file : owner.files) {
      const bool there = file.object().starts_with(own) ||
                         (file.object().starts_with(ours) && vouched.contains(file.object()));
      if (there) continue;
      file.set_object(own + file.name());
      RC_ASSERT(storage_.put(file.object(), std::vector<uint8_t>{1}).ok());
    }
    owner.version += 1 + pick(3);
    testing::extend(owner.job, owner.k, owner.epoch.value, owner.version, &owner.files, &storage_);
    testing::put_manifest(owner.job, owner.k, owner.files, &storage_);
    const uint64_t trigger = state_.jobs.at(owner.job).job->snapshot_trigger;
    claims_.emplace_back(
        static_cast<size_t>(&owner - owners_.data()),
        testing::claim_of(owner.job, owner.k, owner.epoch.value, owner.version, trigger));
  }

  void deliver_claim() {
    if (claims_.empty()) return;
    const size_t i = pick(claims_.size());
    const auto [sender, claim] = claims_[i];
    const Owner& owner = owners_[sender];
    if (pick(4) != 0) claims_.erase(claims_.begin() + static_cast<ptrdiff_t>(i));
    RC_ASSERT(check_claim(claim).ok());
    const auto entry = state_.jobs.find(owner.job);
    const bool newest = entry != state_.jobs.end() &&
                        !entry->second.grants->key_partitions.empty() &&
                        entry->second.grants->key_partitions[owner.k].epoch == owner.epoch;
    const auto outcome = register_snapshot(claim, owner.node, &state_);
    RC_ASSERT(newest == (outcome != Registration::kRefused));
    if (outcome == Registration::kRefused) return;
    if (outcome == Registration::kNew) accepted_[{owner.job, owner.k}] = claim.manifest();
    answers_.push_back({sender, retained_manifests(state_, owner.job, owner.k)});
  }

  void deliver_answer() {
    if (answers_.empty()) return;
    const size_t i = pick(answers_.size());
    const Answer answer = answers_[i];
    if (pick(4) != 0) answers_.erase(answers_.begin() + static_cast<ptrdiff_t>(i));
    Owner& owner = owners_[answer.owner];
    owner.told = answer.retained;
    const auto removed = remove_unretained(&storage_, owner.job, KeyPartitionId{owner.k},
                                           owner.epoch, answer.retained);
    if (removed) removed_ += *removed;
  }

  void trigger() {
    if (state_.jobs.empty() || state_.savepoints.size() > 3) return;
    const std::string name = "s" + std::to_string(pick(6));
    (void)trigger_snapshot(std::to_string(state_.jobs.rbegin()->first.value), name, 0, &state_);
  }

  void change_savepoints() {
    update_savepoints(0, &state_);
    if (pick(3) == 0) (void)delete_savepoint("s" + std::to_string(pick(6)), &state_);
  }

  void change_jobs() {
    Draft draft(state_);
    if (pick(3) == 0 && state_.jobs.size() > 1) {
      const auto id = state_.jobs.begin()->first;
      RC_ASSERT(draft.stop(std::to_string(id.value), {64, 0}).ok());
      draft.update_savepoints(0);
      for (uint32_t k = 0; k < kKeyPartitions; ++k) accepted_.erase({id, k});
      state_ = draft.take();
      return;
    }
    if (state_.jobs.size() > 3) return;
    const auto savepoint = state_.savepoints.find("s" + std::to_string(pick(6)));
    if (savepoint == state_.savepoints.end() || !savepoint->second->complete) return;
    const std::string name = "j" + std::to_string(state_.next_job.value);
    const auto id =
        draft.submit(testing::small_plan(name, kKeyPartitions, 2), 0, {}, savepoint->second.get());
    RC_ASSERT(id.ok());
    state_ = draft.take();
    for (uint32_t k = 0; k < kKeyPartitions; ++k) grant(*id, k);
  }

  void plan_step() {
    if (state_.removals.empty()) return;
    auto removal = state_.removals.begin();
    std::advance(removal, pick(state_.removals.size()));
    steps_.push_back(plan_removal(state_, *removal->second, pick(kKeyPartitions)));
  }

  void remove_step() {
    if (steps_.empty()) return;
    const size_t i = pick(steps_.size());
    const auto removed = remove_objects(&storage_, steps_[i]);
    if (removed) removed_ += removed->removed;
    steps_.erase(steps_.begin() + static_cast<ptrdiff_t>(i));
  }

  uint64_t random_ = 0;
  CoordinatorState state_;
  MemorySnapshots storage_;
  std::vector<Owner> owners_;
  std::vector<std::pair<size_t, proto::SnapshotTaken>> claims_;
  std::vector<Answer> answers_;
  std::vector<RemovalStep> steps_;
  std::map<std::pair<JobId, uint32_t>, std::string> accepted_;
  size_t removed_ = 0;
};

RC_GTEST_PROP(SnapshotProperty, WhatIsRetainedCanAlwaysBeRestored, ()) {
  World world;
  const auto steps =
      *rc::gen::container<std::vector<uint32_t>>(400, rc::gen::arbitrary<uint32_t>());
  for (const uint32_t word : steps) {
    world.step(word);
    world.check();
  }
  RC_CLASSIFY(world.removed() > 20);
}

}  // namespace
}  // namespace tidemill
