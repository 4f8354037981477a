// The body of Feast's POST /get-online-features: what is accepted keeps its limits and converts to
// keys or says why not, what is refused is told in JSON and never with a status that is retried.
#include "serving/feast_json.h"
#include "serving/feast_keys.h"
#include "tests/fuzz/input.h"

namespace {

using namespace tidemill;

constexpr ReadLimits kLimits{.rows = 100, .values = 1'000};

// Keys as values of features: any text must be rendered well.
void render(const std::vector<FeastKeyColumn>& keys) {
  FeaturesResponse response;
  for (const FeastKeyColumn& key : keys) {
    FeatureColumn& column = response.results.emplace_back();
    column.name = key.column.name;
    column.type = key.type;
    for (const FeatureKeyValue& value : key.column.values) {
      std::visit([&](const auto& v) { column.values.emplace_back(v); }, value);
    }
    column.statuses.assign(column.values.size(), FeatureStatus::kPresent);
  }
  std::string text;
  render_feast_response(keys, response, &text);
  ASSERT(text.starts_with("{\"results\":[") && text.ends_with("]}}"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = fuzz::copy_of(data, size);
  const auto parsed = parse_feast_request(fuzz::text_of(bytes.data(), bytes.size()), kLimits);
  if (const auto* fault = std::get_if<FeastFault>(&parsed)) {
    ASSERT(fault->status == 400 || fault->status == 422);
    ASSERT(!fault->body.empty());
    return 0;
  }
  const auto& request = std::get<FeastRequest>(parsed);
  ASSERT(request.features.empty() != request.service.empty());
  ASSERT(request.features.size() <= kMaxFeatureNames);
  ASSERT(request.entities.size() <= kMaxEntityColumns);
  std::vector<FeastKeyColumn> keys;
  for (const FeastColumn& column : request.entities) {
    ASSERT(column.values.size() == request.rows() && request.rows() <= kLimits.rows);
    for (const ColumnType type : {ColumnType::kBool, ColumnType::kInt32, ColumnType::kInt64,
                                  ColumnType::kString, ColumnType::kTimestamp}) {
      auto converted = convert_feast_column(column, type);
      if (converted.ok()) keys.push_back({std::move(converted).value(), type});
    }
  }
  render(keys);
  return 0;
}
