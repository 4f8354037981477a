// An independent truth for the simulation: all events of a job's sources, and any feature as a
// brute-force fold over them in exact integer arithmetic, rounded once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shared/plan/plan.h"

namespace tidemill::test {

struct FoldEvent {
  uint32_t source_partition = 0;
  uint64_t offset = 0;
  TimeUs time = 0;
  std::string customer;
  std::string terminal;
  double amount = 0;
  bool is_fraud = false;
};

// Every accepted event of every source partition of the plan (generators of the fixed schema).
std::vector<FoldEvent> read_all_events(const Plan& plan);

// Rows of a key in (as_of - offset - window, as_of - offset], as values of one column.
struct FoldQuery {
  bool by_terminal = false;
  std::string key;
  TimeUs as_of = 0;
  DurationUs window = 0;
  DurationUs offset = 0;
  std::vector<uint64_t> below;  // records at or past it are not in yet, by source partition
};

struct FoldValues {
  uint64_t rows_of_key = 0;  // at any time
  int64_t count = 0;
  std::optional<double> sum, mean, min, max, stddev;  // of amount; mean_fraud of is_fraud
  std::optional<double> mean_fraud;
};

FoldValues fold(const std::vector<const FoldEvent*>& events_of_key, const FoldQuery& query);

}  // namespace tidemill::test
