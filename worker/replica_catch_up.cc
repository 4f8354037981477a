#include "worker/replica_catch_up.h"

#include "shared/base/mutation.h"

namespace tidemill {
namespace {

bool is_ancestor(const OwnerState& owner, const Stamp& stamp) {
  if (mutated(Mutation::kAcceptOldEpoch)) return true;
  if (mutated(Mutation::kCompareStamps)) {
    return stamp.epoch <= owner.epoch && stamp.version <= owner.ancestry->back().version;
  }
  return lies_in(*owner.ancestry, stamp);
}

}  // namespace

CatchUpPlan plan_catch_up(const OwnerState& owner, const ReplicaState& replica) {
  if (replica.registered > owner.epoch) return {CatchUp::kFenced};
  const bool all_rows = owner.rows_since_version <= owner.first_version;
  if (!replica.holds_state) {
    return {owner.began_empty && all_rows ? CatchUp::kFromStart : CatchUp::kReplaceAll};
  }
  if (is_ancestor(owner, {replica.epoch, replica.version})) {
    if (replica.version >= owner.rows_since_version) return {CatchUp::kRows};
    if (mutated(Mutation::kForgetUnpublished)) return {CatchUp::kImages, owner.rows_since_version};
    return {CatchUp::kImages, replica.version};
  }
  // State of another owner since the two parted: its versions say nothing about ours.
  if (!covers(*owner.offsets, replica.offsets) && !mutated(Mutation::kPublishBeforeReplica)) {
    return {CatchUp::kWait};
  }
  if (!covers(replica.offsets, *owner.first_offsets)) return {CatchUp::kReplaceAll};
  if (all_rows && owner.aligned) return {CatchUp::kResume};
  return {CatchUp::kImages, owner.first_version};
}

}  // namespace tidemill
