// An independent truth for keys with more rows than are kept: tiles of event time are cut into
// leaves, which count for a window whole or not at all (docs/semantics.md, "Hot keys").
#pragma once

#include "tests/simulation/fold.h"

namespace tidemill::test {

// Tiles with more than `most_rows` rows have leaves of one width, at least `least_width` and wide
// enough that no more than `most_leaves` have rows. Lengths are powers of two, in us.
struct FoldBound {
  DurationUs tile;
  size_t most_rows;
  size_t most_leaves;
  DurationUs least_width;
};

struct CountedRows {
  FoldRows rows;
  DurationUs resolution = 0;  // the width of the widest leaf that is in the window in part; 0: none
};

// Those of a key's rows, by time, that count in (end - length, end]; without a length (..., end].
CountedRows counted_of_window(const FoldRows& rows, const FoldBound& bound, TimeUs end,
                              std::optional<DurationUs> length);

}  // namespace tidemill::test
