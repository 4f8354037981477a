// What an owner must send so that a replica holds its state: a pure decision from what the replica
// says it holds.
#pragma once

#include <cstdint>

#include "shared/wire/frames.h"

namespace tidemill {

struct OwnerState {
  Epoch epoch;
  uint64_t version = 0;
  // Rows are at hand for every version after this one.
  uint64_t rows_since_version = 0;
  // Its reads of every source have caught up: it lacks nothing that its predecessor had.
  bool caught_up = true;
};

enum class CatchUp {
  kFenced,       // the replica knows a newer owner: send nothing, ever
  kWait,         // the owner is still behind the replica's V, or behind the log for one that holds
                 // nothing: send nothing yet, so that nothing old is served as missing
  kRows,         // frames from the replica's version
  kImagesSince,  // images of the keys changed since the replica's version
  kReplaceAll,   // images of all keys, replacing everything
};

CatchUp plan_catch_up(const OwnerState& owner, const OffsetVector& owner_offsets,
                      const ReplicaState& replica);

}  // namespace tidemill
