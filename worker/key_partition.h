// KeyPartition: what a worker owns of one key partition under one grant: its V_k, the sessions with
// readers, and the rows applied since the state on its disk. The state itself is the files on disk
// and these rows, which are kept as they came.
//
// Invariant: disk and pending changes together hold exactly the records of s that route here with
// offset < V_k[s], each once; V_k and the changes grow in one turn. `version` counts those turns; a
// new owner goes on from the version that it began with.
//
// shard-affine: part of the PartitionHost actor.
#pragma once

#include <algorithm>
#include <deque>
#include <optional>
#include <vector>

#include "shared/base/buffer_arena.h"
#include "shared/plan/plan.h"
#include "shared/state/partition_disk.h"
#include "shared/state/pending_changes.h"
#include "shared/window/late_rows.h"
#include "shared/wire/source_batch.h"
#include "worker/config.h"
#include "worker/replica_catch_up.h"

namespace tidemill {

class Follower;

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
  static constexpr SourcePartitionId kNoSource{UINT32_MAX};

  uint64_t version = 0;  // after it
  SourcePartitionId source = kNoSource;
  uint64_t begin_offset = 0;  // of the source, before it
  SourcePosition position;    // after it
  int64_t read_wall_us = 0;
  TimeUs horizon = kMinTime;  // after it
  uint64_t rows_applied = 0;  // after it, ever
  uint64_t noted_bytes = 0;   // of this and all changes before it under this grant
  std::shared_ptr<const TableFloors> floors;  // after it
  Buffer blocks;
};

enum class PartOutcome {
  kApplied,
  kIgnored,  // of another session, or a repetition
  kGap,      // a sequence number is missing: the session must be opened anew
};

class KeyPartition {
 public:
  // Begins with what `head` says is on disk; an empty one: with nothing.
  KeyPartition(std::shared_ptr<const Plan> plan, KeyPartitionId id, Epoch epoch, StateHead head);
  // Goes on from a standby's copy.
  KeyPartition(std::shared_ptr<const Plan> plan, KeyPartitionId id, Epoch epoch,
               const Follower& standby);

  // Applies a part of a batch if it is the next of its session. Corrupt blocks are an error and
  // leave the state as it was.
  Result<PartOutcome> apply(const SourceBatch& batch, const SourceBatchPart& part, int64_t now_us,
                            int64_t wall_us);

  KeyPartitionId id() const { return id_; }
  Epoch epoch() const { return epoch_; }
  uint64_t version() const { return head_.stamp().version; }
  const StateHead& head() const { return head_; }
  const OffsetVector& offsets() const { return head_.offsets; }
  int64_t read_wall_us() const { return head_.read_wall_us; }
  TimeUs horizon() const { return head_.horizon; }
  const LateRows& late_rows() const { return late_; }
  // What the source last said of being idle counts no longer.
  void close_session(uint32_t source) {
    sessions_[source].open = false;
    idle_[source] = false;
  }
  std::vector<InboundSession>& sessions() { return sessions_; }
  // Source partitions were added to the plan, or other views are laid over its tables.
  void grow(std::shared_ptr<const Plan> plan);

  uint64_t rows_applied_here() const { return head_.rows_applied - first_.rows_applied; }
  // Every source's main read has been reached, so that nothing old is missing any more.
  bool caught_up() const { return caught_up_sources_ == reached_main_.size(); }
  // Nobody reads the sources any more: what is here is all there will be.
  void set_read_no_more() {
    std::fill(reached_main_.begin(), reached_main_.end(), true);
    caught_up_sources_ = reached_main_.size();
  }

  // Rows that come from now on get bytes of their own. Else they are slices of the messages that
  // they came in, which have rows of others that are written later.
  void set_own_bytes() { own_bytes_ = true; }

  // What it began with under this grant.
  const StateHead& first() const { return first_; }
  uint64_t first_version() const { return first_.stamp().version; }
  // As a replica that holds V `offsets` needs it.
  OwnerState owner_state(const OffsetVector& offsets) const;
  // The first version whose V covers `offsets`; there is one.
  uint64_t version_covering(const OffsetVector& offsets) const;

  // Changes kept for replicas, oldest first; those after unsent_since() are complete.
  const std::deque<AppliedChange>& unsent() const { return unsent_; }
  uint64_t unsent_since() const { return unsent_since_; }
  uint64_t unsent_bytes() const { return noted_bytes_ - dropped_bytes_; }
  // Of all changes under this grant, whether they are kept or not.
  uint64_t noted_bytes() const { return noted_bytes_; }
  // Likewise, up to a version; nothing: it is not known any more.
  std::optional<uint64_t> noted_bytes_up_to(uint64_t version) const;
  // Every replica has what is up to `version`.
  void drop_unsent(uint64_t version);

  // Increments: one at a time. What the disk holds may be scanned if it is an earlier point of this
  // state's history, at disk_version(); else that is 0.
  uint64_t disk_version() const { return disk_version_; }
  bool changed_since_disk() const { return head_.stamp() != on_disk_; }
  bool writing() const { return writing_.has_value(); }
  uint64_t pending_bytes() const { return pending_.bytes(); }
  int64_t oldest_pending_us() const;  // monotonic; INT64_MAX: nothing is pending
  Increment begin_increment(int64_t wall_us);
  void end_increment(bool written);

 private:
  struct Pending {
    int64_t since_us = 0;  // monotonic
    StateChange change;
  };

  void begin_epoch();
  void note_change(AppliedChange change, int64_t now_us);
  void raise_horizon(int64_t now_us, int64_t wall_us);

  std::shared_ptr<const Plan> plan_;
  KeyPartitionId id_;
  Epoch epoch_;
  StateHead head_;
  StateHead first_;
  LateRows late_;
  std::shared_ptr<const TableFloors> floors_;  // those of the head, for changes
  std::vector<InboundSession> sessions_;  // by source partition
  std::vector<bool> reached_main_;        // by source partition
  std::vector<bool> idle_;                // by source partition: at its log's end for long
  size_t caught_up_sources_ = 0;
  std::deque<AppliedChange> unsent_;
  uint64_t unsent_since_ = 0;
  uint64_t noted_bytes_ = 0;    // of all changes under this grant
  uint64_t dropped_bytes_ = 0;  // of those that are kept no longer

  Stamp on_disk_;  // without epoch: nothing
  uint64_t disk_version_ = 0;
  PendingChanges<Pending> pending_;
  bool own_bytes_ = false;
  BufferArena arena_;             // of changes
  std::optional<Stamp> writing_;  // of the state after the increment that is being written
};

// A_k: min(least M_s of the sources still active, the owner's clock) - max_out_of_orderness -
// allowed_lateness; kMinTime while an active source has said nothing, and with none active, so that
// it stands still. Active is what is neither finished nor idle.
TimeUs horizon_of(const Plan& plan, const OffsetVector& offsets, const std::vector<bool>& idle,
                  int64_t wall_us);

}  // namespace tidemill
