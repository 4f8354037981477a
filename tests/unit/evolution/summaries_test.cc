// Features that are said to be held by summaries made for another one really are: what is kept of
// the keys does not change when they are added to what it is made for.
#include "shared/plan/summaries.h"

#include <gtest/gtest.h>

#include "shared/window/base_summary.h"
#include "tests/unit/evolution/definitions.h"

namespace tidemill {
namespace {

using test::compile;

const std::vector<std::string>& aggregations() {
  static const std::vector<std::string> all = {
      "{function: count}",
      "{function: count, column: amount}",
      "{function: sum, column: amount}",
      "{function: mean, column: amount}",
      "{function: mean, column: amount, where: is_fraud}",
      "{function: min, column: amount}",
      "{function: max, column: amount}",
      "{function: var_pop, column: amount}",
      "{function: stddev_samp, column: amount}",
      "{function: skew, column: amount}",
      "{function: skew_pop, column: amount}",
      "{function: kurtosis, column: amount}",
      "{function: kurtosis_pop, column: amount}",
      "{function: first, column: terminal_id}",
      "{function: last, column: terminal_id}",
      "{function: first_n, column: terminal_id, n: 3}",
      "{function: last_n, column: terminal_id, n: 3}",
      "{function: last_n, column: terminal_id, n: 5}",
      "{function: first_distinct_n, column: terminal_id, n: 3}",
      "{function: last_distinct_n, column: terminal_id, n: 3}",
      "{function: count_distinct, column: terminal_id}",
      "{function: count_distinct, column: terminal_id, exact_up_to: 50}",
      "{function: approx_count_distinct, column: terminal_id}",
      "{function: approx_count_distinct, column: terminal_id, precision: 9}",
      "{function: approx_percentile, column: amount, percentile: 0.5}",
      "{function: approx_percentile, column: amount, percentile: 0.9}",
      "{function: approx_percentile, column: amount, percentile: 0.9, relative_accuracy: 0.05}",
      "{function: histogram, column: terminal_id}",
      "{function: top_k_by_frequency, column: terminal_id, k: 2}",
      "{function: bottom_k_by_frequency, column: terminal_id, k: 4}",
      "{function: top_k_by_frequency, column: terminal_id, k: 2, max_values: 20}",
      "{function: top_k, column: amount, k: 2}",
      "{function: top_k, column: amount, k: 4}",
      "{function: bottom_k, column: amount, k: 2}",
      "{function: sum, column: amount, by: terminal_id}",
      "{function: mean, column: amount, by: terminal_id}",
      "{function: mean, column: amount, by: terminal_id, max_groups: 7}",
      "{function: last, column: amount, by: terminal_id}",
      "{function: count_distinct, column: amount, by: terminal_id}",
      "{function: count_distinct, column: amount, by: terminal_id, exact_up_to: 50}",
  };
  return all;
}

// All of them over one table, each a feature.
std::shared_ptr<const Plan> everything() {
  std::string list;
  for (size_t i = 0; i < aggregations().size(); ++i) {
    std::string one = aggregations()[i];
    one.insert(1, "name: a" + std::to_string(i) + ", windows: [lifetime], ");
    list += "      - " + one + "\n";
  }
  return test::run(compile(test::with_views(
      "  v:\n    source: tx\n    entity: [customer_id]\n    aggregations:\n" + list)));
}

TEST(Summaries, WhatIsHeldNeedsNoOtherSummaries) {
  const auto plan = everything();
  const proto::View& view = plan->proto().views(0);
  const TableSchema& schema = (*plan->tables())[0];
  const std::vector<FeatureSpec>& specs = plan->views()[0].features;
  size_t held = 0;
  for (int k = 0; k < view.features_size(); ++k) {
    const FeatureSpec& of_kept = specs[static_cast<size_t>(k)];
    const BasePlan alone(schema, {of_kept});
    proto::LifetimeFeature kept;
    *kept.mutable_feature() = view.features(k);
    *kept.mutable_order() = view.order();
    for (int f = 0; f < view.features_size(); ++f) {
      if (!summaries_hold({kept}, view.features(f), view.order())) continue;
      ++held;
      const BasePlan both(schema, {of_kept, specs[static_cast<size_t>(f)]});
      EXPECT_TRUE(alone == both)
          << aggregations()[static_cast<size_t>(k)] << " is said to hold "
          << aggregations()[static_cast<size_t>(f)];
    }
  }
  EXPECT_GT(held, aggregations().size());  // each holds itself, and some hold others
}

TEST(Summaries, SomeHoldOthers) {
  const auto plan = everything();
  const proto::View& view = plan->proto().views(0);
  const auto holds = [&](const std::string& kept, const std::string& feature) {
    const auto index = [](const std::string& text) {
      const auto& all = aggregations();
      const auto found = std::find(all.begin(), all.end(), text);
      EXPECT_NE(found, all.end()) << text;
      return static_cast<int>(found - all.begin());
    };
    proto::LifetimeFeature of;
    *of.mutable_feature() = view.features(index(kept));
    *of.mutable_order() = view.order();
    return summaries_hold({of}, view.features(index(feature)), view.order());
  };
  EXPECT_TRUE(holds("{function: sum, column: amount}", "{function: mean, column: amount}"));
  EXPECT_TRUE(holds("{function: last_n, column: terminal_id, n: 5}",
                    "{function: last_n, column: terminal_id, n: 3}"));
  EXPECT_FALSE(holds("{function: last_n, column: terminal_id, n: 3}",
                     "{function: last_n, column: terminal_id, n: 5}"));
  EXPECT_TRUE(holds("{function: top_k_by_frequency, column: terminal_id, k: 2}",
                    "{function: bottom_k_by_frequency, column: terminal_id, k: 4}"));
  EXPECT_TRUE(holds("{function: approx_percentile, column: amount, percentile: 0.5}",
                    "{function: approx_percentile, column: amount, percentile: 0.9}"));
  EXPECT_FALSE(holds("{function: mean, column: amount}",
                     "{function: mean, column: amount, where: is_fraud}"));
  EXPECT_FALSE(holds("{function: sum, column: amount, by: terminal_id}",
                     "{function: mean, column: amount, by: terminal_id, max_groups: 7}"));
}

}  // namespace
}  // namespace tidemill
