// An independent truth for the simulation: all events of a job's sources, and any feature as a
// brute-force fold over them in exact integer arithmetic, rounded once.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/plan/plan.h"

namespace tidemill::test {

struct FoldEvent {
  uint32_t source_partition = 0;
  uint64_t offset = 0;
  TimeUs time = 0;
  int64_t id = 0;
  std::string customer;
  std::string terminal;
  double amount = 0;
  bool is_fraud = false;
  std::string everyone = "all";  // of every event: the key of a view with one
  friend bool operator==(const FoldEvent&, const FoldEvent&) = default;
};

// What every source partition of the plan holds (generators of the fixed schema).
struct Truth {
  std::vector<FoldEvent> events;                         // accepted ones
  std::vector<std::pair<uint32_t, uint64_t>> malformed;  // (source partition, offset)
};
Truth read_all_events(const Plan& plan);
// `grown` holds what `before` does, and then further source partitions.
bool continues(const Truth& grown, const Truth& before);

using FoldRows = std::vector<const FoldEvent*>;

// Those of `rows` that are in: before `below`, by source partition.
FoldRows rows_until(const FoldRows& rows, const std::vector<uint64_t>& below);
// Those in (end - window, end]; without a window in (..., end].
FoldRows rows_of_window(const FoldRows& rows, TimeUs end, std::optional<DurationUs> window);

// Of numbers, as JSON: null if there are too few.
nlohmann::json fold_sum(const std::vector<double>& values);
nlohmann::json fold_mean(const std::vector<double>& values);
nlohmann::json fold_stddev(const std::vector<double>& values);

// Lists, as JSON: null if there are no values. `values` are in the order of their rows.
using FoldTexts = std::vector<std::string_view>;
nlohmann::json fold_last_n(const FoldTexts& values, size_t n);
nlohmann::json fold_first_distinct_n(const FoldTexts& values, size_t n);
nlohmann::json fold_last_distinct_n(const FoldTexts& values, size_t n);
nlohmann::json fold_top_k(std::vector<double> values, size_t k);
// Exact up to `exact_up_to` distinct ones, beyond it the k-minimum-values estimate.
nlohmann::json fold_count_distinct(const FoldTexts& values, size_t exact_up_to);

}  // namespace tidemill::test
