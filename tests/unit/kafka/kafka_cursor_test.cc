#include "shared/source/kafka_cursor.h"

#include "shared/base/time.h"
#include "tests/unit/kafka/mock_brokers.h"

namespace tidemill {
namespace {

using test::eventually;
using test::MockBrokers;
using test::payments_source;
using test::TestRecord;

struct Row {
  uint64_t offset = 0;
  int64_t id = 0;
  std::string name;
  TimeUs record_time = 0;
  std::string bytes;
  friend bool operator==(const Row&, const Row&) = default;
};

struct Events {
  std::vector<Row> rows;
  std::vector<BadRecord> bad;
  uint64_t tombstones = 0;
  EventBatch batch;
};

::testing::AssertionResult read_to_end(const proto::Source& source, Events* events,
                                       uint64_t offset = 0, size_t max_records = 1 << 16,
                                       size_t max_bytes = 1 << 20) {
  auto cursor = SourceCursor::open(source, 0, offset, {});
  if (!cursor.ok()) return ::testing::AssertionFailure() << cursor.error().message();
  uint64_t begin = offset;
  Status status;
  EventBatch& batch = events->batch;
  const bool done = eventually([&] {
    status = (*cursor)->read(max_records, max_bytes, &batch);
    if (!status.ok()) return true;
    EXPECT_EQ(batch.begin_offset, begin);
    EXPECT_EQ(batch.record_times.size(), batch.rows());
    begin = batch.end_offset;
    for (size_t row = 0; row < batch.rows(); ++row) {
      uint64_t size = 0;
      const std::string bytes = (*cursor)->record_bytes(batch, row, &size);
      EXPECT_EQ(size, bytes.size());
      events->rows.push_back({batch.offsets[row], batch.columns[0].ints[row],
                              std::string(batch.columns[2].strings[row]), batch.record_times[row],
                              bytes});
    }
    events->bad.insert(events->bad.end(), batch.bad.begin(), batch.bad.end());
    events->tombstones += batch.tombstones;
    return batch.at_end;
  });
  if (!status.ok()) return ::testing::AssertionFailure() << status.error().message();
  return done ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << "no end";
}

constexpr int64_t kRecordMs = 1'700'000'000'000;  // 2023-11-14T22:13:20Z

std::string event(int id, const std::string& name = "n") {
  return R"({"id": )" + std::to_string(id) + R"(, "at": "2023-11-14T22:13:20Z", "name": ")" + name +
         "\"}";
}

TEST(KafkaCursor, JsonMessagesAreEvents) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  const std::string escaped = event(2, R"(a\nb\"c)");
  const std::string pretty =
      "{\n  \"id\": 3,\n  \"at\": \"2023-11-14T22:13:20Z\",\n  \"name\": \"p\"\n}\n";
  brokers.write(
      "t", 0, {{"k", event(1), kRecordMs}, {"", escaped, kRecordMs + 5}, {"k", pretty, kRecordMs}});
  Events events;
  ASSERT_TRUE(read_to_end(payments_source(brokers.input("t", 1)), &events));
  EXPECT_EQ(events.rows, (std::vector<Row>{{0, 1, "n", kRecordMs * 1000, event(1)},
                                           {1, 2, "a\nb\"c", (kRecordMs + 5) * 1000, escaped},
                                           {2, 3, "p", kRecordMs * 1000, pretty}}));
  EXPECT_EQ(events.batch.end_offset, 3U);
  EXPECT_EQ(events.batch.last.offset, 2U);
  EXPECT_FALSE(events.batch.finished);
}

TEST(KafkaCursor, CsvMessagesAreOneRecordEach) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  proto::KafkaInput input = brokers.input("t", 1);
  input.set_format(proto::KafkaInput::CSV);
  for (const uint32_t field : {2U, 0U, 1U}) input.add_csv_fields(field);
  brokers.write_values(
      "t", 0,
      {"plain,1,2023-11-14T22:13:20Z", "\"two\nlines, \"\"quoted\"\"\",2,2023-11-14T22:13:20Z\r\n",
       "a,3,2023-11-14T22:13:20Z\nb,4,2023-11-14T22:13:20Z\n", "few", ""});
  Events events;
  ASSERT_TRUE(read_to_end(payments_source(input), &events));
  ASSERT_EQ(events.rows.size(), 2U);
  EXPECT_EQ(events.rows[0].name, "plain");
  EXPECT_EQ(events.rows[1].name, "two\nlines, \"quoted\"");
  EXPECT_EQ(events.rows[1].id, 2);
  ASSERT_EQ(events.bad.size(), 3U);
  EXPECT_NE(events.bad[0].message.find("more than one line"), std::string::npos);
  EXPECT_EQ(events.bad[0].bytes, "a,3,2023-11-14T22:13:20Z\nb,4,2023-11-14T22:13:20Z\n");
  EXPECT_EQ(events.bad[1].message, "the record has 1 field; the source has 3");
  EXPECT_EQ(events.bad[2].offset, 4U);
  EXPECT_EQ(events.bad[2].size, 0U);
}

TEST(KafkaCursor, FieldsOfCsvMessagesMustBeTheSchemas) {
  proto::KafkaInput input;
  input.set_brokers("127.0.0.1:1");
  input.set_topic("t");
  input.set_format(proto::KafkaInput::CSV);
  input.add_start_offsets(0);
  input.add_csv_fields(0);
  const auto cursor = SourceCursor::open(payments_source(input), 0, 0, {});
  ASSERT_FALSE(cursor.ok());
  EXPECT_NE(cursor.error().message().find("does not name column 'at'"), std::string::npos);
}

TEST(KafkaCursor, TombstonesAndBadRecordsKeepTheirPlace) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  const std::string large(kMaxRecordBytes + 1, 'x');
  const std::string broken = R"({"id": "\u0041)";
  brokers.write("t", 0,
                {{"k", std::nullopt},
                 {"k", event(1)},
                 {"k", large},
                 {"k", broken},
                 {"k", std::nullopt},
                 {"k", event(2)}});
  for (const size_t records : {size_t{1}, size_t{2}, size_t{1} << 16}) {
    Events events;
    ASSERT_TRUE(read_to_end(payments_source(brokers.input("t", 1)), &events, 0, records));
    EXPECT_EQ(events.tombstones, 2U);
    ASSERT_EQ(events.rows.size(), 2U);
    EXPECT_EQ(events.rows[0].offset, 1U);
    EXPECT_EQ(events.rows[1].offset, 5U);
    ASSERT_EQ(events.bad.size(), 2U);
    EXPECT_EQ(events.bad[0].offset, 2U);
    EXPECT_EQ(events.bad[0].reason, BadReason::kOversized);
    EXPECT_EQ(events.bad[0].size, large.size());
    EXPECT_EQ(events.bad[0].bytes, large.substr(0, kBadRecordBytes));
    EXPECT_EQ(events.bad[1].offset, 3U);
    EXPECT_EQ(events.bad[1].reason, BadReason::kUnparsable);
    EXPECT_EQ(events.bad[1].bytes, broken);
    EXPECT_EQ(events.batch.end_offset, 6U);
  }
}

TEST(KafkaCursor, TheRecordsTimestampBoundsTheFuture) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  // Events of one time, in records of 60 s, and a millisecond more, before it.
  brokers.write("t", 0, {{"k", event(1), kRecordMs - 60'000}, {"k", event(2), kRecordMs - 60'001}});
  Events events;
  ASSERT_TRUE(read_to_end(payments_source(brokers.input("t", 1)), &events));
  ASSERT_EQ(events.rows.size(), 1U);
  EXPECT_EQ(events.rows[0].id, 1);
  ASSERT_EQ(events.bad.size(), 1U);
  EXPECT_EQ(events.bad[0].reason, BadReason::kFuture);
  EXPECT_EQ(events.bad[0].bytes, event(2));
}

TEST(KafkaCursor, AnyReadSizeGivesTheSameEvents) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  std::vector<TestRecord> records;
  for (int i = 0; i < 300; ++i) {
    records.push_back({"k" + std::to_string(i % 7), event(i, std::string(i % 40, 'n'))});
    if (i % 11 == 0) records.push_back({"k", "not json"});
    if (i % 13 == 0) records.push_back({"k", std::nullopt});
  }
  brokers.write("t", 0, records);
  const proto::Source source = payments_source(brokers.input("t", 1));
  Events whole;
  ASSERT_TRUE(read_to_end(source, &whole));
  EXPECT_EQ(whole.rows.size(), 300U);
  for (const auto& [most, bytes] :
       {std::pair<size_t, size_t>{1, 1 << 20}, {13, 1 << 20}, {1 << 16, 300}}) {
    Events parts;
    ASSERT_TRUE(read_to_end(source, &parts, 0, most, bytes));
    EXPECT_EQ(parts.rows, whole.rows);
    EXPECT_EQ(parts.bad.size(), whole.bad.size());
    EXPECT_EQ(parts.tombstones, whole.tombstones);
    EXPECT_EQ(parts.batch.last, whole.batch.last);
  }
}

TEST(KafkaCursor, OffsetZeroIsWhereTheJobStarts) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  brokers.write_values("t", 0, {event(0), event(1), event(2)});
  proto::KafkaInput input = brokers.input("t", 1);
  input.set_start_offsets(0, 2);
  Events events;
  ASSERT_TRUE(read_to_end(payments_source(input), &events));
  ASSERT_EQ(events.rows.size(), 1U);
  EXPECT_EQ(events.rows[0].offset, 2U);
  // At an end behind which nothing was read, the end is the position too.
  input.set_start_offsets(0, 3);
  Events none;
  ASSERT_TRUE(read_to_end(payments_source(input), &none));
  EXPECT_EQ(none.batch.end_offset, 3U);
}

// Whether what is behind was fetched already or not, and where the log begins too.
TEST(KafkaCursor, AReadEndsWhereItIsTold) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  std::vector<std::string> values;
  for (int i = 0; i < 40; ++i) values.push_back(event(i));
  brokers.write_values("t", 0, values);
  proto::KafkaInput input = brokers.input("t", 1);
  input.set_start_offsets(0, 5);
  Events whole;
  ASSERT_TRUE(read_to_end(payments_source(input), &whole));
  auto cursor = SourceCursor::open(payments_source(input), 0, 0, {});
  ASSERT_TRUE(cursor.ok()) << cursor.error().message();
  size_t rows = 0;
  EventBatch batch;
  for (const uint64_t until : {5, 7, 20, 21, 40}) {
    (*cursor)->read_until(until);
    ASSERT_TRUE(eventually([&] {
      if (!(*cursor)->read(100, 1 << 20, &batch).ok() || batch.end_offset > until) return true;
      rows += batch.rows();
      return batch.end_offset == until;
    }));
    ASSERT_EQ(batch.end_offset, until);
    EXPECT_EQ(batch.last.offset, until > 5 ? until - 1 : 0);
    EXPECT_EQ(rows, until - 5);
  }
  EXPECT_EQ(batch.last, whole.batch.last);
}

TEST(KafkaCursor, TheLogIsKnownBesideItsRecords) {
  MockBrokers brokers;
  brokers.create_topic("t", 3);
  brokers.write_values("t", 0, {event(0), event(1)});
  auto cursor = SourceCursor::open(payments_source(brokers.input("t", 3)), 0, 0, {});
  ASSERT_TRUE(cursor.ok()) << cursor.error().message();
  EventBatch batch;
  ASSERT_TRUE(eventually([&] { return (*cursor)->read(1, 1, &batch).ok() && batch.rows() == 1; }));
  EXPECT_EQ((*cursor)->info().partitions, 3U);
  EXPECT_EQ((*cursor)->info().end_offset, 2U);
}

TEST(KafkaCursor, ErrorsNameThePartition) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  const auto cursor = SourceCursor::open(payments_source(brokers.input("t", 1)), 0, 7, {});
  ASSERT_FALSE(cursor.ok());
  EXPECT_EQ(cursor.error().code(), ErrorCode::kSourceChanged);
  EXPECT_EQ(cursor.error().message().find("partition 0 of topic 't'"), 0U)
      << cursor.error().message();
}

}  // namespace
}  // namespace tidemill
