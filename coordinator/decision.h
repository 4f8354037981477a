// Decisions of the coordinator: a draft of the next state, made from the durable one, commands,
// the members alive and what they report. Pure: no I/O, no clock.
//
//   Draft draft(committed);
//   draft.submit(...); draft.set_members(...); draft.grow(...); draft.place(...);
//   if (draft.changed()) make draft.take() durable, then show it
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/coordinator_state.h"
#include "coordinator/membership.h"
#include "coordinator/placement.h"
#include "shared/base/result.h"

namespace tidemill {

struct JobLimits {
  size_t max_jobs = 64;           // live ones
  size_t max_stopped_jobs = 100;  // the oldest beyond it are forgotten
};

// What a source looks like now; its partitions begin with those of the plan.
struct FoundSource {
  JobId job;
  uint32_t number = 0;  // in the plan
  proto::Source source;
};

// By name (a live job before stopped ones, the newest of those first), else by id; null: none.
const JobEntry* find_job(const CoordinatorState& state, std::string_view name_or_id);

class Draft {
 public:
  explicit Draft(const CoordinatorState& committed);

  // kUser: a live job has the name, or there are too many.
  Result<JobId> submit(std::shared_ptr<const Plan> plan, TimeUs now, const JobLimits& limits);
  // Stopping a stopped job changes nothing. kUser: there is no such job.
  Result<JobId> stop(std::string_view name_or_id, const JobLimits& limits);
  void set_members(std::map<NodeId, MemberInfo> alive);
  // Another worker for the reader of a source partition: `to`, or if it is 0 the one with the
  // fewest. kUser: there is no such job, partition or worker; kRetryable: not as things are now.
  Result<PartitionGrant> move_reader(std::string_view name_or_id, uint32_t source_partition,
                                     NodeId to);
  // Topics that have, by what their readers report, more partitions than the plan: those added are
  // appended to it and read from their beginning. Gives the jobs that have grown, or failed
  // because a plan cannot hold as many.
  std::vector<JobId> grow_topics(const MembershipTable& members);
  // Likewise for partitions that were found; what is known of the others is taken over. Only the
  // input of the source changes, and it never gets fewer partitions. Whether anything has changed.
  bool take_source(const FoundSource& found);
  // Jobs whose readers have found another log than the one that was read, or lack what they need:
  // nobody reads their sources any more, key partitions stay. Gives those that have become FAILED.
  std::vector<JobId> fail_changed(const MembershipTable& members);
  // What was said of the sources of a job that fails in this draft is kept with it.
  void keep_readers(JobId job, const ReadersBefore& readers);
  // Jobs that are complete by what their members report; gives those that have become so.
  std::vector<JobId> complete(const MembershipTable& members);
  // Grants for everything that no living member owns. Returns how many have changed.
  uint32_t place();

  bool changed() const { return changed_; }
  bool view_changed() const { return view_changed_; }
  const CoordinatorState& state() const { return state_; }
  // The next state, its view version raised if the view differs.
  CoordinatorState take();

 private:
  void set_state(JobEntry* entry, JobState state);
  void set_plan(JobEntry* entry, proto::JobPlan plan);
  void fail(JobEntry* entry, std::string error);
  PlacementInput placement_input(JobId job) const;
  void forget_stopped(size_t keep);

  CoordinatorState state_;
  bool changed_ = false;
  bool view_changed_ = false;
};

}  // namespace tidemill
