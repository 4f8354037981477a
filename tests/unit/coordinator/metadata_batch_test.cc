// What a change of state writes: applied to the former values it gives the new ones, and it names
// nothing that has not changed.
#include "coordinator/metadata_batch.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "tests/unit/coordinator/test_jobs.h"

namespace tidemill {
namespace {

constexpr uint32_t kKeyPartitions = 4;

void put(const KeyValueBatch& batch, KeyValues* values) {
  std::set<std::string> keys;
  for (const auto& [key, value] : batch) {
    RC_ASSERT(keys.insert(key).second);
    if (value) {
      (*values)[key] = *value;
    } else {
      values->erase(key);
    }
  }
}

KeyValues values_of(const CoordinatorState& state) {
  KeyValues values;
  put(metadata_batch({}, state), &values);
  return values;
}

JobEntry fresh_job(JobId id) {
  static const auto plan = testing::small_plan("job", kKeyPartitions, 1);
  JobGrants grants;
  grants.sources.resize(1);
  grants.key_partitions.resize(kKeyPartitions);
  return {std::make_shared<const JobRecord>(JobRecord{id, "job", JobState::kRunning, 5, plan, {}}),
          std::make_shared<const JobGrants>(std::move(grants))};
}

void register_snapshot(uint64_t number, uint32_t k, JobEntry* entry) {
  auto snapshots = entry->snapshots ? *entry->snapshots : JobSnapshots{};
  if (snapshots.key_partitions.size() <= k) snapshots.key_partitions.resize(k + 1);
  auto kept = snapshots.of(k);
  RegisteredSnapshot taken;
  taken.manifest = "m" + std::to_string(number);
  taken.stamp = {Epoch{number + 1}, number + 1};
  taken.offsets = {number};
  kept.insert(kept.begin(), taken);
  if (kept.size() > kRetainedSnapshots) kept.pop_back();
  snapshots.key_partitions[k] = std::make_shared<const PartitionSnapshots>(std::move(kept));
  entry->snapshots = std::make_shared<const JobSnapshots>(std::move(snapshots));
}

// One change, as drawn.
void change(uint32_t what, uint64_t number, CoordinatorState* state) {
  const JobId id{1 + static_cast<uint32_t>(number % 5)};
  const auto found = state->jobs.find(id);
  if (found == state->jobs.end()) {
    state->jobs[id] = fresh_job(id);
    return;
  }
  JobEntry& entry = found->second;
  switch (what % 5) {
    case 0: {
      auto grants = *entry.grants;
      grants.key_partitions[number % kKeyPartitions] = {NodeId{number + 1}, 0, Epoch{number + 1}};
      entry.grants = std::make_shared<const JobGrants>(std::move(grants));
      break;
    }
    case 1: {
      auto job = *entry.job;
      job.error = std::to_string(number);
      entry.job = std::make_shared<const JobRecord>(std::move(job));
      break;
    }
    case 2:
      state->jobs.erase(found);
      break;
    case 3:
      register_snapshot(number, static_cast<uint32_t>(number % kKeyPartitions), &entry);
      break;
    default: {
      const NodeId node{1 + number % 3};
      if (state->members.erase(node) == 0) {
        state->members[node] = {node, "tcp://n", MemberRole::kWorker, 1};
      }
    }
  }
}

RC_GTEST_PROP(MetadataBatch, TakesTheFormerValuesToTheNewOnes,
              (const std::vector<std::vector<std::pair<uint32_t, uint16_t>>>& commits)) {
  CoordinatorState before;
  before.generation = 1;
  KeyValues values = values_of(before);
  for (const auto& changes : commits) {
    CoordinatorState after = before;
    for (const auto& [what, number] : changes) change(what, number, &after);
    put(metadata_batch(before, after), &values);
    RC_ASSERT(values == values_of(after));
    const auto read = metadata_state(values);
    RC_ASSERT(read.ok());
    RC_ASSERT(values_of(*read) == values);
    before = after;
  }
}

RC_GTEST_PROP(MetadataBatch, LeavesOutWhatHasNotChanged,
              (const std::vector<std::pair<uint32_t, uint16_t>>& changes)) {
  CoordinatorState state;
  state.generation = 1;
  for (const auto& [what, number] : changes) change(what, number, &state);
  RC_ASSERT(metadata_batch(state, state).size() == 1);  // the cluster record
  CoordinatorState after = state;
  change(0, 1, &after);  // makes job 2, or grants one of its key partitions anew
  for (const auto& [key, value] : metadata_batch(state, after)) {
    RC_ASSERT(key == "cluster" || key.find("00000002") != std::string::npos);
  }
}

TEST(MetadataBatch, ARegistrationWritesOneKeyPartitionsSnapshots) {
  CoordinatorState before;
  before.generation = 1;
  before.jobs[JobId{1}] = fresh_job(JobId{1});
  for (uint32_t k = 0; k < kKeyPartitions; ++k) register_snapshot(k, k, &before.jobs[JobId{1}]);
  CoordinatorState after = before;
  register_snapshot(9, 2, &after.jobs[JobId{1}]);
  const auto batch = metadata_batch(before, after);
  ASSERT_EQ(batch.size(), 2u);
  EXPECT_EQ(batch[0].key, "cluster");
  EXPECT_EQ(batch[1].key, "snapshots/00000001/00000002");
}

TEST(MetadataBatch, ValuesWithoutAClusterRecordAreRefused) {
  CoordinatorState state;
  state.generation = 1;
  state.jobs[JobId{1}] = fresh_job(JobId{1});
  auto values = values_of(state);
  values.erase("cluster");
  EXPECT_EQ(metadata_state(values).error().code(), ErrorCode::kCorrupt);
  values = values_of(state);
  values.erase("grants/00000001");
  EXPECT_EQ(metadata_state(values).error().code(), ErrorCode::kCorrupt);
  EXPECT_TRUE(metadata_state({}).ok());
}

}  // namespace
}  // namespace tidemill
