#include "coordinator/snapshot_checks.h"

#include <algorithm>
#include <utility>

#include "coordinator/tasks.h"
#include "shared/snapshot/snapshots.h"
#include "shared/wire/actors.h"

namespace tidemill {
namespace {

bool is_retained(const CoordinatorState& state, const CheckedManifest& checked) {
  if (checked.job == JobId{}) return true;
  const auto entry = state.jobs.find(checked.job);
  if (entry == state.jobs.end() || entry->second.snapshots == nullptr) return false;
  const auto& retained = entry->second.snapshots->of(checked.key_partition);
  return std::any_of(retained.begin(), retained.end(), [&](const RegisteredSnapshot& each) {
    return each.manifest == checked.manifest;
  });
}

}  // namespace

Result<uint64_t> SnapshotChecks::start(std::string what, std::vector<CheckedManifest> manifests) {
  if (storage_ == nullptr) return user_error("the coordinator has no snapshot storage");
  const auto unfinished = std::count_if(checks_.begin(), checks_.end(),
                                        [](const auto& each) { return !each.second.done(); });
  if (static_cast<size_t>(unfinished) >= kMostUnfinished) {
    return retryable_error("too many checks of snapshots are under way; try again");
  }
  SnapshotCheck check;
  check.id = next_id_++;
  check.what = std::move(what);
  check.manifests = std::move(manifests);
  const uint64_t id = check.id;
  checks_[id] = std::move(check);
  forget_old();
  verify_next();
  return id;
}

void SnapshotChecks::forget_old() {
  for (auto it = checks_.begin(); it != checks_.end() && checks_.size() > kMostChecks;) {
    it = it->second.done() ? checks_.erase(it) : std::next(it);
  }
}

const SnapshotCheck* SnapshotChecks::find(uint64_t id) const {
  const auto found = checks_.find(id);
  return found == checks_.end() ? nullptr : &found->second;
}

void SnapshotChecks::verify_next() {
  if (verifying_) return;
  const auto next = std::find_if(checks_.begin(), checks_.end(),
                                 [](const auto& each) { return !each.second.done(); });
  if (next == checks_.end()) return;
  const SnapshotCheck& check = next->second;
  verifying_ = true;
  runtime_.run_blocking(
      kAgent, kSnapshotLane,
      [storage = storage_, id = check.id,
       manifest = check.manifests[check.verified].manifest]() -> std::unique_ptr<LocalPayload> {
        auto out = std::make_unique<VerifiedManifest>();
        out->check = id;
        out->problems = verify_snapshot(storage.get(), manifest);
        return out;
      });
}

void SnapshotChecks::on_verified(VerifiedManifest verified, const CoordinatorState& committed) {
  verifying_ = false;
  SnapshotCheck& check = checks_.at(verified.check);
  const CheckedManifest& checked = check.manifests[check.verified++];
  std::vector<std::string> problems;
  if (verified.problems) {
    problems = std::move(*verified.problems);
  } else {
    problems.push_back(verified.problems.error().message());
  }
  if (!problems.empty()) {
    const bool retained = is_retained(committed, checked);
    ++(retained ? check.damaged : check.superseded);
    for (auto& problem : problems) {
      if (!retained || check.problems.size() >= kMostProblems) break;
      check.problems.push_back({checked.key_partition, checked.manifest, std::move(problem)});
    }
  }
  verify_next();
}

std::vector<CheckedManifest> manifests_to_check(const JobEntry& entry,
                                                std::optional<uint32_t> key_partition) {
  std::vector<CheckedManifest> out;
  if (entry.snapshots == nullptr) return out;
  for (uint32_t k = 0; k < entry.snapshots->key_partitions.size(); ++k) {
    if (key_partition && *key_partition != k) continue;
    for (const auto& each : entry.snapshots->of(k)) {
      out.push_back({entry.job->id, k, each.manifest});
    }
  }
  return out;
}

std::vector<CheckedManifest> manifests_to_check(const Savepoint& savepoint) {
  std::vector<CheckedManifest> out;
  for (uint32_t k = 0; k < savepoint.snapshots.size(); ++k) {
    out.push_back({JobId{}, k, savepoint.snapshots[k].manifest});
  }
  return out;
}

}  // namespace tidemill
