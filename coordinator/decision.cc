#include "coordinator/decision.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "coordinator/job_status.h"
#include "coordinator/placement.h"

namespace tidemill {
namespace {

const JobEntry* find_live(const CoordinatorState& state, std::string_view name) {
  for (const auto& [id, entry] : state.jobs) {
    if (entry.job->live() && entry.job->name == name) return &entry;
  }
  return nullptr;
}

// Whether the planner has anything to do: most of the time it has not.
bool needs_placement(const JobGrants& grants, const std::map<NodeId, MemberInfo>& members,
                     bool any_worker) {
  const auto needs = [&](const PartitionGrant& grant) {
    if (grant.node == NodeId{}) return any_worker;
    return !members.contains(grant.node);
  };
  return std::any_of(grants.sources.begin(), grants.sources.end(), needs) ||
         std::any_of(grants.key_partitions.begin(), grants.key_partitions.end(), needs);
}

}  // namespace

const JobEntry* find_job(const CoordinatorState& state, std::string_view name_or_id) {
  if (const auto* entry = find_live(state, name_or_id)) return entry;
  for (auto it = state.jobs.rbegin(); it != state.jobs.rend(); ++it) {
    if (it->second.job->name == name_or_id) return &it->second;
  }
  uint32_t id = 0;
  const char* end = name_or_id.data() + name_or_id.size();
  const auto parsed = std::from_chars(name_or_id.data(), end, id);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return nullptr;
  const auto it = state.jobs.find(JobId{id});
  return it == state.jobs.end() ? nullptr : &it->second;
}

Draft::Draft(const CoordinatorState& committed) : state_(committed) {}

Result<JobId> Draft::submit(std::shared_ptr<const Plan> plan, TimeUs now, const JobLimits& limits) {
  const std::string name = plan->proto().job();
  if (const auto* entry = find_live(state_, name)) {
    return user_error("job " + std::to_string(entry->job->id.value) + " of the name '" + name +
                      "' is running; stop it first, or choose another name");
  }
  size_t live = 0;
  for (const auto& [id, entry] : state_.jobs) live += entry.job->live() ? 1 : 0;
  if (live >= limits.max_jobs) {
    return user_error("there are " + std::to_string(live) +
                      " jobs, as many as max-jobs allows; stop one first");
  }
  const JobId id = state_.next_job;
  state_.next_job = JobId{id.value + 1};
  auto grants = std::make_shared<JobGrants>();
  grants->sources.resize(plan->source_partitions());
  grants->key_partitions.resize(plan->key_partitions());
  auto job =
      std::make_shared<JobRecord>(JobRecord{id, name, JobState::kRunning, now, std::move(plan)});
  state_.jobs[id] = {std::move(job), std::move(grants)};
  changed_ = view_changed_ = true;
  return id;
}

Result<JobId> Draft::stop(std::string_view name_or_id, const JobLimits& limits) {
  const auto* found = find_job(state_, name_or_id);
  if (found == nullptr) {
    return user_error("there is no job '" + std::string(name_or_id) + "'");
  }
  const JobId id = found->job->id;
  if (!found->job->live()) return id;
  auto& entry = state_.jobs.at(id);
  set_state(&entry, JobState::kStopped);
  entry.grants = std::make_shared<const JobGrants>();
  view_changed_ = true;
  forget_stopped(limits.max_stopped_jobs);
  return id;
}

void Draft::set_members(std::map<NodeId, MemberInfo> alive) {
  if (alive == state_.members) return;
  state_.members = std::move(alive);
  changed_ = view_changed_ = true;
}

std::vector<JobId> Draft::complete(const MembershipTable& members) {
  std::vector<JobId> out;
  for (auto& [id, entry] : state_.jobs) {
    if (entry.job->state != JobState::kRunning) continue;
    if (!job_status(entry, members, state_.view_version).complete) continue;
    set_state(&entry, JobState::kCompleted);
    out.push_back(id);
  }
  return out;
}

uint32_t Draft::place() {
  PlacementInput input;
  for (const auto& [node, info] : state_.members) {
    if (info.role == MemberRole::kWorker) input.workers.push_back({node, info.shards});
  }
  uint32_t moved = 0;
  for (auto& [id, entry] : state_.jobs) {
    if (!entry.job->live()) continue;
    if (!needs_placement(*entry.grants, state_.members, !input.workers.empty())) continue;
    input.current = entry.grants.get();
    input.key_partitions = entry.job->plan->key_partitions();
    input.source_partitions = entry.job->plan->source_partitions();
    input.next_epoch = state_.next_epoch;
    input.others.clear();
    for (const auto& [other_id, other] : state_.jobs) {
      if (other_id != id) input.others.push_back(other.grants.get());
    }
    auto placement = plan_placement(input);
    if (placement.moved == 0) continue;
    moved += placement.moved;
    state_.next_epoch = placement.next_epoch;
    entry.grants = std::make_shared<const JobGrants>(std::move(placement.grants));
    changed_ = view_changed_ = true;
  }
  return moved;
}

CoordinatorState Draft::take() {
  if (view_changed_) ++state_.view_version;
  return std::move(state_);
}

void Draft::set_state(JobEntry* entry, JobState state) {
  auto job = *entry->job;
  job.state = state;
  entry->job = std::make_shared<const JobRecord>(std::move(job));
  changed_ = true;
}

void Draft::forget_stopped(size_t keep) {
  size_t stopped = 0;
  for (const auto& [id, entry] : state_.jobs) stopped += entry.job->live() ? 0 : 1;
  for (auto it = state_.jobs.begin(); it != state_.jobs.end() && stopped > keep;) {
    if (it->second.job->live()) {
      ++it;
      continue;
    }
    it = state_.jobs.erase(it);
    --stopped;
  }
}

}  // namespace tidemill
