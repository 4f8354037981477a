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
#include "coordinator/moves.h"
#include "coordinator/placement.h"
#include "coordinator/rebalance_planner.h"
#include "coordinator/savepoints.h"
#include "coordinator/snapshot_registry.h"
#include "coordinator/standby_table.h"
#include "shared/base/result.h"
#include "shared/evolution/evolution.h"

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

class LoadTable;

// A move that has come to its end, for people to read about.
struct EndedJobMove {
  JobId job;
  EndedMove end;
};

class Draft {
 public:
  explicit Draft(const CoordinatorState& committed);

  // With `from` the job starts with the state of that savepoint, which its plan fits. kUser: a live
  // job has the name, or there are too many; kRetryable: the savepoint is gone.
  Result<JobId> submit(std::shared_ptr<const Plan> plan, TimeUs now, const JobLimits& limits,
                       const Savepoint* from = nullptr);
  // Stopping a stopped job changes nothing. kUser: there is no such job.
  Result<JobId> stop(std::string_view name_or_id, const JobLimits& limits);
  // What a definition, as compiled, makes of a live job. Unless it is only to be planned or
  // something of it is refused, the job goes on with it. kUser: there is no such job; kRetryable:
  // it was stopped.
  Result<Evolution> update(std::string_view name_or_id, const proto::JobPlan& wanted,
                           bool plan_only);
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
  // Grants for everything that no living member owns, to those who hold a copy first; standbys for
  // jobs that want them. Returns how many grants have changed.
  uint32_t place(const StandbyTable& standbys = {});

  // decision_moves.cc: standbys and moves.
  // A worker that is to own nothing. kUser: there is no such worker; kRetryable: all others drain.
  Status drain(NodeId node);
  // Whether it was draining. What was to leave it and has not begun to stays. kUser.
  Result<bool> undrain(NodeId node);
  // What should be on other workers; of `only`, if it is named. Without drain_only, what waits to
  // be moved is planned anew. kUser: there is no such live job.
  Result<RebalancePlan> plan_rebalance(const LoadTable& loads, const std::string& only,
                                       bool drain_only) const;
  // Carries the plan out: readers now, the rest as moves; in place of what `only` (or every job)
  // has waiting, unless it is one of drain_only.
  void start_rebalance(const RebalancePlan& plan, const std::string& only, bool drain_only,
                       const std::string& cause, TimeUs now);
  // Moves for what is on draining workers and is not being moved yet.
  void drain_workers(const LoadTable& loads, TimeUs now);
  // Ends the moves that have caught up, or cannot.
  std::vector<EndedJobMove> end_moves(const StandbyTable& standbys, TimeUs now);
  // Begins those that may begin. Returns how many.
  uint32_t begin_moves(TimeUs now);
  bool any_moves() const;

  // decision_snapshots.cc: see snapshot_registry.h and savepoints.h. Only a trigger is part of the
  // view. Claims are registered last, by the grants as this draft leaves them.
  Registration register_snapshot(const proto::SnapshotTaken& claim, NodeId from);
  Result<Triggered> trigger_snapshot(std::string_view job, const std::string& savepoint,
                                     TimeUs now);
  SavepointChanges update_savepoints(TimeUs now);
  Status delete_savepoint(const std::string& name);
  void end_removal(const RemovalId& id);

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
  std::vector<PlacementWorker> placement_workers() const;
  std::vector<WorkerSlot> successors(const JobEntry& entry, const StandbyTable& standbys) const;
  bool takes(const WorkerSlot& slot) const;
  MoveContext move_context(const JobEntry& entry, const StandbyTable* standbys) const;
  void drop_moves_of_lost(const JobGrants& before, JobGrants* grants);
  void count_ended(const std::vector<EndedMove>& ended);
  bool drain_unplanned() const;
  void forget_stopped(size_t keep);

  CoordinatorState state_;
  bool changed_ = false;
  bool view_changed_ = false;
};

}  // namespace tidemill
