// The body of POST /v1/features: what is accepted keeps its limits, what is refused says why.
#include "serving/features_json.h"
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemill;
  const auto bytes = fuzz::copy_of(data, size);
  const ReadLimits limits{.rows = 100, .values = 1'000};
  const auto request = parse_features_request(fuzz::text_of(bytes.data(), bytes.size()), limits);
  if (!request.ok()) {
    ASSERT(!request.error().message().empty());
    return 0;
  }
  ASSERT(request->features.empty() != request->service.empty());
  ASSERT(request->features.size() <= kMaxFeatureNames);
  ASSERT(!request->entities.empty() && request->entities.size() <= kMaxEntityColumns);
  ASSERT(request->rows() > 0 && request->rows() <= limits.rows);
  FeaturesResponse response;
  response.job = request->job;
  for (const EntityColumn& column : request->entities) {
    ASSERT(column.values.size() == request->rows());
    // Keys as values of a feature: any text must be rendered well.
    FeatureColumn result;
    result.name = column.name;
    for (const FeatureKeyValue& key : column.values) {
      std::visit([&](const auto& value) { result.values.emplace_back(value); }, key);
    }
    result.statuses.assign(request->rows(), FeatureStatus::kPresent);
    result.freshness_ms.assign(request->rows(), std::nullopt);
    result.resolution_us.assign(request->rows(), 0);
    response.results.push_back(std::move(result));
  }
  std::string text;
  render_features_response(response, &text);
  return 0;
}
