// Follower: a copy of one key partition's state that follows its owner: a store's replica, or a
// worker's standby. It keeps registration, session, stamp and V, and the changes that are in no
// increment on disk yet; what becomes of the rows is the FollowedRows' business.
//
// Invariant: the copy is always exactly that of one V. Rows are applied only if they start at its
// stamp; images take effect all at once when they are closed. The greatest registered epoch fences
// owners of the past. V has as many components as the owner has told of.
//
// shard-affine: part of the actor that holds it.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "shared/columns/row_block.h"
#include "shared/state/partition_disk.h"
#include "shared/state/pending_changes.h"
#include "shared/wire/frames.h"

namespace tidemill {

class FollowedRows {
 public:
  virtual ~FollowedRows() = default;
  // `number` counts the changes of this copy, as versions cannot: they fall where a new owner,
  // which went on from an older state, has caught up.
  virtual void append(const RowBlockView& block, uint64_t number) = 0;
  // Key images, each buffer holding some: they replace their keys. `whole`: all other keys are
  // gone. On an error nothing of the state is to be trusted any more.
  virtual Status replace(bool whole, std::span<const Buffer> images, uint64_t number) = 0;
  virtual void raise_horizon(TimeUs horizon) = 0;
  virtual void raise_floors(const TableFloors& floors) = 0;
  // Nothing is held any more.
  virtual void clear() = 0;
};

class Follower {
 public:
  // `rows` outlives it; null: nobody wants the rows, the increments hold them.
  Follower(TableSchemas schemas, KeyPartitionId id, FollowedRows* rows);

  // The job was changed. What is told of `rows` is theirs to be told of as well.
  void set_schemas(TableSchemas schemas);

  // What its disk holds; before the first registration.
  void restore(StateHead head);

  // What is held turned out to be damaged: nothing of it counts, and the session is over, so that
  // the owner learns of it.
  void forget();

  // Registers an owner's epoch and opens its session, unless a newer one is registered. The answer
  // says what is held either way.
  ReplicaState register_owner(const RegisterReplicas::Entry& entry);

  enum class Outcome {
    kApplied,
    kRepeated,  // had before
    kRefused,   // does not fit, or is of a session that is over: the sender is to be told, each
                // time, since what tells it may be lost
  };
  Outcome apply(const FramePart& part);

  ReplicaState state() const;
  bool holds_state() const { return holds_state_; }
  // An owner that had caught up with its sources has brought the copy to where it was itself, since
  // the copy was made or restored, and to where it was when it was last forgotten. Until then
  // nothing may be answered from it.
  bool current() const { return current_ && covers(head_.offsets, reached_); }
  const StateHead& head() const { return head_; }
  Epoch registered() const { return registered_; }
  TimeUs max_event_time() const;  // applied; kMinTime if there is none

  // Persistence. One increment at a time: begin, write it to the PartitionDisk, end.
  bool changed() const { return head_.stamp() != on_disk_; }
  bool writing() const { return writing_.has_value(); }
  // What is being written is a state that this one went on from, and ends at this stamp.
  std::optional<Stamp> writes() const {
    return writing_ && !writing_->outdated ? std::optional(writing_->stamp) : std::nullopt;
  }
  Increment begin_increment(int64_t wall_us);
  void end_increment(bool written);
  uint64_t pending_bytes() const { return pending_.bytes(); }
  // See PendingChanges.
  uint64_t come_bytes() const { return pending_.come_bytes(); }
  uint64_t written_until_bytes() const { return pending_.written_until_bytes(); }
  // Of images that have not been closed yet.
  uint64_t staged_bytes() const { return staging_ ? staging_->bytes : 0; }
  // Of the state on disk that the next increment adds to; none: it will hold all there is.
  Stamp on_disk() const { return on_disk_; }
  // The number of the last change that is on disk.
  uint64_t covered() const { return covered_; }
  // The changes that are not on disk, oldest first, each with the version it ends at.
  struct Pending {
    uint64_t version = 0;
    uint64_t number = 0;
    StateChange change;
  };
  const std::deque<Pending>& pending() const { return pending_.entries(); }
  size_t pending_in_writing() const { return pending_.writing(); }

 private:
  void open_session(Epoch epoch, uint64_t session);
  bool apply_next(const FramePart& part);
  bool starts_here(const FramePart& part) const;
  bool apply_rows(const FramePart& part);
  bool close_images(const FramePart& part);
  void advance_head(const FramePart& part);
  void tell_rows();
  void keep(const FramePart& part, StateChange::Kind kind, const Buffer& bytes);
  void forget_changes();
  void forget_all();

  struct Staging {
    bool whole = false;
    std::vector<Buffer> images;
    uint64_t bytes = 0;
  };
  struct Writing {
    Stamp stamp;
    uint64_t number = 0;    // of the last change that it holds
    bool outdated = false;  // what is held has been replaced since
  };

  TableSchemas schemas_;
  KeyPartitionId id_;
  FollowedRows* rows_;
  Epoch registered_;
  uint64_t session_ = 0;
  uint64_t next_seq_ = 0;
  bool session_open_ = false;
  std::optional<Staging> staging_;
  bool holds_state_ = false;
  bool current_ = false;
  OffsetVector reached_;  // V of what was forgotten: a newer owner may not be there yet
  StateHead head_;
  Stamp on_disk_;
  uint64_t changes_ = 0;
  uint64_t covered_ = 0;
  PendingChanges<Pending> pending_;
  std::optional<Writing> writing_;
};

}  // namespace tidemill
