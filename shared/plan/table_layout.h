// Which views share a table. Views of one entity over the same inputs do, so that an event costs one
// look-up for all of them, unless an expression of a view can fail on a row: such a row is missing
// from its table, and must still count in the other views. A view of that kind has a table alone.
#pragma once

#include "proto/plan.pb.h"

namespace tidemill {

// Moves every view that can fail into a table of its own. Features keep their meaning; a plan laid
// out before stays as it is.
void separate_views_that_can_fail(proto::JobPlan* plan);

}  // namespace tidemill
