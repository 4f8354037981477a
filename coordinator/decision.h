// Decisions of the coordinator: a draft of the next state, made from the durable one, commands,
// the members alive and what they report. Pure: no I/O, no clock.
//
//   Draft draft(committed);
//   draft.submit(...); draft.set_members(...); draft.place(...);
//   if (draft.changed()) make draft.take() durable, then show it
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/coordinator_state.h"
#include "coordinator/membership.h"
#include "shared/base/result.h"

namespace tidemill {

struct JobLimits {
  size_t max_jobs = 64;           // live ones
  size_t max_stopped_jobs = 100;  // the oldest beyond it are forgotten
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
  void forget_stopped(size_t keep);

  CoordinatorState state_;
  bool changed_ = false;
  bool view_changed_ = false;
};

}  // namespace tidemill
