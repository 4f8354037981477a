// Records in Avro and Protobuf with the framing of a schema registry: brokers, registry and cursor.
#include "shared/registry/schema_registry.h"
#include "shared/source/source_cursor.h"
#include "tests/unit/kafka/mock_brokers.h"
#include "tests/unit/registry/fake_registry.h"

namespace tidemill {
namespace {

using test::eventually;
using test::FakeRegistry;
using test::MockBrokers;

const std::string kAvro1 =
    R"({"type":"record","name":"P","fields":[{"name":"id","type":"long"},)"
    R"({"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}]})";
// A later version: other order, another field.
const std::string kAvro2 =
    R"({"type":"record","name":"P","fields":[{"name":"name","type":["null","string"]},)"
    R"({"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},)"
    R"({"name":"id","type":"int"}]})";
const std::string kProto = R"(syntax = "proto3";
import "google/protobuf/timestamp.proto";
package shop;
message Other { string name = 1; }
message Paid { message Card { int64 id = 1; google.protobuf.Timestamp at = 2; string name = 3; } }
)";

std::string framed(uint32_t id, const std::string& payload) {
  std::string out(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(id >> shift);
  return out + payload;
}

proto::Source source_of(const MockBrokers& brokers, const FakeRegistry& registry,
                        proto::KafkaInput::Format format) {
  proto::Source source = test::payments_source(brokers.input("t", 1));
  source.mutable_kafka()->set_format(format);
  *source.mutable_kafka()->mutable_registry() = registry.settings();
  return source;
}

struct Read {
  std::vector<std::string> rows;  // "offset id name"
  std::vector<std::string> bad;   // "offset message"
  Status status;
};

// Until the end, or the first error.
Read read_to_end(const proto::Source& source) {
  Read out;
  auto cursor = SourceCursor::open(source, 0, 0, {});
  if (!cursor.ok()) {
    out.status = cursor.error();
    return out;
  }
  EventBatch batch;
  EXPECT_TRUE(eventually([&] {
    out.status = (*cursor)->read(1 << 16, 1 << 20, &batch);
    if (!out.status.ok()) return true;
    for (size_t i = 0; i < batch.rows(); ++i) {
      const bool null = batch.columns[2].nulls[i] != 0;
      out.rows.push_back(std::to_string(batch.offsets[i]) + " " +
                         std::to_string(batch.columns[0].ints[i]) + " " +
                         (null ? "null" : std::string(batch.columns[2].strings[i])));
    }
    for (const BadRecord& b : batch.bad) {
      out.bad.push_back(std::to_string(b.offset) + " " + b.message);
      EXPECT_EQ(b.size, b.bytes.size());
    }
    return batch.at_end;
  }));
  return out;
}

TEST(RegistryCursor, EachRecordIsReadByTheSchemaThatItNames) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  FakeRegistry registry;
  registry.put_avro(1, kAvro1);
  registry.put_avro(70'000, kAvro2);
  registry.put_protobuf(3, kProto);
  registry.put_avro(4, "{}");
  brokers.write_values(
      "t", 0,
      {framed(1, "\x0e\x02"), framed(70'000, "\x02\x04hi\x02\x10"), framed(5, "\x0e\x02"),
       "{\"id\": 1}", framed(1, "\x0e"), framed(3, "\x0e\x02"), framed(4, "\x0e\x02"),
       std::string(4, '\0'), framed(70'000, std::string("\0\x02\x12", 3))});
  const Read read = read_to_end(source_of(brokers, registry, proto::KafkaInput::AVRO));
  ASSERT_TRUE(read.status.ok()) << read.status.error().message();
  EXPECT_EQ(read.rows, (std::vector<std::string>{"0 7 null", "1 8 hi", "8 9 null"}));
  ASSERT_EQ(read.bad.size(), 6u);
  EXPECT_EQ(read.bad[0], "2 the schema registry has no schema 5");
  EXPECT_NE(read.bad[1].find("3 the record's first byte is 123, not 0"), std::string::npos);
  EXPECT_NE(read.bad[2].find("4 the record is no data of its Avro schema"), std::string::npos);
  EXPECT_EQ(read.bad[3],
            "5 schema 3 of the registry: it is of type PROTOBUF, and the source reads AVRO");
  EXPECT_EQ(read.bad[4], "6 schema 4 of the registry: a type has no \"type\"");
  EXPECT_NE(read.bad[5].find("7 the record has 4 bytes; 5 are the least"), std::string::npos);
}

TEST(RegistryCursor, ProtobufRecordsNameTheirMessageType) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  FakeRegistry registry;
  registry.put_protobuf(1, kProto);
  const std::string card("\x08\x07\x12\x00\x1a\x02hi", 8);
  brokers.write_values("t", 0,
                       {framed(1, "\x04\x02" + std::string(1, '\0') + card),  // type 1, in it 0
                        framed(1, std::string("\0\x0a\x01n", 4)),             // the first type
                        framed(1, "\x02\x0a" + card), framed(1, "\x7f"), framed(1, "\x03")});
  proto::Source source = source_of(brokers, registry, proto::KafkaInput::PROTOBUF);
  const Read read = read_to_end(source);
  ASSERT_TRUE(read.status.ok()) << read.status.error().message();
  EXPECT_EQ(read.rows, (std::vector<std::string>{"0 7 hi"}));
  ASSERT_EQ(read.bad.size(), 4u);
  EXPECT_NE(read.bad[0].find("1 column 'at' is empty"), std::string::npos);
  EXPECT_EQ(read.bad[1],
            "2 schema 1 of the registry: there is no message type 5 in the schema, which has 2");
  EXPECT_NE(read.bad[2].find("3 the numbers of the message type"), std::string::npos);
  source.mutable_kafka()->set_message_type("shop.Other");
  const Read other = read_to_end(source);
  ASSERT_EQ(other.bad.size(), 5u);
  EXPECT_EQ(
      other.bad[0],
      "0 schema 1 of the registry: the record is of type shop.Paid.Card, and the source reads "
      "shop.Other");
}

// Garbage that looks like ids gets its dead letters, however many it has.
TEST(RegistryCursor, AnyNumberOfUnknownIdsAreDeadLetters) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  FakeRegistry registry;
  registry.put_avro(1, kAvro1);
  registry.put_avro(2, "[" + std::string(1 << 20, ' ') + "]");
  std::vector<std::string> values;
  const size_t garbage = kMaxNewIds + 20;
  for (size_t i = 0; i < garbage; ++i) {
    values.push_back(framed(static_cast<uint32_t>(1000 + i), "x"));
  }
  values.push_back(framed(1, "\x0e\x02"));
  values.push_back(framed(2, "\x0e\x02"));
  brokers.write_values("t", 0, values);
  const Read read = read_to_end(source_of(brokers, registry, proto::KafkaInput::AVRO));
  ASSERT_TRUE(read.status.ok()) << read.status.error().message();
  EXPECT_EQ(read.rows, (std::vector<std::string>{std::to_string(garbage) + " 7 null"}));
  ASSERT_EQ(read.bad.size(), garbage + 1);
  for (size_t i = 0; i < garbage; ++i) {
    EXPECT_EQ(read.bad[i],
              std::to_string(i) + " the schema registry has no schema " + std::to_string(1000 + i));
  }
  EXPECT_EQ(read.bad[garbage], std::to_string(garbage + 1) +
                                   " schema 2 of the registry: it has more than 1048576 bytes");
  EXPECT_EQ(registry.asked().size(), 2 * garbage + 2);
}

// Nothing is dropped for a registry that is away.
TEST(RegistryCursor, ARegistryThatIsAwayStopsTheRead) {
  MockBrokers brokers;
  brokers.create_topic("t", 1);
  FakeRegistry registry;
  registry.put_avro(1, kAvro1);
  registry.set_status(503);
  brokers.write_values("t", 0, {framed(1, "\x0e\x02")});
  const proto::Source source = source_of(brokers, registry, proto::KafkaInput::AVRO);
  const Read away = read_to_end(source);
  ASSERT_FALSE(away.status.ok());
  EXPECT_EQ(away.status.error().code(), ErrorCode::kRetryable);
  EXPECT_NE(away.status.error().message().find("the schema registry http://127.0.0.1:"),
            std::string::npos);
  EXPECT_TRUE(away.rows.empty() && away.bad.empty());
  registry.set_status(200);
  EXPECT_TRUE(eventually([&] { return read_to_end(source).rows.size() == 1; }));
}

}  // namespace
}  // namespace tidemill
