#include "coordinator/savepoints.h"

#include <algorithm>
#include <utility>

#include "coordinator/decision.h"
#include "shared/plan/limits.h"

namespace tidemill {
namespace {

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

Status check_free(const std::string& name, const CoordinatorState& state) {
  if (state.savepoints.contains(name)) {
    return retryable_error("there is a savepoint '" + name +
                           "' already; delete it first, or choose another name");
  }
  if (state.savepoints.size() >= kMaxSavepoints) {
    return retryable_error("there are " + std::to_string(kMaxSavepoints) +
                           " savepoints, as many as are kept; delete one first");
  }
  return {};
}

void take_least(const std::vector<uint64_t>& offsets, std::vector<uint64_t>* least) {
  for (size_t s = 0; s < least->size(); ++s) {
    (*least)[s] = std::min((*least)[s], s < offsets.size() ? offsets[s] : 0);
  }
}

std::shared_ptr<const Savepoint> completed(const Savepoint& asked, const JobEntry& entry,
                                           TimeUs now) {
  Savepoint out = asked;
  out.complete = true;
  out.made_at = now;
  out.plan = entry.job->plan;
  out.offsets.assign(out.plan->source_partitions(), UINT64_MAX);
  for (uint32_t k = 0; k < out.plan->key_partitions(); ++k) {
    out.snapshots.push_back(entry.snapshots->of(k).front());
    take_least(out.snapshots.back().offsets, &out.offsets);
    out.snapshots.back().offsets.clear();
  }
  return std::make_shared<const Savepoint>(std::move(out));
}

}  // namespace

bool is_savepoint_name(std::string_view name) {
  if (name.empty() || name.size() > limits::kNameBytes || !is_letter_or_digit(name.front())) {
    return false;
  }
  return std::all_of(name.begin(), name.end(), [](char c) {
    return is_letter_or_digit(c) || c == '_' || c == '-' || c == '.';
  });
}

Result<Triggered> trigger_snapshot(std::string_view job, const std::string& savepoint, TimeUs now,
                                   CoordinatorState* state) {
  const auto* found = find_job(*state, job);
  if (found == nullptr) return user_error("there is no job '" + std::string(job) + "'");
  if (!found->job->live()) {
    return retryable_error("job '" + found->job->name + "' is STOPPED: nobody holds its state");
  }
  if (!savepoint.empty()) {
    if (auto status = check_free(savepoint, *state); !status) return status.error();
  }
  JobRecord record = *found->job;
  const Triggered out{record.id, ++record.snapshot_trigger};
  if (!savepoint.empty()) {
    Savepoint asked;
    asked.name = savepoint;
    asked.job = out.job;
    asked.job_name = record.name;
    asked.trigger = out.trigger;
    asked.made_at = now;
    state->savepoints[savepoint] = std::make_shared<const Savepoint>(std::move(asked));
  }
  state->jobs.at(out.job).job = std::make_shared<const JobRecord>(std::move(record));
  return out;
}

uint32_t satisfied_partitions(const JobEntry& entry, uint64_t trigger) {
  uint32_t out = 0;
  if (entry.snapshots == nullptr) return out;
  for (uint32_t k = 0; k < entry.job->plan->key_partitions(); ++k) {
    const auto& retained = entry.snapshots->of(k);
    if (!retained.empty() && retained.front().trigger >= trigger) ++out;
  }
  return out;
}

SavepointChanges update_savepoints(TimeUs now, CoordinatorState* state) {
  SavepointChanges out;
  for (auto& [name, savepoint] : state->savepoints) {
    if (savepoint->complete) continue;
    const auto found = state->jobs.find(savepoint->job);
    if (found == state->jobs.end() || !found->second.job->live()) {
      out.dropped.push_back(name);
      continue;
    }
    const JobEntry& entry = found->second;
    if (satisfied_partitions(entry, savepoint->trigger) < entry.job->plan->key_partitions()) {
      continue;
    }
    savepoint = completed(*savepoint, entry, now);
    out.completed.push_back(name);
  }
  for (const auto& name : out.dropped) state->savepoints.erase(name);
  return out;
}

Status delete_savepoint(const std::string& name, CoordinatorState* state) {
  const auto found = state->savepoints.find(name);
  if (found == state->savepoints.end()) {
    return user_error("there is no savepoint '" + name + "'");
  }
  const auto savepoint = found->second;
  state->savepoints.erase(found);
  if (!savepoint->complete) return {};
  SnapshotRemoval removal;
  removal.job = savepoint->job;
  removal.trigger = savepoint->trigger;
  removal.key_partitions = savepoint->plan->key_partitions();
  for (const auto& each : savepoint->snapshots) removal.manifests.push_back(each.manifest);
  state->removals[{removal.job, removal.trigger}] =
      std::make_shared<const SnapshotRemoval>(std::move(removal));
  return {};
}

Status check_savepoint(const Savepoint& savepoint, const CoordinatorState& state) {
  const auto found = state.savepoints.find(savepoint.name);
  if (found == state.savepoints.end() || found->second->job != savepoint.job ||
      found->second->trigger != savepoint.trigger) {
    return retryable_error("savepoint '" + savepoint.name + "' was deleted meanwhile");
  }
  return {};
}

void start_from(const Savepoint& savepoint, JobId job, CoordinatorState* state) {
  JobEntry& entry = state->jobs.at(job);
  JobRecord record = *entry.job;
  record.from_savepoint = savepoint.name;
  record.origin = savepoint.job;
  JobSnapshots snapshots;
  for (RegisteredSnapshot each : savepoint.snapshots) {
    each.trigger = 0;  // the new job counts its own
    each.offsets = savepoint.offsets;
    snapshots.key_partitions.push_back(
        std::make_shared<const PartitionSnapshots>(PartitionSnapshots{std::move(each)}));
  }
  entry.job = std::make_shared<const JobRecord>(std::move(record));
  entry.snapshots = std::make_shared<const JobSnapshots>(std::move(snapshots));
}

void forget_objects(JobId job, CoordinatorState* state) {
  SnapshotRemoval removal;
  removal.job = job;
  removal.key_partitions = state->jobs.at(job).job->plan->key_partitions();
  state->removals[{job, 0}] = std::make_shared<const SnapshotRemoval>(std::move(removal));
}

}  // namespace tidemill
