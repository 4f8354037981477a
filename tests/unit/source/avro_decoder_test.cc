// Avro records into columns: against records that another program wrote, value by value, and on any
// bytes.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "shared/source/message_decoder.h"
#include "tests/unit/source/source_fixture.h"

namespace tidemill::test {
namespace {

using Row = std::vector<std::string>;

proto::Source avro_source(const std::vector<NamedType>& columns, const std::string& schema) {
  proto::Source source = source_with(columns);
  source.mutable_kafka()->set_format(proto::KafkaInput::AVRO);
  source.mutable_kafka()->set_message_schema(schema);
  return source;
}

const std::vector<NamedType> kPayments{
    {"id", proto::INT64},     {"at", proto::TIMESTAMP},  {"paid_at", proto::TIMESTAMP},
    {"name", proto::STRING},  {"amount", proto::DOUBLE}, {"price", proto::DOUBLE},
    {"exact", proto::STRING}, {"day", proto::DATE},      {"kind", proto::STRING},
    {"raw", proto::BYTES},    {"hash", proto::BYTES},    {"ok", proto::BOOL},
    {"n", proto::INT32},      {"ratio", proto::DOUBLE},  {"uid", proto::STRING},
    {"items", proto::JSON},   {"extra", proto::JSON},    {"ghost", proto::INT64}};

// The rows in their order.
std::vector<Row> rows_of(const Events& events) {
  std::vector<Row> out;
  for (const auto& [offset, row] : events.rows) out.push_back(row);
  return out;
}

std::vector<Row> expected_payments() {
  const TemporaryFile file(golden_record_file("payments.ndjson"));
  proto::Source source = source_with(kPayments);
  source.mutable_files()->set_format(proto::FilesInput::NDJSON);
  source.mutable_files()->add_paths(file.path());
  const auto events = read_all(source, 0, {});
  EXPECT_TRUE(events.ok());
  EXPECT_TRUE(events->bad.empty());
  return rows_of(*events);
}

TEST(AvroDecoder, GivesWhatTheSameNdjsonGives) {
  const auto events = read_messages(avro_source(kPayments, golden_record_file("payment.avsc")),
                                    golden_records("payments_avro.hex"));
  ASSERT_TRUE(events.ok()) << events.error().message();
  ASSERT_TRUE(events->bad.empty()) << events->bad.begin()->second;
  const auto expected = expected_payments();
  ASSERT_EQ(expected.size(), 60u);
  const auto rows = rows_of(*events);
  ASSERT_EQ(rows.size(), expected.size());
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(rows[i], expected[i]) << i;
}

// One record of the fields id (a long, 7), at, and `type`, whose value is `bytes`, into a column.
Row one(const std::string& type, proto::ColumnType column, const std::string& bytes) {
  const std::string schema =
      R"({"type":"record","name":"R","fields":[{"name":"id","type":"long"},)"
      R"({"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},)"
      R"({"name":"v","type":)" +
      type + "}]}";
  const auto events = read_messages(
      avro_source({{"id", proto::INT64}, {"at", proto::TIMESTAMP}, {"v", column}}, schema),
      {std::string("\x0e\x02", 2) + bytes});
  if (!events.ok()) return {"error: " + events.error().message()};
  if (events->rows.size() == 1) return {events->rows.begin()->second.at(2)};
  return {events->bad.begin()->second};
}
std::string value(const std::string& type, proto::ColumnType column, const std::string& hex) {
  return one(type, column, from_hex(hex))[0];
}

TEST(AvroDecoder, ValuesFollowTheColumn) {
  const std::string decimal =
      R"({"type":"bytes","logicalType":"decimal","precision":10,"scale":2})";
  EXPECT_EQ(value(decimal, proto::DOUBLE, "0404d2"), "12.34");
  EXPECT_EQ(value(decimal, proto::STRING, "04fb2e"), "'-12.34'");
  EXPECT_EQ(value(decimal, proto::BYTES, "0404d2"), "'\x04\xd2'");
  EXPECT_EQ(value(decimal, proto::JSON, "02ff"), "'-0.01'");
  EXPECT_EQ(
      value(R"({"type":"bytes","logicalType":"decimal","precision":4})", proto::INT64, "0404d2"),
      "1234");
  EXPECT_EQ(value(R"({"type":"int","logicalType":"date"})", proto::DATE, "03"), "-2");
  EXPECT_EQ(value(R"({"type":"int","logicalType":"date"})", proto::INT32, "03"), "-2");
  EXPECT_EQ(value(R"({"type":"int","logicalType":"time-millis"})", proto::INT64, "04"), "2");
  EXPECT_EQ(value(R"({"type":"long","logicalType":"timestamp-nanos"})", proto::TIMESTAMP, "01"),
            "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(
      value(R"({"type":"long","logicalType":"local-timestamp-micros"})", proto::TIMESTAMP, "02"),
      "1970-01-01T00:00:00.000001Z");
  EXPECT_EQ(value(R"("string")", proto::TIMESTAMP, "28323031382d30342d30315430303a30303a33315a"),
            "2018-04-01T00:00:31Z");
  EXPECT_EQ(value(R"("string")", proto::DATE, "14313937302d30312d3033"), "2");
  EXPECT_EQ(value(R"("int")", proto::DOUBLE, "03"), "-2");
  EXPECT_EQ(value(R"("long")", proto::INT32, "feffffff0f"), "2147483647");
  EXPECT_EQ(value(R"({"type":"fixed","name":"U","size":16,"logicalType":"uuid"})", proto::STRING,
                  "000102030405060708090a0b0c0d0e0f"),
            "'00010203-0405-0607-0809-0a0b0c0d0e0f'");
  EXPECT_EQ(value(R"(["null","string"])", proto::STRING, "00"), "null");
}

TEST(AvroDecoder, JsonHasEveryKind) {
  EXPECT_EQ(value(R"({"type":"array","items":["null","boolean","float"]})", proto::JSON,
                  "06000201040000c03f"
                  "00"),
            "'[null,true,1.5]'");
  // A block whose size stands before it, and one behind it.
  EXPECT_EQ(value(R"({"type":"array","items":"int"})", proto::JSON,
                  "0304020402"
                  "0600"),
            "'[1,2,3]'");
  EXPECT_EQ(value(R"("double")", proto::JSON, "000000000000f87f"), R"('"NaN"')");
  EXPECT_EQ(value(R"({"type":"map","values":"bytes"})", proto::JSON, "020261040aff00"),
            R"('{"a":"\\x0aff"}')");
  EXPECT_EQ(value(R"({"type":"enum","name":"E","symbols":["A","B"]})", proto::JSON, "02"),
            R"('"B"')");
  EXPECT_EQ(value(R"("null")", proto::JSON, ""), "null");
}

TEST(AvroDecoder, SaysWhatDoesNotFit) {
  const auto expect = [](const std::string& got, const std::string& message) {
    EXPECT_NE(got.find(message), std::string::npos) << got;
  };
  expect(value(R"("string")", proto::DOUBLE,
               "0461"
               "62"),
         "column 'v': the record has an Avro string, the column wants a double");
  expect(value(R"(["null",{"type":"record","name":"x.Y","fields":[]}])", proto::STRING, "02"),
         "column 'v': the record has the Avro record x.Y, the column wants a string");
  expect(value(R"("long")", proto::TIMESTAMP, "02"), "an Avro long, the column wants a timestamp");
  expect(value(R"({"type":"long","logicalType":"timestamp-millis"})", proto::DOUBLE, "02"),
         "an Avro long (timestamp-millis), the column wants a double");
  expect(value(R"("long")", proto::INT32, "8080808010"), "'2147483648' is not an int32");
  expect(value(R"("string")", proto::STRING, "02ff"), "column 'v': '?' is not a string");
  expect(value(R"("string")", proto::JSON, "02ff"), "column 'v': a string is not valid UTF-8");
  expect(value(R"({"type":"long","logicalType":"timestamp-millis"})", proto::TIMESTAMP,
               "feffffffffffffffff01"),
         "'9223372036854775807' is not a timestamp");
  expect(value(R"("int")", proto::INT32, ""), "at field 'v', it ends within a value");
  expect(value(R"("int")", proto::INT32, "0202"), "1 bytes are behind its last field");
  expect(value(R"("boolean")", proto::BOOL, "02"), "a boolean is neither 0 nor 1");
  expect(value(R"("string")", proto::STRING, "01"), "a length is negative");
  expect(value(R"("long")", proto::INT64, "ffffffffffffffffff02"),
         "a number has more than 64 bits");
  expect(value(R"(["null","int"])", proto::INT64, "04"), "type 2 of a union of 2");
  expect(value(R"({"type":"enum","name":"E","symbols":["A"]})", proto::STRING, "02"),
         "symbol 1 of the enum E of 1");
  expect(value(R"({"type":"array","items":"null"})", proto::JSON, "feffffffffffffffff01"),
         "more values than 1024 and 16 for each of its bytes");
  expect(value(R"({"type":"array","items":"int"})", proto::INT64,
               "0202"
               "00"),
         "an Avro array, the column wants an int64");
}

// A list through itself may be as deep as whoever writes it likes.
TEST(AvroDecoder, DepthHasABound) {
  const std::string list =
      R"({"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]})";
  for (const auto column : {proto::JSON, proto::STRING}) {
    std::string bytes(100'000, '\x02');
    EXPECT_NE(one(list, column, bytes)[0].find("more than 256 deep"), std::string::npos);
  }
  EXPECT_EQ(value(list, proto::JSON, "020200"), R"('{"next":{"next":{"next":null}}}')");
}

// A few types may be so many values that nobody can count them, of no bytes at all.
TEST(AvroDecoder, ValuesHaveABound) {
  std::string fields =
      R"({"name":"f0","type":{"type":"record","name":"R0","fields":[{"name":"n","type":"null"}]}})";
  for (int i = 1; i <= 60; ++i) {
    const std::string before = "\"R" + std::to_string(i - 1) + "\"";
    fields += R"(,{"name":"f)" + std::to_string(i) + R"(","type":{"type":"record","name":"R)" +
              std::to_string(i) + R"(","fields":[{"name":"a","type":)" + before +
              R"(},{"name":"b","type":)" + before + "}]}}";
  }
  const std::string doubled = R"({"type":"record","name":"D","fields":[)" + fields + "]}";
  for (const auto column : {proto::JSON, proto::STRING}) {
    EXPECT_NE(one(doubled, column, "")[0].find("more values than 1024 and 16 for each"),
              std::string::npos);
  }
  // What people write is far from it: here three values a byte.
  const std::string items = R"({"type":"array","items":{"type":"record","name":"I","fields":[)"
                            R"({"name":"n","type":["null","int"]}]}})";
  const std::string bytes = from_hex("c09a0c") + std::string(100'000, '\0') + std::string(1, '\0');
  EXPECT_EQ(one(items, proto::STRING, bytes)[0].find("column 'v': the record has an Avro array"),
            0u);
}

// That bytes are no data of the schema is more than that the text of some would be too large.
TEST(AvroDecoder, TheReasonIsThatOfTheMessage) {
  const std::string item =
      R"({"type":"array","items":{"type":"record","name":"I","fields":[{"name":")" +
      std::string(1000, 'n') + R"(","type":"int"}]}})";
  const auto schema = AvroSchema::parse(R"({"type":"record","name":"R","fields":[)"
                                        R"({"name":"v","type":)" +
                                        item + R"(},{"name":"at","type":"long"}]})");
  ASSERT_TRUE(schema.ok()) << schema.error().message();
  const proto::Source source = source_with({{"v", proto::JSON}, {"at", proto::TIMESTAMP}});
  auto decoder = make_avro_decoder(*schema, source);
  ASSERT_TRUE(decoder.ok());
  const std::string items = from_hex("a01f") + std::string(2000, '\x02') + std::string(1, '\0');
  const auto reason_of = [&](const std::string& bytes) {
    EventBatch batch;
    BatchWriter writer(source.schema(), 0, 10, &batch);
    return (*decoder)->decode(bytes, true, &writer).reason;
  };
  EXPECT_EQ(reason_of(items + "\x02"), BadReason::kOversized);
  EXPECT_EQ(reason_of(items), BadReason::kUnparsable);               // it ends too early
  EXPECT_EQ(reason_of(items + "\x02\x02"), BadReason::kUnparsable);  // and too late
}

// Names in the schema may make the text of many small items large.
TEST(AvroDecoder, JsonTextHasABound) {
  const std::string item =
      R"({"type":"array","items":{"type":"record","name":"I","fields":[{"name":")" +
      std::string(1000, 'n') + R"(","type":"int"}]}})";
  std::string bytes = from_hex("a01f");  // 2000 items
  bytes += std::string(2000, '\x02') + std::string(1, '\0');
  EXPECT_NE(one(item, proto::JSON, bytes)[0].find("is larger than 1 MB"), std::string::npos);
}

TEST(AvroDecoder, EveryEventHasItsTime) {
  const std::string schema =
      R"({"type":"record","name":"R","fields":[{"name":"id","type":"long"},{"name":"at","type":)"
      R"(["null",{"type":"long","logicalType":"timestamp-micros"}]}]})";
  const proto::Source source =
      avro_source({{"id", proto::INT64}, {"at", proto::TIMESTAMP}}, schema);
  const auto events = read_messages(source, {from_hex("0200"), from_hex("020202")});
  ASSERT_TRUE(events.ok());
  EXPECT_EQ(events->rows.size(), 1u);
  EXPECT_NE(events->bad.at(0).find("column 'at' is empty"), std::string::npos);
}

TEST(AvroDecoder, SchemasThatAreNoRecordsAreRefused) {
  const auto events =
      read_messages(avro_source({{"id", proto::INT64}, {"at", proto::TIMESTAMP}}, "\"long\""), {});
  ASSERT_FALSE(events.ok());
  EXPECT_EQ(events.error().message(), "the schema is not that of a record");
}

RC_GTEST_PROP(AvroDecoder, AnyBytesAreAnEventOrADeadLetter, ()) {
  static const proto::Source source = avro_source(kPayments, golden_record_file("payment.avsc"));
  static const std::vector<std::string> records = golden_records("payments_avro.hex");
  any_bytes_are_an_event_or_a_dead_letter(source, records);
}

}  // namespace
}  // namespace tidemill::test
