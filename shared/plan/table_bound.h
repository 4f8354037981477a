// How many rows of a key a table keeps: max_rows and resolution of views, and the tiles of event
// time that they are for. docs/semantics.md, "Hot keys", has the rules.
#pragma once

#include <memory>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/base/result.h"
#include "shared/window/table_schema.h"

namespace tidemill {

// What one view says; 0: nothing.
struct ViewBound {
  uint64_t max_rows = 0;
  DurationUs resolution = 0;
};

// Sets the bounds of all tables but those that deduplicate; `views` is by number of the view.
void bound_tables(const std::vector<ViewBound>& views, proto::JobPlan* plan);

Status check_bound(const proto::Table& table);

// Of a table with columns of these types, and these features.
TileBound tile_bound(const proto::Bound& bound, const std::vector<ColumnType>& columns,
                     const std::vector<FeatureSpec>& features);

// The most tiles of one key that rows are kept of, in a job whose sources are all at one time.
uint64_t most_tiles(const proto::JobPlan& plan, const proto::Table& table);

}  // namespace tidemill
