// How many rows of a key tables keep: docs/semantics.md, "Hot keys".
#include "shared/plan/table_bound.h"

#include <gtest/gtest.h>

#include "shared/plan/limits.h"
#include "shared/plan/plan.h"
#include "shared/plan/yaml_job.h"

namespace tidemill {
namespace {

proto::JobPlan compile(const std::string& views) {
  const CompiledJob job = compile_job(R"(
job: bound
allowed_lateness: 1h
sources:
  tx:
    stream: {generator: {partitions: 1, customers: 5, terminals: 5, events_per_second: 1}}
    max_out_of_orderness: 1h
views:
)" + views,
                                      "/");
  for (const JobError& e : job.errors) ADD_FAILURE() << to_string(e, "job");
  return job.plan;
}

TileBound bound_of(const proto::JobPlan& plan) {
  const auto compiled = Plan::from_proto(plan);
  EXPECT_TRUE(compiled.ok());
  return *(*(*compiled)->tables())[0].bound;
}

TEST(TableBound, IsThereByDefault) {
  const proto::JobPlan plan = compile(R"(
  a: {source: tx, entity: [customer_id], aggregations: [{function: count, windows: [30h]}]}
)");
  const proto::Bound& bound = plan.tables(0).bound();
  EXPECT_TRUE(bound.by_default());
  EXPECT_EQ(plan.format_version(), 4u);
  proto::JobPlan older = plan;
  older.set_format_version(kLeastPlanFormat);
  EXPECT_FALSE(Plan::from_proto(older).ok()) << "its readers would not know of the bound";
  EXPECT_EQ(bound.max_rows(), limits::kMaxRowsDefault);
  EXPECT_EQ(bound.resolution_us(), 0);
  // An eighth of 30 h + 1 h + 1 h is 4 h; 2^33 us are 2.4 h.
  EXPECT_EQ(bound.tile_us(), int64_t{1} << 33);
  EXPECT_EQ(most_tiles(plan, plan.tables(0)), 32u * 3'600'000'000 / (uint64_t{1} << 33) + 2);
  const TileBound tiles = bound_of(plan);
  EXPECT_EQ(tiles.max_rows, 250'000u);
  EXPECT_EQ(tiles.tile_shift, 33);
  EXPECT_EQ(tiles.leaf_shift, 0);
  EXPECT_EQ(tiles.max_leaves, 250'000u / 64);
}

TEST(TableBound, AResolutionMakesFewerRowsEnough) {
  const proto::JobPlan plan = compile(R"(
  a: {source: tx, entity: [customer_id], resolution: 1m, max_rows: 1000000,
      aggregations: [{function: count, windows: [30h]}]}
)");
  EXPECT_FALSE(plan.tables(0).bound().by_default());
  EXPECT_EQ(plan.tables(0).bound().resolution_us(), 60'000'000);
  const TileBound tiles = bound_of(plan);
  EXPECT_EQ(tiles.leaf_shift, 25) << "33.6 s";
  EXPECT_EQ(tiles.max_rows, 64u << (33 - 25));
  EXPECT_EQ(tiles.max_leaves, 1u << (33 - 25));
}

TEST(TableBound, ViewsThatShareRowsHaveTheFinestOfTheirs) {
  const proto::JobPlan plan = compile(R"(
  a: {source: tx, entity: [customer_id], resolution: 1m, max_rows: 5000,
      aggregations: [{function: count, windows: [1h]}]}
  b: {source: tx, entity: [customer_id], resolution: 1s, max_rows: 2000,
      aggregations: [{function: sum, column: amount, windows: [1h]}]}
)");
  ASSERT_EQ(plan.tables_size(), 1);
  EXPECT_EQ(plan.tables(0).bound().max_rows(), 5000u);
  EXPECT_EQ(plan.tables(0).bound().resolution_us(), 1'000'000);
  const proto::JobPlan other = compile(R"(
  a: {source: tx, entity: [customer_id], resolution: 1m, max_rows: 5000,
      aggregations: [{function: count, windows: [1h]}]}
  b: {source: tx, entity: [customer_id],
      aggregations: [{function: sum, column: amount, windows: [1h]}]}
)");
  EXPECT_EQ(other.tables(0).bound().max_rows(), limits::kMaxRowsDefault);
  EXPECT_EQ(other.tables(0).bound().resolution_us(), 0) << "one of them wants to be exact";
  EXPECT_FALSE(other.tables(0).bound().by_default());
}

TEST(TableBound, LargeLeavesAreFew) {
  const proto::JobPlan plan = compile(R"(
  a: {source: tx, entity: [customer_id], max_rows: 100000,
      aggregations: [{function: count_distinct, column: terminal_id, windows: [1h, 2h]},
                     {function: mean, column: amount, windows: [1h]}]}
)");
  // 80,000 bytes of hashes, whatever the windows, and 300 of a mean.
  EXPECT_EQ(bound_of(plan).max_leaves, 64u * 100'000 / 80'300);
  const proto::JobPlan larger = compile(R"(
  a: {source: tx, entity: [customer_id], max_rows: 1000,
      aggregations: [{function: top_k_by_frequency, k: 3, column: terminal_id, windows: [1h]}]}
)");
  EXPECT_EQ(bound_of(larger).max_leaves, 1000u / 64);
  const proto::JobPlan largest = compile(R"(
  a: {source: tx, entity: [customer_id], max_rows: 10000,
      aggregations: [{function: sum, column: amount, by: terminal_id, windows: [1h]}]}
)");
  // 1,000 values of 300 + 64 + 16 bytes would leave but one.
  EXPECT_EQ(bound_of(largest).max_leaves, 16u);
}

TEST(TableBound, DeduplicationHasNone) {
  const proto::JobPlan plan = compile(R"(
  a: {source: tx, entity: [customer_id], deduplicate: {by: [transaction_id], within: 1h},
      aggregations: [{function: count, windows: [1h]}]}
)");
  EXPECT_FALSE(plan.tables(0).has_bound());
}

TEST(TableBound, OfAForeignPlanIsChecked) {
  const proto::JobPlan good = compile(R"(
  a: {source: tx, entity: [customer_id], aggregations: [{function: count, windows: [1h]}]}
)");
  ASSERT_TRUE(Plan::from_proto(good).ok());
  const auto refused = [&](auto&& change) {
    proto::JobPlan plan = good;
    change(plan.mutable_tables(0)->mutable_bound());
    return !Plan::from_proto(plan).ok();
  };
  EXPECT_TRUE(refused([](proto::Bound* b) { b->set_max_rows(999); }));
  EXPECT_TRUE(refused([](proto::Bound* b) { b->set_max_rows(100'000'001); }));
  EXPECT_TRUE(refused([](proto::Bound* b) { b->set_tile_us(1'000'000'000); }));
  EXPECT_TRUE(refused([](proto::Bound* b) { b->set_tile_us(1 << 19); }));
  EXPECT_TRUE(refused([](proto::Bound* b) { b->set_tile_us(0); }));
  EXPECT_TRUE(refused([](proto::Bound* b) { b->set_resolution_us(-1); }));
}

}  // namespace
}  // namespace tidemill
