#include "worker/replica_catch_up.h"

#include "shared/base/mutation.h"

namespace tidemill {

CatchUp plan_catch_up(const OwnerState& owner, const OffsetVector& owner_offsets,
                      const ReplicaState& replica) {
  if (replica.registered > owner.epoch) return CatchUp::kFenced;
  if (!replica.holds_state) return owner.caught_up ? CatchUp::kReplaceAll : CatchUp::kWait;
  if (replica.epoch == owner.epoch || mutated(Mutation::kAcceptOldEpoch)) {
    // The replica's stamp lies in this owner's own history.
    if (replica.version >= owner.rows_since_version) return CatchUp::kRows;
    return CatchUp::kImagesSince;
  }
  // State of a former owner, whose versions say nothing about ours: a replica never goes back.
  return covers(owner_offsets, replica.offsets) ? CatchUp::kReplaceAll : CatchUp::kWait;
}

}  // namespace tidemill
