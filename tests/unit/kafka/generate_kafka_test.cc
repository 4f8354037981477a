#include "cli/generate.h"
#include "shared/kafka/topic_offsets.h"
#include "shared/source/source_cursor.h"
#include "shared/source/transaction_generator.h"
#include "tests/unit/kafka/mock_brokers.h"

namespace tidemill {
namespace {

using test::eventually;
using test::MockBrokers;

class GenerateKafka : public ::testing::Test {
 protected:
  void SetUp() override {
    brokers_.create_topic("t", 2);
    options_.kafka = brokers_.input("t", 0).brokers();
    options_.topic = "t";
    options_.partitions = 2;
    options_.events = 500;
    options_.malformed_share = 0.02;
    options_.quiet = true;
  }

  proto::Source source(proto::KafkaInput::Format format) const {
    proto::Source source;
    source.set_name("t");
    for (const proto::Field& field : transaction_schema()) *source.add_schema() = field;
    source.set_event_time_field(1);
    *source.mutable_kafka() = brokers_.input("t", 2);
    source.mutable_kafka()->set_format(format);
    return source;
  }

  // Events and bad records of a partition; `times_agree`: no event is later than its record, nor a
  // millisecond earlier.
  void read(const proto::Source& source, uint32_t partition, size_t* rows, size_t* bad,
            bool* times_agree) {
    auto cursor = SourceCursor::open(source, partition, 0, {});
    ASSERT_TRUE(cursor.ok()) << cursor.error().message();
    EventBatch batch;
    ASSERT_TRUE(eventually([&] {
      EXPECT_TRUE((*cursor)->read(1 << 16, 1 << 20, &batch).ok());
      *rows += batch.rows();
      *bad += batch.bad.size();
      for (size_t row = 0; row < batch.rows(); ++row) {
        const TimeUs ahead = batch.record_times[row] - batch.columns[1].ints[row];
        *times_agree = *times_agree && ahead >= 0 && ahead < 1000;
      }
      return batch.at_end;
    }));
  }

  MockBrokers brokers_;
  GenerateOptions options_;
};

TEST_F(GenerateKafka, ThePartitionsOfTheGeneratorAreTheTopics) {
  for (const auto& [format, read_as] :
       {std::pair<const char*, proto::KafkaInput::Format>{"", proto::KafkaInput::JSON},
        {"csv", proto::KafkaInput::CSV}}) {
    options_.format = format;
    options_.topic = std::string("t") + format;
    brokers_.create_topic(options_.topic + "x", 2);
    options_.topic += "x";
    ASSERT_EQ(run_generate(options_), 0);
    proto::Source topic = source(read_as);
    topic.mutable_kafka()->set_topic(options_.topic);
    for (const uint32_t partition : {0U, 1U}) {
      size_t rows = 0;
      size_t bad = 0;
      bool times_agree = true;
      read(topic, partition, &rows, &bad, &times_agree);
      EXPECT_EQ(rows + bad, 500U);
      EXPECT_GT(bad, 0U);
      EXPECT_LT(bad, 50U);
      EXPECT_TRUE(times_agree);
    }
  }
}

TEST_F(GenerateKafka, ByCustomerAllEventsArrive) {
  options_.partition_key = "customer_id";
  options_.timestamps = "now";
  ASSERT_EQ(run_generate(options_), 0);
  const auto described = describe_topic(brokers_.input("t", 0));
  ASSERT_TRUE(described.ok());
  EXPECT_EQ((*described)[0].high + (*described)[1].high, 1000U);
}

TEST_F(GenerateKafka, WhatCannotWorkIsRefused) {
  GenerateOptions options = options_;
  options.partitions = 3;  // the topic has 2
  EXPECT_EQ(run_generate(options), 1);
  options = options_;
  options.format = "ndjson";
  EXPECT_EQ(run_generate(options), 1);
  options = options_;
  options.topic.clear();
  EXPECT_EQ(run_generate(options), 1);
  options = options_;
  options.client = {"no.such.setting=1"};
  EXPECT_EQ(run_generate(options), 1);
  options.client = {"nothing"};
  EXPECT_EQ(run_generate(options), 1);
}

}  // namespace
}  // namespace tidemill
