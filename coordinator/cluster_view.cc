#include "coordinator/cluster_view.h"

#include "proto/control.pb.h"

namespace tidemill {
namespace {

template <typename Message>
void write_grant(const PartitionGrant& grant, Message* out) {
  out->set_node(grant.node.value);
  out->set_epoch(grant.epoch.value);
  out->set_shard(grant.shard);
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
    *job->mutable_plan() = entry.job->plan->proto();
    for (const auto& grant : entry.grants->sources) write_grant(grant, job->add_sources());
    for (const auto& grant : entry.grants->key_partitions) {
      write_grant(grant, job->add_key_partitions());
    }
  }
  return Buffer(view.SerializeAsString());
}

}  // namespace tidemill
