#include "shared/kafka/record_writer.h"

#include "shared/kafka/topic_offsets.h"
#include "tests/unit/kafka/mock_brokers.h"

namespace tidemill {
namespace {

using test::MockBrokers;

TEST(KafkaRecordWriter, KeysDecideThePartition) {
  MockBrokers brokers;
  brokers.create_topic("t", 4);
  const proto::KafkaInput input = brokers.input("t", 0);
  auto writer = KafkaRecordWriter::open(input);
  ASSERT_TRUE(writer.ok()) << writer.error().message();
  for (int i = 0; i < 1000; ++i) {
    const std::string key = "customer-" + std::to_string(i % 3);
    ASSERT_TRUE((*writer)->write({.key = key, .has_key = true, .value = "{}"}).ok());
  }
  ASSERT_TRUE((*writer)->flush().ok());
  EXPECT_EQ((*writer)->delivered(), 1000U);
  EXPECT_EQ((*writer)->failed(), 0U);
  const auto described = describe_topic(input);
  ASSERT_TRUE(described.ok());
  uint64_t all = 0;
  for (const PartitionOffsets& partition : *described) {
    all += partition.high;
    // Whole customers: 333 or 334 records each.
    EXPECT_TRUE(partition.high % 333 <= 3) << partition.high;
  }
  EXPECT_EQ(all, 1000U);
}

TEST(KafkaRecordWriter, WhatCannotBeDeliveredIsAnError) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  proto::KafkaInput input = brokers.input("t", 0);
  (*input.mutable_client())["message.timeout.ms"] = "1500";
  auto writer = KafkaRecordWriter::open(input);
  ASSERT_TRUE(writer.ok()) << writer.error().message();
  brokers.set_up(false);
  ASSERT_TRUE((*writer)->write({.partition = 0, .value = "x"}).ok());
  const Status flushed = (*writer)->flush();
  ASSERT_FALSE(flushed.ok());
  EXPECT_EQ((*writer)->failed(), 1U);
  EXPECT_NE(flushed.error().message().find("could not be written to topic 't'"), std::string::npos);
}

TEST(KafkaRecordWriter, AMissingTopicIsNotMade) {
  MockBrokers brokers;
  rd_kafka_mock_topic_set_error(brokers.cluster(), "t", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  const auto writer = KafkaRecordWriter::open(brokers.input("t", 0));
  ASSERT_FALSE(writer.ok());
  EXPECT_NE(writer.error().message().find("topic 't' cannot be written"), std::string::npos);
}

TEST(CreateTopic, OneThatIsThereIsLeftAlone) {
  MockBrokers brokers;
  brokers.create_topic("t", 2);
  const auto created = create_topic(brokers.input("t", 0), 4);
  ASSERT_TRUE(created.ok()) << created.error().message();
  EXPECT_FALSE(*created);
  EXPECT_EQ(describe_topic(brokers.input("t", 0))->size(), 2U);
}

}  // namespace
}  // namespace tidemill
