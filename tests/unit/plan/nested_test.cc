// Lists, structs and maps in jobs: types of schemas and features, plans that come from outside, and
// what is refused.
#include <gtest/gtest.h>

#include "shared/base/time.h"
#include "shared/expr/types.h"
#include "shared/plan/plan.h"
#include "shared/plan/yaml_job.h"
#include "tests/unit/plan/job_files.h"

namespace tidemill {
namespace {

constexpr char kPayload[] = "\"struct<amount: decimal(10, 2), items: list<string>>\"";

CompiledJob compile(const std::string& aggregation, const std::string& payload = kPayload,
                    const std::string& entity = "k") {
  const test::JobDirectory base({"a.csv"});
  return compile_job(
      "job: j\nsources:\n  tx:\n    schema: {at: timestamp, k: int64, tags: \"string[]\",\n"
      "             m: \"map<string, double>\", payload: " +
          payload + "}\n    event_time: at\n    history: {files: a.csv}\n" +
          "views:\n  v:\n    source: tx\n    entity: " + entity + "\n    aggregations:\n      - {" +
          aggregation + ", windows: 1h}\n",
      base.path());
}

std::string errors_of(const CompiledJob& job) {
  std::string out;
  for (const JobError& error : job.errors) out += to_string(error, "job.yaml") + "\n";
  return out;
}

// The type of the one feature's value.
std::string type_of(const std::string& aggregation) {
  const CompiledJob job = compile(aggregation);
  EXPECT_EQ(errors_of(job), "") << aggregation;
  if (job.plan.views_size() == 0) return "";
  const auto plan = Plan::from_proto(job.plan);
  EXPECT_TRUE(plan.ok()) << (plan.ok() ? "" : plan.error().message());
  const proto::Feature& feature = job.plan.views(0).features(0);
  const std::string value = type_name(full_type(feature));
  if (!feature.map()) return value;
  return (feature.has_key_details() ? type_name(feature.key_details())
                                    : type_name(feature.key_type())) +
         " -> " + value;
}

TEST(NestedPlans, FeaturesHaveTheirTypes) {
  EXPECT_EQ(type_of("function: last, column: tags"), "list<string>");
  EXPECT_EQ(type_of("function: last_n, n: 2, column: payload"),
            "struct<amount: decimal(10, 2), items: list<string>>");
  EXPECT_EQ(type_of("function: count_distinct, column: m, exact_up_to: 160"), "int64");
  EXPECT_EQ(type_of("function: histogram, column: tags"), "list<string> -> int64");
  EXPECT_EQ(type_of("function: count, column: tags"), "int64");
  EXPECT_EQ(type_of("function: sum, column: payload.amount, name: s"), "decimal(38, 2)");
  EXPECT_EQ(type_of("function: max, column: cardinality(tags), name: s"), "int32");
  EXPECT_EQ(type_of("function: mean, column: \"m -> 'x'\", name: s"), "double");
  EXPECT_EQ(type_of("function: first, column: (payload).items, name: s"), "list<string>");
}

TEST(NestedPlans, TheFeatureKnowsWhatIsInIt) {
  const CompiledJob job = compile("function: histogram, column: tags");
  ASSERT_EQ(errors_of(job), "");
  EXPECT_EQ(job.plan.format_version(), 5u);
  const auto plan = Plan::from_proto(job.plan);
  ASSERT_TRUE(plan.ok()) << plan.error().message();
  const FeatureSpec& feature = (*plan)->views()[0].features[0];
  EXPECT_EQ(feature.nested, nullptr);
  ASSERT_NE(feature.nested_key, nullptr);
  EXPECT_EQ(feature.nested_key->element().kind, ColumnType::kString);
}

TEST(NestedPlans, OfTheWireAreChecked) {
  const auto accepted = [](const auto& change) {
    CompiledJob job = compile("function: last, column: tags");
    EXPECT_EQ(errors_of(job), "");
    change(&job.plan);
    return Plan::from_proto(job.plan).ok();
  };
  EXPECT_TRUE(accepted([](proto::JobPlan*) {}));
  EXPECT_FALSE(accepted(
      [](proto::JobPlan* plan) { plan->mutable_sources(0)->mutable_schema(2)->clear_details(); }));
  EXPECT_FALSE(accepted([](proto::JobPlan* plan) {
    plan->mutable_sources(0)->mutable_schema(2)->mutable_details()->clear_fields();
  }));
  EXPECT_FALSE(accepted(
      [](proto::JobPlan* plan) { plan->mutable_views(0)->mutable_features(0)->clear_details(); }));
  EXPECT_FALSE(accepted([](proto::JobPlan* plan) {
    plan->mutable_tables(0)->mutable_column_details(0)->mutable_fields(0)->mutable_type()->set_kind(
        proto::INT64);
  }));
  EXPECT_FALSE(accepted([](proto::JobPlan* plan) {
    proto::Expr* value =
        plan->mutable_views(0)->mutable_features(0)->mutable_default_value()->add_values();
    value->set_op(proto::Expr::LITERAL);
    value->set_type(proto::LIST);
    value->set_literal_string("[]");
  }));
}

TEST(NestedPlans, SayWhatIsWrong) {
  const auto expect = [](const CompiledJob& job, const std::string& message) {
    EXPECT_NE(errors_of(job).find(message), std::string::npos) << errors_of(job);
  };
  expect(
      compile("function: max, column: tags"),
      "max needs numbers, timestamps or dates, but tags is list<string>; write what is in it, such "
      "as cardinality(tags)");
  expect(compile("function: sum, column: m"), "but m is map<string, double>");
  expect(compile("function: last, column: tags, default: x"), "leave it out");
  expect(compile("function: count", "\"list<strin>\""), "there is no type 'strin'");
  expect(compile("function: count", "\"map<double, int32>\""),
         "the keys of a map cannot be double");
  expect(compile("function: count", "\"list<decimal>\""),
         "say how many digits a decimal has: decimal(p, s)");
  expect(compile("function: count", kPayload, "tags"), "tags");
}

}  // namespace
}  // namespace tidemill
