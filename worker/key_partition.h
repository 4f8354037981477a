// KeyPartition: what a worker owns of one key partition under one grant: window state, V_k, the
// sessions with readers, and the rows not yet held by every replica.
//
// Invariant: the state holds exactly the records of s that route here with offset < V_k[s], each
// once; V_k and state change in one turn. `version` counts those changes.
//
// shard-affine: part of the PartitionHost actor.
#pragma once

#include <deque>
#include <vector>

#include "shared/plan/plan.h"
#include "shared/window/partition_state.h"
#include "shared/wire/source_batch.h"

namespace tidemill {

// The receiving end of a session.
struct InboundSession {
  uint64_t id = 0;
  uint64_t next_seq = 0;
  Epoch reader_epoch;
  bool open = false;          // asked for under the current reader's grant
  bool answered = false;      // something of it has arrived
  int64_t last_heard_us = 0;  // or asked
};

// One change of state: what a frame carries on.
struct AppliedChange {
  uint64_t version = 0;  // after it
  SourcePartitionId source;
  SourcePosition position;
  int64_t read_wall_us = 0;
  TimeUs horizon = kMinTime;  // after it
  Buffer blocks;
};

enum class PartOutcome {
  kApplied,
  kIgnored,  // of another session, or a repetition
  kGap,      // a sequence number is missing: the session must be opened anew
};

class KeyPartition {
 public:
  KeyPartition(std::shared_ptr<const Plan> plan, KeyPartitionId id, Epoch epoch);

  // Applies a part of a batch if it is the next of its session. Corrupt blocks are an error and
  // leave the state as it was.
  Result<PartOutcome> apply(const SourceBatch& batch, const SourceBatchPart& part, int64_t now_us,
                            int64_t wall_us);

  KeyPartitionId id() const { return id_; }
  Epoch epoch() const { return epoch_; }
  uint64_t version() const { return version_; }
  const OffsetVector& offsets() const { return offsets_; }
  int64_t read_wall_us() const { return read_wall_us_; }
  TimeUs horizon() const { return state_.horizon(); }
  const PartitionState& state() const { return state_; }
  // What the source last said of being idle counts no longer.
  void close_session(uint32_t source) {
    sessions_[source].open = false;
    idle_[source] = false;
  }
  std::vector<InboundSession>& sessions() { return sessions_; }
  // Source partitions were added to the plan.
  void grow(std::shared_ptr<const Plan> plan);

  uint64_t rows_applied() const { return rows_applied_; }
  // Every source's main read has been reached, so that nothing old is missing any more.
  bool caught_up() const { return caught_up_sources_ == offsets_.size(); }

  // Changes kept for replicas, oldest first; those after unsent_since() are complete.
  const std::deque<AppliedChange>& unsent() const { return unsent_; }
  uint64_t unsent_since() const { return unsent_since_; }
  uint64_t unsent_bytes() const { return unsent_bytes_; }
  // Every replica has what is up to `version`.
  void drop_unsent(uint64_t version);

 private:
  void raise_horizon(int64_t now_us, int64_t wall_us);

  std::shared_ptr<const Plan> plan_;
  KeyPartitionId id_;
  Epoch epoch_;
  PartitionState state_;
  uint64_t version_ = 0;
  OffsetVector offsets_;
  std::vector<InboundSession> sessions_;  // by source partition
  int64_t read_wall_us_ = 0;
  uint64_t rows_applied_ = 0;
  std::vector<bool> reached_main_;  // by source partition
  std::vector<bool> idle_;          // by source partition: at its log's end for long
  size_t caught_up_sources_ = 0;
  std::deque<AppliedChange> unsent_;
  uint64_t unsent_since_ = 0;
  uint64_t unsent_bytes_ = 0;
};

// A_k: min(least M_s of the sources still active, the owner's clock) - max_out_of_orderness -
// allowed_lateness; kMinTime while an active source has said nothing, and with none active, so that
// it stands still. Active is what is neither finished nor idle.
TimeUs horizon_of(const Plan& plan, const OffsetVector& offsets, const std::vector<bool>& idle,
                  int64_t wall_us);

}  // namespace tidemill
