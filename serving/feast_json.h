// Feast's POST /get-online-features in JSON, as its SDK's `remote` online store writes and reads it
// (feast 0.66: feature_server.py, infra/online_stores/remote.py). thread-safe
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "serving/feast_request.h"

namespace tidemill {

// A body of another shape than a request's is refused with 422 and FastAPI's {"detail":[...]}, a
// request that asks for nothing or for too much as feast_fault() says. Members that are not known
// are ignored; of one given twice the last counts.
std::variant<FeastRequest, FeastFault> parse_feast_request(std::string_view body,
                                                           const ReadLimits& limits);

// An error that the SDK raises: it takes the body, a JSON string that holds JSON, for the name of
// a class of feast.errors and its message. The SDK repeats a request answered with 429 or 5xx.
FeastFault feast_fault(int status, std::string_view error_class, std::string_view message);

// Appends the answer: a column per join key, then one per feature, named by the columns' names.
// Timestamps are seconds since 1970; NaN, the infinities, lists that hold one of these or nothing
// are null, as JSON or the SDK cannot take them.
void render_feast_response(const std::vector<FeastKeyColumn>& keys,
                           const FeaturesResponse& response, std::string* out);

// Python's repr of a finite double: shortest digits that read back as the same bits, "1e+16",
// "3.0".
void append_python_double(double value, std::string* out);

}  // namespace tidemill
