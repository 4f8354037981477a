#include "coordinator/savepoint_plan.h"

#include <gtest/gtest.h>

#include "shared/plan/source_partitions.h"
#include "tests/unit/coordinator/test_cluster.h"
#include "tests/unit/coordinator/test_jobs.h"
#include "tests/unit/evolution/definitions.h"

namespace tidemill {
namespace {

using testing::FakeCatalog;

constexpr TimeUs kNotAfter = 77;

Savepoint savepoint_of(std::shared_ptr<const Plan> plan) {
  Savepoint out;
  out.name = "s";
  out.job = JobId{1};
  out.trigger = 1;
  out.complete = true;
  out.plan = std::move(plan);
  return out;
}

// As compiled: nothing of it is bound.
proto::JobPlan unbound(proto::JobPlan plan) {
  plan.clear_source_partitions();
  for (auto& source : *plan.mutable_sources()) {
    source.clear_not_after_us();
    if (source.has_kafka()) source.mutable_kafka()->clear_start_offsets();
    if (source.has_files()) source.mutable_files()->clear_identities();
  }
  return plan;
}

// All errors, a line each, with their paths.
std::string refusals(const std::vector<JobError>& errors) {
  std::string out;
  for (const JobError& error : errors) out += error.path + ": " + error.message + "\n";
  return out;
}

// The one error, with its path.
std::string refusal(const std::vector<JobError>& errors) {
  EXPECT_EQ(errors.size(), 1u);
  return errors.empty() ? "" : errors[0].path + ": " + errors[0].message;
}

class SavepointPlan : public ::testing::Test {
 protected:
  std::vector<JobError> bind(const Savepoint& savepoint, proto::JobPlan* plan) {
    return bind_from_savepoint(&catalog_, kNotAfter, savepoint, plan);
  }

  FakeCatalog catalog_;
};

TEST_F(SavepointPlan, ATopicGoesOnWhereItWasAndNewPartitionsAreReadWhole) {
  const auto saved = savepoint_of(testing::topic_plan("a", 4, 3));
  auto plan = unbound(saved.plan->proto());
  auto* kafka = plan.mutable_sources(0)->mutable_kafka();
  plan.set_job("b");
  kafka->set_group("tidemill.b");
  kafka->set_brokers("other:9092");
  kafka->set_start(proto::KafkaInput::LATEST);
  catalog_.topics["payments"] = 5;
  ASSERT_TRUE(bind(saved, &plan).empty());
  EXPECT_EQ(kafka->brokers(), "other:9092");
  const auto& offsets = kafka->start_offsets();
  EXPECT_EQ((std::vector<uint64_t>(offsets.begin(), offsets.end())),
            (std::vector<uint64_t>{0, 100, 200, 0, 0}));
  EXPECT_EQ(plan.source_partitions_size(), 5);
  EXPECT_TRUE(check_source_partitions(plan).ok());
  EXPECT_TRUE(reads_state_of(**Plan::from_proto(plan), saved));

  catalog_.topics["payments"] = 2;
  plan = unbound(saved.plan->proto());
  EXPECT_NE(refusal(bind(saved, &plan)).find("sources.transactions: topic 'payments' has 2"),
            std::string::npos);
  catalog_.topics.clear();
  plan = unbound(saved.plan->proto());
  EXPECT_FALSE(bind(saved, &plan).empty());
}

TEST_F(SavepointPlan, FollowedFilesKeepTheirIdentitiesAndNumbers) {
  auto grown = testing::files_plan("a", 4, {"/data/b.csv", "/data/a.csv"});
  const auto saved = savepoint_of(grown);
  auto plan = unbound(saved.plan->proto());
  auto* files = plan.mutable_sources(0)->mutable_files();
  files->clear_paths();
  files->add_paths("/data/c.csv");  // what the patterns match now; the others were rotated
  files->add_patterns("/data/rotated/*.csv");
  catalog_.files = {"/data/c.csv"};
  ASSERT_TRUE(bind(saved, &plan).empty());
  ASSERT_EQ(files->paths_size(), 3);
  EXPECT_EQ(files->paths(0), "/data/b.csv");
  EXPECT_EQ(files->paths(2), "/data/c.csv");
  EXPECT_EQ(files->patterns_size(), 2);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(files->identities(i).SerializeAsString(),
              saved.plan->proto().sources(0).files().identities(i).SerializeAsString());
  }
  EXPECT_EQ(plan.sources(0).not_after_us(), saved.plan->proto().sources(0).not_after_us());
  EXPECT_TRUE(Plan::from_proto(plan).ok());
}

TEST_F(SavepointPlan, NamedFilesAreThoseOfBeforeAndThenTheNewOnes) {
  auto with_follow = testing::files_plan("a", 4, {"/data/a.csv", "/data/b.csv"})->proto();
  with_follow.mutable_sources(0)->mutable_files()->set_follow(false);
  with_follow.mutable_sources(0)->mutable_files()->clear_patterns();
  const auto saved = savepoint_of(*Plan::from_proto(with_follow));
  auto plan = unbound(with_follow);
  auto* files = plan.mutable_sources(0)->mutable_files();
  files->clear_paths();
  for (const char* path : {"/data/a.csv", "/data/aa.csv", "/data/b.csv"}) files->add_paths(path);
  ASSERT_TRUE(bind(saved, &plan).empty());
  ASSERT_EQ(files->paths_size(), 3);
  EXPECT_EQ(files->paths(1), "/data/b.csv");
  EXPECT_EQ(files->paths(2), "/data/aa.csv");
  EXPECT_EQ(files->identities_size(), 3);
  EXPECT_TRUE(Plan::from_proto(plan).ok());
}

TEST_F(SavepointPlan, AGeneratorKeepsThePartitionsThatItHasGot) {
  const auto saved = savepoint_of(testing::small_plan("a", 4, 3));
  auto plan = unbound(testing::small_plan("b", 4, 2)->proto());
  ASSERT_TRUE(bind(saved, &plan).empty());
  EXPECT_EQ(plan.sources(0).generator().partitions(), 3u);
  EXPECT_EQ(plan.source_partitions_size(), 3);
  EXPECT_EQ(plan.sources(0).not_after_us(), 4'000'000'000'000'000);
}

TEST_F(SavepointPlan, OtherFeaturesOverTheSameRowsAreFine) {
  const auto saved = savepoint_of(testing::small_plan("a", 4, 2));
  auto plan = unbound(saved.plan->proto());
  auto* feature = plan.mutable_views(0)->add_features();
  *feature = plan.views(0).features(0);
  feature->set_name("count_10m");
  feature->set_window_us(600'000'000);
  EXPECT_TRUE(bind(saved, &plan).empty());
}

// Which rows count is found out when they are read: they need to be there, no more.
TEST_F(SavepointPlan, DuplicatesMayBeToldApartOverAnotherTime) {
  proto::JobPlan plan = testing::small_plan("a", 4, 2)->proto();
  proto::Table* table = plan.mutable_tables(0);
  table->add_column_types(proto::STRING);
  *table->mutable_inputs(0)->add_columns() = table->inputs(0).keys(0);
  table->mutable_deduplication()->add_by(0);
  const auto within = [&](DurationUs time) {
    table->mutable_deduplication()->set_within_us(time);
    table->set_retention_us(3'600'000'000 + time);
    plan.set_format_version(plan_format_of(plan));
    return plan;
  };
  const auto checked = Plan::from_proto(within(60'000'000));
  ASSERT_TRUE(checked.ok()) << checked.error().message();
  const auto saved = savepoint_of(*checked);
  auto shorter = unbound(within(50'000'000));
  EXPECT_TRUE(bind(saved, &shorter).empty());
  auto longer = unbound(within(70'000'000));
  EXPECT_NE(refusal(bind(saved, &longer)).find("another deduplication"), std::string::npos);
  auto none = unbound(within(60'000'000));
  none.mutable_tables(0)->clear_deduplication();
  EXPECT_NE(refusal(bind(saved, &none)).find("another deduplication"), std::string::npos);
}

// Views that need less than the savepoint's rows have.
TEST_F(SavepointPlan, ViewsAreLaidOverTheRowsThatThereAre) {
  proto::JobPlan rich = testing::small_plan("a", 4, 2)->proto();
  proto::Table* table = rich.mutable_tables(0);
  table->add_column_types(proto::STRING);
  *table->mutable_inputs(0)->add_columns() = table->inputs(0).keys(0);
  proto::Feature* last = rich.mutable_views(0)->add_features();
  *last = rich.views(0).features(0);
  last->set_name("last_1h");
  last->set_function(proto::Feature::LAST);
  last->set_type(proto::STRING);
  last->set_column(0);
  rich.mutable_views(0)->add_order(0);
  const auto checked = Plan::from_proto(rich);
  ASSERT_TRUE(checked.ok()) << checked.error().message();
  const auto saved = savepoint_of(*checked);
  auto plan = unbound(testing::small_plan("b", 4, 2)->proto());
  ASSERT_TRUE(bind(saved, &plan).empty());
  EXPECT_EQ(plan.job(), "b");
  EXPECT_EQ(plan.tables(0).column_types_size(), 1);
  EXPECT_EQ(plan.views(0).features_size(), 1);
  const auto laid = Plan::from_proto(plan);
  ASSERT_TRUE(laid.ok()) << laid.error().message();
  EXPECT_TRUE(reads_state_of(**laid, saved));
  // The other way round they are kept from then on, in a table of their own.
  const auto poor = savepoint_of(testing::small_plan("b", 4, 2));
  auto more = unbound(rich);
  EXPECT_EQ(refusals(bind(poor, &more)), "");
  ASSERT_EQ(more.tables_size(), 2);
  EXPECT_EQ(more.tables(0).column_types_size(), 0);
  EXPECT_EQ(more.views_size(), 2);
  // Which no lifetime can be of.
  auto ever = unbound(rich);
  proto::Feature* feature = ever.mutable_views(0)->mutable_features(1);
  feature->set_lifetime(true);
  feature->set_window_us(0);
  EXPECT_NE(
      refusals(bind(poor, &ever))
          .find("views.customer.last_1h: the state of savepoint 's' does not give it (added): "
                "the rows of customer_id do not have customer_id"),
      std::string::npos);
}

// Of events that pass no condition nothing was stored, though the tables are the same.
TEST_F(SavepointPlan, AFeatureWithoutConditionNeedsRowsOfAllEvents) {
  const std::string filtered =
      "  customer: {source: tx, entity: [customer_id], aggregations: "
      "[{function: sum, column: amount, where: is_fraud, windows: [1d]}";
  const auto plan_of = [](const std::string& views) {
    return test::compile(test::with_views(views + "]}\n"));
  };
  const std::string all = filtered + ", {function: sum, column: amount, name: a, windows: [1h]}";
  const std::string mean =
      filtered + ", {function: mean, column: amount, where: is_fraud, windows: [1h]}";
  const auto saved = savepoint_of(test::run(plan_of(filtered)));
  auto plan = plan_of(all);
  EXPECT_TRUE(bind(saved, &plan).empty());
  ASSERT_EQ(plan.tables_size(), 2);
  EXPECT_EQ(plan.tables(0).fed(), proto::Table::FED_PASSING);
  EXPECT_EQ(plan.tables(1).fed(), proto::Table::FED_ALL);
  plan = plan_of(mean);
  EXPECT_TRUE(bind(saved, &plan).empty());
  plan = plan_of(filtered);
  EXPECT_TRUE(bind(savepoint_of(test::run(plan_of(all))), &plan).empty());
}

// A job was updated to have no view over them.
TEST_F(SavepointPlan, RowsAreThereThoughNoViewWasOverThem) {
  const auto views = [](bool customer) {
    std::string out =
        "  terminal: {source: tx, entity: [terminal_id], aggregations: "
        "[{function: count, windows: [1d]}]}\n";
    if (!customer) return test::compile(test::with_views(out));
    return test::compile(test::with_views(
        "  customer: {source: tx, entity: [customer_id], aggregations: [{function: count, "
        "windows: [1d]}]}\n" +
        out));
  };
  const auto without = evolve(*test::run(views(true)), views(false)).plan;
  ASSERT_NE(without, nullptr);
  auto plan = views(true);
  EXPECT_TRUE(bind(savepoint_of(without), &plan).empty()) << "its rows have been kept";
  EXPECT_EQ(plan.tables_size(), 2);
  plan = views(false);
  EXPECT_TRUE(bind(savepoint_of(without), &plan).empty());
}

TEST_F(SavepointPlan, RowsThatItDoesNotHaveAreKeptFromThenOn) {
  const auto saved = savepoint_of(testing::small_plan("a", 4, 2));
  auto entity = unbound(saved.plan->proto());
  *entity.add_tables() = entity.tables(0);
  entity.mutable_tables(1)->set_entity("terminal_id");
  *entity.add_views() = entity.views(0);
  entity.mutable_views(1)->set_name("terminal");
  entity.mutable_views(1)->set_table(1);
  EXPECT_EQ(refusals(bind(saved, &entity)), "");
  ASSERT_EQ(entity.tables_size(), 2);
  EXPECT_GT(entity.tables(1).since_revision(), 0u);
  auto longer = unbound(saved.plan->proto());
  longer.mutable_tables(0)->set_retention_us(7'200'000'000);
  longer.mutable_views(0)->mutable_features(0)->set_window_us(7'200'000'000);
  EXPECT_EQ(refusals(bind(saved, &longer)), "");
  EXPECT_EQ(longer.tables(0).retention_us(), 7'200'000'000);
  EXPECT_EQ(longer.tables(0).first_retention_us(), 3'600'000'000);
}

TEST_F(SavepointPlan, SaysWhatDiffers) {
  const auto saved = savepoint_of(testing::small_plan("a", 4, 2));
  const auto refused = [&](const std::function<void(proto::JobPlan*)>& change) {
    auto plan = unbound(saved.plan->proto());
    change(&plan);
    return refusal(bind(saved, &plan));
  };
  EXPECT_NE(refused([](auto* p) {
              p->set_key_partitions(8);
            }).find("key_partitions: savepoint 's' has 4 key partitions"),
            std::string::npos);
  EXPECT_NE(refused([](auto* p) {
              p->mutable_sources(0)->set_name("payments");
            }).find("sources.payments: differs from the source of savepoint 's'"),
            std::string::npos);
  EXPECT_NE(refused([](auto* p) {
              p->mutable_sources(0)->mutable_generator()->set_seed(5);
            }).find("seed"),
            std::string::npos);
  EXPECT_NE(refused([](auto* p) {
              *p->add_sources() = p->sources(0);
            }).find("sources: the job must have the sources of savepoint 's'"),
            std::string::npos);
  EXPECT_NE(refused([](auto* p) { p->mutable_tables(0)->set_entity("terminal_id"); })
                .find("views.customer.entity: the state of savepoint 's' does not give it ("
                      "customer_id -> terminal_id): "),
            std::string::npos);
  EXPECT_NE(refused([](auto* p) {
              auto* feature = p->mutable_views(0)->mutable_features(0);
              feature->set_lifetime(true);
              feature->set_window_us(0);
            }).find("the summaries of keys do not hold what it needs"),
            std::string::npos);
}

}  // namespace
}  // namespace tidemill
