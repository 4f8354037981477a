// Brokers in this process, librdkafka's own (rdkafka_mock.h): topics, produce, fetch, offsets,
// groups; partitions hold 5 MiB and forget the oldest. They know no timestamps of offsets and no
// admin requests.
#pragma once

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/kafka/record_writer.h"

namespace tidemill::test {

struct TestRecord {
  std::string key;
  std::optional<std::string> value;
  int64_t timestamp_ms = 1'700'000'000'000;
};

class MockBrokers {
 public:
  explicit MockBrokers(int brokers = 1);
  ~MockBrokers();
  MockBrokers(const MockBrokers&) = delete;
  MockBrokers& operator=(const MockBrokers&) = delete;

  void create_topic(const std::string& name, int partitions);
  // Of a topic, starting at offset 0 of `partitions` partitions.
  proto::KafkaInput input(const std::string& topic, int partitions) const;
  void write(const std::string& topic, uint32_t partition, const std::vector<TestRecord>& records);
  // Values alone.
  void write_values(const std::string& topic, uint32_t partition,
                    const std::vector<std::string>& values);
  void set_up(bool up);
  rd_kafka_mock_cluster_t* cluster() const { return cluster_; }

 private:
  int brokers_;
  rd_kafka_t* handle_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

// A source of payments: columns id int64, at timestamp (the event time), name string.
proto::Source payments_source(const proto::KafkaInput& input);

// Until `condition` holds; false if it does not within `patience`.
bool eventually(const std::function<bool()>& condition,
                std::chrono::seconds patience = std::chrono::seconds(60));

}  // namespace tidemill::test
