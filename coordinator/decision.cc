#include "coordinator/decision.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "coordinator/job_status.h"
#include "coordinator/node_text.h"
#include "coordinator/standby_placement.h"
#include "shared/base/utf8.h"
#include "shared/plan/limits.h"
#include "shared/plan/source_partitions.h"

namespace tidemill {
namespace {

constexpr size_t kMostErrorBytes = 8192;

const JobEntry* find_live(const CoordinatorState& state, std::string_view name) {
  for (const auto& [id, entry] : state.jobs) {
    if (entry.job->live() && entry.job->name == name) return &entry;
  }
  return nullptr;
}

// Whether the placement planner has anything to do: most of the time it has not.
bool needs_placement(const JobEntry& entry, const std::map<NodeId, MemberInfo>& members,
                     bool any_worker) {
  const JobGrants& grants = *entry.grants;
  const auto needs = [&](const PartitionGrant& grant) {
    if (grant.node == NodeId{}) return any_worker;
    return !members.contains(grant.node);
  };
  if (std::any_of(grants.key_partitions.begin(), grants.key_partitions.end(), needs)) return true;
  return entry.job->reading() && std::any_of(grants.sources.begin(), grants.sources.end(), needs);
}

// How many partitions the topic of a source has by what its readers report; 0: nobody says.
uint32_t reported_partitions(const proto::JobPlan& plan, uint32_t source,
                             const std::vector<const proto::ReaderReport*>& readers) {
  uint32_t most = 0;
  for (size_t s = 0; s < readers.size(); ++s) {
    if (readers[s] == nullptr) continue;
    if (plan.source_partitions(static_cast<int>(s)).source() != source) continue;
    most = std::max(most, readers[s]->log_partitions());
  }
  return most;
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

Result<JobId> Draft::submit(std::shared_ptr<const Plan> plan, TimeUs now, const JobLimits& limits,
                            const Savepoint* from) {
  const std::string name = plan->proto().job();
  if (const auto* entry = find_live(state_, name)) {
    return user_error("there is job " + std::to_string(entry->job->id.value) + " of the name '" +
                      name + "' already; stop it first, or choose another name");
  }
  size_t live = 0;
  for (const auto& [id, entry] : state_.jobs) live += entry.job->live() ? 1 : 0;
  if (live >= limits.max_jobs) {
    return user_error("there are " + std::to_string(live) +
                      " jobs, as many as max-jobs allows; stop one first");
  }
  if (from != nullptr) {
    if (auto status = check_savepoint(*from, state_); !status) return status.error();
  }
  const JobId id = state_.next_job;
  state_.next_job = JobId{id.value + 1};
  auto grants = std::make_shared<JobGrants>();
  grants->sources.resize(plan->source_partitions());
  grants->key_partitions.resize(plan->key_partitions());
  auto job = std::make_shared<JobRecord>(
      JobRecord{id, name, JobState::kRunning, now, std::move(plan), {}});
  state_.jobs[id] = {std::move(job), std::move(grants)};
  if (from != nullptr) start_from(*from, id, &state_);
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

Result<Evolution> Draft::update(std::string_view name_or_id, const proto::JobPlan& wanted,
                                bool plan_only) {
  const auto* found = find_job(state_, name_or_id);
  if (found == nullptr) return user_error("there is no job '" + std::string(name_or_id) + "'");
  if (!found->job->live()) {
    return retryable_error("job '" + found->job->name + "' is STOPPED: submit it anew");
  }
  const Plan& running = *found->job->plan;
  Evolution evolution = evolve(running, wanted);
  const bool differs = !evolution.differences.empty() || running.proto().yaml() != wanted.yaml();
  if (plan_only || evolution.plan == nullptr || !differs) return evolution;
  auto& entry = state_.jobs.at(found->job->id);
  auto job = *entry.job;
  job.plan = evolution.plan;
  entry.job = std::make_shared<const JobRecord>(std::move(job));
  changed_ = view_changed_ = true;
  return evolution;
}

void Draft::set_members(std::map<NodeId, MemberInfo> alive) {
  if (alive == state_.members) return;
  state_.members = std::move(alive);
  std::erase_if(state_.draining, [this](NodeId node) { return !state_.members.contains(node); });
  changed_ = view_changed_ = true;
}

Result<PartitionGrant> Draft::move_reader(std::string_view name_or_id, uint32_t source_partition,
                                          NodeId to) {
  const auto* found = find_job(state_, name_or_id);
  if (found == nullptr) return user_error("there is no job '" + std::string(name_or_id) + "'");
  const uint32_t partitions = found->job->plan->source_partitions();
  if (source_partition >= partitions) {
    return user_error("job '" + found->job->name + "' has no source partition " +
                      std::to_string(source_partition) + "; it has 0 to " +
                      std::to_string(partitions - 1));
  }
  if (to != NodeId{}) {
    const auto member = state_.members.find(to);
    if (member == state_.members.end() || member->second.role != MemberRole::kWorker) {
      return user_error("there is no worker " + node_text(to) +
                        (member == state_.members.end() ? "" : ", it is a store") +
                        "; /v1/cluster lists the workers");
    }
    if (state_.draining.contains(to)) {
      return retryable_error("worker " + node_text(to) + " is draining");
    }
  }
  if (!found->job->reading()) {
    return retryable_error("job '" + found->job->name + "' is " +
                           (found->job->live() ? "FAILED" : "STOPPED") + ": nothing of it is read");
  }
  auto& entry = state_.jobs.at(found->job->id);
  if (to != NodeId{} && entry.grants->sources[source_partition].node == to) {
    return retryable_error("worker " + node_text(to) + " reads that source partition already");
  }
  auto grant = pick_reader(placement_input(entry.job->id), source_partition, to);
  if (grant.node == NodeId{}) {
    return retryable_error("there is no other worker to move the reader to");
  }
  grant.epoch = state_.next_epoch;
  state_.next_epoch = Epoch{grant.epoch.value + 1};
  auto grants = *entry.grants;
  grants.sources[source_partition] = grant;
  entry.grants = std::make_shared<const JobGrants>(std::move(grants));
  changed_ = view_changed_ = true;
  return grant;
}

std::vector<JobId> Draft::grow_topics(const MembershipTable& members) {
  std::vector<JobId> out;
  for (auto& [id, entry] : state_.jobs) {
    if (entry.job->state != JobState::kRunning) continue;
    const auto plan = entry.job->plan;  // outlives the record that is replaced
    std::vector<const proto::ReaderReport*> readers;
    std::optional<proto::JobPlan> grown;
    for (int i = 0; i < plan->proto().sources_size(); ++i) {
      const proto::Source& source = plan->proto().sources(i);
      if (!source.has_kafka()) continue;
      if (readers.empty()) readers = current_readers(entry, members);
      const uint32_t known = partition_count(source);
      const uint32_t now = reported_partitions(plan->proto(), static_cast<uint32_t>(i), readers);
      if (now <= known) continue;
      if (!grown) grown = plan->proto();
      auto* kafka = grown->mutable_sources(i)->mutable_kafka();
      // Beyond the limit it is no plan, by however many.
      const uint32_t most = std::min(now, limits::kSourcePartitions + 1);
      for (uint32_t index = known; index < most; ++index) kafka->add_start_offsets(0);
    }
    if (!grown) continue;
    set_plan(&entry, std::move(*grown));
    out.push_back(id);
  }
  return out;
}

bool Draft::take_source(const FoundSource& found) {
  const auto it = state_.jobs.find(found.job);
  if (it == state_.jobs.end() || it->second.job->state != JobState::kRunning) return false;
  proto::JobPlan plan = it->second.job->plan->proto();
  proto::Source* known = plan.mutable_sources(static_cast<int>(found.number));
  ASSERT(found.source.input_case() == known->input_case());
  if (partition_count(found.source) < partition_count(*known)) return false;  // an older look
  const std::string before = known->SerializeAsString();
  if (known->has_files()) *known->mutable_files() = found.source.files();
  if (known->has_generator()) *known->mutable_generator() = found.source.generator();
  if (known->SerializeAsString() == before) return false;
  set_plan(&it->second, std::move(plan));
  return true;
}

std::vector<JobId> Draft::fail_changed(const MembershipTable& members) {
  std::vector<JobId> out;
  for (auto& [id, entry] : state_.jobs) {
    if (!entry.job->reading()) continue;
    const auto readers = current_readers(entry, members);
    for (uint32_t s = 0; s < readers.size(); ++s) {
      if (readers[s] == nullptr || !readers[s]->source_changed()) continue;
      uint32_t index = 0;
      const std::string& source = entry.job->plan->source_of(s, &index).name();
      const std::string& said = readers[s]->error();
      fail(&entry, "source '" + source + "': " +
                       (said.empty() ? "its log is not the one that was read before" : said));
      out.push_back(id);
      break;
    }
  }
  return out;
}

void Draft::keep_readers(JobId id, const ReadersBefore& readers) {
  JobEntry& entry = state_.jobs.at(id);
  auto job = *entry.job;
  job.readers = readers;
  entry.job = std::make_shared<const JobRecord>(std::move(job));
  changed_ = true;
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

PlacementInput Draft::placement_input(JobId job) const {
  const JobEntry& entry = state_.jobs.at(job);
  PlacementInput input;
  input.workers = placement_workers();
  input.current = entry.grants.get();
  input.key_partitions = entry.job->plan->key_partitions();
  input.source_partitions = entry.job->plan->source_partitions();
  input.place_sources = entry.job->reading();
  input.next_epoch = state_.next_epoch;
  for (const auto& [id, other] : state_.jobs) {
    if (id != job) input.others.push_back(other.grants.get());
  }
  return input;
}

uint32_t Draft::place(const StandbyTable& standbys) {
  const auto workers = placement_workers();
  const bool any_worker = std::any_of(workers.begin(), workers.end(),
                                      [](const PlacementWorker& w) { return !w.draining; });
  uint32_t moved = 0;
  for (auto& [id, entry] : state_.jobs) {
    if (!entry.job->live()) continue;
    std::optional<JobGrants> next;
    if (needs_placement(entry, state_.members, any_worker)) {
      auto input = placement_input(id);
      input.successors = successors(entry, standbys);
      auto placement = plan_placement(input);
      moved += placement.moved;
      state_.next_epoch = placement.next_epoch;
      if (placement.moved > 0) {
        drop_moves_of_lost(*entry.grants, &placement.grants);
        next = std::move(placement.grants);
      }
    }
    const bool wants_standbys = entry.job->plan->proto().standby_replicas() > 0;
    if (needs_standbys(workers, wants_standbys, next ? *next : *entry.grants)) {
      if (!next) next = *entry.grants;
      (void)place_standbys(workers, wants_standbys, &*next);
    }
    if (!next) continue;
    entry.grants = std::make_shared<const JobGrants>(std::move(*next));
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
  job.readers.clear();
  entry->job = std::make_shared<const JobRecord>(std::move(job));
  changed_ = true;
}

// What cannot be a plan any more has outgrown its limits: the job stops reading rather than
// leaving out what was added.
void Draft::set_plan(JobEntry* entry, proto::JobPlan plan) {
  number_source_partitions(&plan);
  auto checked = Plan::from_proto(std::move(plan));
  if (!checked) {
    fail(entry, "sources have grown beyond what a job can read: " + checked.error().message());
    return;
  }
  auto job = *entry->job;
  job.plan = std::move(*checked);
  auto grants = *entry->grants;
  grants.sources.resize(job.plan->source_partitions());
  entry->job = std::make_shared<const JobRecord>(std::move(job));
  entry->grants = std::make_shared<const JobGrants>(std::move(grants));
  changed_ = view_changed_ = true;
}

void Draft::fail(JobEntry* entry, std::string error) {
  auto job = *entry->job;
  job.state = JobState::kFailed;
  job.error = printable(error, kMostErrorBytes);
  auto grants = *entry->grants;
  for (auto& grant : grants.sources) {
    grant = {NodeId{}, 0, state_.next_epoch};
    state_.next_epoch = Epoch{state_.next_epoch.value + 1};
  }
  entry->job = std::make_shared<const JobRecord>(std::move(job));
  entry->grants = std::make_shared<const JobGrants>(std::move(grants));
  changed_ = view_changed_ = true;
}

void Draft::forget_stopped(size_t keep) {
  size_t stopped = 0;
  for (const auto& [id, entry] : state_.jobs) stopped += entry.job->live() ? 0 : 1;
  for (auto it = state_.jobs.begin(); it != state_.jobs.end() && stopped > keep;) {
    if (it->second.job->live()) {
      ++it;
      continue;
    }
    forget_objects(it->first, &state_);
    it = state_.jobs.erase(it);
    --stopped;
  }
}

}  // namespace tidemill
