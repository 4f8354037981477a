#include "shared/state/floors.h"

#include <algorithm>

namespace tidemill {
namespace {

bool any_changed(const std::vector<TableSchema>& tables) {
  return std::any_of(tables.begin(), tables.end(), [](const TableSchema& table) {
    return table.further || table.first_retention.has_value();
  });
}

DurationUs first_kept(const TableSchema& table) {
  return table.first_retention.value_or(table.retention);
}

// Behind the event times of all that is below V.
TimeUs behind(const TableSchema& table, const OffsetVector& offsets) {
  TimeUs greatest = kMinTime;
  for (const SourcePosition& p : offsets) greatest = std::max(greatest, p.max_event_time);
  return tile_end_from(table, saturating_add(saturating_add(greatest, table.max_future), 1));
}

}  // namespace

void keep_as_of(const std::vector<TableSchema>& tables, StateHead* head) {
  TableFloors& floors = head->floors;
  if (floors.empty() && !any_changed(tables)) return;
  for (size_t t = floors.size(); t < tables.size(); ++t) {
    floors.push_back(
        {first_kept(tables[t]), tables[t].further ? behind(tables[t], head->offsets) : kMinTime});
  }
  for (size_t t = 0; t < tables.size(); ++t) {
    TableFloor& floor = floors[t];
    if (tables[t].retention > floor.kept) {
      floor.floor = std::max(floor.floor, kept_since(tables[t], floor.kept, head->horizon));
    }
    floor.kept = tables[t].retention;
  }
}

void raise_floors_of_unknown(const std::vector<TableSchema>& tables, size_t known,
                             StateHead* head) {
  for (size_t t = known; t < std::min(tables.size(), head->floors.size()); ++t) {
    if (!tables[t].further) continue;
    TimeUs& floor = head->floors[t].floor;
    floor = std::max(floor, behind(tables[t], head->offsets));
  }
}

void take_floors_of_rows(const std::vector<TableSchema>& tables, const TableFloors& floors,
                         StateHead* head) {
  for (size_t t = 0; t < std::min(floors.size(), head->floors.size()); ++t) {
    head->floors[t].floor = std::max(head->floors[t].floor, floors[t].floor);
  }
  raise_floors_of_unknown(tables, floors.size(), head);
}

void take_floors_of_images(const std::vector<TableSchema>& tables, const TableFloors& floors,
                           TimeUs horizon, StateHead* head) {
  take_floors_of_rows(tables, floors, head);
  for (size_t t = 0; t < std::min(tables.size(), head->floors.size()); ++t) {
    const DurationUs kept = t < floors.size() ? floors[t].kept : first_kept(tables[t]);
    if (kept >= tables[t].retention) continue;
    TimeUs& floor = head->floors[t].floor;
    floor = std::max(floor, kept_since(tables[t], kept, horizon));
  }
}

void add_floors(const TableFloors& floors, proto::JobReport* report) {
  for (size_t t = 0; t < floors.size(); ++t) {
    if (t == static_cast<size_t>(report->floors_us_size())) report->add_floors_us(kMinTime);
    const int at = static_cast<int>(t);
    report->set_floors_us(at, std::max<int64_t>(report->floors_us(at), floors[t].floor));
  }
}

}  // namespace tidemill
