#include "shared/state/state_head.h"

namespace tidemill {

proto::StateHead to_proto(const StateHead& head) {
  proto::StateHead out;
  for (const Stamp& stamp : head.ancestry) {
    proto::Ancestor* a = out.add_ancestry();
    a->set_epoch(stamp.epoch.value);
    a->set_last_version(stamp.version);
  }
  for (const SourcePosition& p : head.offsets) {
    proto::StoredPosition* stored = out.add_offsets();
    stored->set_offset(p.offset);
    stored->set_max_event_time_us(p.max_event_time);
    stored->set_finished(p.finished);
    stored->set_last_offset(p.last.offset);
    stored->set_last_hash(p.last.hash);
  }
  out.set_horizon_us(head.horizon);
  out.set_read_wall_us(head.read_wall_us);
  out.set_rows_applied(head.rows_applied);
  out.set_too_late_rows(head.too_late_rows);
  out.mutable_too_late_by_view()->Assign(head.too_late_by_view.begin(),
                                         head.too_late_by_view.end());
  for (const TableFloor& floor : head.floors) {
    proto::StoredFloor* stored = out.add_floors();
    stored->set_kept_us(floor.kept);
    stored->set_floor_us(floor.floor);
  }
  return out;
}

StateHead from_proto(const proto::StateHead& stored) {
  StateHead out;
  for (const proto::Ancestor& a : stored.ancestry()) {
    out.ancestry.push_back({Epoch(a.epoch()), a.last_version()});
  }
  for (const proto::StoredPosition& p : stored.offsets()) {
    out.offsets.push_back({p.offset(), p.max_event_time_us(), p.finished(),
                           RecordIdentity{p.last_offset(), p.last_hash()}});
  }
  out.horizon = stored.horizon_us();
  out.read_wall_us = stored.read_wall_us();
  out.rows_applied = stored.rows_applied();
  out.too_late_rows = stored.too_late_rows();
  out.too_late_by_view.assign(stored.too_late_by_view().begin(), stored.too_late_by_view().end());
  for (const proto::StoredFloor& floor : stored.floors()) {
    out.floors.push_back({floor.kept_us(), floor.floor_us()});
  }
  return out;
}

}  // namespace tidemill
