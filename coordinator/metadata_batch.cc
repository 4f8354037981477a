#include "coordinator/metadata_batch.h"

#include <cstdio>
#include <string_view>
#include <utility>

#include "coordinator/metadata_codec.h"
#include "coordinator/snapshot_codec.h"

namespace tidemill {
namespace {

constexpr char kClusterKey[] = "cluster";
constexpr char kJobPrefix[] = "job/";
constexpr char kGrantsPrefix[] = "grants/";

std::string key_of(const char* prefix, JobId job) {
  char text[9];
  std::snprintf(text, sizeof(text), "%08x", job.value);
  return std::string(prefix) + text;
}

template <typename Stored>
Result<Stored> parse(const KeyValues::value_type& entry) {
  Stored out;
  if (!out.ParseFromString(entry.second)) {
    return corrupt_error("coordinator metadata: the value of '" + entry.first + "' does not parse");
  }
  return out;
}

Result<JobGrants> read_grants(const KeyValues& values, JobId job) {
  const auto found = values.find(key_of(kGrantsPrefix, job));
  if (found == values.end()) {
    return corrupt_error("job " + std::to_string(job.value) + " has no grants");
  }
  auto stored = parse<proto::StoredGrants>(*found);
  if (!stored) return stored.error();
  return decode_grants(*stored);
}

Status read_job(const KeyValues& values, const KeyValues::value_type& entry,
                CoordinatorState* state) {
  auto stored = parse<proto::StoredJob>(entry);
  if (!stored) return stored.error();
  auto job = decode_job(std::move(*stored));
  if (!job) return job.error();
  auto grants = read_grants(values, job->id);
  if (!grants) return grants.error();
  const JobId id = job->id;
  state->jobs[id] = {std::make_shared<const JobRecord>(std::move(*job)),
                     std::make_shared<const JobGrants>(std::move(*grants))};
  return {};
}

}  // namespace

KeyValueBatch metadata_batch(const CoordinatorState& before, const CoordinatorState& after) {
  KeyValueBatch batch;
  batch.push_back({kClusterKey, encode_cluster(after).SerializeAsString()});
  for (const auto& [id, entry] : after.jobs) {
    const auto old = before.jobs.find(id);
    const bool known = old != before.jobs.end();
    if (!known || old->second.job != entry.job) {
      batch.push_back({key_of(kJobPrefix, id), encode_job(*entry.job).SerializeAsString()});
    }
    if (!known || old->second.grants != entry.grants) {
      batch.push_back(
          {key_of(kGrantsPrefix, id), encode_grants(id, *entry.grants).SerializeAsString()});
    }
  }
  for (const auto& [id, entry] : before.jobs) {
    if (after.jobs.contains(id)) continue;
    batch.push_back({key_of(kJobPrefix, id), std::nullopt});
    batch.push_back({key_of(kGrantsPrefix, id), std::nullopt});
  }
  add_snapshot_changes(before, after, &batch);
  return batch;
}

Result<CoordinatorState> metadata_state(const KeyValues& values) {
  const auto cluster = values.find(kClusterKey);
  if (cluster == values.end()) {
    if (values.empty()) return CoordinatorState{};
    return corrupt_error("the coordinator metadata lacks the cluster record");
  }
  auto stored = parse<proto::StoredCluster>(*cluster);
  if (!stored) return stored.error();
  auto state = decode_cluster(*stored);
  if (!state) return state;
  for (auto at = values.lower_bound(kJobPrefix);
       at != values.end() && std::string_view(at->first).starts_with(kJobPrefix); ++at) {
    if (auto status = read_job(values, *at, &*state); !status) return status.error();
  }
  if (auto status = read_snapshots(values, &*state); !status) return status.error();
  return state;
}

}  // namespace tidemill
