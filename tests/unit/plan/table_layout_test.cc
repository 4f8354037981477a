// Views share a table unless a row can fail in one of them.
#include "shared/plan/table_layout.h"

#include <gtest/gtest.h>

#include "shared/plan/plan.h"
#include "shared/plan/yaml_job.h"

namespace tidemill {
namespace {

proto::JobPlan compile(const std::string& views) {
  const CompiledJob job = compile_job(R"(
job: layout
sources:
  tx:
    stream: {generator: {partitions: 1, customers: 5, terminals: 5, events_per_second: 1}}
views:
)" + views,
                                      "/");
  for (const JobError& e : job.errors) ADD_FAILURE() << to_string(e, "job");
  return job.plan;
}

TEST(TableLayout, ViewsThatCannotFailShareATable) {
  const proto::JobPlan plan = compile(R"(
  a: {source: tx, entity: [customer_id], where: amount > 10,
      aggregations: [{function: mean, column: amount, windows: [1h]}]}
  b: {source: tx, entity: [customer_id],
      aggregations: [{name: risk, function: mean, column: cast(is_fraud as double), windows: [2h]}]}
)");
  ASSERT_EQ(plan.tables_size(), 1);
  EXPECT_EQ(plan.tables(0).column_types_size(), 2);
  EXPECT_EQ(plan.tables(0).retention_us(), 7'200 * kMicrosPerSecond);
}

TEST(TableLayout, AViewThatCanFailIsAlone) {
  const proto::JobPlan plan = compile(R"(
  a: {source: tx, entity: [customer_id], aggregations: [{function: count, windows: [1h]}]}
  b: {source: tx, entity: [customer_id], where: 100 / transaction_id > 1,
      aggregations: [{function: count, windows: [3h]}]}
  c: {source: tx, entity: [customer_id], aggregations: [{function: sum, column: amount, windows: [2h]}]}
)");
  ASSERT_EQ(plan.tables_size(), 2);
  EXPECT_EQ(plan.views(0).table(), plan.views(2).table());
  EXPECT_NE(plan.views(0).table(), plan.views(1).table());
  const proto::Table& shared = plan.tables(static_cast<int>(plan.views(0).table()));
  const proto::Table& alone = plan.tables(static_cast<int>(plan.views(1).table()));
  EXPECT_EQ(shared.inputs(0).filters_size(), 0);
  EXPECT_EQ(shared.column_types_size(), 1);
  EXPECT_EQ(shared.retention_us(), 7'200 * kMicrosPerSecond);
  EXPECT_EQ(alone.inputs(0).filters_size(), 1);
  EXPECT_EQ(alone.column_types_size(), 0);
  EXPECT_EQ(alone.retention_us(), 10'800 * kMicrosPerSecond);
  EXPECT_EQ(shared.entity(), alone.entity());
  EXPECT_EQ(plan.views(1).features(0).filter(), 0);
  ASSERT_TRUE(Plan::from_proto(plan).ok());
}

std::vector<std::string> order_of(const proto::JobPlan& plan, int view) {
  std::vector<std::string> out;
  const proto::Table& table = plan.tables(static_cast<int>(plan.views(view).table()));
  for (const uint32_t column : plan.views(view).order()) {
    out.push_back(table.inputs(0).columns(static_cast<int>(column)).text());
  }
  return out;
}

TEST(TableLayout, AnOrderThatCanFailIsAloneAndKeepsItsColumns) {
  const proto::JobPlan plan = compile(R"(
  a: {source: tx, entity: [customer_id],
      aggregations: [{function: sum, column: amount, windows: [1h]}, {function: last, column: terminal_id, windows: [1h]}]}
  b: {source: tx, entity: [customer_id], order_by: [0 - transaction_id, terminal_id],
      aggregations: [{function: last, column: is_fraud, windows: [1h]}]}
  c: {source: tx, entity: [customer_id], order_by: [transaction_id],
      aggregations: [{function: last, column: amount, windows: [1h, lifetime]}]}
)");
  ASSERT_EQ(plan.tables_size(), 2);
  EXPECT_EQ(plan.views(0).table(), plan.views(2).table());
  EXPECT_NE(plan.views(0).table(), plan.views(1).table());
  const proto::Table& alone = plan.tables(static_cast<int>(plan.views(1).table()));
  EXPECT_EQ(alone.column_types_size(), 3);
  EXPECT_EQ(order_of(plan, 0), (std::vector<std::string>{"amount", "terminal_id"}));
  EXPECT_EQ(order_of(plan, 1),
            (std::vector<std::string>{"0 - transaction_id", "terminal_id", "is_fraud"}));
  EXPECT_EQ(order_of(plan, 2), (std::vector<std::string>{"transaction_id", "amount"}));
  ASSERT_TRUE(Plan::from_proto(plan).ok());
}

TEST(TableLayout, ASecondLayoutChangesNothing) {
  proto::JobPlan plan = compile(R"(
  a: {source: tx, entity: [customer_id], aggregations: [{function: count, windows: [1h]}]}
  b: {source: tx, entity: [customer_id],
      aggregations: [{name: twice, function: sum, column: amount * 2, windows: [1h]}]}
  c: {source: tx, entity: [customer_id], order_by: [transaction_id, is_fraud],
      aggregations: [{function: last, column: amount, windows: [1h]}]}
  d: {source: tx, entity: [customer_id], order_by: [transaction_id + 1, is_fraud],
      aggregations: [{function: last, column: amount, windows: [lifetime]}]}
)");
  const std::string before = plan.SerializeAsString();
  separate_views_that_can_fail(&plan);
  EXPECT_EQ(plan.SerializeAsString(), before);
}

}  // namespace
}  // namespace tidemill
