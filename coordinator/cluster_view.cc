#include "coordinator/cluster_view.h"

#include "coordinator/moves.h"
#include "proto/control.pb.h"

namespace tidemill {
namespace {

template <typename Message>
void write_grant(const PartitionGrant& grant, Message* out) {
  out->set_node(grant.node.value);
  out->set_epoch(grant.epoch.value);
  out->set_shard(grant.shard);
}

// With those who follow them, as far as they live.
void write_key_partitions(const CoordinatorState& state, const JobGrants& grants,
                          proto::JobView* out) {
  const auto standbys = shown_standbys(grants);
  for (size_t k = 0; k < grants.key_partitions.size(); ++k) {
    auto* grant = out->add_key_partitions();
    write_grant(grants.key_partitions[k], grant);
    for (const WorkerSlot& slot : standbys[k]) {
      if (!state.members.contains(slot.node)) continue;
      auto* standby = grant->add_standbys();
      standby->set_node(slot.node.value);
      standby->set_shard(slot.shard);
    }
  }
}

}  // namespace

Buffer encode_cluster_view(const CoordinatorState& state, const std::string& instance) {
  proto::ClusterView view;
  view.set_version(state.view_version);
  view.set_coordinator_instance(instance);
  for (const auto& [node, info] : state.members) {
    auto* member = view.add_members();
    member->set_node(node.value);
    member->set_endpoint(info.endpoint);
    member->set_role(static_cast<proto::Role>(info.role));
    member->set_shards(info.shards);
  }
  for (const auto& [id, entry] : state.jobs) {
    if (!entry.job->live()) continue;
    auto* job = view.add_jobs();
    job->set_job(id.value);
    job->set_snapshot_trigger(entry.job->snapshot_trigger);
    *job->mutable_plan() = entry.job->plan->proto();
    for (const auto& grant : entry.grants->sources) write_grant(grant, job->add_sources());
    write_key_partitions(state, *entry.grants, job);
  }
  return Buffer(view.SerializeAsString());
}

}  // namespace tidemill
