// What must hold of every message between the processes of a simulated cluster, at any time:
//
// - An epoch of a key partition, or of a source partition, is granted to one shard of one worker,
//   once; only that shard acts under it. Epochs of a partition never fall.
// - The parts of a session are numbered densely from 0; rows follow on the version before them, and
//   a reader never goes back within a session.
// - What is on its way on a link stays within its credit, and what a worker holds in memory that is
//   in no increment within its bound.
//
// It also counts what processes tell of themselves: ways of catching up, evicted keys, cold reads.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>

#include "shared/runtime/sim/sim_config.h"
#include "shared/wire/frames.h"
#include "shared/wire/source_batch.h"
#include "shared/wire/take_over.h"

namespace tidemill::proto {
class ClusterView;
class Heartbeat;
class JobReport;
}  // namespace tidemill::proto

namespace tidemill::test {

struct SimLimits {
  uint64_t batch_credit_bytes = 0;
  uint64_t frame_credit_bytes = 0;
  uint64_t pending_limit_bytes = 0;
  int64_t link_stall_us = 0;  // after which a sender forgets what is on its way
};

class SimInvariants {
 public:
  using Fail = std::function<void(const std::string& what)>;
  SimInvariants(const SimLimits& limits, Fail fail);

  void sent(const SimSent& message);
  void add_counts(std::map<std::string, uint64_t>* counts) const;

 private:
  enum class Granted { kKeyPartition, kSourcePartition };
  struct Grant {
    Granted what;
    uint32_t job;
    uint32_t partition;
    uint64_t epoch;
    friend auto operator<=>(const Grant&, const Grant&) = default;
  };
  struct Owner {
    uint64_t node;
    uint32_t shard;
    friend bool operator==(const Owner&, const Owner&) = default;
  };
  struct SessionId {
    ActorAddress from;
    ActorAddress to;
    std::array<uint64_t, 4> numbers;  // job, source and epoch of its reader, key partition; session
    uint32_t key_partition;
    friend auto operator<=>(const SessionId&, const SessionId&) = default;
  };
  struct Session {
    uint64_t next_seq = 0;
    uint64_t at = 0;  // version, or offset, that the next part follows on
    bool at_known = false;
  };
  struct LinkId {
    ActorAddress from;
    ActorAddress to;
    std::array<uint64_t, 3> numbers;  // job, source and epoch of its reader
    friend auto operator<=>(const LinkId&, const LinkId&) = default;
  };
  struct OnItsWay {
    int64_t at_us;
    uint64_t link_seq;
    uint64_t bytes;
  };

  void on_view(const SimSent& message);
  void grant(const Grant& grant, const Owner& owner, uint64_t view_version);
  void act(const Grant& grant, const SimSent& message, const char* how);
  void on_registration(const SimSent& message);
  void on_opening(const SimSent& message);
  void on_snapshot(const SimSent& message);
  void on_state_wanted(const SimSent& message);
  void on_frames(const SimSent& message);
  void on_part(const SimSent& message, JobId job, const FramePart& part);
  void follow_on(Session* session, const SessionId& id, const FramePart& part);
  void on_batch(const SimSent& message);
  Session* next_of(const SessionId& id, uint64_t seq);
  void on_its_way(const LinkId& link, const SimSent& message, uint64_t link_seq, uint64_t credit);
  void acknowledged(const LinkId& link, uint64_t link_seq);
  void on_heartbeat(const SimSent& message);
  void on_report(uint64_t node, uint32_t shards, const proto::JobReport& report);

  void count(const char* what) { ++counts_[what]; }

  SimLimits limits_;
  Fail fail_;
  std::map<Grant, Owner> grants_;
  std::map<Grant, std::pair<uint64_t, uint64_t>> newest_;  // epoch 0: (view version, epoch)
  std::map<SessionId, Session> sessions_;
  std::map<LinkId, std::deque<OnItsWay>> links_;
  std::map<std::string, uint64_t> counts_;
  // By (node, job), then counter: the greatest value reported.
  std::map<std::pair<uint64_t, uint32_t>, std::map<std::string, uint64_t>> reported_;
};

}  // namespace tidemill::test
