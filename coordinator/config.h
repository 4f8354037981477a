// What the coordinator can be told; every option is in config/coordinator.yaml with its default.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "coordinator/leader_election.h"
#include "coordinator/membership.h"
#include "coordinator/source_catalog.h"
#include "shared/obs/metrics.h"
#include "shared/snapshot/snapshot_storage.h"

namespace tidemill {

struct CoordinatorConfig {
  int64_t lease_ms = 3'000;
  int64_t broken_link_ms = 300;  // longer than members take between heartbeats
  int64_t tick_ms = 100;
  int64_t join_settle_ms = 1'000;
  bool auto_rebalance = true;
  int64_t max_members = 1'024;
  int64_t max_jobs = 64;
  int64_t max_stopped_jobs = 100;
  int64_t max_job_bytes = 1 << 20;
  std::string dead_letters = "dead-letters";  // directory that the workers write to
  std::shared_ptr<LeaderElection> election;   // null: it is the only coordinator, and leads
  // Where the workers put their snapshots; null: none are removed or looked at.
  std::shared_ptr<SnapshotStorage> snapshots;
  std::shared_ptr<SourceCatalog> catalog;  // null: file systems and Kafka brokers
  MetricsRegistry* metrics = nullptr;  // outlives the process; null: one of the coordinator's own

  MembershipLimits membership_limits() const {
    MembershipLimits limits;
    limits.lease_us = lease_ms * 1000;
    limits.broken_link_us = std::max(broken_link_ms, 3 * tick_ms) * 1000;
    limits.max_members = static_cast<size_t>(max_members);
    return limits;
  }
};

}  // namespace tidemill
