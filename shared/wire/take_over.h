// Messages by which a new owner that has no snapshot to begin with takes the state of a store's
// replica: the store writes it to snapshot storage. Format: docs/formats/data_plane.md.
//
// The owner has registered at the replica before, which fences former owners there: so the replica
// stays at the stamp that it answered with until the owner itself sends it something. The owner
// asks again until it has an answer; each asking is answered.
#pragma once

#include <cstdint>
#include <string>

#include "shared/base/buffer.h"
#include "shared/base/ids.h"
#include "shared/base/result.h"
#include "shared/wire/stamp.h"

namespace tidemill {

struct StateWanted {
  JobId job;
  KeyPartitionId key_partition;
  Epoch epoch;  // of the asker's grant
  Stamp stamp;  // of the state, as the replica has said

  Buffer encode() const;
  static Result<StateWanted> decode(const Buffer& bytes);
};

struct StateWritten {
  enum class Outcome : uint8_t {
    kWorking = 1,  // it is being written
    kWritten = 2,  // `text` is the manifest's object
    kFailed = 3,   // it may be asked for again; `text` says why
    kRefused = 4,  // it cannot be had here; `text` says why
  };
  JobId job;
  KeyPartitionId key_partition;
  Epoch epoch;  // as asked
  Stamp stamp;  // likewise
  Outcome outcome{};
  std::string text;

  Buffer encode() const;
  static Result<StateWritten> decode(const Buffer& bytes);
};

}  // namespace tidemill
