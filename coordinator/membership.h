// MembershipTable: who is alive, told by heartbeats. Pure: time is handed in (monotonic
// microseconds), so no clock is read here. shard-affine
//
// An incarnation (node id) that was declared dead is never readmitted: its process must start
// again as another incarnation. An incarnation that nobody here knows, but which has applied a
// view, was declared dead before this coordinator started, or belongs to another cluster: fenced
// too. So the dead need not be durable, only those alive.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "coordinator/coordinator_state.h"
#include "proto/control.pb.h"

namespace tidemill {

struct MembershipLimits {
  int64_t lease_us = 3'000'000;
  int64_t broken_link_us = 300'000;
  size_t max_members = 1024;
  size_t max_dead_remembered = 4096;
};

class MembershipTable {
 public:
  struct Entry {
    MemberInfo info;
    std::string http;
    uint64_t pid = 0;
    bool alive = true;
    bool reported = false;          // a heartbeat came since this coordinator started
    int64_t last_heartbeat_us = 0;  // monotonic
    int64_t deadline_us = 0;        // dead if no heartbeat came until then
    bool suspected = false;         // since the last heartbeat
    proto::Heartbeat report;        // the newest
  };

  enum class Verdict { kJoined, kKnown, kLeft, kFenced, kRefused };
  struct Answer {
    Verdict verdict{};
    std::string reason;  // of kLeft, kFenced and kRefused
    NodeId replaced;     // of kJoined: who was at its endpoint before and is now dead; 0: nobody
  };

  explicit MembershipTable(const MembershipLimits& limits) : limits_(limits) {}

  // A member of the durable state, when a coordinator starts: it has one lease to report.
  void expect(const MemberInfo& info, int64_t now_us);

  // kLeft: it said goodbye, and is dead from now on.
  // kRefused: the heartbeat makes no sense, or there is no room; nothing is known of the node.
  Answer heartbeat(proto::Heartbeat report, int64_t now_us);

  // The connection to it broke, as when its process has ended: what is left of its lease is short.
  // If that was wrong, its next heartbeat renews it. False: nobody is suspected.
  bool suspect(NodeId node, int64_t now_us);

  // Declares dead whoever has outlived its lease, and returns them. To be called often: if the
  // calls themselves stood still, it was this process that was held up, and everybody's lease is
  // longer by as much.
  std::vector<NodeId> expire(int64_t now_us);

  // Everybody expected has reported or is dead.
  bool all_reported() const;

  // The alive, and the latest of the dead.
  const std::map<NodeId, Entry>& entries() const { return entries_; }
  std::map<NodeId, MemberInfo> alive() const;
  const Entry* find_alive(NodeId node) const;

 private:
  void declare_dead(Entry* entry);

  MembershipLimits limits_;
  std::map<NodeId, Entry> entries_;
  std::map<std::string, NodeId> alive_at_;  // by endpoint
  std::deque<NodeId> dead_;                 // in entries_, oldest first
  int64_t expired_at_us_ = -1;
};

}  // namespace tidemill
