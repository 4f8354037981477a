// POST /v1/features in JSON: requests parsed with simdjson, answers rendered straight into a
// string. thread-safe. The format is described in docs/serving.md.
#pragma once

#include <string>
#include <string_view>

#include "serving/features_request.h"
#include "shared/base/result.h"

namespace tidemill {

// A user error says what is wrong, where ("entities.customer_id[3]"), and what would be right.
// Members that are not known, and those given twice, are errors too.
Result<FeaturesRequest> parse_features_request(std::string_view body, const ReadLimits& limits);

// Appends the answer to `out`, which callers reuse. Doubles are the shortest decimals that read
// back as the same bits, always with '.' or 'e'; NaN and the infinities are strings. Timestamps
// are microseconds since 1970, lists are arrays.
void render_features_response(const FeaturesResponse& response, std::string* out);

}  // namespace tidemill
