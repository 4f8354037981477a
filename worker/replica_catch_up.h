// What an owner must send so that a replica holds its state: a pure decision from what the replica
// says it holds.
#pragma once

#include <cstdint>

#include "shared/wire/frames.h"

namespace tidemill {

struct OwnerState {
  Epoch epoch;
  const Ancestry* ancestry = nullptr;  // the last one is the owner's own stamp
  const OffsetVector* offsets = nullptr;
  // Rows are at hand for every version after this one.
  uint64_t rows_since_version = 0;
  // What it began with under its epoch. Rows came since then only.
  uint64_t first_version = 0;
  const OffsetVector* first_offsets = nullptr;
  bool began_empty = false;
  // No change since then reaches across a component of the replica's V.
  bool aligned = false;
};

enum class CatchUp {
  kFenced,      // the replica knows a newer owner: send nothing, ever
  kWait,        // the owner is still behind the replica's V: send nothing yet, as a replica never
                // goes back
  kRows,        // frames from the replica's version
  kResume,      // of the rows since the owner began, those at or past the replica's V
  kFromStart,   // the owner began with nothing and has all rows since: frames to an empty replica
  kImages,      // images of the keys changed since `images_since`
  kReplaceAll,  // images of all keys, replacing everything
};

struct CatchUpPlan {
  CatchUp what = CatchUp::kWait;
  uint64_t images_since = 0;  // version
};

CatchUpPlan plan_catch_up(const OwnerState& owner, const ReplicaState& replica);

}  // namespace tidemill
