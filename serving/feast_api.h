// Feast's POST /get-online-features: from a body to a reading of a job. A job is a Feast project, a
// view a feature view, a service a feature service. thread-safe
#pragma once

#include <string>
#include <string_view>

#include "serving/feature_read.h"
#include "shared/member/cluster_view.h"

namespace tidemill {

// `job` is the one that the path names; empty: the only job that has all views or the service asked
// for. Refused with 404 and Feast's own exceptions if the job, a view or the service is unknown,
// with 400 or 422 for other mistakes; the answer is 503, which the SDK repeats, while this store
// does not hold all of the keys.
ReadOrRefusal plan_feast_read(std::string_view body, const std::string& job,
                              const ClusterState& view, const ReadLimits& limits);

// The answer that refuses a request without one of Feast's more telling exceptions.
HttpResponse feast_refusal(int status, const std::string& message);

}  // namespace tidemill
