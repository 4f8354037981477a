// Rebalancer: when key partitions, standbys and readers move, step by step: what members report of
// standbys and loads, and what is to be done about it in the next draft. shard-affine; time is
// handed in, and nothing is decided but in drafts.
//
// A rebalance begins by itself once a worker has joined, is no longer to be drained, or the
// coordinator has started: not before join-settle-ms are over, nothing moves, every key partition
// is owned, and no worker restores.
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "coordinator/coordinator_state.h"
#include "coordinator/decision.h"
#include "coordinator/load_table.h"
#include "coordinator/membership.h"
#include "coordinator/rebalance_planner.h"
#include "coordinator/standby_table.h"
#include "proto/control.pb.h"

namespace tidemill {

struct RebalancerConfig {
  bool automatic = true;
  int64_t join_settle_us = 1'000'000;
};

// A move that has not ended, as it is shown.
struct MoveStatus {
  JobId job;
  KeyPartitionMove move;
  NodeId from;           // owner, or standby, so far
  std::string waiting;   // for what
  bool stalled = false;  // for longer than kStalledUs
};

// What a worker that drains still has.
struct DrainStatus {
  NodeId node;
  uint32_t key_partitions = 0;
  uint32_t standbys = 0;
  uint32_t source_partitions = 0;
  bool finished() const { return key_partitions + standbys + source_partitions == 0; }
};

struct RebalanceOutcome {
  uint32_t placed = 0;      // grants of what nobody living owned
  uint32_t done = 0;        // moves
  uint32_t taken_over = 0;  // of these, those after which another worker owns the key partition
  uint32_t dropped = 0;
};

class Rebalancer {
 public:
  // A move that has been under way for longer is reported with what it waits for.
  static constexpr int64_t kStalledUs = 60'000'000;

  explicit Rebalancer(const RebalancerConfig& config) : config_(config) {}

  void take(const proto::Heartbeat& report, const CoordinatorState& state, int64_t now_us);
  // There may be something to gain; `cause` is shown to people.
  void want(const std::string& cause, int64_t now_us);

  // One step of everything: ends moves, places what nobody living owns, plans and begins moves.
  RebalanceOutcome advance(Draft* draft, const MembershipTable& members, int64_t now_us,
                           TimeUs wall_us);

  const LoadTable& loads() const { return loads_; }
  const StandbyTable& standbys() const { return standbys_; }
  std::vector<MoveStatus> moves(const CoordinatorState& state, const MembershipTable& members,
                                TimeUs wall_us) const;

 private:
  bool may_begin(const Draft& draft, const MembershipTable& members, int64_t now_us) const;
  void rebalance_if_wanted(Draft* draft, const MembershipTable& members, int64_t now_us,
                           TimeUs wall_us);
  std::string waits_for(const CoordinatorState& state, const MembershipTable& members, JobId job,
                        const KeyPartitionMove& move) const;
  void warn_stalled(const CoordinatorState& state, const MembershipTable& members, TimeUs wall_us);
  void note_drained(const CoordinatorState& state);

  RebalancerConfig config_;
  StandbyTable standbys_;
  LoadTable loads_;
  std::string wanted_;  // why; empty: not wanted
  int64_t not_before_us_ = 0;
  std::set<NodeId> drained_;                              // noted
  std::set<std::tuple<JobId, uint32_t, NodeId>> warned_;  // stalled moves
};

std::vector<DrainStatus> drain_status(const CoordinatorState& state);

}  // namespace tidemill
