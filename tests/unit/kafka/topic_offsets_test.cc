#include "shared/kafka/topic_offsets.h"

#include "tests/unit/kafka/mock_brokers.h"

namespace tidemill {
namespace {

using test::MockBrokers;

proto::Source source_of(const proto::KafkaInput& input) {
  proto::Source source;
  source.set_name("payments");
  *source.mutable_kafka() = input;
  return source;
}

TEST(TopicOffsets, ATopicIsDescribed) {
  MockBrokers brokers;
  brokers.create_topic("t", 3);
  brokers.write_values("t", 1, {"a", "b"});
  const auto described = describe_topic(brokers.input("t", 0));
  ASSERT_TRUE(described.ok()) << described.error().message();
  ASSERT_EQ(described->size(), 3U);
  EXPECT_EQ((*described)[0].high, 0U);
  EXPECT_EQ((*described)[1].low, 0U);
  EXPECT_EQ((*described)[1].high, 2U);
}

TEST(TopicOffsets, TheStartIsDecidedOnce) {
  MockBrokers brokers;
  brokers.create_topic("t", 2);
  brokers.write_values("t", 1, {"a", "b", "c"});
  proto::Source earliest = source_of(brokers.input("t", 0));
  ASSERT_TRUE(bind_kafka_source(&earliest).ok());
  EXPECT_EQ(std::vector<uint64_t>(earliest.kafka().start_offsets().begin(),
                                  earliest.kafka().start_offsets().end()),
            (std::vector<uint64_t>{0, 0}));
  proto::Source latest = source_of(brokers.input("t", 0));
  latest.mutable_kafka()->set_start(proto::KafkaInput::LATEST);
  ASSERT_TRUE(bind_kafka_source(&latest).ok());
  EXPECT_EQ(latest.kafka().start_offsets(1), 3U);
  // The mock knows no times of records: none is so late, and reading starts at the end.
  proto::Source timed = source_of(brokers.input("t", 0));
  timed.mutable_kafka()->set_start(proto::KafkaInput::TIMESTAMP);
  timed.mutable_kafka()->set_start_time_us(1);
  ASSERT_TRUE(bind_kafka_source(&timed).ok());
  EXPECT_EQ(timed.kafka().start_offsets(1), 3U);
}

TEST(TopicOffsets, AMissingTopicIsTheUsersError) {
  MockBrokers brokers;
  rd_kafka_mock_topic_set_error(brokers.cluster(), "nothing",
                                RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  proto::Source source = source_of(brokers.input("nothing", 0));
  const Status bound = bind_kafka_source(&source);
  ASSERT_FALSE(bound.ok());
  EXPECT_EQ(bound.error().code(), ErrorCode::kUser);
  EXPECT_NE(bound.error().message().find("there is no topic 'nothing'"), std::string::npos);
}

TEST(TopicOffsets, BrokersThatAreAwayAreNamed) {
  MockBrokers brokers;
  brokers.set_up(false);
  proto::Source source = source_of(brokers.input("t", 0));
  const Status bound = bind_kafka_source(&source);
  ASSERT_FALSE(bound.ok());
  EXPECT_EQ(bound.error().code(), ErrorCode::kRetryable);
  EXPECT_NE(bound.error().message().find(source.kafka().brokers()), std::string::npos);
  EXPECT_NE(bound.error().message().find("cannot be reached"), std::string::npos);
}

TEST(TopicOffsets, SettingsAreCheckedBeforeAnythingElse) {
  proto::KafkaInput input;
  input.set_brokers("127.0.0.1:1");
  input.set_topic("t");
  (*input.mutable_client())["sasl.password"] = "${TIDEMILL_TEST_NOT_SET}";
  proto::Source source = source_of(input);
  const Status bound = bind_kafka_source(&source);
  ASSERT_FALSE(bound.ok());
  EXPECT_EQ(bound.error().code(), ErrorCode::kUser);
  EXPECT_NE(bound.error().message().find("TIDEMILL_TEST_NOT_SET"), std::string::npos);
}

}  // namespace
}  // namespace tidemill
