// Triggers and savepoints: pure functions over the coordinator's state; what they change counts
// once the state is durable.
//
// A trigger is a number of a job that rises by one each time. A snapshot that was begun after its
// owner saw it satisfies it. A savepoint is asked for together with a trigger, and complete once
// every key partition has registered a snapshot that satisfies it: it names the newest of each
// then. It outlives its job, until it is deleted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "coordinator/coordinator_state.h"
#include "shared/base/result.h"

namespace tidemill {

inline constexpr size_t kMaxSavepoints = 1000;

// Letters, digits, '_', '-' and '.', at most 64, the first one a letter or digit.
bool is_savepoint_name(std::string_view name);

struct Triggered {
  JobId job;
  uint64_t trigger = 0;
};
// `savepoint`: its name, or empty. kUser: there is no such job; kRetryable: it is stopped, the
// name is taken, or there are too many.
Result<Triggered> trigger_snapshot(std::string_view job, const std::string& savepoint, TimeUs now,
                                   CoordinatorState* state);

// How many key partitions have registered a snapshot that satisfies the trigger.
uint32_t satisfied_partitions(const JobEntry& entry, uint64_t trigger);

// Savepoints that have become complete by what is registered, and those that never will, since
// their job is not live any more: they are dropped.
struct SavepointChanges {
  std::vector<std::string> completed;
  std::vector<std::string> dropped;
};
SavepointChanges update_savepoints(TimeUs now, CoordinatorState* state);

// Its objects are to be removed. kUser: there is none of the name.
Status delete_savepoint(const std::string& name, CoordinatorState* state);

// kRetryable: the savepoint is not there any more.
Status check_savepoint(const Savepoint& savepoint, const CoordinatorState& state);
// The new job's registry begins with the snapshots of a savepoint that is there.
void start_from(const Savepoint& savepoint, JobId job, CoordinatorState* state);

// The job is about to be forgotten: its objects are to be removed.
void forget_objects(JobId job, CoordinatorState* state);

}  // namespace tidemill
