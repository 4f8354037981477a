// ReplicaSession: the sending end towards one replica of one key partition: which changes or images
// come next. Fills frame parts; the Publisher puts them into messages under the link's credit.
// shard-affine: part of the PartitionHost actor.
#pragma once

#include <deque>

#include "shared/wire/frames.h"
#include "worker/key_partition.h"
#include "worker/replica_catch_up.h"

namespace tidemill {

class ReplicaSession {
 public:
  enum class Mode {
    kUnregistered,  // to be registered at the replica, or waiting for its answer
    kFenced,        // a newer owner exists
    kWait,          // the replica is ahead of the owner
    kImages,
    kRows,
  };

  Mode mode() const { return mode_; }
  uint64_t id() const { return id_; }

  // Asks (again) under a new id, unless an answer is still awaited.
  bool should_register(int64_t now_us, int64_t retry_us) const;
  RegisterReplicas::Entry begin_registration(const KeyPartition& owner, uint64_t id,
                                             int64_t now_us);
  void unregister() { *this = ReplicaSession(acked_version_, std::move(acked_offsets_)); }

  // The replica's answer, or its refusal of a part.
  void on_replica_state(const KeyPartition& owner, const ReplicaState& state);
  void on_ack(uint64_t version);

  // The next part, at most about `max_bytes`; false if there is nothing to send now.
  bool next_part(const KeyPartition& owner, size_t max_bytes, int64_t now_us, int64_t keepalive_us,
                 FramePart* part);

  // Rows after this version must be kept for this replica; UINT64_MAX: none.
  uint64_t needs_rows_after() const;
  // V that the replica has acknowledged; empty before the first.
  const OffsetVector& acked_offsets() const { return acked_offsets_; }
  uint64_t images_sent() const { return images_sent_; }

  ReplicaSession() = default;

 private:
  ReplicaSession(uint64_t acked_version, OffsetVector acked_offsets)
      : acked_version_(acked_version), acked_offsets_(std::move(acked_offsets)) {}

  void resolve(const KeyPartition& owner);
  void begin_images(const KeyPartition& owner, uint64_t since, bool whole);
  void start_part(const KeyPartition& owner, PartKind kind, FramePart* part);
  void next_images(const KeyPartition& owner, size_t max_bytes, FramePart* part);
  void close_images(const KeyPartition& owner, FramePart* part);
  bool next_rows(const KeyPartition& owner, size_t max_bytes, int64_t now_us, int64_t keepalive_us,
                 FramePart* part);
  void note_sent(uint64_t version, const OffsetVector& offsets);

  struct Sent {
    uint64_t version;
    OffsetVector offsets;
  };

  Mode mode_ = Mode::kUnregistered;
  uint64_t id_ = 0;
  uint64_t next_seq_ = 0;
  int64_t asked_us_ = 0;
  int attempts_ = 0;           // to register, since the last answer
  ReplicaState replica_;       // as last told, for kWait
  uint64_t sent_version_ = 0;  // kRows: the replica will be here once it has applied what is sent
  int64_t last_sent_us_ = 0;
  uint64_t acked_version_ = 0;
  OffsetVector acked_offsets_;
  std::deque<Sent> sent_;
  // kImages: the pass under way.
  bool begun_ = false;
  bool whole_ = false;
  uint64_t since_ = 0;         // keys changed after this version
  uint64_t pass_version_ = 0;  // the owner's when the pass began
  size_t slot_ = 0;
  size_t pass_bytes_ = 0;
  int passes_ = 0;
  uint64_t images_sent_ = 0;
};

}  // namespace tidemill
