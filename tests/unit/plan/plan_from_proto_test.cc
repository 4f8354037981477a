#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

#include "shared/base/hash.h"
#include "shared/plan/plan.h"
#include "shared/plan/source_partitions.h"
#include "shared/plan/yaml_job.h"

namespace tidemill {
namespace {

proto::JobPlan good() {
  const CompiledJob job = compile_job(R"(
job: j
sources:
  one: {stream: {generator: {partitions: 3}}}
  two: {stream: {generator: {partitions: 2}}}
  live:
    schema: {id: int64, at: timestamp, k: string}
    event_time: at
    stream:
      kafka: {brokers: "a:1", topic: t, format: csv, start: 2018-04-01, client: {client.id: me}}
  grown:
    schema: {at: timestamp, k: string}
    event_time: at
    stream: {files: /nowhere.csv, follow: true}
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
  lists:
    source: live
    entity: [k]
    order_by: [id]
    aggregations:
      - {function: last_n, n: 3, column: at, where: id > 0, windows: [1h, lifetime], offset: 2h}
      - {function: count_distinct, column: id, where: id > 1, windows: [lifetime]}
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
  plan.mutable_tables(0)->mutable_inputs(0)->mutable_filters(0)->set_text("amount > 1000");
  EXPECT_EQ((*Plan::from_proto(plan))->proto().tables(0).inputs(0).filters(0).text(),
            "amount > 0.0");
}

TEST(PlanFromProto, GivesOrderAndLists) {
  const auto plan = Plan::from_proto(good());
  ASSERT_TRUE(plan.ok()) << plan.error().message();
  const ViewSpec& lists = *(*plan)->view("lists");
  const FeatureSpec& last = lists.features[1];
  EXPECT_EQ(last.name, "at_last_n_lifetime");
  EXPECT_EQ(last.function, Function::kLastN);
  EXPECT_TRUE(last.list);
  EXPECT_TRUE(last.lifetime);
  EXPECT_EQ(last.n, 3u);
  EXPECT_EQ(last.type, ColumnType::kTimestamp);
  const proto::Table& table = (*plan)->proto().tables(static_cast<int>(lists.table));
  ASSERT_EQ(last.order.size(), 2u);
  EXPECT_EQ(table.inputs(0).columns(static_cast<int>(last.order[0])).text(), "id");
  EXPECT_EQ(table.inputs(0).columns(static_cast<int>(last.order[1])).text(), "at");
  const TableSchema& schema = (*plan)->tables()->at(lists.table);
  EXPECT_EQ(schema.retention, 3 * 3600 * kMicrosPerSecond);
  ASSERT_EQ(schema.lifetime.size(), 2u);
  EXPECT_EQ(schema.lifetime[1].function, Function::kCountDistinct);
  EXPECT_EQ(schema.lifetime[1].n, 10'000u);
  ASSERT_EQ(schema.views.size(), 1u);
  EXPECT_EQ(schema.views[0].view, 2u);
  EXPECT_TRUE(schema.views[0].lifetime);
  EXPECT_EQ(schema.views[0].filters, (std::vector<uint32_t>{0, 1}));
}

// A table may have several inputs, of one source as well.
TEST(PlanFromProto, TakesSeveralInputs) {
  proto::JobPlan plan = good();
  *plan.mutable_tables(0)->add_inputs() = plan.tables(0).inputs(0);
  plan.mutable_tables(0)->mutable_inputs(0)->set_source(1);
  *plan.mutable_tables(0)->mutable_inputs(1)->mutable_where() = plan.tables(0).inputs(1).filters(0);
  const auto taken = Plan::from_proto(plan);
  ASSERT_TRUE(taken.ok()) << taken.error().message();
  EXPECT_EQ((*taken)->tables()->at(0).columns, std::vector<ColumnType>{ColumnType::kDouble});
  EXPECT_EQ((*taken)->tables()->at(0).filters, 2u);
  EXPECT_EQ((*taken)->proto().tables(0).inputs(1).where().text(), "amount > 0.0");
}

// A submitted job: its topic was asked for its partitions, and a file was found.
TEST(PlanFromProto, TakesPartitionsThatAreFoundLater) {
  proto::JobPlan plan = good();
  EXPECT_EQ((*Plan::from_proto(plan))->source_partitions(), 5u);
  plan.mutable_sources(2)->mutable_kafka()->add_start_offsets(7);
  EXPECT_FALSE(Plan::from_proto(plan).ok());
  number_source_partitions(&plan);
  plan.mutable_sources(3)->mutable_files()->add_paths("/nowhere.csv");
  plan.mutable_sources(3)->mutable_files()->add_identities()->set_head_bytes(1024);
  plan.mutable_sources(2)->mutable_kafka()->add_start_offsets(0);
  number_source_partitions(&plan);
  const auto grown = Plan::from_proto(plan);
  ASSERT_TRUE(grown.ok()) << grown.error().message();
  ASSERT_EQ((*grown)->source_partitions(), 8u);
  uint32_t index = 9;
  EXPECT_EQ((*grown)->source_of(5, &index).name(), "live");
  EXPECT_EQ((*grown)->source_of(6, &index).name(), "live");
  EXPECT_EQ(index, 1u);
  EXPECT_EQ((*grown)->source_of(7, &index).name(), "grown");
}

using Break = void (*)(proto::JobPlan*);

// Of the view "lists".
proto::Feature* feature(proto::JobPlan* plan, int i) {
  return plan->mutable_views(2)->mutable_features(i);
}

proto::KafkaInput* kafka(proto::JobPlan* plan) { return plan->mutable_sources(2)->mutable_kafka(); }

proto::TableInput* input(proto::JobPlan* plan) {
  return plan->mutable_tables(0)->mutable_inputs(0);
}

TEST(PlanFromProto, RefusesWhatIsInconsistent) {
  const std::vector<Break> breaks = {
      [](proto::JobPlan* p) { p->set_format_version(2); },
      [](proto::JobPlan* p) { p->set_format_version(kPlanFormat + 1); },
      // What an update states, of a job that was never changed, or that cannot be.
      [](proto::JobPlan* p) {
        p->set_format_version(kPlanFormat);
        p->mutable_tables(0)->set_fed(proto::Table::FED_ALL);
      },
      [](proto::JobPlan* p) {
        p->set_revision(1);
        p->mutable_tables(0)->set_since_revision(2);
      },
      [](proto::JobPlan* p) {
        p->set_revision(1);
        p->mutable_tables(0)->set_first_retention_us(p->tables(0).retention_us() + 1);
      },
      [](proto::JobPlan* p) {
        p->set_revision(1);
        p->mutable_views(0)->set_continued(true);
      },
      [](proto::JobPlan* p) { p->set_job("a b"); },
      [](proto::JobPlan* p) { p->set_key_partitions(0); },
      [](proto::JobPlan* p) { p->set_key_partitions(4097); },
      [](proto::JobPlan* p) { p->set_standby_replicas(2); },
      [](proto::JobPlan* p) { p->set_allowed_lateness_us(-1); },
      [](proto::JobPlan* p) { p->clear_leading_edge(); },
      [](proto::JobPlan* p) { p->clear_sources(); },
      [](proto::JobPlan* p) { p->clear_tables(); },
      [](proto::JobPlan* p) { p->clear_views(); },
      [](proto::JobPlan* p) { p->mutable_sources(1)->set_name("one"); },
      [](proto::JobPlan* p) { p->mutable_source_partitions(1)->set_source(9); },
      [](proto::JobPlan* p) { p->mutable_source_partitions(1)->set_index(7); },
      [](proto::JobPlan* p) { p->mutable_source_partitions()->RemoveLast(); },
      [](proto::JobPlan* p) { *p->add_source_partitions() = p->source_partitions(4); },
      [](proto::JobPlan* p) { p->mutable_sources(0)->mutable_generator()->set_partitions(4); },
      [](proto::JobPlan* p) {
        p->mutable_sources(0)->mutable_generator()->set_partitions_at_most(1);
      },
      [](proto::JobPlan* p) {
        p->mutable_sources(0)->mutable_generator()->set_partitions_at_most(4097);
      },
      [](proto::JobPlan* p) { p->mutable_sources(0)->set_max_future_us(1); },
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
      [](proto::JobPlan* p) { input(p)->set_source(2); },
      [](proto::JobPlan* p) { p->mutable_tables(0)->clear_inputs(); },
      [](proto::JobPlan* p) {
        const proto::TableInput one = *input(p);
        for (int i = 0; i < 16; ++i) *p->mutable_tables(0)->add_inputs() = one;
      },
      [](proto::JobPlan* p) { p->mutable_tables(0)->add_inputs(); },
      [](proto::JobPlan* p) {  // a second input with a column less
        *p->mutable_tables(0)->add_inputs() = p->tables(0).inputs(0);
        p->mutable_tables(0)->mutable_inputs(1)->mutable_columns()->RemoveLast();
      },
      [](proto::JobPlan* p) {  // ... and with a filter less
        *p->mutable_tables(0)->add_inputs() = p->tables(0).inputs(0);
        p->mutable_tables(0)->mutable_inputs(1)->mutable_filters()->RemoveLast();
      },
      [](proto::JobPlan* p) { *input(p)->mutable_where() = p->tables(0).inputs(0).columns(0); },
      [](proto::JobPlan* p) { input(p)->mutable_where(); },
      [](proto::JobPlan* p) { p->mutable_tables(0)->set_column_types(0, proto::INT64); },
      [](proto::JobPlan* p) { p->mutable_tables(0)->add_column_types(proto::INT64); },
      [](proto::JobPlan* p) {
        p->mutable_tables(0)->set_key_types(0, proto::DOUBLE);
        *input(p)->mutable_keys(0) = p->tables(0).inputs(0).columns(0);
      },
      [](proto::JobPlan* p) {
        p->mutable_tables(0)->set_entity("a,b");
        p->mutable_views(0)->set_entity(0, "a,b");
      },
      [](proto::JobPlan* p) { input(p)->set_source(4); },
      [](proto::JobPlan* p) { input(p)->mutable_keys(0)->set_column(6); },
      [](proto::JobPlan* p) { p->mutable_tables(0)->set_key_types(0, proto::INT64); },
      [](proto::JobPlan* p) { input(p)->clear_keys(); },
      [](proto::JobPlan* p) { p->mutable_tables(0)->set_entity("terminal_id"); },
      [](proto::JobPlan* p) { p->mutable_tables(0)->set_retention_us(1); },
      [](proto::JobPlan* p) {
        p->mutable_tables(0)->set_retention_us(p->tables(0).retention_us() + 1);
      },
      [](proto::JobPlan* p) { *p->add_tables() = p->tables(0); },
      [](proto::JobPlan* p) { input(p)->mutable_columns(0)->set_column(77); },
      [](proto::JobPlan* p) { *input(p)->mutable_filters(0) = p->tables(0).inputs(0).columns(0); },
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
      [](proto::JobPlan* p) { feature(p, 0)->set_lifetime(true); },
      [](proto::JobPlan* p) { feature(p, 1)->set_lifetime(false); },
      [](proto::JobPlan* p) { feature(p, 1)->set_window_us(1); },
      [](proto::JobPlan* p) { feature(p, 1)->set_list(false); },
      [](proto::JobPlan* p) { feature(p, 2)->set_list(true); },
      [](proto::JobPlan* p) { feature(p, 1)->set_n(0); },
      [](proto::JobPlan* p) { feature(p, 1)->set_n(1001); },
      [](proto::JobPlan* p) { feature(p, 2)->set_n(15); },
      [](proto::JobPlan* p) { feature(p, 2)->set_n(100'001); },
      [](proto::JobPlan* p) { feature(p, 2)->set_column(-1); },
      [](proto::JobPlan* p) { feature(p, 2)->set_type(proto::STRING); },
      [](proto::JobPlan* p) {
        feature(p, 1)->set_function(static_cast<proto::Feature::Function>(19));
      },
      [](proto::JobPlan* p) { p->mutable_views(0)->mutable_features(0)->set_n(1); },
      [](proto::JobPlan* p) { p->mutable_views(2)->set_order(0, 2); },
      [](proto::JobPlan* p) { p->mutable_views(2)->add_order(0); },
      [](proto::JobPlan* p) { p->mutable_views(2)->clear_order(); },
      [](proto::JobPlan* p) { kafka(p)->set_brokers("a"); },
      [](proto::JobPlan* p) { kafka(p)->set_brokers("a:1,"); },
      [](proto::JobPlan* p) { kafka(p)->set_topic("^t.*"); },
      [](proto::JobPlan* p) { kafka(p)->clear_group(); },
      [](proto::JobPlan* p) { kafka(p)->clear_format(); },
      [](proto::JobPlan* p) { kafka(p)->set_format(proto::KafkaInput::JSON); },
      [](proto::JobPlan* p) { kafka(p)->clear_csv_fields(); },
      [](proto::JobPlan* p) { kafka(p)->set_csv_fields(0, 3); },
      [](proto::JobPlan* p) { kafka(p)->set_csv_fields(0, 2); },
      [](proto::JobPlan* p) { kafka(p)->clear_start(); },
      [](proto::JobPlan* p) { kafka(p)->set_start(proto::KafkaInput::LATEST); },
      [](proto::JobPlan* p) { (*kafka(p)->mutable_client())["group.id"] = "g"; },
      [](proto::JobPlan* p) { (*kafka(p)->mutable_client())["client.id"] = "${"; },
      [](proto::JobPlan* p) { p->mutable_sources(2)->set_max_future_us(-1); },
      [](proto::JobPlan* p) { p->mutable_sources(3)->mutable_files()->clear_patterns(); },
      [](proto::JobPlan* p) { p->mutable_sources(3)->mutable_files()->set_follow(false); },
      [](proto::JobPlan* p) { p->mutable_sources(3)->mutable_files()->set_patterns(0, "a.csv"); },
      [](proto::JobPlan* p) {
        p->mutable_sources(3)->mutable_files()->set_patterns(0, "/a.csv.gz");
      },
      [](proto::JobPlan* p) {
        p->mutable_sources(3)->mutable_files()->set_patterns(0, "/a\xFF.csv");
      },
      [](proto::JobPlan* p) {
        p->mutable_sources(3)->mutable_files()->add_paths("/a\xFF.csv");
        number_source_partitions(p);
      },
      [](proto::JobPlan* p) { p->mutable_sources(3)->mutable_files()->set_replay_speed(1); },
      [](proto::JobPlan* p) { p->mutable_sources(3)->mutable_files()->add_identities(); },
      [](proto::JobPlan* p) {
        p->mutable_sources(3)->mutable_files()->add_paths("/a.csv");
        p->mutable_sources(3)->mutable_files()->add_identities()->set_head_bytes(1025);
        number_source_partitions(p);
      },
      [](proto::JobPlan* p) { p->set_next_view_number(3); },
      [](proto::JobPlan* p) {
        for (int v = 0; v < p->views_size(); ++v) {
          p->mutable_views(v)->set_number(static_cast<uint32_t>(v));
        }
        p->set_next_view_number(static_cast<uint32_t>(p->views_size()) - 1);
      },
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

TEST(PlanFromProto, RefusesWhatIsThereTwice) {
  const auto message_of = [](const proto::JobPlan& plan) {
    const auto made = Plan::from_proto(plan);
    return made.ok() ? std::string("made") : made.error().message();
  };
  proto::JobPlan columns = good();
  *input(&columns)->add_columns() = input(&columns)->columns(0);
  input(&columns)->mutable_columns(input(&columns)->columns_size() - 1)->set_text("another text");
  columns.mutable_tables(0)->add_column_types(columns.tables(0).column_types(0));
  EXPECT_EQ(message_of(columns), "table 'customer_id': a column is there twice");
  proto::JobPlan filters = good();
  *input(&filters)->add_filters() = input(&filters)->filters(0);
  EXPECT_EQ(message_of(filters), "table 'customer_id': a filter is there twice");
}

TEST(PlanFromProto, RefusesMoreExpressionsThanAJobHas) {
  proto::JobPlan plan = good();
  proto::Expr yes;
  yes.set_op(proto::Expr::LITERAL);
  yes.set_type(proto::BOOL);
  yes.set_literal_bool(true);
  for (int i = 0; i < 300; ++i) {
    proto::Expr* all = input(&plan)->add_filters();
    all->set_op(proto::Expr::AND);
    all->set_type(proto::BOOL);
    for (int k = 0; k < 4000 - i; ++k) *all->add_args() = yes;
  }
  const auto made = Plan::from_proto(std::move(plan));
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().message().find("have more than 1048576 parts"), std::string::npos)
      << made.error().message();
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
