// The job of the simulation, and the value of each of its features by the fold. Views: `customer`
// with windows that are freed, `customer_history` with lists and lifetime windows of the same rows,
// `customer_visits` of rows that are told apart, `terminal_risk` behind an offset,
// `terminal_share`, whose expression fails on some rows, and `everyone`, one key with more rows
// than are kept. An update lets some look back further, and adds two over columns that no row had.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "tests/simulation/fold.h"
#include "tests/simulation/sim_plan.h"

namespace tidemill::test {

// `revised`: as it is updated to while it runs: with features over what rows have, and without some
// that it was submitted with.
std::string sim_job_yaml(uint64_t seed, const std::string& name, const SimPlan& plan,
                         bool revised = false);

// Where event times begin: 2029-01-01.
inline constexpr TimeUs kSimEventsFrom = 1'861'920'000'000'000;

struct SimView {
  const char* name;
  const char* join_key;
  std::string FoldEvent::*key;
  DurationUs offset;
  bool further = false;  // only as the job is updated to: rows of its own are kept from then on
};

inline constexpr const char* kFallibleView = "terminal_share";
extern const std::array<SimView, 8> kSimViews;

// The row is no row of the fallible view, and a dead letter instead.
bool fails_in_view(const FoldEvent& event);

// By (event time, transaction id).
void sort_rows(FoldRows* rows);
// The rows that a view has of a key; `events_of_key` are sorted, and so are they.
FoldRows rows_of_view(const SimView& view, const FoldRows& events_of_key,
                      const std::vector<uint64_t>& below);

// Of a feature by its name; none: lifetime.
std::optional<DurationUs> sim_window_of(const std::string& feature);

struct FoldedFeature {
  nlohmann::json value;
  DurationUs resolution = 0;  // 0: exact
  size_t rows = 0;            // that it is of
};
// `feature` is its name, `rows` all of the view, `end` that of the window.
FoldedFeature fold_feature(const SimView& view, const std::string& feature, const FoldRows& rows,
                           TimeUs end);

}  // namespace tidemill::test
