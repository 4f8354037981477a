#include "tests/unit/kafka/mock_brokers.h"

#include <array>
#include <thread>

#include "shared/base/time.h"

namespace tidemill::test {

MockBrokers::MockBrokers(int brokers) : brokers_(brokers) {
  std::array<char, 512> why{};
  handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, nullptr, why.data(), why.size());
  cluster_ = rd_kafka_mock_cluster_new(handle_, brokers);
}

MockBrokers::~MockBrokers() {
  rd_kafka_mock_cluster_destroy(cluster_);
  rd_kafka_destroy(handle_);
}

void MockBrokers::create_topic(const std::string& name, int partitions) {
  ASSERT_EQ(rd_kafka_mock_topic_create(cluster_, name.c_str(), partitions, 1),
            RD_KAFKA_RESP_ERR_NO_ERROR);
}

proto::KafkaInput MockBrokers::input(const std::string& topic, int partitions) const {
  proto::KafkaInput input;
  input.set_brokers(rd_kafka_mock_cluster_bootstraps(cluster_));
  input.set_topic(topic);
  input.set_format(proto::KafkaInput::JSON);
  input.set_start(proto::KafkaInput::EARLIEST);
  input.set_group("tidemill.test");
  for (int i = 0; i < partitions; ++i) input.add_start_offsets(0);
  return input;
}

void MockBrokers::write(const std::string& topic, uint32_t partition,
                        const std::vector<TestRecord>& records) {
  proto::KafkaInput to = input(topic, 0);
  (*to.mutable_client())["message.max.bytes"] = "4000000";
  (*to.mutable_client())["linger.ms"] = "1";
  auto writer = KafkaRecordWriter::open(to);
  ASSERT_TRUE(writer.ok()) << writer.error().message();
  for (const TestRecord& r : records) {
    const KafkaRecordWriter::Record record{.partition = partition,
                                           .key = r.key,
                                           .has_key = !r.key.empty(),
                                           .value = r.value ? *r.value : std::string_view{},
                                           .has_value = r.value.has_value(),
                                           .timestamp_ms = r.timestamp_ms};
    ASSERT_TRUE((*writer)->write(record).ok());
  }
  ASSERT_TRUE((*writer)->flush().ok());
  ASSERT_EQ((*writer)->delivered(), records.size());
}

void MockBrokers::write_values(const std::string& topic, uint32_t partition,
                               const std::vector<std::string>& values) {
  std::vector<TestRecord> records;
  for (const std::string& value : values) records.push_back({"k", value});
  write(topic, partition, records);
}

void MockBrokers::set_up(bool up) {
  for (int32_t id = 1; id <= brokers_; ++id) {
    up ? rd_kafka_mock_broker_set_up(cluster_, id) : rd_kafka_mock_broker_set_down(cluster_, id);
  }
}

proto::Source payments_source(const proto::KafkaInput& input) {
  proto::Source source;
  source.set_name("payments");
  const std::pair<const char*, proto::ColumnType> columns[] = {
      {"id", proto::INT64}, {"at", proto::TIMESTAMP}, {"name", proto::STRING}};
  for (const auto& [name, type] : columns) {
    proto::Field* field = source.add_schema();
    field->set_name(name);
    field->set_type(type);
  }
  source.set_event_time_field(1);
  source.set_max_future_us(60 * kMicrosPerSecond);
  *source.mutable_kafka() = input;
  return source;
}

bool eventually(const std::function<bool()>& condition, std::chrono::seconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace tidemill::test
