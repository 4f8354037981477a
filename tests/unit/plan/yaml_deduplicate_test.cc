// deduplicate: what a view's plan says of it, and which plans say it wrongly.
#include <gtest/gtest.h>

#include "shared/plan/plan.h"
#include "shared/plan/table_inputs.h"
#include "shared/plan/table_layout.h"
#include "shared/plan/yaml_job.h"

namespace tidemill {
namespace {

constexpr DurationUs kHour = 3600 * kMicrosPerSecond;
constexpr DurationUs kDay = kMicrosPerDay;

proto::JobPlan compiled(const std::string& views) {
  CompiledJob job = compile_job(R"(
job: j
sources:
  tx:
    schema: {id: int64, at: timestamp, who: string, amount: double, ok: bool, ref: string}
    event_time: at
    stream: {kafka: {brokers: "a:1", topic: t}}
  ty:
    schema: {id: int64, at: timestamp, who: string, cents: int64}
    event_time: at
    stream: {kafka: {brokers: "a:1", topic: u}}
views:
)" + views,
                                "/");
  for (const JobError& e : job.errors) ADD_FAILURE() << to_string(e, "job");
  return std::move(job.plan);
}

const char kView[] = R"(
  v:
    source: tx
    entity: [who]
    where: ok
    order_by: [ref]
    deduplicate: {by: [id, who], within: 1d}
    aggregations:
      - {function: sum, column: amount, where: amount > 5, windows: [1h]}
      - {function: count, windows: [2h]}
)";

TEST(YamlDeduplicate, SaysWhichRowsCountAndKeepsThemForLonger) {
  const auto plan = Plan::from_proto(compiled(kView));
  ASSERT_TRUE(plan.ok()) << plan.error().message();
  const proto::Table& table = (*plan)->proto().tables(0);
  const TableSchema& schema = (*plan)->tables()->at(0);
  EXPECT_EQ(schema.retention, kDay + 2 * kHour);
  ASSERT_NE(schema.deduplication, nullptr);
  const Deduplication& by = *schema.deduplication;
  EXPECT_EQ(by.within, kDay);
  const auto column = [&](uint32_t c) { return column_text(table, static_cast<int32_t>(c)); };
  const auto filter = [&](uint32_t f) {
    return table.inputs(0).filters(static_cast<int>(f)).text();
  };
  ASSERT_EQ(by.by.size(), 2u);
  EXPECT_EQ(column(by.by[0]), "id");
  EXPECT_EQ(column(by.by[1]), "who");
  ASSERT_EQ(by.order.size(), 2u);
  EXPECT_EQ(column(by.order[0]), "ref");
  EXPECT_EQ(column(by.order[1]), "amount");
  ASSERT_EQ(by.filters.size(), 2u);
  EXPECT_EQ(filter(by.filters[0]), "ok and amount > 5.0");
  EXPECT_EQ(filter(by.filters[1]), "ok");
  EXPECT_EQ(by.filter, static_cast<int32_t>(by.filters[1]));
}

// What does not pass any aggregation's condition tells all the same whether others count.
TEST(YamlDeduplicate, EveryRowOfTheViewIsKept) {
  const auto plan = Plan::from_proto(compiled(R"(
  a:
    source: tx
    entity: [who]
    deduplicate: {by: id, within: 1h}
    aggregations: [{function: count, where: ok, windows: [1h]}]
  b:
    source: tx
    entity: [who]
    where: amount > 5
    deduplicate: {by: id, within: 1h}
    aggregations: [{function: count, where: ok, windows: [1h]}]
)"));
  ASSERT_TRUE(plan.ok()) << plan.error().message();
  const TableSchema& all = plan.value()->tables()->at(0);
  ASSERT_EQ(all.views.size(), 1u);
  EXPECT_TRUE(all.views[0].filters.empty());
  EXPECT_EQ(all.views[0].retention, 2 * kHour);
  EXPECT_EQ(all.deduplication->filter, -1);
  const TableSchema& some = plan.value()->tables()->at(1);
  EXPECT_EQ(some.deduplication->filter, 1);
  EXPECT_EQ(some.views[0].filters, (std::vector<uint32_t>{0, 1}));
}

TEST(YamlDeduplicate, AViewThatDoesHasATableAlone) {
  const std::string other = R"(
  plain: {source: tx, entity: [who], aggregations: [{function: count, windows: [1h]}]}
  same: {source: tx, entity: [who], deduplicate: {by: [id], within: 1d}, aggregations: [{function: count, windows: [1h]}]}
  more: {source: tx, entity: [who], aggregations: [{function: sum, column: amount, windows: [3h]}]}
)";
  const proto::JobPlan plan = compiled(kView + other);
  ASSERT_EQ(plan.tables_size(), 3);
  EXPECT_EQ(plan.views(1).table(), plan.views(3).table());
  EXPECT_NE(plan.views(0).table(), plan.views(2).table());
  const proto::Table& shared = plan.tables(static_cast<int>(plan.views(1).table()));
  EXPECT_FALSE(shared.has_deduplication());
  EXPECT_EQ(shared.retention_us(), 3 * kHour);
  EXPECT_EQ(plan.tables(static_cast<int>(plan.views(2).table())).retention_us(), kDay + kHour);
  proto::JobPlan again = plan;
  separate_views_that_can_fail(&again);
  EXPECT_EQ(again.SerializeAsString(), plan.SerializeAsString());
}

TEST(YamlDeduplicate, MayBeByWhatTheSourcesOfAUnionAreMappedTo) {
  const proto::JobPlan plan = compiled(R"(
  v:
    union:
      - {source: tx}
      - {source: ty, columns: {amount: cents / 100.0, ref: "'y' || id"}}
    entity: [who]
    deduplicate: {by: ref, within: 1h}
    aggregations: [{function: sum, column: amount, windows: [1h]}]
)");
  const proto::Table& table = plan.tables(0);
  ASSERT_EQ(table.deduplication().by_size(), 1);
  EXPECT_EQ(column_text(table, static_cast<int32_t>(table.deduplication().by(0))),
            "ref | 'y' || cast(id as string)");
}

TEST(YamlDeduplicate, PlansThatSayItWronglyAreRefused) {
  const auto by = [](proto::JobPlan* p) { return p->mutable_tables(0)->mutable_deduplication(); };
  const std::vector<std::function<void(proto::JobPlan*)>> breaks = {
      [&](proto::JobPlan* p) { by(p)->set_within_us(0); },
      [&](proto::JobPlan* p) { by(p)->set_within_us(kDay + 1); },
      [&](proto::JobPlan* p) { by(p)->set_within_us(-1); },
      [&](proto::JobPlan* p) { by(p)->clear_by(); },
      [&](proto::JobPlan* p) { by(p)->add_by(by(p)->by(0)); },
      [&](proto::JobPlan* p) { by(p)->set_by(0, 99); },
      [&](proto::JobPlan* p) { by(p)->set_by(0, p->views(0).order(1)); },  // a double
      [&](proto::JobPlan* p) { by(p)->set_filter(3); },
      [&](proto::JobPlan* p) { p->mutable_tables(0)->set_retention_us(2 * kHour); },
      [&](proto::JobPlan* p) { p->mutable_tables(0)->clear_deduplication(); },
      [&](proto::JobPlan* p) {
        p->mutable_views(0)->mutable_features(0)->set_window_us(0);
        p->mutable_views(0)->mutable_features(0)->set_lifetime(true);
      },
      [&](proto::JobPlan* p) {
        *p->add_views() = p->views(0);
        p->mutable_views(1)->set_name("w");
      },
  };
  for (size_t i = 0; i < breaks.size(); ++i) {
    proto::JobPlan plan = compiled(kView);
    breaks[i](&plan);
    EXPECT_FALSE(Plan::from_proto(plan).ok()) << i;
  }
}

}  // namespace
}  // namespace tidemill
