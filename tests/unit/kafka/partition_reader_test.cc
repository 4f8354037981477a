#include "shared/kafka/partition_reader.h"

#include <algorithm>

#include "shared/kafka/client.h"
#include "tests/unit/kafka/mock_brokers.h"

namespace tidemill {
namespace {

using test::eventually;
using test::MockBrokers;

std::vector<std::string> numbers(int from, int to) {
  std::vector<std::string> values;
  for (int i = from; i < to; ++i) values.push_back("value " + std::to_string(i));
  return values;
}

struct Seen {
  std::vector<std::string> values;
  std::vector<uint64_t> offsets;
  KafkaRecords last;
};

// Reads until `values` values were seen and the log's end is confirmed.
::testing::AssertionResult read_to_end(KafkaPartitionReader* reader, size_t values, Seen* seen,
                                       size_t max_records = 1 << 16, size_t max_bytes = 1 << 20) {
  Status status;
  const bool done = eventually([&] {
    status = reader->read(max_records, max_bytes, &seen->last);
    if (!status.ok()) return true;
    for (const KafkaRecord& record : seen->last.records) {
      seen->values.emplace_back(record.value);
      seen->offsets.push_back(record.offset);
    }
    return seen->values.size() >= values && seen->last.at_end;
  });
  if (!status.ok()) return ::testing::AssertionFailure() << status.error().message();
  if (!done) return ::testing::AssertionFailure() << "only " << seen->values.size();
  return ::testing::AssertionSuccess();
}

std::unique_ptr<KafkaPartitionReader> open(const proto::KafkaInput& input, uint64_t offset = 0,
                                           const RecordIdentity& last = {},
                                           uint32_t partition = 0) {
  auto reader = KafkaPartitionReader::open(input, partition, offset, last);
  EXPECT_TRUE(reader.ok()) << reader.error().message();
  return reader.ok() ? std::move(*reader) : nullptr;
}

TEST(KafkaPartitionReader, ReadsInOrderToTheConfirmedEnd) {
  MockBrokers brokers;
  brokers.create_topic("t", 2);
  brokers.write_values("t", 0, numbers(0, 3000));
  auto reader = open(brokers.input("t", 2));
  Seen seen;
  ASSERT_TRUE(read_to_end(reader.get(), 3000, &seen));
  EXPECT_EQ(seen.values, numbers(0, 3000));
  EXPECT_EQ(seen.last.end_offset, 3000U);
  EXPECT_EQ(seen.last.last.offset, 2999U);
  EXPECT_EQ(reader->log_end_offset(), 3000U);
  EXPECT_TRUE(eventually([&] { return reader->partitions() == 2; }));
  // The end moves on.
  brokers.write_values("t", 0, numbers(3000, 3010));
  ASSERT_TRUE(read_to_end(reader.get(), 3010, &seen));
  EXPECT_EQ(seen.values, numbers(0, 3010));
}

TEST(KafkaPartitionReader, AnEmptyPartitionIsAtItsEnd) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  auto reader = open(brokers.input("t", 1));
  Seen seen;
  ASSERT_TRUE(read_to_end(reader.get(), 0, &seen));
  EXPECT_EQ(seen.last.end_offset, 0U);
  EXPECT_EQ(seen.last.last, RecordIdentity{});
}

TEST(KafkaPartitionReader, AnyReadSizeGivesTheSame) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  brokers.write_values("t", 0, numbers(0, 500));
  for (const auto& [records, bytes] :
       {std::pair<size_t, size_t>{1, 1 << 20}, {7, 1 << 20}, {1 << 16, 1}, {1 << 16, 100}}) {
    auto reader = open(brokers.input("t", 1), 100);
    Seen seen;
    ASSERT_TRUE(read_to_end(reader.get(), 400, &seen, records, bytes));
    EXPECT_EQ(seen.values, numbers(100, 500));
    EXPECT_EQ(seen.offsets.front(), 100U);
  }
}

TEST(KafkaPartitionReader, LimitsOfAReadHold) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  brokers.write_values("t", 0, numbers(0, 500));
  auto reader = open(brokers.input("t", 1));
  KafkaRecords records;
  uint64_t end = 0;
  ASSERT_TRUE(eventually([&] {
    EXPECT_TRUE(reader->read(10, 1 << 20, &records).ok());
    EXPECT_LE(records.records.size(), 10U);
    EXPECT_GE(records.end_offset, end);
    EXPECT_EQ(records.end_offset, end + records.records.size());
    end = records.end_offset;
    return end == 500;
  }));
}

TEST(KafkaPartitionReader, WhatIsGivenBackComesAgain) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  brokers.write_values("t", 0, numbers(0, 100));
  auto reader = open(brokers.input("t", 1));
  KafkaRecords records;
  std::vector<std::string> seen;
  RecordIdentity identity;
  ASSERT_TRUE(eventually([&] {
    const uint64_t begin = seen.size();
    EXPECT_TRUE(reader->read(10, 1 << 20, &records).ok());
    if (records.records.empty()) return false;
    const RecordIdentity all = records.last;
    const size_t given = records.records.size();
    const size_t kept = begin % 3 == 0 ? 0 : given / 2;
    reader->give_back(kept, &records);
    EXPECT_EQ(records.records.size(), kept);
    EXPECT_EQ(records.end_offset, begin + kept);
    EXPECT_FALSE(records.at_end);
    EXPECT_EQ(records.last.offset, begin + kept == 0 ? 0 : begin + kept - 1);
    if (kept == 0) {
      EXPECT_EQ(records.last, identity);
    }
    size_t bytes = 0;
    for (const KafkaRecord& record : records.records) {
      seen.emplace_back(record.value);
      bytes += record.value.size();
    }
    EXPECT_EQ(records.value_bytes, bytes);
    // The rest, up to where the first read had come.
    EXPECT_TRUE(reader->read(given - kept, 1 << 20, &records).ok());
    EXPECT_EQ(records.end_offset, all.offset + 1);
    EXPECT_EQ(records.last, all);
    for (const KafkaRecord& record : records.records) seen.emplace_back(record.value);
    identity = records.last;
    return seen.size() == 100;
  }));
  EXPECT_EQ(seen, numbers(0, 100));
}

TEST(KafkaPartitionReader, PositionsOfOnePartitionReadIndependently) {
  MockBrokers brokers;
  brokers.create_topic("t", 2);
  brokers.write_values("t", 0, numbers(0, 1000));
  brokers.write_values("t", 1, numbers(5000, 5100));
  const proto::KafkaInput input = brokers.input("t", 2);
  auto main = open(input);
  auto catch_up = open(input, 400);
  auto other = open(input, 0, {}, 1);
  Seen first;
  Seen second;
  Seen third;
  ASSERT_TRUE(read_to_end(main.get(), 1000, &first, 100));
  ASSERT_TRUE(read_to_end(catch_up.get(), 600, &second, 100));
  ASSERT_TRUE(read_to_end(other.get(), 100, &third, 100));
  EXPECT_EQ(first.values, numbers(0, 1000));
  EXPECT_EQ(second.values, numbers(400, 1000));
  EXPECT_EQ(third.values, numbers(5000, 5100));
  // A position given up may be taken again, from elsewhere.
  catch_up = open(input, 900);
  Seen again;
  ASSERT_TRUE(read_to_end(catch_up.get(), 100, &again));
  EXPECT_EQ(again.values, numbers(900, 1000));
}

TEST(KafkaPartitionReader, TheIdentityOfTheLastRecordIsTheLogs) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  brokers.write_values("t", 0, numbers(0, 50));
  const proto::KafkaInput input = brokers.input("t", 1);
  Seen whole;
  auto reader = open(input);
  ASSERT_TRUE(read_to_end(reader.get(), 50, &whole));
  // However it is read.
  Seen parts;
  reader = open(input, 30);
  ASSERT_TRUE(read_to_end(reader.get(), 20, &parts, 3));
  EXPECT_EQ(whole.last.last, parts.last.last);
  // Opened with it, reading goes on.
  Seen none;
  reader = open(input, 50, whole.last.last);
  ASSERT_TRUE(read_to_end(reader.get(), 0, &none));
  EXPECT_EQ(none.last.last, whole.last.last);
}

TEST(KafkaPartitionReader, AnotherRecordWhereTheLastWasReadIsAChangedSource) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  brokers.write_values("t", 0, numbers(0, 50));
  const auto reader =
      KafkaPartitionReader::open(brokers.input("t", 1), 0, 30, RecordIdentity{29, 12345});
  ASSERT_FALSE(reader.ok());
  EXPECT_EQ(reader.error().code(), ErrorCode::kSourceChanged);
  EXPECT_NE(reader.error().message().find("another record at offset 29"), std::string::npos)
      << reader.error().message();
}

TEST(KafkaPartitionReader, AnOffsetBehindTheEndIsAChangedSource) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  brokers.write_values("t", 0, numbers(0, 50));
  const auto reader = KafkaPartitionReader::open(brokers.input("t", 1), 0, 51, {});
  ASSERT_FALSE(reader.ok());
  EXPECT_EQ(reader.error().code(), ErrorCode::kSourceChanged);
  EXPECT_NE(reader.error().message().find("ends at offset 50"), std::string::npos)
      << reader.error().message();
}

TEST(KafkaPartitionReader, AnOffsetBeyondRetentionIsAChangedSource) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  // The mock keeps 5 MiB.
  brokers.write_values("t", 0, std::vector<std::string>(80, std::string(100'000, 'x')));
  const auto reader = KafkaPartitionReader::open(brokers.input("t", 1), 0, 0, {});
  ASSERT_FALSE(reader.ok());
  EXPECT_EQ(reader.error().code(), ErrorCode::kSourceChanged);
  EXPECT_NE(reader.error().message().find("beyond retention"), std::string::npos)
      << reader.error().message();
}

TEST(KafkaPartitionReader, RetentionThatOvertakesAReaderIsNoticed) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  brokers.write_values("t", 0, numbers(0, 10));
  proto::KafkaInput input = brokers.input("t", 1);
  // Else what is written below may be fetched before it is gone.
  (*input.mutable_client())["queued.min.messages"] = "1";
  (*input.mutable_client())["queued.max.messages.kbytes"] = "1";
  auto reader = open(input);
  KafkaRecords records;
  ASSERT_TRUE(
      eventually([&] { return reader->read(1, 1, &records).ok() && records.end_offset == 1; }));
  brokers.write_values("t", 0, std::vector<std::string>(80, std::string(100'000, 'x')));
  Status status;
  ASSERT_TRUE(eventually([&] {
    status = reader->read(1, 1, &records);
    return !status.ok() || records.end_offset > 60;
  }));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kSourceChanged) << status.error().message();
}

TEST(KafkaPartitionReader, APartitionThatIsNotThereIsAChangedSource) {
  MockBrokers brokers;
  brokers.create_topic("t", 2);
  const auto reader = KafkaPartitionReader::open(brokers.input("t", 4), 3, 0, {});
  ASSERT_FALSE(reader.ok());
  EXPECT_EQ(reader.error().code(), ErrorCode::kSourceChanged);
  EXPECT_NE(reader.error().message().find("only 2 partitions"), std::string::npos);
}

TEST(KafkaPartitionReader, BrokersThatGoAndComeBack) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  brokers.write_values("t", 0, numbers(0, 100));
  const proto::KafkaInput input = brokers.input("t", 1);
  auto reader = open(input);
  Seen seen;
  ASSERT_TRUE(read_to_end(reader.get(), 100, &seen));
  brokers.set_up(false);
  Status status;
  KafkaRecords records;
  ASSERT_TRUE(eventually([&] {
    status = reader->read(100, 1 << 20, &records);
    return !status.ok();
  }));
  EXPECT_EQ(status.error().code(), ErrorCode::kRetryable);
  EXPECT_NE(status.error().message().find("cannot be reached"), std::string::npos)
      << status.error().message();
  EXPECT_FALSE(records.at_end);
  EXPECT_FALSE(KafkaPartitionReader::open(input, 0, 100, seen.last.last).ok());
  brokers.set_up(true);
  ASSERT_TRUE(eventually([&] { return reader->read(100, 1 << 20, &records).ok(); }));
  brokers.write_values("t", 0, numbers(100, 150));
  ASSERT_TRUE(read_to_end(reader.get(), 150, &seen));
  EXPECT_EQ(seen.values, numbers(0, 150));
}

TEST(KafkaPartitionReader, ATopicThatDisappearsIsAChangedSource) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  brokers.write_values("t", 0, numbers(0, 10));
  auto reader = open(brokers.input("t", 1));
  Seen seen;
  ASSERT_TRUE(read_to_end(reader.get(), 10, &seen));
  rd_kafka_mock_topic_set_error(brokers.cluster(), "t", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  Status status;
  ASSERT_TRUE(eventually([&] {
    status = reader->read(100, 1 << 20, &seen.last);
    return !status.ok();
  }));
  EXPECT_EQ(status.error().code(), ErrorCode::kSourceChanged);
  EXPECT_NE(status.error().message().find("does not exist any more"), std::string::npos);
}

// Reads what is committed for a group, as lag tools do.
int64_t committed(const proto::KafkaInput& input, int32_t partition) {
  auto client =
      KafkaClient::create({.brokers = input.brokers(), .owned = {{"group.id", input.group()}}});
  const KafkaOffsetList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), input.topic().c_str(), partition);
  if (rd_kafka_committed((*client)->handle(), list.get(), 5000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return -2;
  }
  return list->elems[0].offset;
}

TEST(KafkaPartitionReader, ProgressIsCommittedToTheGroup) {
  MockBrokers brokers;
  brokers.create_topic("t", 2);
  brokers.write_values("t", 1, numbers(0, 10));
  const proto::KafkaInput input = brokers.input("t", 2);
  auto reader = open(input, 0, {}, 1);
  reader->commit(4);
  EXPECT_TRUE(eventually([&] { return committed(input, 1) == 4; }));
  reader->commit(9);
  reader.reset();
  EXPECT_TRUE(eventually([&] { return committed(input, 1) == 9; }));
}

// A commit that the broker did not take is sent again when the same offset is said again.
TEST(KafkaPartitionReader, AFailedCommitIsRepeated) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  brokers.write_values("t", 0, numbers(0, 10));
  const proto::KafkaInput input = brokers.input("t", 1);
  constexpr int16_t kOffsetCommit = 8;
  rd_kafka_mock_push_request_errors(brokers.cluster(), kOffsetCommit, 1,
                                    RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
  auto reader = open(input, 0, {}, 0);
  EXPECT_TRUE(eventually([&] {
    reader->commit(4);
    return committed(input, 0) == 4;
  }));
}

}  // namespace
}  // namespace tidemill
