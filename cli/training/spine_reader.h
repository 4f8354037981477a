// The spine, read into a spool: per chosen table, which key is asked about at which time, for which
// row.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "cli/training/feature_choice.h"
#include "cli/training/row_source.h"
#include "cli/training/row_spool.h"
#include "cli/training/streams.h"

namespace tidemill::training {

// Of a block of the spine: event time is when it asks, and the one column the row's number. A key
// with a null in it has no rows; it is asked about as the empty key, with a filter that is false.
inline constexpr size_t kHasKeyFilter = 0;

class SpineReader {
 public:
  SpineReader(const FeatureChoice* choice, RowSpool* spool)
      : choice_(choice), spool_(spool), filters_(choice->tables.size()) {}

  // All of it. `progress` is told how many bytes have been read.
  Status read(RowSource* spine, const std::function<void(uint64_t)>& progress);

  uint64_t rows() const { return rows_; }
  const std::vector<KeyFilter>& filters() const { return filters_; }

 private:
  Status add_table(const EventBatch& events, size_t table);

  const FeatureChoice* choice_;
  RowSpool* spool_;
  std::vector<KeyFilter> filters_;
  uint64_t rows_ = 0;
};

}  // namespace tidemill::training
