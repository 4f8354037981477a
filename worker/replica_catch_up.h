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
};

enum class CatchUp {
  kFenced,       // the replica knows a newer owner: send nothing, ever
  kWait,         // the replica is ahead: send nothing until the owner has reached its V
  kRows,         // frames from the replica's version
  kImagesSince,  // images of the keys changed since the replica's version
  kReplaceAll,   // images of all keys, replacing everything
};

CatchUp plan_catch_up(const OwnerState& owner, const OffsetVector& owner_offsets,
                      const ReplicaState& replica);

}  // namespace tidemill
