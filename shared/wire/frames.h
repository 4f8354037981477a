// Messages between key partitions and their replicas, in stores and at standbys. Format:
// docs/formats/data_plane.md.
//
// A session is (key partition, replica), opened by registering the owner's epoch at the replica,
// which answers with the stamp and offset vector it holds. One physical Frames message carries the
// parts of many sessions; every part has its session's next dense sequence number.
#pragma once

#include <cstdint>
#include <vector>

#include "shared/base/buffer.h"
#include "shared/base/buffer_arena.h"
#include "shared/base/ids.h"
#include "shared/base/result.h"
#include "shared/wire/offset_vector.h"
#include "shared/wire/stamp.h"
#include "shared/wire/table_floor.h"

namespace tidemill {

struct RegisterReplicas {
  struct Entry {
    KeyPartitionId key_partition;
    Epoch epoch;
    uint64_t session = 0;
  };
  JobId job;
  std::vector<Entry> entries;

  Buffer encode() const;
  static Result<RegisterReplicas> decode(const Buffer& bytes);
};

// What a replica holds of one key partition. Also sent unasked when a part does not fit.
struct ReplicaState {
  KeyPartitionId key_partition;
  Epoch registered;      // the greatest epoch this replica has seen
  uint64_t session = 0;  // to which this answers
  bool holds_state = false;
  Epoch epoch;  // stamp of the state held
  uint64_t version = 0;
  OffsetVector offsets;
};

struct ReplicaStates {
  JobId job;
  std::vector<ReplicaState> entries;

  Buffer encode() const;
  static Result<ReplicaStates> decode(const Buffer& bytes);
};

enum class PartKind : uint8_t {
  kRows = 1,         // row blocks from (from_epoch, from_version) to (epoch, to_version)
  kImagesBegin = 2,  // of the keys changed since (from_epoch, from_version); whole: of all keys
  kImages = 3,       // key images, one after the other
  kImagesClose = 4,  // images hold at to_version; its payload may hold the last images
};

struct FramePart {
  KeyPartitionId key_partition;
  Epoch epoch;
  uint64_t session = 0;
  uint64_t seq = 0;
  PartKind kind{};
  bool whole = false;    // kImagesBegin: nothing of what the replica holds is kept
  bool current = false;  // the owner has caught up with its sources, and this is all it has
  Epoch from_epoch;      // kRows, kImagesBegin: the stamp that the replica must hold
  uint64_t from_version = 0;
  uint64_t to_version = 0;
  TimeUs horizon = kMinTime;
  int64_t read_wall_us = 0;   // of the newest batch applied
  uint64_t rows_applied = 0;  // as of to_version, ever
  // The owner's, up to to_version; in a session's first kRows and in kImagesClose, else empty.
  Ancestry ancestry;
  struct Advance {
    SourcePartitionId source;
    SourcePosition position;
  };
  std::vector<Advance> advances;  // kRows, kImagesClose: components of V that changed
  TableFloors floors;             // kRows, kImagesClose: of the owner, as of to_version
  std::vector<Buffer> payload;    // each a multiple of 8 bytes for kRows
  size_t payload_bytes() const;
  // The payload gets bytes of its own: a slice keeps all of the message.
  void own_payload(BufferArena* arena);
};

struct Frames {
  JobId job;
  uint64_t link_seq = 0;
  std::vector<FramePart> parts;

  Buffer encode() const;
  static Result<Frames> decode(Buffer bytes);
};

struct FrameAck {
  struct Entry {
    KeyPartitionId key_partition;
    uint64_t session = 0;
    uint64_t version = 0;  // held now
  };
  JobId job;
  uint64_t link_seq = 0;
  std::vector<Entry> entries;

  Buffer encode() const;
  static Result<FrameAck> decode(const Buffer& bytes);
};

}  // namespace tidemill
