#include "shared/window/late_rows.h"

#include <algorithm>

#include "shared/columns/row_block.h"

namespace tidemill {
namespace {

TimeUs before(TimeUs horizon, DurationUs retention) {
  TimeUs out = 0;
  return __builtin_sub_overflow(horizon, retention, &out) ? kMinTime : out;
}

bool in_view(const TableView& view, const RowBlockView& block, uint32_t row) {
  return view.filters.empty() ||
         std::any_of(view.filters.begin(), view.filters.end(),
                     [&](uint32_t filter) { return block.passes(filter, row); });
}

}  // namespace

LateRows::LateRows(TableSchemas schemas) : schemas_(std::move(schemas)) {
  for (const TableSchema& schema : *schemas_) {
    for (const TableView& view : schema.views) {
      by_view_.resize(std::max<size_t>(by_view_.size(), view.view + size_t{1}));
    }
  }
}

void LateRows::count(const RowBlockView& block, TimeUs horizon) {
  if (horizon == kMinTime) return;
  const TableSchema& schema = (*schemas_)[block.table()];
  const TimeUs drop_before = schema.lifetime.empty() ? kept_since(schema, horizon) : kMinTime;
  TimeUs late_before = drop_before;
  for (const TableView& view : schema.views) {
    if (!view.lifetime) late_before = std::max(late_before, before(horizon, view.retention));
  }
  for (uint32_t row = 0; row < block.rows(); ++row) {
    const TimeUs time = block.event_times()[row];
    if (time >= late_before) continue;
    if (time < drop_before) ++dropped_;
    for (const TableView& view : schema.views) {
      if (view.lifetime || time >= before(horizon, view.retention)) continue;
      if (in_view(view, block, row)) ++by_view_[view.view];
    }
  }
}

void LateRows::restore(uint64_t dropped, const std::vector<uint64_t>& by_view) {
  dropped_ = dropped;
  for (size_t v = 0; v < std::min(by_view.size(), by_view_.size()); ++v) by_view_[v] = by_view[v];
}

}  // namespace tidemill
