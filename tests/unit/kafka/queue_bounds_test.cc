#include "shared/kafka/queue_bounds.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "shared/base/memory_account.h"
#include "shared/kafka/partition_reader.h"
#include "tests/unit/kafka/mock_brokers.h"

namespace tidemill {
namespace {

using test::eventually;
using test::MockBrokers;

int64_t number(const std::vector<KafkaSetting>& settings, const std::string& name) {
  for (const auto& [known, value] : settings) {
    if (known == name) return std::stoll(value);
  }
  ADD_FAILURE() << name;
  return 0;
}

TEST(QueueBounds, PartitionsOfATopicShareWhatItMayTake) {
  struct Case {
    int64_t partitions, topic_bytes, message_bytes;
    int64_t queue_kbytes, partition_fetch, fetch;
  };
  constexpr int64_t kMiB = 1 << 20;
  for (const Case& c : {
           // Without a bound.
           Case{1, 0, 1'000'000, 16'384, 2 * kMiB, 16 * kMiB},
           {64, 0, 1'000'000, 4'096, 2 * kMiB, 16 * kMiB},
           {1'000, 0, 1'000'000, 2'048, 2 * kMiB, 16 * kMiB},
           // With one.
           {1, 8 * kMiB, 1'000'000, 8'192, 2 * kMiB, 2 * kMiB},
           {8, 8 * kMiB, 1'000'000, 1'024, kMiB, 2 * kMiB},
           {8, 2 * kMiB, 1'000'000, 256, kMiB / 4, 1'000'000},
           {1'000, 8 * kMiB, 1'000'000, 64, 64 << 10, 2 * kMiB},
           // A record that the user allows has room, or the client would not start.
           {8, 2 * kMiB, 5'000'000, 256, kMiB / 4, 5'000'000},
           // One that is larger than what is needed changes nothing.
           {1, int64_t{1} << 40, 1'000'000, 16'384, 2 * kMiB, 16 * kMiB},
       }) {
    const auto settings = queue_settings(c.partitions, c.topic_bytes, c.message_bytes);
    EXPECT_EQ(number(settings, "queued.max.messages.kbytes"), c.queue_kbytes) << c.partitions;
    EXPECT_EQ(number(settings, "max.partition.fetch.bytes"), c.partition_fetch) << c.partitions;
    EXPECT_EQ(number(settings, "fetch.max.bytes"), c.fetch) << c.partitions;
  }
}

TEST(QueueBounds, AddsUpTheQueuesOfAllPartitions) {
  EXPECT_EQ(queued_bytes(""), 0u);
  EXPECT_EQ(queued_bytes(R"({"topics":{}})"), 0u);
  EXPECT_EQ(queued_bytes(R"({"topics":{"t":{"partitions":{"0":{"fetchq_cnt":3,"fetchq_size":300},
                             "1":{"fetchq_cnt":0,"fetchq_size": 0},"-1":{"fetchq_size":7}}}}})"),
            307u);
}

// What librdkafka says of itself, of records that nobody has read yet, and of those that were.
TEST(QueueBounds, RecordsThatAreFetchedAreAccountedForAndKeptWithinTheBound) {
  constexpr int64_t kWritten = 4'000'000;
  const auto kafka = [] {  // clients of other tests may end meanwhile
    return static_cast<int64_t>(MemoryAccount::bytes(MemoryConsumer::kKafka));
  };
  const int64_t before = kafka();
  MockBrokers brokers;
  brokers.create_topic("bounded", 1);
  for (int i = 0; i < 40; ++i) {
    brokers.write_values("bounded", 0, std::vector<std::string>(10, std::string(10'000, 'x')));
  }
  bound_kafka_queues(1 << 20);
  auto reader = KafkaPartitionReader::open(brokers.input("bounded", 1), 0, 0, {});
  bound_kafka_queues(0);
  ASSERT_TRUE(reader.ok()) << reader.error().message();
  KafkaRecords records;
  ASSERT_TRUE(
      eventually([&] { return (*reader)->read(1, 1, &records).ok() && records.end_offset == 1; }));
  int64_t most = 0;
  EXPECT_TRUE(eventually([&] {
    most = std::max(most, kafka() - before);
    return most > 200'000;
  })) << most;
  EXPECT_TRUE(eventually([&] {
    const bool read = (*reader)->read(100, 1 << 20, &records).ok();
    most = std::max(most, kafka() - before);
    return read && records.end_offset == 400 && records.at_end;
  }));
  EXPECT_LT(most, kWritten * 3 / 4) << "one response may come on top of a queue that is not full";
  reader->reset();
  EXPECT_TRUE(eventually([&] { return kafka() <= before + 200'000; })) << kafka();
}

}  // namespace
}  // namespace tidemill
