#include "tests/simulation/fold_tiles.h"

#include <algorithm>
#include <map>

namespace tidemill::test {
namespace {

// By the number of the aligned interval that they lie in. No event is before 1970.
std::map<int64_t, FoldRows> cut(const FoldRows& rows, DurationUs width) {
  std::map<int64_t, FoldRows> out;
  for (const FoldEvent* row : rows) out[row->time / width].push_back(row);
  return out;
}

}  // namespace

CountedRows counted_of_window(const FoldRows& rows, const FoldBound& bound, TimeUs end,
                              std::optional<DurationUs> window) {
  CountedRows out;
  for (const auto& [number, of_tile] : cut(rows, bound.tile)) {
    if (of_tile.size() <= bound.most_rows) {
      const FoldRows inside = rows_of_window(of_tile, end, window);
      out.rows.insert(out.rows.end(), inside.begin(), inside.end());
      continue;
    }
    DurationUs width = bound.least_width;
    while (cut(of_tile, width).size() > bound.most_leaves) width *= 2;
    for (const auto& [leaf_number, leaf] : cut(of_tile, width)) {
      const TimeUs first = leaf.front()->time;
      const TimeUs last = leaf.back()->time;
      if (first > end || (window && last <= end - *window)) continue;
      if (last <= end && (!window || first > end - *window)) {
        out.rows.insert(out.rows.end(), leaf.begin(), leaf.end());
      } else {
        out.resolution = std::max(out.resolution, width);
      }
    }
  }
  return out;
}

}  // namespace tidemill::test
