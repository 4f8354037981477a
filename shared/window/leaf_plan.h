// LeafPlan: what the leaves of folded tiles (folded_tiles.h) of one table hold, and when tiles are
// folded. immutable
#pragma once

#include <memory>
#include <vector>

#include "shared/window/base_summary.h"

namespace tidemill {

struct LeafPlan : std::enable_shared_from_this<LeafPlan> {
  // Of a table with a bound.
  explicit LeafPlan(const TableSchema& schema) : LeafPlan(schema, schema.features) {}
  LeafPlan(const TableSchema& schema, std::vector<FeatureSpec> features);

  // Whether a leaf has what the feature needs.
  bool holds(const FeatureSpec& feature) const;
  bool knows_sessions_of(int32_t filter) const;  // -1: of every row

  TileBound bound;
  std::vector<FeatureSpec> features;
  BasePlan parts;  // of all of them
  // Filters of sessions, -1 being every row: of each a leaf keeps the first and the last time.
  std::vector<int32_t> session_filters;
};

// What leaves hold, as bytes (docs/formats/image.md): a job that was changed has features that its
// older leaves know nothing of. False if the table has no such features.
void encode_leaf_features(const LeafPlan& plan, ByteWriter* out);
bool decode_leaf_features(const TableSchema& schema, ByteReader* in, std::vector<FeatureSpec>* out);

}  // namespace tidemill
