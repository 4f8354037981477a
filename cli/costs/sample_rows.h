// SampleRows: the rows of a sample, by table: a window state that holds them as a store would, and
// how many rows each key has. Used by one thread.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "cli/costs/sample.h"
#include "shared/load/batch_loader.h"
#include "shared/window/late_rows.h"
#include "shared/window/partition_state.h"

namespace tidemill::costs {

class SampleRows {
 public:
  struct KeyRows {
    uint64_t hash = 0;
    std::vector<TimeUs> times;
  };
  struct Table {
    uint16_t number = 0;
    PartitionState state;
    std::unordered_map<std::string, KeyRows> keys;
  };

  // `delay`: how far the horizon is behind the largest event time.
  SampleRows(std::shared_ptr<const Plan> plan, DurationUs delay, uint64_t most_bytes)
      : plan_(std::move(plan)), delay_(delay), most_bytes_(most_bytes), late_(plan_->tables()) {}

  // The rows of all tables; the horizon is where the events before the batch have brought it.
  // kUser once they take more than may be taken.
  Status add(const LoadedBatch& batch);
  // Frees what a job frees once it has read the sample, whose last event is of `last`.
  void free_expired(TimeUs last);

  TableSample measure(const Table& table) const;
  const std::vector<std::unique_ptr<Table>>& tables() const { return tables_; }
  uint64_t too_late() const { return late_.dropped(); }

 private:
  Table& table(uint16_t number);
  void count_keys(const LoadedBatch& batch, const TableRows& rows, Table* table);
  TimeUs horizon_after(TimeUs event_time) const;
  uint64_t bytes() const;

  std::shared_ptr<const Plan> plan_;
  DurationUs delay_;
  uint64_t most_bytes_;
  LateRows late_;
  std::vector<std::unique_ptr<Table>> tables_;
  TimeUs latest_ = kMinTime;
  TimeUs horizon_ = kMinTime;   // at the end
  uint64_t counted_bytes_ = 0;  // of keys and times
};

}  // namespace tidemill::costs
