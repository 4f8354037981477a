#include "coordinator/standby_table.h"

namespace tidemill {

void StandbyTable::take(const proto::Heartbeat& report, const CoordinatorState& state) {
  for (const proto::JobReport& job : report.jobs()) {
    const auto entry = state.jobs.find(JobId{job.job()});
    if (entry == state.jobs.end() || !entry->second.job->live()) continue;
    const auto& grants = entry->second.grants->key_partitions;
    auto& known = jobs_[entry->first];
    std::map<uint32_t, Said> said;
    for (const proto::StandbyReport& standby : job.standbys()) {
      const uint32_t k = standby.key_partition();
      if (k >= grants.size() || grants[k].node.value != report.node()) continue;
      Said& of = said[k];
      of.epoch = grants[k].epoch;
      of.view_version = report.view_version();
      of.nodes[NodeId{standby.node()}] = standby.caught_up();
    }
    // What it owns and says nothing of now has no standby that it knows of.
    std::erase_if(known, [&](const auto& entry_of_k) {
      const uint32_t k = entry_of_k.first;
      return k >= grants.size() || grants[k].node.value == report.node();
    });
    for (auto& [k, of] : said) known[k] = std::move(of);
  }
}

void StandbyTable::keep(const CoordinatorState& state) {
  std::erase_if(jobs_, [&](const auto& job) {
    const auto entry = state.jobs.find(job.first);
    return entry == state.jobs.end() || !entry->second.job->live();
  });
}

const StandbyTable::Said* StandbyTable::find(JobId job, uint32_t key_partition,
                                             const PartitionGrant& owner, uint64_t since) const {
  const auto of_job = jobs_.find(job);
  if (of_job == jobs_.end()) return nullptr;
  const auto said = of_job->second.find(key_partition);
  if (said == of_job->second.end()) return nullptr;
  if (said->second.epoch != owner.epoch || said->second.view_version < since) return nullptr;
  return &said->second;
}

bool StandbyTable::caught_up(JobId job, uint32_t key_partition, const PartitionGrant& owner,
                             NodeId node, uint64_t since) const {
  const Said* said = find(job, key_partition, owner, since);
  if (said == nullptr) return false;
  const auto it = said->nodes.find(node);
  return it != said->nodes.end() && it->second;
}

bool StandbyTable::known(JobId job, uint32_t key_partition, const PartitionGrant& owner,
                         NodeId node, uint64_t since) const {
  const Said* said = find(job, key_partition, owner, since);
  return said != nullptr && said->nodes.contains(node);
}

}  // namespace tidemill
