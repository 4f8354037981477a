#include "tests/unit/coordinator/test_jobs.h"

#include <utility>

#include "shared/plan/source_partitions.h"

namespace tidemill::testing {
namespace {

// Without an input.
proto::JobPlan plan_message(const std::string& name, uint32_t key_partitions) {
  proto::JobPlan plan;
  plan.set_format_version(kLeastPlanFormat);
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
  auto* table = plan.add_tables();
  table->set_entity("customer_id");
  table->add_key_types(proto::STRING);
  auto* input = table->add_inputs();
  input->set_source(0);
  auto* key = input->add_keys();
  key->set_op(proto::Expr::COLUMN);
  key->set_type(proto::STRING);
  key->set_column(1);
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
  return plan;
}

std::shared_ptr<const Plan> checked(proto::JobPlan plan) {
  number_source_partitions(&plan);
  auto out = Plan::from_proto(std::move(plan));
  ASSERT(out.ok());
  return *out;
}

}  // namespace

std::shared_ptr<const Plan> small_plan(const std::string& name, uint32_t key_partitions,
                                       uint32_t source_partitions) {
  auto plan = plan_message(name, key_partitions);
  auto* source = plan.mutable_sources(0);
  source->set_not_after_us(4'000'000'000'000'000);
  auto* generator = source->mutable_generator();
  generator->set_partitions(source_partitions);
  generator->set_events(1000);
  generator->set_customers(10);
  generator->set_terminals(10);
  generator->set_events_per_second(10);
  return checked(std::move(plan));
}

std::shared_ptr<const Plan> topic_plan(const std::string& name, uint32_t key_partitions,
                                       uint32_t topic_partitions) {
  auto plan = plan_message(name, key_partitions);
  auto* source = plan.mutable_sources(0);
  source->set_max_future_us(600'000'000);
  auto* kafka = source->mutable_kafka();
  kafka->set_brokers("broker:9092");
  kafka->set_topic("payments");
  kafka->set_format(proto::KafkaInput::JSON);
  kafka->set_start(proto::KafkaInput::EARLIEST);
  kafka->set_group("tidemill." + name);
  for (uint32_t i = 0; i < topic_partitions; ++i) kafka->add_start_offsets(100 * i);
  return checked(std::move(plan));
}

std::shared_ptr<const Plan> files_plan(const std::string& name, uint32_t key_partitions,
                                       const std::vector<std::string>& paths) {
  auto plan = plan_message(name, key_partitions);
  auto* source = plan.mutable_sources(0);
  source->set_not_after_us(4'000'000'000'000'000);
  auto* files = source->mutable_files();
  files->set_format(proto::FilesInput::CSV);
  files->set_follow(true);
  files->add_patterns("/data/*.csv");
  for (const auto& path : paths) add_file(path, files);
  return checked(std::move(plan));
}

void add_file(const std::string& path, proto::FilesInput* files) {
  files->add_paths(path);
  files->add_identities()->set_inode(static_cast<uint64_t>(files->paths_size()));
}

proto::Heartbeat reading(NodeId worker, const JobEntry& entry) {
  proto::Heartbeat beat;
  beat.set_node(worker.value);
  beat.set_endpoint("e" + std::to_string(worker.value));
  beat.set_role(proto::WORKER);
  beat.set_shards(1);
  auto* job = beat.add_jobs();
  job->set_job(entry.job->id.value);
  const auto& grants = entry.grants->sources;
  for (size_t s = 0; s < grants.size(); ++s) {
    if (grants[s].node != worker) continue;
    auto* reader = job->add_readers();
    reader->mutable_read()->set_source_partition(static_cast<uint32_t>(s));
    reader->set_epoch(grants[s].epoch.value);
    reader->set_dead_letters_known(true);
  }
  return beat;
}

}  // namespace tidemill::testing
