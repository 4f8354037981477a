// LateRows: counts rows that come too late: older than the horizon less what a view keeps (per
// view), or less what its table keeps, so that the row is dropped (docs/semantics.md). A row of a
// view with a lifetime window never is.
//
// shard-affine
#pragma once

#include <cstdint>
#include <vector>

#include "shared/base/time.h"
#include "shared/window/table_schema.h"

namespace tidemill {

class RowBlockView;

class LateRows {
 public:
  explicit LateRows(TableSchemas schemas);

  // A block that fits the tables, about to be appended at this horizon.
  void count(const RowBlockView& block, TimeUs horizon);

  uint64_t dropped() const { return dropped_; }
  // By number of the view in the plan.
  const std::vector<uint64_t>& by_view() const { return by_view_; }
  void restore(uint64_t dropped, const std::vector<uint64_t>& by_view);

 private:
  TableSchemas schemas_;
  uint64_t dropped_ = 0;
  std::vector<uint64_t> by_view_;
};

}  // namespace tidemill
