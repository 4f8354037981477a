// Replica: this store's copy of one key partition. Its state is always exactly that of one V_k:
// rows are applied only if they start at its version, images become visible all at once when they
// are closed. The greatest registered epoch fences owners of the past. The offset vector has as
// many components as the owner has told of: source partitions may be added while the job runs, and
// the owner may know of them first. shard-affine: part of the StoreShard actor.
#pragma once

#include <optional>
#include <vector>

#include "shared/window/partition_state.h"
#include "shared/wire/frames.h"

namespace tidemill {

class Replica {
 public:
  // Source partitions may be added to a plan, tables never: these stay the job's.
  Replica(TableSchemas tables, KeyPartitionId id) : tables_(std::move(tables)), id_(id) {}

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
  // False until the first images are closed: reads are then told "not ready".
  bool ready() const { return window_.has_value(); }
  const PartitionState& window() const { return *window_; }
  Epoch epoch() const { return epoch_; }
  uint64_t version() const { return version_; }
  const OffsetVector& offsets() const { return offsets_; }
  TimeUs horizon() const { return window_ ? window_->horizon() : kMinTime; }
  int64_t read_wall_us() const { return read_wall_us_; }
  uint64_t rows_applied() const { return rows_applied_; }  // by frames, ever
  // Largest event time applied; kMinTime if there is none.
  TimeUs max_event_time() const;

 private:
  struct Staging {
    bool whole = false;
    std::vector<Buffer> images;
  };

  bool apply_rows(const FramePart& part);
  bool close_images(const FramePart& part);
  void advance(const FramePart& part);

  TableSchemas tables_;
  KeyPartitionId id_;
  Epoch registered_;
  uint64_t session_ = 0;
  uint64_t next_seq_ = 0;
  bool session_open_ = false;
  std::optional<Staging> staging_;
  std::optional<PartitionState> window_;
  Epoch epoch_;  // of the owner whose version this is
  uint64_t version_ = 0;
  OffsetVector offsets_;
  int64_t read_wall_us_ = 0;
  uint64_t rows_applied_ = 0;
};

}  // namespace tidemill
