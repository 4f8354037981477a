#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

#include "shared/base/hash.h"
#include "shared/plan/plan.h"
#include "shared/plan/yaml_job.h"

namespace tidemill {
namespace {

proto::JobPlan good() {
  const CompiledJob job = compile_job(R"(
job: j
sources:
  one: {stream: {generator: {partitions: 3}}}
  two: {stream: {generator: {partitions: 2}}}
views:
  customer:
    source: one
    entity: [customer_id]
    where: amount > 0
    aggregations:
      - {function: sum, column: amount, windows: [1h, 1d], offset: 1h}
      - {function: count, where: is_fraud, windows: [1h]}
  pair:
    source: two
    entity: [customer_id, terminal_id]
    aggregations: [{function: count, windows: [1h]}]
services: {s: {features: [customer.*]}}
)",
                                      "/");
  EXPECT_TRUE(job.errors.empty());
  return job.plan;
}

TEST(PlanFromProto, GivesWhatProcessesUse) {
  const auto plan = Plan::from_proto(good());
  ASSERT_TRUE(plan.ok()) << plan.error().message();
  EXPECT_EQ((*plan)->source_partitions(), 5u);
  uint32_t index = 9;
  EXPECT_EQ((*plan)->source_of(2, &index).name(), "one");
  EXPECT_EQ(index, 2u);
  EXPECT_EQ((*plan)->source_of(3, &index).name(), "two");
  EXPECT_EQ(index, 0u);
  const TableSchema& pair = (*plan)->tables()->at(1);
  EXPECT_EQ(pair.entity, "customer_id,terminal_id");
  EXPECT_EQ(pair.entity_seed, hash_bytes("customer_id,terminal_id", 0));
  EXPECT_EQ(pair.key_types, (std::vector<ColumnType>{ColumnType::kString, ColumnType::kString}));
  const FeatureSpec& sum = (*plan)->view("customer")->features[1];
  EXPECT_EQ(sum.name, "amount_sum_1d");
  EXPECT_EQ(sum.function, Function::kSum);
  EXPECT_EQ(sum.window, kMicrosPerDay);
  EXPECT_EQ(sum.offset, 3600 * kMicrosPerSecond);
  EXPECT_EQ(sum.type, ColumnType::kDouble);
  EXPECT_EQ(sum.filter, 0);
  EXPECT_EQ((*plan)->view("customer")->features[2].filter, 1);
}

TEST(PlanFromProto, RewritesTextsFromTheExpressions) {
  proto::JobPlan plan = good();
  plan.mutable_tables(0)->mutable_filters(0)->set_text("amount > 1000");
  EXPECT_EQ((*Plan::from_proto(plan))->proto().tables(0).filters(0).text(), "amount > 0.0");
}

using Break = void (*)(proto::JobPlan*);

TEST(PlanFromProto, RefusesWhatIsInconsistent) {
  const std::vector<Break> breaks = {
      [](proto::JobPlan* p) { p->set_format_version(2); },
      [](proto::JobPlan* p) { p->set_job("a b"); },
      [](proto::JobPlan* p) { p->set_key_partitions(0); },
      [](proto::JobPlan* p) { p->set_key_partitions(4097); },
      [](proto::JobPlan* p) { p->set_allowed_lateness_us(-1); },
      [](proto::JobPlan* p) { p->clear_leading_edge(); },
      [](proto::JobPlan* p) { p->clear_sources(); },
      [](proto::JobPlan* p) { p->clear_tables(); },
      [](proto::JobPlan* p) { p->clear_views(); },
      [](proto::JobPlan* p) { p->mutable_sources(1)->set_name("one"); },
      [](proto::JobPlan* p) { p->mutable_sources(1)->set_first_partition(2); },
      [](proto::JobPlan* p) { p->mutable_sources(0)->set_partitions(0xFFFFFFFF); },
      [](proto::JobPlan* p) { p->mutable_sources(0)->set_partitions(4); },
      [](proto::JobPlan* p) { p->mutable_sources(0)->clear_input(); },
      [](proto::JobPlan* p) {
        p->mutable_sources(0)->mutable_files()->set_format(proto::FilesInput::CSV);
      },
      [](proto::JobPlan* p) { p->mutable_sources(0)->set_event_time_field(0); },
      [](proto::JobPlan* p) { p->mutable_sources(0)->set_event_time_field(99); },
      [](proto::JobPlan* p) { p->mutable_sources(0)->clear_schema(); },
      [](proto::JobPlan* p) { p->mutable_sources(0)->mutable_schema(0)->set_name("amount"); },
      [](proto::JobPlan* p) {
        p->mutable_sources(0)->mutable_schema(0)->set_type(proto::COLUMN_TYPE_UNSPECIFIED);
      },
      [](proto::JobPlan* p) {
        p->mutable_sources(0)->set_idle_after_us(std::numeric_limits<int64_t>::max());
      },
      [](proto::JobPlan* p) { p->mutable_sources(0)->mutable_generator()->set_customers(0); },
      [](proto::JobPlan* p) {
        p->mutable_sources(0)->mutable_generator()->set_fraud_share(
            std::numeric_limits<double>::quiet_NaN());
      },
      [](proto::JobPlan* p) { p->mutable_sources(0)->mutable_generator()->set_replay_speed(-1); },
      [](proto::JobPlan* p) { p->mutable_tables(0)->set_source(2); },
      [](proto::JobPlan* p) { p->mutable_tables(0)->set_key_fields(0, 6); },
      [](proto::JobPlan* p) { p->mutable_tables(0)->set_key_types(0, proto::INT64); },
      [](proto::JobPlan* p) { p->mutable_tables(0)->clear_key_fields(); },
      [](proto::JobPlan* p) { p->mutable_tables(0)->set_entity("terminal_id"); },
      [](proto::JobPlan* p) { p->mutable_tables(0)->set_retention_us(1); },
      [](proto::JobPlan* p) {
        p->mutable_tables(0)->set_retention_us(p->tables(0).retention_us() + 1);
      },
      [](proto::JobPlan* p) { *p->add_tables() = p->tables(0); },
      [](proto::JobPlan* p) { p->mutable_tables(0)->mutable_columns(0)->set_column(77); },
      [](proto::JobPlan* p) {
        *p->mutable_tables(0)->mutable_filters(0) = p->tables(0).columns(0);
      },
      [](proto::JobPlan* p) { p->mutable_views(1)->set_name("customer"); },
      [](proto::JobPlan* p) { p->mutable_views(0)->set_table(2); },
      [](proto::JobPlan* p) { p->mutable_views(0)->set_table(1); },
      [](proto::JobPlan* p) { p->mutable_views(0)->set_entity(0, "terminal_id"); },
      [](proto::JobPlan* p) {
        p->mutable_views(1)->set_entity(0, "customer_id,terminal_id");
        p->mutable_views(1)->mutable_entity()->RemoveLast();
      },
      [](proto::JobPlan* p) { p->mutable_views(1)->clear_features(); },
      [](proto::JobPlan* p) { p->mutable_views(0)->mutable_features(0)->set_name("count_1h"); },
      [](proto::JobPlan* p) { p->mutable_views(0)->mutable_features(0)->set_column(1); },
      [](proto::JobPlan* p) { p->mutable_views(0)->mutable_features(0)->set_column(-2); },
      [](proto::JobPlan* p) { p->mutable_views(0)->mutable_features(0)->set_column(-1); },
      [](proto::JobPlan* p) { p->mutable_views(0)->mutable_features(0)->set_filter(2); },
      [](proto::JobPlan* p) { p->mutable_views(0)->mutable_features(0)->set_window_us(0); },
      [](proto::JobPlan* p) { p->mutable_views(0)->mutable_features(0)->set_offset_us(-1); },
      [](proto::JobPlan* p) {
        p->mutable_views(0)->mutable_features(0)->set_window_us(
            std::numeric_limits<int64_t>::max());
      },
      [](proto::JobPlan* p) { p->mutable_views(0)->mutable_features(0)->clear_function(); },
      [](proto::JobPlan* p) { p->mutable_views(0)->mutable_features(0)->clear_closed(); },
      [](proto::JobPlan* p) { p->mutable_views(0)->mutable_features(0)->set_type(proto::INT64); },
      [](proto::JobPlan* p) { p->mutable_services(0)->set_features(0, "customer.nothing"); },
      [](proto::JobPlan* p) { p->mutable_services(0)->clear_features(); },
      [](proto::JobPlan* p) { *p->add_services() = p->services(0); }};
  for (size_t i = 0; i < breaks.size(); ++i) {
    proto::JobPlan plan = good();
    breaks[i](&plan);
    const auto refused = Plan::from_proto(plan);
    EXPECT_FALSE(refused.ok()) << "break " << i << ":\n" << plan.DebugString();
    EXPECT_TRUE(refused.ok() || !refused.error().message().empty());
  }
}

// Flipped bytes either do not parse, are refused, or give a plan that is refused nowhere later.
RC_GTEST_PROP(PlanFromProto, SurvivesDamagedBytes, ()) {
  const google::protobuf::LogSilencer quiet;
  static const std::string bytes = good().SerializeAsString();
  std::string damaged = bytes;
  const int flips = *rc::gen::inRange(1, 4);
  for (int i = 0; i < flips; ++i) {
    damaged[*rc::gen::inRange<size_t>(0, damaged.size())] = *rc::gen::arbitrary<char>();
  }
  proto::JobPlan message;
  if (!message.ParseFromString(damaged)) return;
  const auto plan = Plan::from_proto(message);
  if (!plan.ok()) return;
  RC_ASSERT(Plan::from_proto((*plan)->proto()).ok());
}

}  // namespace
}  // namespace tidemill
