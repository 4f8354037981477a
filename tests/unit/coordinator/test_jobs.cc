#include "tests/unit/coordinator/test_jobs.h"

#include <utility>

namespace tidemill::testing {

std::shared_ptr<const Plan> small_plan(const std::string& name, uint32_t key_partitions,
                                       uint32_t source_partitions) {
  proto::JobPlan plan;
  plan.set_format_version(1);
  plan.set_job(name);
  plan.set_key_partitions(key_partitions);
  plan.set_leading_edge(proto::JobPlan::EVENT);
  plan.set_yaml("job: " + name + "\n");
  auto* source = plan.add_sources();
  source->set_name("transactions");
  auto* time = source->add_schema();
  time->set_name("event_time");
  time->set_type(proto::TIMESTAMP);
  auto* customer = source->add_schema();
  customer->set_name("customer_id");
  customer->set_type(proto::STRING);
  source->set_event_time_field(0);
  source->set_not_after_us(4'000'000'000'000'000);
  source->set_partitions(source_partitions);
  source->mutable_generator()->set_partitions(source_partitions);
  source->mutable_generator()->set_events(1000);
  source->mutable_generator()->set_customers(10);
  source->mutable_generator()->set_terminals(10);
  source->mutable_generator()->set_events_per_second(10);
  auto* table = plan.add_tables();
  table->set_entity("customer_id");
  table->add_key_fields(1);
  table->add_key_types(proto::STRING);
  table->set_source(0);
  table->set_retention_us(3'600'000'000);
  auto* view = plan.add_views();
  view->set_name("customer");
  view->add_entity("customer_id");
  view->set_table(0);
  auto* feature = view->add_features();
  feature->set_name("count_1h");
  feature->set_function(proto::Feature::COUNT);
  feature->set_column(-1);
  feature->set_filter(-1);
  feature->set_window_us(3'600'000'000);
  feature->set_closed(proto::Feature::RIGHT);
  feature->set_type(proto::INT64);
  auto checked = Plan::from_proto(std::move(plan));
  ASSERT(checked.ok());
  return *checked;
}

}  // namespace tidemill::testing
