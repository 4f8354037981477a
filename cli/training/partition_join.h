// The join of one key partition of one table: history and spine go by in order of time, and each
// row of the spine is answered from the state as it was at its time. The state is the one that
// workers and stores hold, so values are theirs to the bit.
//
// Memory: the rows that the table's longest window needs, of this key partition's keys. Used by one
// thread.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "cli/training/feature_choice.h"
#include "cli/training/result_spool.h"
#include "cli/training/row_sink.h"
#include "cli/training/row_spool.h"
#include "shared/window/partition_state.h"

namespace tidemill::training {

class PartitionJoin {
 public:
  // `by_arrival`: history is ordered by when it arrived, and only what had arrived counts.
  PartitionJoin(const FeatureChoice* choice, size_t table, bool by_arrival, const RowSink* sink,
                ResultSpool* results);

  // `progress` is told of rows of the spine.
  Status run(RunMerge* history, RunMerge* spine, const std::function<void(uint64_t)>& progress);
  // Values so far that are not exact, as the key has more rows than its views' max_rows.
  uint64_t approximate() const { return approximate_; }

 private:
  Status advance(RunMerge* history, TimeUs until);
  Status advance_by_arrival(RunMerge* history, TimeUs until);
  void append(const RowBlockView& rows);
  Status answer(const RunMerge::Row& row);

  const FeatureChoice* choice_;
  const ChosenTable* table_;
  bool by_arrival_;
  const RowSink* sink_;
  ResultBatch results_;
  std::vector<size_t> groups_;  // of the choice, those of this table
  PartitionState state_;
  const PartitionState nothing_;  // what a key with a null is answered from
  TimeUs now_ = kMinTime;         // of the spine
  RowGather gather_;
  std::vector<FeatureValue> values_;
  std::vector<DurationUs> resolutions_;
  uint64_t approximate_ = 0;
  std::string encoded_;
};

}  // namespace tidemill::training
