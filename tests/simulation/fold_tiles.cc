#include "tests/simulation/fold_tiles.h"

#include <algorithm>
#include <span>

namespace tidemill::test {
namespace {

using Rows = std::span<const FoldEvent* const>;

// Of rows by time, those at the front that lie in one aligned interval. No event is before 1970.
Rows first_interval(Rows rows, DurationUs width) {
  const TimeUs end = (rows.front()->time / width + 1) * width;
  size_t count = 1;
  while (count < rows.size() && rows[count]->time < end) ++count;
  return rows.first(count);
}

size_t intervals(Rows rows, DurationUs width) {
  size_t count = 0;
  for (; !rows.empty(); ++count) rows = rows.subspan(first_interval(rows, width).size());
  return count;
}

struct Window {
  TimeUs end;
  std::optional<DurationUs> length;

  bool has_begun(TimeUs time) const { return !length || time > end - *length; }
  bool misses(Rows rows) const { return rows.front()->time > end || !has_begun(rows.back()->time); }
  bool holds(Rows rows) const { return has_begun(rows.front()->time) && rows.back()->time <= end; }
};

void add(Rows rows, CountedRows* out) {
  out->rows.insert(out->rows.end(), rows.begin(), rows.end());
}

void add_leaves(Rows tile, const FoldBound& bound, const Window& window, CountedRows* out) {
  DurationUs width = bound.least_width;
  while (intervals(tile, width) > bound.most_leaves) width *= 2;
  while (!tile.empty()) {
    const Rows leaf = first_interval(tile, width);
    tile = tile.subspan(leaf.size());
    if (window.misses(leaf)) continue;
    if (window.holds(leaf)) {
      add(leaf, out);
    } else {
      out->resolution = std::max(out->resolution, width);
    }
  }
}

}  // namespace

CountedRows counted_of_window(const FoldRows& rows, const FoldBound& bound, TimeUs end,
                              std::optional<DurationUs> length) {
  const Window window{end, length};
  CountedRows out;
  for (Rows rest(rows); !rest.empty();) {
    const Rows tile = first_interval(rest, bound.tile);
    rest = rest.subspan(tile.size());
    if (window.misses(tile)) continue;
    if (window.holds(tile)) {
      add(tile, &out);
    } else if (tile.size() > bound.most_rows) {
      add_leaves(tile, bound, window, &out);
    } else {
      for (const FoldEvent* row : rows_of_window({tile.begin(), tile.end()}, end, length)) {
        out.rows.push_back(row);
      }
    }
  }
  return out;
}

}  // namespace tidemill::test
