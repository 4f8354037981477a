#include "tests/unit/window/reference_bound.h"

#include <algorithm>

#include "tests/unit/window/reference_windows.h"

namespace tidemill::testing {
namespace {

using Wide = __int128;

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

TimeUs first_of(const std::vector<const Row*>& rows) {
  TimeUs out = kMaxTime;
  for (const Row* row : rows) out = std::min(out, row->time);
  return out;
}
TimeUs last_of(const std::vector<const Row*>& rows) {
  TimeUs out = kMinTime;
  for (const Row* row : rows) out = std::max(out, row->time);
  return out;
}

}  // namespace

ReferenceBound::ReferenceBound(const std::vector<Row>& rows, const TableSchema& schema)
    : schema_(schema) {
  const TileBound& bound = *schema.bound;
  std::map<int64_t, std::vector<const Row*>> tiles;
  for (const Row& row : rows) {
    tiles[floor_div(row.time, int64_t{1} << bound.tile_shift)].push_back(&row);
  }
  for (auto& [tile, of_tile] : tiles) {
    if (of_tile.size() <= bound.max_rows) {
      std::sort(of_tile.begin(), of_tile.end(),
                [](const Row* a, const Row* b) { return a->time < b->time; });
      for (const Row* row : of_tile) parts_.push_back({{row}, 0});
      continue;
    }
    for (int shift = bound.leaf_shift;; ++shift) {
      const DurationUs width = DurationUs{1} << shift;
      std::map<int64_t, std::vector<const Row*>> leaves;
      for (const Row* row : of_tile) leaves[floor_div(row->time, width)].push_back(row);
      if (leaves.size() > bound.max_leaves) continue;
      for (auto& [number, leaf] : leaves) parts_.push_back({std::move(leaf), width});
      break;
    }
  }
}

BoundedValue ReferenceBound::value(const FeatureSpec& feature, TimeUs as_of) const {
  if (feature.gap > 0) return session_value(feature, as_of);
  BoundedValue out;
  const ReferenceWindow window({}, feature, as_of);
  RowPointers counted;
  for (const Part& part : parts_) {
    size_t inside = 0;
    for (const Row* row : part.rows) {
      const bool young =
          feature.half_life == 0 || window.end() - row->time <= Wide{64} * feature.half_life;
      inside += window.holds(row->time) && young ? 1 : 0;
    }
    if (inside == part.rows.size()) {
      counted.insert(counted.end(), part.rows.begin(), part.rows.end());
    } else if (inside != 0) {
      out.resolution = std::max(out.resolution, part.width);
    } else if (part.width != 0) {
      // A window within a leaf, between two of its rows: then so are its last times.
      bool between = false;
      for (const Wide t : {window.end(), window.end() - 1}) {
        if (t < first_of(part.rows) || t > last_of(part.rows)) continue;
        const bool young =
            feature.half_life == 0 || window.end() - t <= Wide{64} * feature.half_life;
        between = between || (window.holds(static_cast<TimeUs>(t)) && young);
      }
      if (between) out.resolution = std::max(out.resolution, part.width);
    }
  }
  out.value = reference_value(counted, schema_, feature, as_of);
  return out;
}

BoundedValue ReferenceBound::session_value(const FeatureSpec& feature, TimeUs as_of) const {
  BoundedValue out;
  const auto passes = [&](const Row* row) {
    return feature.filter < 0 || row->filters[static_cast<size_t>(feature.filter)];
  };
  const Wide x = Wide{as_of} - feature.offset;
  const bool with_x = feature.closed == Closed::kRight || feature.closed == Closed::kBoth;
  const Wide last = with_x ? x : x - 1;
  struct Stretch {  // of rows that pass
    const Part* part;
    TimeUs first, last;
  };
  std::vector<Stretch> stretches;
  for (const Part& part : parts_) {
    if (first_of(part.rows) > last) continue;
    if (last_of(part.rows) > last) {
      out.resolution = std::max(out.resolution, part.width);
      continue;
    }
    std::vector<const Row*> passing;
    std::copy_if(part.rows.begin(), part.rows.end(), std::back_inserter(passing), passes);
    if (!passing.empty()) stretches.push_back({&part, first_of(passing), last_of(passing)});
  }
  std::sort(stretches.begin(), stretches.end(),
            [](const Stretch& a, const Stretch& b) { return a.last < b.last; });
  RowPointers counted;
  FeatureSpec plain = feature;
  plain.gap = 0;
  plain.offset = 0;
  plain.closed = Closed::kBoth;
  plain.window = 0;
  TimeUs read_at = as_of;
  if (!stretches.empty() && x - stretches.back().last <= feature.gap) {
    read_at = stretches.back().last;
    const Wide floor = Wide{read_at} - feature.window;
    Wide edge = read_at;
    for (size_t i = stretches.size(); i-- > 0 && edge >= floor;) {
      const Stretch& s = stretches[i];
      if (edge - s.last > feature.gap) break;
      if (s.last - s.first > feature.gap) out.resolution = std::max(out.resolution, s.part->width);
      edge = std::min(edge, Wide{s.first});
    }
    const bool cut = edge < floor;
    Wide oldest = cut ? floor : edge;
    const Wide young = Wide{read_at} - Wide{64} * feature.half_life;
    const bool aged = feature.half_life > 0 && young > oldest;
    if (aged) oldest = young;
    for (const Stretch& s : stretches) {
      // Rows that do not pass matter only where the session does not begin by itself.
      const TimeUs first = cut || aged ? first_of(s.part->rows) : s.first;
      if (last_of(s.part->rows) < oldest) continue;
      if (first < oldest) {
        out.resolution = std::max(out.resolution, s.part->width);
        continue;
      }
      counted.insert(counted.end(), s.part->rows.begin(), s.part->rows.end());
    }
    // A leaf none of whose rows pass may lie over the end that was cut.
    for (const Part& part : parts_) {
      if (!(cut || aged) || part.width == 0 || last_of(part.rows) > last) continue;
      if (first_of(part.rows) < oldest && oldest <= last_of(part.rows)) {
        out.resolution = std::max(out.resolution, part.width);
      }
    }
    plain.window = static_cast<DurationUs>(read_at - oldest);
  }
  if (counted.empty()) plain.window = 1;
  out.value = reference_value(counted, schema_, plain, read_at);
  return out;
}

}  // namespace tidemill::testing
