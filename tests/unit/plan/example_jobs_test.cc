// The jobs that people start from.
#include <gtest/gtest.h>

#include "shared/plan/plan.h"
#include "shared/plan/yaml_job.h"
#include "tests/unit/plan/job_files.h"

namespace tidemill {
namespace {

std::string errors_of(const CompiledJob& job) {
  std::string out;
  for (const JobError& error : job.errors) out += to_string(error, "job.yaml") + "\n";
  return out;
}

TEST(ExampleJobs, AllCompile) {
  const test::JobDirectory base({"transactions/2018-04-01.csv", "transactions/2018-04-02.csv"});
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("config/jobs")) {
    if (entry.path().extension() != ".yaml") continue;
    const CompiledJob job = compile_job(test::read_text(entry.path()), base.path());
    EXPECT_EQ(errors_of(job), "") << entry.path();
    EXPECT_EQ(job.plan.job(), entry.path().stem().string());
    ++count;
  }
  EXPECT_GE(count, 3u);
}

TEST(ExampleJobs, CardFraudIsThePlanItReadsAs) {
  const test::JobDirectory base({"transactions/2018-04-02.csv", "transactions/2018-04-01.csv"});
  const CompiledJob job = compile_job(test::read_text("config/jobs/card_fraud.yaml"), base.path());
  ASSERT_EQ(errors_of(job), "");
  const auto plan = Plan::from_proto(job.plan);
  ASSERT_TRUE(plan.ok()) << plan.error().message();
  EXPECT_EQ((*plan)->source_partitions(), 2u);
  EXPECT_EQ(job.plan.sources(0).files().paths(0), base.path() + "/transactions/2018-04-01.csv");
  ASSERT_EQ((*plan)->tables()->size(), 2u);
  const TableSchema& customer = (*plan)->tables()->at(0);
  EXPECT_EQ(customer.entity, "customer_id");
  EXPECT_EQ(customer.columns, (std::vector<ColumnType>{ColumnType::kDouble, ColumnType::kString}));
  EXPECT_EQ(customer.filters, 1u);
  EXPECT_EQ(customer.retention, 30 * kMicrosPerDay);
  EXPECT_EQ((*plan)->tables()->at(1).retention, 37 * kMicrosPerDay);
  const ViewSpec* view = (*plan)->view("customer");
  ASSERT_NE(view, nullptr);
  ASSERT_EQ(view->features.size(), 27u);
  EXPECT_EQ(view->features[0].name, "count_1h");
  EXPECT_EQ(view->features[11].name, "amount_mean_30d");
  EXPECT_EQ(view->features[26].name, "amount_last_n_30d");
  EXPECT_TRUE(view->features[26].list);
  EXPECT_EQ((*plan)->view("terminal_risk")->features[4].name, "risk_7d");
  EXPECT_EQ((*plan)->view("nobody"), nullptr);
  EXPECT_EQ(job.plan.services(0).features_size(), 33);
}

TEST(ExampleJobs, CardFraudKafkaIsLive) {
  const CompiledJob job = compile_job(test::read_text("config/jobs/card_fraud_kafka.yaml"), "/");
  ASSERT_EQ(errors_of(job), "");
  const auto plan = Plan::from_proto(job.plan);
  ASSERT_TRUE(plan.ok()) << plan.error().message();
  EXPECT_EQ(job.plan.leading_edge(), proto::JobPlan::WALL);
  EXPECT_EQ(job.plan.sources(0).kafka().group(), "tidemill.card_fraud_kafka");
  const TableSchema& customer = (*plan)->tables()->at(0);
  EXPECT_EQ(customer.retention, 30 * kMicrosPerDay);
  EXPECT_EQ(customer.lifetime.size(), 6u);
  // Ordered by the transaction first, whatever the columns are numbered.
  const FeatureSpec& first = (*plan)->view("customer")->features[0];
  EXPECT_EQ(job.plan.tables(0).inputs(0).columns(static_cast<int>(first.order[0])).text(), "transaction_id");
}

}  // namespace
}  // namespace tidemill
