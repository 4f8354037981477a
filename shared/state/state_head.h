// StateHead: everything of a key partition's state but its rows. docs/formats/snapshot.md.
#pragma once

#include <cstdint>
#include <vector>

#include "proto/state.pb.h"
#include "shared/wire/offset_vector.h"
#include "shared/wire/stamp.h"
#include "shared/wire/table_floor.h"

namespace tidemill {

struct StateHead {
  Ancestry ancestry;  // empty: a state of nothing
  OffsetVector offsets;
  TimeUs horizon = kMinTime;
  int64_t read_wall_us = 0;
  uint64_t rows_applied = 0;
  uint64_t too_late_rows = 0;
  std::vector<uint64_t> too_late_by_view;
  TableFloors floors;

  Stamp stamp() const { return ancestry.empty() ? Stamp{} : ancestry.back(); }
  friend bool operator==(const StateHead&, const StateHead&) = default;
};

proto::StateHead to_proto(const StateHead& head);
StateHead from_proto(const proto::StateHead& stored);

}  // namespace tidemill
