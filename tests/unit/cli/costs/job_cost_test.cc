#include "cli/costs/job_cost.h"

#include <gtest/gtest.h>

#include "cli/costs/row_cost.h"
#include "shared/columns/row_block_writer.h"
#include "shared/window/partition_state.h"
#include "tests/unit/cli/costs/compiled.h"

namespace tidemill::costs {
namespace {

constexpr char kSources[] = R"(job: j
key_partitions: 16
allowed_lateness: 2h
sources:
  pay:
    schema: {at: timestamp, who: string, shop: string, amount: double, n: int32, ok: bool}
    event_time: at
    max_out_of_orderness: 5m
    stream: {files: [/nothing-of-it-is-there-yet.csv], follow: true}
  log:
    schema: {at: timestamp, who: string, page: string}
    event_time: at
    stream: {kafka: {brokers: "a:9092", topic: log}}
)";

std::string job(const std::string& views) { return kSources + ("views:" + views); }

constexpr char kTwoViews[] = R"(
  spend:
    source: pay
    entity: [who]
    aggregations:
      - {function: mean, column: amount, windows: [1h, 30d], where: ok}
      - {function: last, column: shop, windows: [7d], offset: 1d}
  seen:
    source: pay
    entity: [who]
    aggregations:
      - {name: at_shop, function: count, windows: [1d], every: 1d, timezone: Europe/Berlin}
      - {function: sum, column: n, windows: [lifetime]}
  pages:
    source: log
    entity: [who]
    aggregations:
      - {function: count, windows: [1h]}
)";

TEST(JobCost, ViewsOfOneEntityOverOneSourceShareWhatIsKept) {
  const JobCost cost = cost_of(*plan_of(job(kTwoViews)));
  ASSERT_EQ(cost.tables.size(), 2u);
  const TableCost& pay = cost.tables[0];
  EXPECT_EQ(pay.entity, "who");
  EXPECT_EQ(pay.sources, std::vector<std::string>{"pay"});
  EXPECT_EQ(pay.views, (std::vector<std::string>{"spend", "seen"}));
  ASSERT_EQ(pay.columns.size(), 3u);
  EXPECT_EQ(pay.columns[0].text, "amount");
  EXPECT_EQ(pay.columns[1].text, "shop");
  EXPECT_EQ(pay.columns[2].type, ColumnType::kInt32);
  EXPECT_EQ(pay.conditions, 1u);
  EXPECT_EQ(cost.tables[1].columns.size(), 0u);
}

TEST(JobCost, DeduplicationKeepsRowsForLonger) {
  const JobCost cost = cost_of(*plan_of(job(R"(
  once:
    source: pay
    entity: [who]
    deduplicate: {by: [n, shop], within: 2d}
    aggregations: [{function: count, windows: [1h, 7d]}]
  all:
    source: pay
    entity: [who]
    aggregations: [{function: count, windows: [1h]}]
)")));
  ASSERT_EQ(cost.tables.size(), 2u);
  EXPECT_EQ(cost.tables[0].retention, 9 * kMicrosPerDay);
  EXPECT_EQ(cost.tables[0].longest, "once.count_7d");
  EXPECT_EQ(cost.tables[0].within, 2 * kMicrosPerDay);
  EXPECT_EQ(cost.tables[0].id, (std::vector<std::string>{"n", "shop"}));
  EXPECT_EQ(cost.tables[0].columns.size(), 2u);
  EXPECT_EQ(cost.tables[1].within, 0);
}

TEST(JobCost, RetentionNamesTheFeatureThatLooksBackFarthest) {
  const JobCost cost = cost_of(*plan_of(job(kTwoViews)));
  EXPECT_EQ(cost.tables[0].retention, 30 * kMicrosPerDay);
  EXPECT_EQ(cost.tables[0].longest, "spend.amount_mean_30d");
  EXPECT_EQ(cost.tables[0].behind, (2 * 3600 + 300) * kMicrosPerSecond);
  EXPECT_EQ(cost.tables[1].longest, "pages.count_1h");
  // An offset, or the step of a window, looks back too.
  const JobCost far = cost_of(*plan_of(job(R"(
  v:
    source: log
    entity: [who]
    aggregations:
      - {function: count, windows: [7d], name: a}
      - {function: count, windows: [1d], offset: 10d, name: b}
)")));
  EXPECT_EQ(far.tables[0].retention, 11 * kMicrosPerDay);
  EXPECT_EQ(far.tables[0].longest, "v.b_1d");
}

TEST(JobCost, SourcesSayTheirPartitionsAndWhatAnEventAdds) {
  const JobCost cost = cost_of(*plan_of(job(kTwoViews)));
  EXPECT_EQ(cost.sources[0].partitions, 0u);  // no file is there yet
  EXPECT_TRUE(cost.sources[0].may_grow);
  EXPECT_DOUBLE_EQ(cost.sources[0].event_bytes, cost.tables[0].row_bytes);
  EXPECT_FALSE(cost.sources[1].partitions.has_value());
  EXPECT_EQ(cost.key_partitions, 16u);
  ASSERT_EQ(cost.entities.size(), 1u);
  EXPECT_EQ(cost.entities[0].views, (std::vector<std::string>{"spend", "seen", "pages"}));
}

TEST(JobCost, WhatIsKeptForEverIsBoundedByTheFunctions) {
  const JobCost cost = cost_of(*plan_of(job(R"(
  v:
    source: pay
    entity: [who]
    aggregations:
      - {function: sum, column: amount, windows: [1h, lifetime]}
      - {function: mean, column: amount, windows: [lifetime]}
      - {function: count_distinct, column: shop, exact_up_to: 99, windows: [lifetime]}
      - {function: approx_count_distinct, column: shop, precision: 10, windows: [lifetime]}
      - {function: approx_percentile, column: amount, percentile: 0.5, max_buckets: 64, windows: [lifetime]}
      - {function: histogram, column: n, max_values: 10, windows: [lifetime]}
      - {function: last_n, column: n, n: 100, windows: [lifetime]}
)")));
  const std::vector<BaseCost>& base = cost.tables[0].base;
  ASSERT_EQ(base.size(), 6u);
  EXPECT_EQ(base[0].features,
            (std::vector<std::string>{"v.amount_sum_lifetime", "v.amount_mean_lifetime"}));
  EXPECT_EQ(base[0].bound, "");
  EXPECT_EQ(base[1].bound, "up to 100 hashes");
  EXPECT_DOUBLE_EQ(base[1].bytes, 800);
  EXPECT_DOUBLE_EQ(base[2].bytes, 1024);
  EXPECT_DOUBLE_EQ(base[3].bytes, 64 * 16);
  EXPECT_GE(base[4].bytes, 10 * 56);
  EXPECT_DOUBLE_EQ(base[5].bytes, 200 * cost.tables[0].row_bytes);
  EXPECT_GT(cost.tables[0].base_bytes(), 3000);
  EXPECT_EQ(cost_of(*plan_of(job(kTwoViews))).tables[1].base_bytes(), 0);
}

const FunctionCost& function(const JobCost& cost, const std::string& name) {
  for (const FunctionCost& each : cost.functions) {
    if (each.name == name) return each;
  }
  ADD_FAILURE() << name;
  return cost.functions[0];
}

TEST(JobCost, FunctionsSayTheirBoundsAndWhereTheyAreNotExact) {
  const JobCost cost = cost_of(*plan_of(job(R"(
  v:
    source: pay
    entity: [who]
    aggregations:
      - {function: sum, column: amount, windows: [1h, 1d]}
      - {function: count_distinct, column: shop, windows: [1h]}
      - {function: approx_count_distinct, column: shop, windows: [1h]}
      - {function: approx_percentile, column: amount, percentile: 0.5, windows: [1h]}
      - {function: top_k_by_frequency, column: shop, k: 3, max_values: 50, windows: [1h]}
)")));
  ASSERT_EQ(cost.functions.size(), 5u);
  const FunctionCost& sum = function(cost, "v.amount_sum");
  EXPECT_EQ(sum.windows, (std::vector<std::string>{"1h", "1d"}));
  EXPECT_TRUE(sum.bounds.empty());
  EXPECT_EQ(sum.approximation.exactness, Exactness::kExact);
  const FunctionCost& distinct = function(cost, "v.shop_count_distinct");
  EXPECT_EQ(distinct.bounds[0].key, "exact_up_to");
  EXPECT_EQ(distinct.bounds[0].value, "10000");
  EXPECT_TRUE(distinct.bounds[0].by_default);
  EXPECT_EQ(distinct.approximation.exactness, Exactness::kExactUpToABound);
  EXPECT_EQ(distinct.approximation.beyond, "more than 10000 different values in a window");
  EXPECT_EQ(distinct.approximation.error, "a standard error of 1 %");
  EXPECT_EQ(function(cost, "v.shop_approx_count_distinct").approximation.error,
            "a standard error of 1.6 %");
  const FunctionCost& percentile = function(cost, "v.amount_approx_percentile");
  EXPECT_EQ(percentile.bounds[0].value, "0.5");
  EXPECT_FALSE(percentile.bounds[0].by_default);
  EXPECT_TRUE(percentile.bounds[2].by_default);
  // 1,024 buckets of 1 % span 20 powers of two: a factor of a million (docs/semantics.md).
  EXPECT_NE(
      percentile.approximation.error.find("off by at most 1 % of the value while the greatest "
                                          "number is up to 2^20 times the least"),
      std::string::npos)
      << percentile.approximation.error;
  const FunctionCost& frequent = function(cost, "v.shop_top_k_by_frequency");
  EXPECT_EQ(frequent.bounds[0].key, "k");
  EXPECT_FALSE(frequent.bounds[1].by_default);
  EXPECT_EQ(frequent.approximation.beyond, "more than 50 different values in a window");
}

TEST(JobCost, GroupsAreBoundedByMaxGroups) {
  const JobCost cost = cost_of(*plan_of(job(R"(
  v:
    source: pay
    entity: [who]
    aggregations:
      - {function: sum, column: amount, by: shop, max_groups: 50, windows: [7d, lifetime]}
      - {function: count_distinct, column: n, by: shop, exact_up_to: 20, windows: [7d]}
)")));
  const FunctionCost& sum = function(cost, "v.amount_sum_by_shop");
  EXPECT_EQ(sum.bounds.back().key, "max_groups");
  EXPECT_EQ(sum.bounds.back().value, "50");
  EXPECT_FALSE(sum.bounds.back().by_default);
  EXPECT_EQ(sum.approximation.exactness, Exactness::kExactUpToABound);
  EXPECT_EQ(sum.approximation.beyond, "more than 50 different values of by in a window");
  const FunctionCost& distinct = function(cost, "v.n_count_distinct_by_shop");
  EXPECT_TRUE(distinct.bounds.back().by_default);
  EXPECT_EQ(
      distinct.approximation.beyond,
      "more than 1000 different values of by in a window, or more than 20 different values in "
      "a window");
  ASSERT_EQ(cost.tables[0].base.size(), 1u);
  EXPECT_EQ(cost.tables[0].base[0].bound, "up to 50 values");
  EXPECT_GE(cost.tables[0].base[0].bytes, 1.5 * 50 * 250);
}

TEST(JobCost, AnEventOfEachSourceOfAUnionIsARow) {
  const JobCost cost = cost_of(*plan_of(job(R"(
  v:
    union: [{source: pay}, {source: log}, {source: log}]
    entity: [who]
    aggregations:
      - {function: count, windows: [7d]}
)")));
  ASSERT_EQ(cost.tables.size(), 1u);
  EXPECT_EQ(cost.tables[0].sources, (std::vector<std::string>{"pay", "log"}));
  EXPECT_DOUBLE_EQ(cost.sources[0].event_bytes, cost.tables[0].row_bytes);
  EXPECT_DOUBLE_EQ(cost.sources[1].event_bytes, 2 * cost.tables[0].row_bytes);
}

// Rows of one key, a second apart, with texts of kTextBytes that are all different.
class KeyOfRows {
 public:
  explicit KeyOfRows(const Plan& plan) : plan_(plan), state_(plan.tables()) {}

  uint64_t bytes_with(size_t rows) {
    const TableSchema& schema = (*plan_.tables())[0];
    std::vector<Column> columns(schema.columns.size());
    std::vector<uint32_t> order;
    std::vector<uint64_t> hashes(rows, 1);
    std::vector<TimeUs> times;
    std::vector<std::string_view> keys(rows, "key");
    std::vector<std::string> texts;
    for (size_t i = 0; i < rows; ++i) {
      order.push_back(static_cast<uint32_t>(i));
      times.push_back(static_cast<TimeUs>(i) * kMicrosPerSecond);
      texts.push_back(std::string(kTextBytes - 6, 'x') + std::to_string(100'000 + i));
    }
    std::vector<const Column*> pointers;
    for (size_t c = 0; c < columns.size(); ++c) {
      columns[c].type = schema.columns[c];
      columns[c].nulls.assign(rows, 0);
      columns[c].nulls[0] = 1;  // a null, so that bitmaps of nulls are there
      fill(schema.columns[c], texts, &columns[c]);
      pointers.push_back(&columns[c]);
    }
    Column filter;
    filter.type = ColumnType::kBool;
    filter.nulls.assign(rows, 0);
    filter.bools.assign(rows, 1);
    const std::vector<const Column*> filters(schema.filters, &filter);
    ByteWriter out;
    write_row_block(0, {order, hashes, times, keys, pointers, filters}, &out);
    const std::vector<uint8_t> bytes = out.take();
    const auto block = RowBlockView::parse(bytes);
    EXPECT_TRUE(block.ok());
    state_.append(*block, 1);
    return state_.stats().bytes;
  }

 private:
  static void fill(ColumnType type, const std::vector<std::string>& texts, Column* column) {
    switch (storage_of(type)) {
      case Storage::kBits:
        column->bools.assign(texts.size(), 1);
        break;
      case Storage::kDoubles:
        column->doubles.assign(texts.size(), 1.5);
        break;
      case Storage::kStrings:
        column->strings.assign(texts.begin(), texts.end());
        break;
      default:
        column->ints.assign(texts.size(), 7);
    }
  }

  const Plan& plan_;
  PartitionState state_;
};

// The estimate is of full chunks of that data, so it is near what the state really takes.
TEST(JobCost, TheEstimateOfARowIsWhatTheStateTakes) {
  const auto plan = plan_of(job(R"(
  v:
    source: pay
    entity: [who]
    aggregations:
      - {function: sum, column: amount, windows: [30d], where: ok}
      - {function: last, column: shop, windows: [30d]}
      - {function: last, column: n, windows: [30d]}
      - {function: last, column: ok, windows: [30d]}
      - {function: last, column: at, windows: [30d]}
)"));
  const double estimate = cost_of(*plan).tables[0].row_bytes;
  // A growing tail has some room to spare; what an emptier state takes is left out.
  const auto few = static_cast<double>(KeyOfRows(*plan).bytes_with(64));
  const auto many = static_cast<double>(KeyOfRows(*plan).bytes_with(64 + 64 * 100));
  EXPECT_NEAR((many - few) / 6400, estimate, estimate * 0.07);
}

}  // namespace
}  // namespace tidemill::costs
