// CollectionReader: first, last, lists, distinct counts, histograms, approximate and grouped
// functions of one key over one window after another.
//
// Rows in an order are walked from their end of the window, and no further than needed. What has to
// look at every row (values, distinct values) takes groups of chunks that lie in the window as a
// whole from their caches. Reused, so that reading allocates little once warm. shard-affine
#pragma once

#include <vector>

#include "shared/window/collection.h"
#include "shared/window/counted_rows.h"
#include "shared/window/distinct_hashes.h"
#include "shared/window/input_registry.h"
#include "shared/window/row_log.h"
#include "shared/window/row_stream.h"

namespace tidemill {

class CollectionReader {
 public:
  // The key that the next values are of; null: a key without rows. `counted` is of the log. All
  // stay until the last value.
  void begin(const LogContext& context, const RowLog* log, const CountedRows* counted,
             InputRegistry* registry);
  // `range` null: an empty window; one that is not ends at `end`. A lifetime window has the rows
  // folded besides those in the range. No leaf reaches over the ends of the range.
  FeatureValue value(const FeatureSpec& feature, const TimeRange* range, __int128 end);

 private:
  const std::vector<RowRef>& tail_rows();
  const std::vector<RowRef>& folded_rows();
  template <typename Visit>
  void each_leaves(const TimeRange& range, Visit&& visit);
  const std::vector<RowRef>& leaf_rows(const TimeRange& range);
  void take_by_time(const CollectionSpec& spec, const TimeRange& range, bool lifetime);
  void take_extremes(const CollectionSpec& spec, const TimeRange& range, bool lifetime);
  FeatureValue sketch_value(const FeatureSpec& feature, const CollectionSpec& spec,
                            const TimeRange& range, __int128 end);
  FeatureValue grouped_rows_value(const CollectionSpec& spec, const TimeRange& range,
                                  bool lifetime);
  int64_t count_hashes(const CollectionSpec& spec, const TimeRange& range, bool lifetime);
  FeatureValue list_value(const FeatureSpec& feature, const CollectionSpec& spec) const;
  template <typename AddRow>
  void each_folded(const CollectionSpec& spec, const TimeRange& range, bool lifetime,
                   AddRow&& add_row);
  template <typename AddRows, typename AddGroup>
  void each_part(const CollectionSpec& spec, const TimeRange& range, AddRows&& add_rows,
                 AddGroup&& add_group);
  const GroupCollection* cached(const ChunkGroup& group, const CollectionSpec& spec);
  void fill(const ChunkGroup& group, const CollectionSpec& spec, GroupCollection* out) const;

  const ChunkLayout* layout_ = nullptr;
  const RowLog* log_ = nullptr;
  const CountedRows* counted_ = nullptr;
  const BasePlan* plan_ = nullptr;
  InputRegistry* registry_ = nullptr;
  WindowStats* stats_ = nullptr;

  const FeatureSpec* feature_ = nullptr;  // of the value
  bool tail_known_ = false;
  bool folded_known_ = false;
  std::vector<RowRef> tail_;       // by time
  std::vector<RowRef> folded_;     // by time
  std::vector<RowRef> leaf_rows_;  // by time

  RowStream stream_;
  ValueSet seen_;
  ExtremeRows extremes_;
  DistinctHashes hashes_;
  std::vector<RowRef> run_;
  std::vector<RowRef> rows_;  // of the value, in the order of the list's kind
};

}  // namespace tidemill
