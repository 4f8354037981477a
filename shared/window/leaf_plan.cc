#include "shared/window/leaf_plan.h"

#include <algorithm>

#include "shared/base/assert.h"
#include "shared/window/percentile_sketch.h"

namespace tidemill {
namespace {

constexpr size_t kLeastFeatureBytes = 1 + 3 * 4 + 5 * 4 + 8 + 1 + 4;
constexpr uint32_t kMostN = 1u << 20;
constexpr uint32_t kMostFeatures = 4096;  // of a job
constexpr uint32_t kMillion = 1'000'000;

bool in_range(int32_t index, size_t size) {
  return index >= -1 && index < static_cast<int32_t>(size);
}

Storage storage_at(const TableSchema& schema, int32_t column) {
  return storage_of(schema.columns[static_cast<size_t>(column)]);
}

// What leaves of such a feature rely on.
bool is_possible(const TableSchema& schema, const FeatureSpec& f) {
  const size_t columns = schema.columns.size();
  if (!in_range(f.column, columns) || !in_range(f.filter, schema.filters) ||
      !in_range(f.by, columns) || f.function < Function::kCount ||
      f.function > Function::kDecayedCount || f.n > kMostN || f.bound > kMostN ||
      f.max_groups > kMostN || f.half_life < 0 || (f.by >= 0 && f.max_groups == 0)) {
    return false;
  }
  // Groups look for a value in it; without groups it is a feature of nothing.
  if (f.by >= 0 && f.column < 0 && is_collection(f.function)) return false;
  switch (f.function) {
    case Function::kApproxCountDistinct:
      if (f.n < 4 || f.n > 16) return false;
      break;
    case Function::kApproxPercentile:
      if (f.relative_accuracy == 0 || f.relative_accuracy > kMillion || f.bound == 0) return false;
      if (f.column < 0) return false;
      if (storage_at(schema, f.column) == Storage::kStrings &&
          schema.columns[static_cast<size_t>(f.column)] != ColumnType::kDecimal) {
        return false;
      }
      break;
    case Function::kHistogram:
    case Function::kTopKByFrequency:
    case Function::kBottomKByFrequency:
      if (f.bound == 0 || f.by >= 0) return false;
      break;
    case Function::kDecayedSum:
    case Function::kDecayedCount:
      if (f.half_life == 0) return false;
      break;
    default:
      break;
  }
  return std::all_of(f.order.begin(), f.order.end(), [&](uint32_t c) { return c < columns; });
}

}  // namespace

LeafPlan::LeafPlan(const TableSchema& schema, std::vector<FeatureSpec> of)
    : bound(*schema.bound), features(std::move(of)), parts(schema, features) {
  ASSERT(bound.max_rows >= kChunkRows && bound.max_leaves >= 1);
  ASSERT(bound.leaf_shift >= 0 && bound.leaf_shift <= bound.tile_shift && bound.tile_shift < 63);
  for (const FeatureSpec& feature : features) {
    const int32_t filter = std::max(feature.filter, -1);
    if (feature.gap > 0 && !knows_sessions_of(filter)) session_filters.push_back(filter);
  }
}

bool LeafPlan::knows_sessions_of(int32_t filter) const {
  return std::find(session_filters.begin(), session_filters.end(), filter) != session_filters.end();
}

bool LeafPlan::holds(const FeatureSpec& feature) const {
  if (feature.gap > 0 && !knows_sessions_of(std::max(feature.filter, -1))) return false;
  if (reads_collection(feature)) return parts.holds(collection_of(feature));
  return parts.holds(summary_input_of(feature), families_of(feature));
}

void encode_leaf_features(const LeafPlan& plan, ByteWriter* out) {
  out->put(static_cast<uint32_t>(plan.features.size()));
  for (const FeatureSpec& f : plan.features) {
    out->put(static_cast<uint8_t>(f.function));
    for (const int32_t number : {f.column, f.filter, f.by}) out->put(number);
    for (const uint32_t number : {f.n, f.bound, f.max_groups, f.relative_accuracy}) {
      out->put(number);
    }
    out->put(f.half_life);
    out->put(static_cast<uint8_t>(f.gap > 0 ? 1 : 0));
    out->put(static_cast<uint32_t>(f.order.size()));
    for (const uint32_t column : f.order) out->put(column);
  }
}

bool decode_leaf_features(const TableSchema& schema, ByteReader* in,
                          std::vector<FeatureSpec>* out) {
  const auto count = in->get<uint32_t>();
  if (!in->ok() || count > kMostFeatures || count > in->remaining() / kLeastFeatureBytes) {
    return false;
  }
  for (uint32_t i = 0; i < count; ++i) {
    FeatureSpec& f = out->emplace_back();
    f.function = static_cast<Function>(in->get<uint8_t>());
    for (int32_t* number : {&f.column, &f.filter, &f.by}) *number = in->get<int32_t>();
    for (uint32_t* number : {&f.n, &f.bound, &f.max_groups, &f.relative_accuracy}) {
      *number = in->get<uint32_t>();
    }
    f.half_life = in->get<int64_t>();
    const auto session = in->get<uint8_t>();
    f.gap = session;
    const auto order = in->get<uint32_t>();
    if (!in->ok() || session > 1 || order > in->remaining() / sizeof(uint32_t)) return false;
    for (uint32_t c = 0; c < order; ++c) f.order.push_back(in->get<uint32_t>());
    if (!is_possible(schema, f)) return false;
    // What a leaf keeps of extremes follows from their type.
    if (f.column >= 0) f.type = schema.columns[static_cast<size_t>(f.column)];
  }
  return in->ok();
}

}  // namespace tidemill
