// `by` in a job and in a plan from the wire.
#include <gtest/gtest.h>

#include "shared/plan/plan.h"
#include "shared/plan/table_inputs.h"
#include "shared/plan/yaml_job.h"

namespace tidemill {
namespace {

CompiledJob compile(const std::string& aggregations) {
  return compile_job(R"(
job: j
sources:
  tx:
    schema: {at: timestamp, customer: string, category: string, day: date, ok: bool, n: int32, amount: double}
    event_time: at
    stream: {files: /nowhere.csv, follow: true}
views:
  v:
    source: tx
    entity: [customer]
    aggregations:
)" + aggregations,
                     "/");
}

proto::JobPlan compiled(const std::string& aggregations) {
  const CompiledJob job = compile(aggregations);
  for (const JobError& e : job.errors) ADD_FAILURE() << to_string(e, "job");
  return job.plan;
}

std::vector<std::string> errors_of(const std::string& aggregation) {
  std::vector<std::string> out;
  for (const JobError& e : compile("      - {" + aggregation + "}").errors) {
    out.push_back(e.path.substr(e.path.find_last_of(']') + 1) + ": " + e.message);
  }
  return out;
}

using Errors = std::vector<std::string>;

TEST(Groups, AreAMapOfTheFunctionsValues) {
  const proto::JobPlan plan = compiled(R"(
      - {function: sum, column: amount, by: category, windows: [7d]}
      - {function: count, by: day, windows: [1h, lifetime], max_groups: 31, default: {}}
      - {function: last, column: day, by: ok, windows: [1h]}
      - {name: big, function: count_distinct, column: amount, by: n / 100, windows: [1h]}
      - {function: max, column: n, windows: [1h]}
)");
  const auto& f = plan.views(0).features();
  ASSERT_EQ(f.size(), 6);
  struct Expected {
    const char* name;
    proto::ColumnType type, key;
    uint32_t max_groups;
    const char* by;
  };
  const Expected expected[] = {
      {"amount_sum_by_category_7d", proto::DOUBLE, proto::STRING, 1000, "category"},
      {"count_by_day_1h", proto::INT64, proto::DATE, 31, "day"},
      {"count_by_day_lifetime", proto::INT64, proto::DATE, 31, "day"},
      {"day_last_by_ok_1h", proto::DATE, proto::BOOL, 1000, "ok"},
      {"big_1h", proto::INT64, proto::INT32, 1000, "n / 100"}};
  for (int i = 0; i < 5; ++i) {
    const Expected& e = expected[i];
    EXPECT_EQ(f[i].name(), e.name);
    EXPECT_EQ(f[i].type(), e.type) << e.name;
    EXPECT_EQ(f[i].key_type(), e.key) << e.name;
    EXPECT_EQ(f[i].max_groups(), e.max_groups) << e.name;
    EXPECT_TRUE(f[i].map() && !f[i].list()) << e.name;
    ASSERT_GT(f[i].by(), 0u) << e.name;
    EXPECT_EQ(column_text(plan.tables(0), static_cast<int32_t>(f[i].by()) - 1), e.by);
  }
  EXPECT_EQ(f[5].by(), 0u);
  EXPECT_EQ(f[5].max_groups(), 0u);
  const auto checked = Plan::from_proto(plan);
  ASSERT_TRUE(checked.ok()) << checked.error().message();
  const std::vector<FeatureSpec>& specs = (*checked)->views()[0].features;
  EXPECT_EQ(specs[0].by, static_cast<int32_t>(f[0].by()) - 1);
  EXPECT_EQ(specs[1].max_groups, 31u);
  EXPECT_EQ(specs[1].otherwise, FeatureValue(MapValue()));
  EXPECT_EQ(specs[5].by, -1);
}

TEST(Groups, MayBeOfTheDocumentsExample) {
  const proto::JobPlan plan = compiled(R"(
      - {name: weekdays, function: count, by: extract(dow from at at time zone 'Europe/Berlin')::int, windows: [90d], default: {}}
)");
  ASSERT_EQ(plan.views(0).features_size(), 1);
  EXPECT_EQ(plan.views(0).features(0).key_type(), proto::INT32);
}

TEST(Groups, OrderRowsWhereTheyAreNamed) {
  const proto::JobPlan plan = compiled(R"(
      - {function: last, column: amount, by: category, windows: [1h]}
      - {function: last, column: n, windows: [1h]}
)");
  std::vector<std::string> order;
  for (const uint32_t column : plan.views(0).order()) {
    order.push_back(column_text(plan.tables(0), static_cast<int32_t>(column)));
  }
  EXPECT_EQ(order, (std::vector<std::string>{"amount", "category", "n"}));
}

TEST(Groups, ThatCanFailAreOfATableAlone) {
  proto::JobPlan plan = compile_job(R"(
job: j
sources: {tx: {stream: {generator: {}}}}
views:
  a: {source: tx, entity: [customer_id], aggregations: [{function: sum, column: amount, windows: [1h]}]}
  b:
    source: tx
    entity: [customer_id]
    aggregations: [{name: x, function: count, by: 100 / transaction_id, windows: [1h]}]
)",
                                    "/")
                            .plan;
  ASSERT_EQ(plan.tables_size(), 2);
  const proto::View& view = plan.views(1);
  const proto::Table& alone = plan.tables(static_cast<int>(view.table()));
  EXPECT_EQ(alone.column_types_size(), 1);
  EXPECT_EQ(view.features(0).by(), 1u);
  ASSERT_TRUE(Plan::from_proto(plan).ok());
}

TEST(Groups, SayWhatIsWrongWithThem) {
  EXPECT_EQ(errors_of("function: last_n, n: 3, column: n, by: category, windows: [1h]"),
            Errors{".by: last_n gives a list, and a map by values of a column holds single values, "
                   "not lists; leave 'by' out, or take a function that gives one value, such as "
                   "count, sum, last or count_distinct"});
  EXPECT_EQ(errors_of("function: histogram, column: n, by: category, windows: [1h]").size(), 1u);
  EXPECT_EQ(
      errors_of("function: top_k_by_frequency, k: 2, column: n, by: ok, windows: [1h]").size(), 1u);
  EXPECT_EQ(errors_of("function: count, by: amount, windows: [1h]"),
            Errors{".by: amount is double, and doubles that look alike may differ; make buckets of "
                   "it, such as cast(floor(amount) as int64)"});
  EXPECT_EQ(errors_of("function: count, by: n + 1, windows: [1h]"),
            Errors{".by: a feature by an expression needs a name: add name: to the aggregation"});
  EXPECT_EQ(errors_of("function: count, by: day, max_groups: 10001, windows: [1h]"),
            Errors{".max_groups: expected a whole number from 1 to 10000, found '10001'"});
  EXPECT_EQ(errors_of("function: count, by: day, max_groups: 0, windows: [1h]").size(), 1u);
  EXPECT_EQ(
      errors_of("function: count, max_groups: 10, windows: [1h]"),
      Errors{".max_groups: is how many values of by: count at most; add by: or leave it out"});
  EXPECT_EQ(errors_of("function: count, by: day, default: 0, windows: [1h]").size(), 1u);
  EXPECT_EQ(errors_of("function: count, by: no, windows: [1h]").size(), 1u);
  EXPECT_EQ(errors_of("function: count_distinct, exact_up_to: 100000, column: n, by: day, "
                      "windows: [1h, lifetime]"),
            Errors{": a lifetime window would keep up to 800000 bytes for each of 1000 values of "
                   "'by', for every key; write max_groups: 167 or less, or a window"});
}

TEST(Groups, ThatContradictThemselvesAreRefused) {
  const proto::JobPlan good = compiled(R"(
      - {function: sum, column: amount, by: category, windows: [7d, lifetime]}
      - {function: last_n, n: 2, column: amount, windows: [1h]}
      - {function: count_distinct, exact_up_to: 100000, max_groups: 100, column: n, by: day, windows: [lifetime]}
      - {function: approx_count_distinct, max_groups: 100, column: n, by: day, windows: [lifetime]}
)");
  ASSERT_TRUE(Plan::from_proto(good).ok());
  using Break = void (*)(proto::View*);
  const Break breaks[] = {
      [](proto::View* v) { v->mutable_features(0)->set_by(0); },
      [](proto::View* v) { v->mutable_features(0)->set_by(100); },
      [](proto::View* v) { v->mutable_features(0)->set_by(UINT32_MAX); },
      [](proto::View* v) { v->mutable_features(0)->set_by(1); },  // amount
      [](proto::View* v) { v->mutable_features(0)->set_map(false); },
      [](proto::View* v) { v->mutable_features(0)->set_list(true); },
      [](proto::View* v) { v->mutable_features(0)->set_type(proto::INT64); },
      [](proto::View* v) { v->mutable_features(0)->set_key_type(proto::DATE); },
      [](proto::View* v) { v->mutable_features(0)->set_max_groups(0); },
      [](proto::View* v) { v->mutable_features(1)->set_max_groups(10'001); },
      [](proto::View* v) { v->mutable_features(2)->set_max_groups(1); },
      [](proto::View* v) {
        v->mutable_features(2)->set_by(v->features(0).by());
        v->mutable_features(2)->set_max_groups(1);
      },
      [](proto::View* v) { v->mutable_features(3)->set_max_groups(168); },
      [](proto::View* v) { v->mutable_features(4)->set_n(200); },  // registers: 2^200
      [](proto::View* v) {                                         // the column of `by`
        std::vector<uint32_t> order(v->order().begin(), v->order().end());
        v->clear_order();
        for (const uint32_t column : order) {
          if (column + 1 != v->features(0).by()) v->add_order(column);
        }
      },
  };
  for (size_t i = 0; i < std::size(breaks); ++i) {
    proto::JobPlan plan = good;
    breaks[i](plan.mutable_views(0));
    EXPECT_FALSE(Plan::from_proto(plan).ok()) << i;
  }
}

}  // namespace
}  // namespace tidemill
