// Which event times a window covers at a time.
#pragma once

#include <algorithm>

#include "shared/window/table_schema.h"

namespace tidemill {

// Half-open; the ends may lie outside of int64.
struct WindowBounds {
  __int128 begin = 0;
  __int128 end = 0;
};

// What a read counts of a window: of leaves (folded_tiles.h) that reach over its ends, nothing.
struct WindowReadBounds {
  WindowBounds window;
  WindowBounds rows;  // the times of those that count; within the window, or other rows do not pass
  DurationUs resolution = 0;  // the width of the widest leaf left out; 0: none
  bool held = true;           // by all leaves; a tile of others is left out
};

inline bool includes_right_end(Closed closed) {
  return closed == Closed::kRight || closed == Closed::kBoth;
}
inline bool includes_left_end(Closed closed) {
  return closed == Closed::kLeft || closed == Closed::kBoth;
}

// Whether the last time that the window covers is its end. That of a session is its last row.
inline bool includes_end(const FeatureSpec& feature) {
  return feature.gap > 0 || includes_right_end(feature.closed);
}

// Of a window from `begin` to `end`, as `closed` says.
inline WindowBounds closed_bounds(Closed closed, __int128 begin, __int128 end) {
  const __int128 first = begin + (includes_left_end(closed) ? 0 : 1);
  return {first, std::max(first, end + (includes_right_end(closed) ? 1 : 0))};
}

// The last window of the feature's steps that ends at or before `time`.
WindowBounds stepped_bounds(const FeatureSpec& feature, __int128 time);

// Of any window but a session, whose bounds follow from its rows (session_read.h).
inline WindowBounds window_bounds(const FeatureSpec& feature, TimeUs as_of) {
  const __int128 end = static_cast<__int128>(as_of) - feature.offset;
  if (feature.steps != nullptr) return stepped_bounds(feature, end);
  if (feature.lifetime) return closed_bounds(feature.closed, kMinTime - __int128{1}, end);
  return closed_bounds(feature.closed, end - feature.window, end);
}

}  // namespace tidemill
