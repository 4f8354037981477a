// What a changed definition says of a running job's sources.
#pragma once

#include <vector>

#include "proto/plan.pb.h"
#include "shared/evolution/evolution.h"

namespace tidemill {

// The running job's sources in `running`, as they go on: bound as they are, with what may change
// taken from `wanted`. Appends every difference.
std::vector<proto::Source> changed_sources(const proto::JobPlan& running,
                                           const proto::JobPlan& wanted,
                                           std::vector<Difference>* differences);

}  // namespace tidemill
