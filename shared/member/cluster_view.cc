#include "shared/member/cluster_view.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "shared/base/hash.h"

namespace tidemill {
namespace {

template <typename Grants>
std::vector<Grant> read_grants(const Grants& grants) {
  std::vector<Grant> out;
  out.reserve(static_cast<size_t>(grants.size()));
  for (const auto& g : grants) {
    out.push_back({NodeId(g.node()), Epoch(g.epoch()), static_cast<uint16_t>(g.shard())});
  }
  return out;
}

Status read_standbys(const proto::KeyPartitionGrant& message, Grant& grant) {
  for (const proto::StandbyGrant& s : message.standbys()) {
    if (s.node() == message.node() || s.node() == 0) {
      return corrupt_error("a standby that is the owner, or nobody");
    }
    grant.standbys.push_back({NodeId(s.node()), static_cast<uint16_t>(s.shard())});
  }
  std::sort(grant.standbys.begin(), grant.standbys.end(),
            [](const Standby& a, const Standby& b) { return a.node < b.node; });
  return {};
}

// The same for the same plan: maps are written in order of their keys.
uint64_t hash_of(const proto::JobPlan& plan) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    plan.SerializeToCodedStream(&out);
  }
  return hash_bytes(bytes, 0);
}

Result<JobInView> read_job(const proto::JobView& message, const ClusterState* previous) {
  JobInView job;
  job.id = JobId(message.job());
  job.plan_hash = hash_of(message.plan());
  job.snapshot_trigger = message.snapshot_trigger();
  if (previous != nullptr) {
    const auto it = previous->jobs.find(job.id);
    if (it != previous->jobs.end() && it->second.plan_hash == job.plan_hash) {
      job.plan = it->second.plan;
    }
  }
  if (!job.plan) {
    auto plan = Plan::from_proto(message.plan());
    if (!plan) return plan.error().within("plan of job " + std::to_string(message.job()));
    job.plan = std::move(plan).value();
  }
  job.sources = read_grants(message.sources());
  job.key_partitions = read_grants(message.key_partitions());
  for (size_t k = 0; k < job.key_partitions.size(); ++k) {
    const auto& grant = message.key_partitions(static_cast<int>(k));
    if (auto status = read_standbys(grant, job.key_partitions[k]); !status) return status.error();
  }
  if (job.sources.size() != job.plan->source_partitions() ||
      job.key_partitions.size() != job.plan->key_partitions()) {
    return corrupt_error("job " + std::to_string(message.job()) +
                         ": the number of grants is not that of its plan's partitions");
  }
  return job;
}

}  // namespace

Result<std::shared_ptr<const ClusterState>> ClusterState::from_proto(
    const proto::ClusterView& message, const ClusterState* previous) {
  auto state = std::make_shared<ClusterState>();
  state->version = message.version();
  for (const proto::Member& m : message.members()) {
    state->endpoints[NodeId(m.node())] = m.endpoint();
    if (m.shards() < 1 || m.shards() > 1024) return corrupt_error("a member with no shards");
    if (m.role() == proto::STORE) {
      state->stores.push_back({NodeId(m.node()), static_cast<uint16_t>(m.shards())});
    }
  }
  std::sort(state->stores.begin(), state->stores.end(),
            [](const StoreMember& a, const StoreMember& b) { return a.node < b.node; });
  for (const proto::JobView& j : message.jobs()) {
    auto job = read_job(j, previous);
    if (!job) return job.error();
    const JobId id = job->id;
    state->jobs.emplace(id, std::move(job).value());
  }
  return std::shared_ptr<const ClusterState>(std::move(state));
}

}  // namespace tidemill
