// SessionReader: where the session of one key lies at a time. A session is the rows back from as_of
// - offset until one is more than the gap before the next; nothing if the latest is that far back
// itself. Rows that do not pass the feature's filter, or do not count, do not exist for it. It is
// cut where it is longer than `window`.
//
// Times are walked backwards from as_of: rows of a chunk, and whole groups if all their rows exist,
// are passed by where their first and last leave no room for a gap. What was found is kept for the
// other features of the read.
//
// Of a leaf of a folded tile only the first and the last time are known: its rows are taken to have
// no gap between them. If they might have one, `resolution` says so; as it does if rows that it
// would matter of lie in leaves that know nothing of the filter. shard-affine
#pragma once

#include <vector>

#include "shared/window/counted_rows.h"
#include "shared/window/window_bounds.h"

namespace tidemill {

class SessionReader {
 public:
  // What the next bounds are of; `log` null: a key without rows. `counted` is of the log.
  void begin(const LogContext& context, const RowLog* log, const CountedRows* counted,
             TimeUs as_of);
  // Of a feature with a gap. No session: an empty window.
  WindowReadBounds bounds(const FeatureSpec& feature);

 private:
  struct Found {
    int32_t filter;
    DurationUs gap, longest, offset;
    bool right_closed;
    WindowReadBounds bounds;
  };

  WindowReadBounds find(const Found& wanted);
  void admit_unknown(int32_t filter, __int128 first, __int128 last, WindowReadBounds* out) const;
  void tail_times(int32_t filter, TimeUs last);

  const ChunkLayout* layout_ = nullptr;
  const LeafPlan* leaves_ = nullptr;
  const RowLog* log_ = nullptr;
  const CountedRows* counted_ = nullptr;
  TimeUs as_of_ = 0;
  std::vector<Found> found_;
  std::vector<TimeUs> tail_;  // falling
};

}  // namespace tidemill
