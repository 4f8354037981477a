#include "coordinator/metadata_codec.h"

#include <utility>

namespace tidemill {
namespace {

Status check_version(uint32_t version, const char* what) {
  if (version == kMetadataFormatVersion) return {};
  return corrupt_error(std::string(what) + " has format version " + std::to_string(version) +
                       "; this coordinator reads " + std::to_string(kMetadataFormatVersion));
}

template <typename Stored>
void encode_grant(const PartitionGrant& grant, Stored* out) {
  out->set_node(grant.node.value);
  out->set_shard(grant.shard);
  out->set_epoch(grant.epoch.value);
}

template <typename Stored>
PartitionGrant decode_grant(const Stored& stored) {
  return {NodeId{stored.node()}, stored.shard(), Epoch{stored.epoch()}};
}

}  // namespace

proto::StoredCluster encode_cluster(const CoordinatorState& state) {
  proto::StoredCluster out;
  out.set_format_version(kMetadataFormatVersion);
  out.set_generation(state.generation);
  out.set_view_version(state.view_version);
  out.set_next_epoch(state.next_epoch.value);
  out.set_next_job(state.next_job.value);
  for (const auto& [node, info] : state.members) {
    auto* member = out.add_members();
    member->set_node(node.value);
    member->set_endpoint(info.endpoint);
    member->set_role(static_cast<proto::Role>(info.role));
    member->set_shards(info.shards);
  }
  return out;
}

proto::StoredJob encode_job(const JobRecord& job) {
  proto::StoredJob out;
  out.set_format_version(kMetadataFormatVersion);
  out.set_job(job.id.value);
  out.set_name(job.name);
  out.set_state(static_cast<proto::JobState>(job.state));
  out.set_submitted_at_us(job.submitted_at);
  *out.mutable_plan() = job.plan->proto();
  out.set_error(job.error);
  for (const auto& [s, reader] : job.readers) *out.add_readers() = reader;
  return out;
}

proto::StoredGrants encode_grants(JobId job, const JobGrants& grants) {
  proto::StoredGrants out;
  out.set_format_version(kMetadataFormatVersion);
  out.set_job(job.value);
  for (const auto& grant : grants.sources) encode_grant(grant, out.add_sources());
  for (const auto& grant : grants.key_partitions) encode_grant(grant, out.add_key_partitions());
  return out;
}

Result<CoordinatorState> decode_cluster(const proto::StoredCluster& stored) {
  if (auto status = check_version(stored.format_version(), "the cluster record"); !status) {
    return status.error();
  }
  CoordinatorState state;
  state.generation = stored.generation();
  state.view_version = stored.view_version();
  state.next_epoch = Epoch{stored.next_epoch()};
  state.next_job = JobId{stored.next_job()};
  if (state.generation == 0 || state.next_epoch == Epoch{} || state.next_job == JobId{}) {
    return corrupt_error("the cluster record lacks a generation, an epoch or a job id");
  }
  for (const auto& member : stored.members()) {
    if (member.node() == 0 || member.shards() == 0 ||
        (member.role() != proto::WORKER && member.role() != proto::STORE)) {
      return corrupt_error("the cluster record holds an impossible member");
    }
    const NodeId node{member.node()};
    state.members[node] = {node, member.endpoint(), static_cast<MemberRole>(member.role()),
                           member.shards()};
  }
  return state;
}

Result<JobRecord> decode_job(proto::StoredJob stored) {
  const std::string what = "job " + std::to_string(stored.job());
  if (auto status = check_version(stored.format_version(), what.c_str()); !status) {
    return status.error();
  }
  if (stored.job() == 0 || stored.state() < proto::RUNNING || stored.state() > proto::FAILED) {
    return corrupt_error(what + ": impossible id or state");
  }
  JobRecord job{JobId{stored.job()},      stored.name(), static_cast<JobState>(stored.state()),
                stored.submitted_at_us(), nullptr,       stored.error()};
  for (auto& reader : *stored.mutable_readers()) {
    const uint32_t s = reader.read().source_partition();
    job.readers[s] = std::move(reader);
  }
  auto plan = Plan::from_proto(std::move(*stored.mutable_plan()));
  if (!plan) return corrupt_error(what + ": " + plan.error().message());
  job.plan = std::move(*plan);
  return job;
}

Result<JobGrants> decode_grants(const proto::StoredGrants& stored) {
  const std::string what = "grants of job " + std::to_string(stored.job());
  if (auto status = check_version(stored.format_version(), what.c_str()); !status) {
    return status.error();
  }
  JobGrants out;
  for (const auto& grant : stored.sources()) out.sources.push_back(decode_grant(grant));
  for (const auto& grant : stored.key_partitions()) {
    out.key_partitions.push_back(decode_grant(grant));
  }
  return out;
}

}  // namespace tidemill
