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

void encode_move(const KeyPartitionMove& move, proto::StoredMove* out) {
  out->set_key_partition(move.key_partition);
  out->set_role(static_cast<proto::StoredMove::Role>(move.role));
  out->set_node(move.to.node.value);
  out->set_shard(move.to.shard);
  out->set_shown_in(move.shown_in);
  out->set_begun_at_us(move.begun_at);
}

Result<KeyPartitionMove> decode_move(const proto::StoredMove& stored, size_t key_partitions) {
  const bool has_role =
      stored.role() == proto::StoredMove::OWNER || stored.role() == proto::StoredMove::STANDBY;
  if (!has_role || stored.node() == 0 || stored.key_partition() >= key_partitions) {
    return corrupt_error("an impossible move");
  }
  return KeyPartitionMove{stored.key_partition(),
                          static_cast<KeyPartitionMove::Role>(stored.role()),
                          {NodeId{stored.node()}, stored.shard()},
                          stored.shown_in(),
                          stored.begun_at_us()};
}

void encode_rebalance(const RebalanceRecord& record, proto::StoredRebalance* out) {
  out->set_id(record.id);
  out->set_cause(record.cause);
  out->set_started_at_us(record.started_at);
  out->set_finished_at_us(record.finished_at);
  out->set_moves(record.moves);
  out->set_done(record.done);
  out->set_dropped(record.dropped);
}

RebalanceRecord decode_rebalance(const proto::StoredRebalance& stored) {
  return {stored.id(),    stored.cause(), stored.started_at_us(), stored.finished_at_us(),
          stored.moves(), stored.done(),  stored.dropped()};
}

// Of one key partition at most one standby, on another worker than the owner.
Status decode_standbys(const proto::KeyPartitionGrant& stored, uint32_t k, JobGrants* out) {
  for (const auto& standby : stored.standbys()) {
    const bool possible =
        standby.node() != 0 && standby.node() != stored.node() && !out->standbys.contains(k);
    if (!possible) return corrupt_error("an impossible standby");
    out->standbys[k] = {NodeId{standby.node()}, standby.shard()};
  }
  return {};
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
  for (const NodeId node : state.draining) out.add_draining(node.value);
  if (state.rebalance.id != 0) encode_rebalance(state.rebalance, out.mutable_rebalance());
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
  out.set_snapshot_trigger(job.snapshot_trigger);
  out.set_from_savepoint(job.from_savepoint);
  out.set_origin(job.origin.value);
  return out;
}

proto::StoredGrants encode_grants(JobId job, const JobGrants& grants) {
  proto::StoredGrants out;
  out.set_format_version(kMetadataFormatVersion);
  out.set_job(job.value);
  for (const auto& grant : grants.sources) encode_grant(grant, out.add_sources());
  for (uint32_t k = 0; k < grants.key_partitions.size(); ++k) {
    auto* grant = out.add_key_partitions();
    encode_grant(grants.key_partitions[k], grant);
    const auto standby = grants.standbys.find(k);
    if (standby == grants.standbys.end()) continue;
    auto* stored = grant->add_standbys();
    stored->set_node(standby->second.node.value);
    stored->set_shard(standby->second.shard);
  }
  for (const auto& move : grants.moves) encode_move(move, out.add_moves());
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
  for (const uint64_t node : stored.draining()) {
    const auto member = state.members.find(NodeId{node});
    if (member == state.members.end() || member->second.role != MemberRole::kWorker) {
      return corrupt_error("the cluster record drains what is no worker");
    }
    state.draining.insert(NodeId{node});
  }
  if (stored.has_rebalance()) state.rebalance = decode_rebalance(stored.rebalance());
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
  job.snapshot_trigger = stored.snapshot_trigger();
  job.from_savepoint = stored.from_savepoint();
  job.origin = JobId{stored.origin()};
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
    const auto k = static_cast<uint32_t>(out.key_partitions.size());
    out.key_partitions.push_back(decode_grant(grant));
    if (auto status = decode_standbys(grant, k, &out); !status) return status.error().within(what);
  }
  for (const auto& stored_move : stored.moves()) {
    auto move = decode_move(stored_move, out.key_partitions.size());
    if (!move) return move.error().within(what);
    out.moves.push_back(*move);
  }
  return out;
}

}  // namespace tidemill
