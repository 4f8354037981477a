// Decimals in jobs: types of schemas, columns and features, and what is refused.
#include <gtest/gtest.h>

#include "shared/base/time.h"
#include "shared/expr/types.h"
#include "shared/plan/plan.h"
#include "shared/plan/yaml_job.h"
#include "tests/unit/plan/job_files.h"

namespace tidemill {
namespace {

CompiledJob compile(const std::string& aggregations,
                    const std::string& type = "\"decimal(12, 2)\"") {
  const test::JobDirectory base({"a.csv"});
  return compile_job(
      "job: j\nsources:\n  tx:\n    schema: {at: timestamp, k: int64, price: " + type +
          ", n: int64}\n    event_time: at\n    history: {files: a.csv}\n"
          "views:\n  v:\n    source: tx\n    entity: k\n    aggregations:\n" +
          aggregations,
      base.path());
}

std::string errors_of(const CompiledJob& job) {
  std::string out;
  for (const JobError& error : job.errors) out += to_string(error, "job.yaml") + "\n";
  return out;
}

std::string refusal(const std::string& aggregation,
                    const std::string& type = "\"decimal(12, 2)\"") {
  return errors_of(compile("      - {" + aggregation + ", windows: 1h}\n", type));
}

// The type of the one feature's value.
std::string type_of(const std::string& aggregation) {
  const CompiledJob job = compile("      - {" + aggregation + ", windows: 1h}\n");
  EXPECT_EQ(errors_of(job), "") << aggregation;
  if (job.plan.views_size() == 0 || job.plan.views(0).features_size() == 0) return "";
  const proto::Feature& feature = job.plan.views(0).features(0);
  const std::string value = type_name(full_type(feature));
  if (!feature.map()) return value;
  proto::Type key = feature.key_details();
  key.set_kind(feature.key_type());
  return type_name(key) + " -> " + value;
}

TEST(DecimalPlans, FeaturesHaveTheirTypes) {
  EXPECT_EQ(type_of("function: sum, column: price"), "decimal(38, 2)");
  EXPECT_EQ(type_of("function: min, column: price"), "decimal(12, 2)");
  EXPECT_EQ(type_of("function: last, column: price"), "decimal(12, 2)");
  EXPECT_EQ(type_of("function: top_k, k: 3, column: price"), "decimal(12, 2)");
  EXPECT_EQ(type_of("function: mean, column: price"), "double");
  EXPECT_EQ(type_of("function: stddev_samp, column: price"), "double");
  EXPECT_EQ(type_of("function: decayed_sum, column: price, half_life: 10m"), "double");
  EXPECT_EQ(type_of("function: count_distinct, column: price, exact_up_to: 100"), "int64");
  EXPECT_EQ(type_of("function: histogram, column: price"), "decimal(12, 2) -> int64");
  EXPECT_EQ(type_of("function: sum, column: price, by: price"), "decimal(12, 2) -> decimal(38, 2)");
  EXPECT_EQ(type_of("function: sum, column: price * 1.19, name: gross"), "decimal(38, 4)");
  EXPECT_EQ(type_of("function: last, column: 'cast(price / n as decimal(20, 4))', name: each"),
            "decimal(20, 4)");
  EXPECT_EQ(type_of("function: sum, column: price, default: 1.5"), "decimal(38, 2)");
}

TEST(DecimalPlans, AreOfFormat5AndReadBack) {
  CompiledJob job = compile("      - {function: sum, column: price, windows: 1h}\n");
  ASSERT_EQ(errors_of(job), "");
  EXPECT_EQ(job.plan.format_version(), 5u);
  ASSERT_EQ(job.plan.tables(0).column_details_size(), 1);
  const auto plan = Plan::from_proto(job.plan);
  ASSERT_TRUE(plan.ok()) << plan.error().message();
  EXPECT_EQ((*plan)->tables()->at(0).columns[0], ColumnType::kDecimal);
  EXPECT_EQ((*plan)->tables()->at(0).scales, std::vector<uint8_t>{2});
  EXPECT_EQ((*plan)->views()[0].features[0].column_scale, 2);
  job.plan.set_format_version(4);
  EXPECT_FALSE(Plan::from_proto(job.plan).ok());
}

TEST(DecimalPlans, OfTheWireAreChecked) {
  const CompiledJob job = compile("      - {function: sum, column: price, windows: 1h}\n");
  ASSERT_EQ(errors_of(job), "");
  const auto refused = [&](auto&& change) {
    proto::JobPlan plan = job.plan;
    change(&plan);
    return !Plan::from_proto(plan).ok();
  };
  EXPECT_FALSE(refused([](proto::JobPlan*) {}));
  EXPECT_TRUE(refused([](auto* p) { p->mutable_sources(0)->mutable_schema(2)->clear_details(); }));
  EXPECT_TRUE(refused([](auto* p) {
    p->mutable_sources(0)->mutable_schema(2)->mutable_details()->set_precision(39);
  }));
  EXPECT_TRUE(refused(
      [](auto* p) { p->mutable_sources(0)->mutable_schema(2)->mutable_details()->set_scale(3); }));
  EXPECT_TRUE(refused([](auto* p) {
    p->mutable_sources(0)->mutable_schema(1)->mutable_details()->set_kind(proto::INT64);
  }));
  EXPECT_TRUE(refused([](auto* p) { p->mutable_tables(0)->clear_column_details(); }));
  EXPECT_TRUE(
      refused([](auto* p) { p->mutable_tables(0)->mutable_column_details(0)->set_scale(1); }));
  EXPECT_TRUE(refused(
      [](auto* p) { p->mutable_views(0)->mutable_features(0)->mutable_details()->set_scale(1); }));
}

TEST(DecimalPlans, AreRefusedWithWhatIsRight) {
  EXPECT_NE(refusal("function: count", "decimal").find("decimal(12, 2)"), std::string::npos);
  EXPECT_NE(refusal("function: count", "\"decimal(40, 2)\"").find("p from 1 to 38"),
            std::string::npos);
  EXPECT_NE(refusal("function: last, column: price / 3, name: third")
                .find("cast(price / cast('3' as decimal) as decimal(38, 6))"),
            std::string::npos);
  EXPECT_NE(refusal("function: sum, column: price", "\"decimal(30, 2)\"")
                .find("write cast(price as decimal(28, 2))"),
            std::string::npos);
  EXPECT_NE(refusal("function: sum, column: price, default: x").find("decimal(38, 2)"),
            std::string::npos);
  const test::JobDirectory base({"a.csv"});
  const CompiledJob keyed = compile_job(
      "job: j\nsources:\n  tx:\n    schema: {at: timestamp, price: \"decimal(12, 2)\"}\n"
      "    event_time: at\n    history: {files: a.csv}\nviews:\n  v:\n    source: tx\n"
      "    entity: price\n    aggregations:\n      - {function: count, windows: 1h}\n",
      base.path());
  EXPECT_NE(errors_of(keyed).find("an entity's columns are string, int32, int64"),
            std::string::npos);
}

}  // namespace
}  // namespace tidemill
