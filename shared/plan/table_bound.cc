#include "shared/plan/table_bound.h"

#include <algorithm>
#include <bit>

#include "shared/plan/limits.h"
#include "shared/window/leaf_bytes.h"

namespace tidemill {
namespace {

constexpr int64_t kTilesKept = 8;  // at least so many, unless they are the shortest
constexpr int kShortestTile = 20;  // about a second, as a power of two of us
constexpr int kLongestTile = 52;
constexpr uint64_t kRowsPerLeaf = 64;
constexpr uint64_t kBytesPerRow = 64;
constexpr uint64_t kFewestLeaves = 16;

int floor_log2(int64_t x) { return static_cast<int>(std::bit_width(static_cast<uint64_t>(x))) - 1; }

// For how long rows of a table are kept, behind the newest.
int64_t kept_for(const proto::JobPlan& plan, const proto::Table& table) {
  int64_t out_of_order = 0;
  for (const proto::TableInput& input : table.inputs()) {
    const proto::Source& source = plan.sources(static_cast<int>(input.source()));
    out_of_order = std::max(out_of_order, source.max_out_of_orderness_us());
  }
  return table.retention_us() + plan.allowed_lateness_us() + out_of_order;
}

}  // namespace

void bound_tables(const std::vector<ViewBound>& views, proto::JobPlan* plan) {
  for (int t = 0; t < plan->tables_size(); ++t) {
    proto::Table* const table = plan->mutable_tables(t);
    if (table->has_deduplication()) continue;
    proto::Bound bound;
    bool given = false;
    DurationUs resolution = limits::kLongestTime;
    uint64_t max_rows = 0;
    for (int v = 0; v < plan->views_size(); ++v) {
      if (plan->views(v).table() != static_cast<uint32_t>(t)) continue;
      const ViewBound& of_view = views[static_cast<size_t>(v)];
      given |= of_view.max_rows != 0 || of_view.resolution != 0;
      max_rows =
          std::max(max_rows, of_view.max_rows == 0 ? limits::kMaxRowsDefault : of_view.max_rows);
      resolution = std::min(resolution, of_view.resolution);
    }
    bound.set_max_rows(static_cast<uint32_t>(max_rows));
    bound.set_resolution_us(resolution);
    bound.set_by_default(!given);
    const int tile = floor_log2(std::max<int64_t>(kept_for(*plan, *table) / kTilesKept, 1));
    bound.set_tile_us(int64_t{1} << std::clamp(tile, kShortestTile, kLongestTile));
    *table->mutable_bound() = bound;
  }
}

Status check_bound(const proto::Table& table) {
  if (!table.has_bound()) return {};
  const proto::Bound& bound = table.bound();
  if (table.has_deduplication())
    return user_error("it has a deduplication and a bound of its rows");
  if (bound.max_rows() < limits::kMaxRowsLeast || bound.max_rows() > limits::kMaxRowsMost) {
    return user_error("max_rows is from " + std::to_string(limits::kMaxRowsLeast) + " to " +
                      std::to_string(limits::kMaxRowsMost));
  }
  if (bound.resolution_us() < 0 || bound.resolution_us() > limits::kLongestTime) {
    return user_error("its resolution is out of range");
  }
  if (bound.tile_us() < int64_t{1} << kShortestTile ||
      bound.tile_us() > int64_t{1} << kLongestTile ||
      !std::has_single_bit(static_cast<uint64_t>(bound.tile_us()))) {
    return user_error("the length of its tiles is no power of two, or out of range");
  }
  return {};
}

TileBound tile_bound(const proto::Bound& bound, const std::vector<ColumnType>& columns,
                     const std::vector<FeatureSpec>& features) {
  TileBound out;
  out.max_rows = bound.max_rows();
  out.tile_shift = floor_log2(bound.tile_us());
  if (bound.resolution_us() > 0) {
    out.leaf_shift = std::min(floor_log2(bound.resolution_us()), out.tile_shift);
    // As many rows as are worth all the leaves that a tile may have.
    const int leaves = out.tile_shift - out.leaf_shift;
    if (leaves < 32) out.max_rows = std::min(out.max_rows, kRowsPerLeaf << leaves);
  }
  const uint64_t fit = kBytesPerRow * bound.max_rows() /
                       std::max<uint64_t>(largest_leaf_bytes(columns, features), 1);
  out.max_leaves =
      std::clamp<uint64_t>(out.max_rows / kRowsPerLeaf, 1, std::max(fit, kFewestLeaves));
  return out;
}

uint64_t most_tiles(const proto::JobPlan& plan, const proto::Table& table) {
  return static_cast<uint64_t>(kept_for(plan, table) / table.bound().tile_us()) + 2;
}

}  // namespace tidemill
