// Whatever a running job is changed to, time after time: what it keeps stays as it is, and each
// feature means what its newest definition says.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "shared/evolution/definition_text.h"
#include "shared/evolution/evolution.h"
#include "shared/plan/summaries.h"
#include "shared/plan/table_inputs.h"
#include "tests/unit/evolution/definitions.h"

namespace tidemill {
namespace {

using test::compile;

constexpr const char* kColumns[] = {"amount", "transaction_id", "cast(is_fraud as double)"};
constexpr const char* kFilters[] = {"", "is_fraud", "amount > 10", "terminal_id = 'T1'"};
constexpr const char* kWindows[] = {"1h", "1d", "7d", "lifetime"};
constexpr const char* kFunctions[] = {"sum", "mean", "last", "max", "stddev"};

std::string random_aggregation(int number) {
  const auto pick = [](const auto& list) {
    return std::string(
        *rc::gen::elementOf(std::vector<const char*>(std::begin(list), std::end(list))));
  };
  const std::string filter = pick(kFilters);
  return "      - {name: f" + std::to_string(number) + ", function: " + pick(kFunctions) +
         ", column: " + pick(kColumns) + ", windows: [" + pick(kWindows) + "]" +
         (filter.empty() ? "" : ", where: \"" + filter + "\"") + "}\n";
}

std::string random_view(const std::string& name, int most) {
  std::string out = "  " + name + ":\n    source: tx\n    entity: [customer_id]\n";
  if (*rc::gen::inRange(0, 3) == 0) out += "    order_by: [transaction_id]\n";
  out += "    aggregations:\n";
  const int features = *rc::gen::inRange(1, most);
  for (int i = 0; i < features; ++i) out += random_aggregation(*rc::gen::inRange(0, 3) + 3 * i);
  return out;
}

std::string random_definition(int most) {
  std::string views = random_view("a", most);
  if (*rc::gen::inRange(0, 2) == 0) views += random_view("b", most);
  return test::with_views(views);
}

// By name of the feature, all that decides its value.
std::map<std::string, std::string> meanings(const proto::JobPlan& plan) {
  std::map<std::string, std::string> out;
  for (const proto::View& view : plan.views()) {
    const proto::Table& table = plan.tables(static_cast<int>(view.table()));
    for (const proto::Feature& feature : view.features()) {
      std::string& text = out[view.name() + "." + feature.name()];
      text = difference_text({}, feature_text(table, feature)) + " by";
      for (const uint32_t column : deciding_columns(feature, view.order())) {
        text += " " + column_text(table, static_cast<int32_t>(column));
      }
    }
  }
  return out;
}

RC_GTEST_PROP(EvolutionProperty, WhatIsKeptStaysAndFeaturesMeanWhatIsWanted, ()) {
  auto running = test::run(compile(random_definition(20)));
  const uint64_t form = schema_hash(*running->tables());
  const int changes = *rc::gen::inRange(1, 5);
  for (int i = 0; i < changes; ++i) {
    const proto::JobPlan wanted = compile(random_definition(4));
    const Evolution out = evolve(*running, wanted);
    const bool refused =
        std::any_of(out.differences.begin(), out.differences.end(),
                    [](const Difference& d) { return d.effect == Effect::kRefused; });
    RC_ASSERT(refused == (out.plan == nullptr));
    RC_CLASSIFY(refused, "refused");
    if (refused) continue;
    RC_ASSERT(reads_states_of(*out.plan->tables(), form));
    RC_ASSERT(meanings(out.plan->proto()) == meanings(wanted));
    RC_ASSERT(out.plan->proto().revision() == running->proto().revision() + 1);
    running = out.plan;
    // And it is stable.
    const Evolution again = evolve(*running, wanted);
    RC_ASSERT(again.differences.empty());
  }
}

}  // namespace
}  // namespace tidemill
