// TableFloor: since when a copy of a key partition's state has all rows of a table. Of a table of a
// job that was changed while it ran; docs/evolution.md.
#pragma once

#include <vector>

#include "shared/base/time.h"

namespace tidemill {

// The copy has all rows at or after the floor and at or after its horizon - `kept`. It only rises.
struct TableFloor {
  DurationUs kept = 0;  // for how long the copy keeps rows
  TimeUs floor = kMinTime;
  friend bool operator==(const TableFloor&, const TableFloor&) = default;
};

// By table. Of one that is not there: what it was first made to keep is there; of one that came
// with an update, no row need be.
using TableFloors = std::vector<TableFloor>;

}  // namespace tidemill
