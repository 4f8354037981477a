// POST /v1/features: from its request to a reading of a job. thread-safe
#pragma once

#include <string>

#include "serving/feature_read.h"
#include "shared/member/cluster_view.h"

namespace tidemill {

// Names are looked up in the job's plan and keys encoded; what is wrong is refused with 400, what
// does not exist with 404.
ReadOrRefusal plan_features_read(const FeaturesRequest& request, const JobInView& job,
                                 const ReadLimits& limits);

// "customer, terminal"
std::string known_views(const Plan& plan);

}  // namespace tidemill
