// Protobuf messages into columns: against messages that another program wrote, value by value, and
// on any bytes.
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/resource.h>

#include <nlohmann/json.hpp>

#include "shared/schema/protobuf_schema.h"
#include "shared/source/message_decoder.h"
#include "tests/unit/source/source_fixture.h"

namespace tidemill::test {
namespace {

namespace pb = google::protobuf;
using Row = std::vector<std::string>;

const std::vector<NamedType> kOrders{
    {"id", proto::INT64},    {"at", proto::TIMESTAMP},    {"name", proto::STRING},
    {"note", proto::STRING}, {"amount", proto::DOUBLE},   {"ratio", proto::DOUBLE},
    {"ok", proto::BOOL},     {"n", proto::INT32},         {"big", proto::INT64},
    {"fixed", proto::INT64}, {"kind", proto::STRING},     {"raw", proto::BYTES},
    {"maybe", proto::INT32}, {"items", proto::JSON},      {"counts", proto::JSON},
    {"extra", proto::JSON},  {"first_item", proto::JSON}, {"day", proto::DATE},
    {"left", proto::STRING}, {"right", proto::INT64},     {"numbers", proto::JSON},
    {"ghost", proto::INT64}};

proto::Source order_source(const std::vector<NamedType>& columns,
                           const std::string& message = "shop.Order") {
  proto::Source source = source_with(columns);
  source.mutable_kafka()->set_format(proto::KafkaInput::PROTOBUF);
  source.mutable_kafka()->set_message_schema(golden_record_file("order.desc"));
  source.mutable_kafka()->set_message_type(message);
  return source;
}

// JSON is the same whatever spaces and escapes its text has.
Row comparable(Row row) {
  for (size_t i = 0; i < row.size(); ++i) {
    if (kOrders[i].second != proto::JSON || row[i] == "null") continue;
    row[i] = nlohmann::json::parse(row[i].substr(1, row[i].size() - 2)).dump();
  }
  return row;
}

TEST(ProtobufDecoder, GivesWhatTheSameNdjsonGives) {
  const auto events = read_messages(order_source(kOrders), golden_records("orders.hex"));
  ASSERT_TRUE(events.ok()) << events.error().message();
  ASSERT_TRUE(events->bad.empty()) << events->bad.begin()->second;
  const TemporaryFile file(golden_record_file("orders.ndjson"));
  proto::Source ndjson = source_with(kOrders);
  ndjson.mutable_files()->set_format(proto::FilesInput::NDJSON);
  ndjson.mutable_files()->add_paths(file.path());
  const auto expected = read_all(ndjson, 0, {});
  ASSERT_TRUE(expected.ok());
  ASSERT_EQ(expected->rows.size(), 60u);
  ASSERT_EQ(events->rows.size(), 60u);
  auto row = events->rows.begin();
  for (const auto& [offset, wanted] : expected->rows) {
    EXPECT_EQ(comparable(row->second), comparable(wanted)) << row->first;
    ++row;
  }
}

// The value of column `name` of a message whose time is the beginning of 1970.
std::string value(const char* name, proto::ColumnType type, const std::string& hex) {
  const auto events =
      read_messages(order_source({{"id", proto::INT64}, {"at", proto::TIMESTAMP}, {name, type}}),
                    {from_hex("1200" + hex)});
  if (!events.ok()) return "error: " + events.error().message();
  return events->rows.empty() ? events->bad.begin()->second : events->rows.begin()->second.at(2);
}

TEST(ProtobufDecoder, DefaultsAreValuesAndWhatIsMissingIsNull) {
  EXPECT_EQ(value("name", proto::STRING, ""), "''");
  EXPECT_EQ(value("note", proto::STRING, ""), "null");
  EXPECT_EQ(value("note", proto::STRING, "2200"), "''");
  EXPECT_EQ(value("n", proto::INT32, ""), "0");
  EXPECT_EQ(value("ok", proto::BOOL, ""), "false");
  EXPECT_EQ(value("kind", proto::STRING, ""), "'CARD'");
  EXPECT_EQ(value("maybe", proto::INT32, ""), "null");
  EXPECT_EQ(value("maybe", proto::INT32, "6a00"), "0");
  EXPECT_EQ(value("items", proto::JSON, ""), "'[]'");
  EXPECT_EQ(value("counts", proto::JSON, ""), "'{}'");
  EXPECT_EQ(value("first_item", proto::JSON, ""), "null");
  EXPECT_EQ(value("id", proto::JSON, ""), R"('"0"')");
  EXPECT_EQ(value("left", proto::STRING, ""), "null");
  EXPECT_EQ(value("firstItem", proto::JSON, "820100"), "'{}'");
  EXPECT_EQ(value("at", proto::TIMESTAMP, "0804"), "1970-01-01T00:00:00Z");  // id is 4
}

TEST(ProtobufDecoder, ValuesFollowTheColumn) {
  EXPECT_EQ(value("n", proto::INT64, "4001"), "-1");
  EXPECT_EQ(value("n", proto::DOUBLE, "4001"), "-1");
  EXPECT_EQ(value("kind", proto::INT32, "5801"), "1");
  EXPECT_EQ(value("kind", proto::STRING, "5807"), "'7'");
  EXPECT_EQ(value("first_item", proto::JSON, "8201021005"), R"('{"unitCount":5}')");
  EXPECT_EQ(value("numbers", proto::JSON, "9a01020102"), R"('["1","2"]')");
}

TEST(ProtobufDecoder, SaysWhatDoesNotFit) {
  const auto expect = [](const std::string& got, const std::string& message) {
    EXPECT_NE(got.find(message), std::string::npos) << got;
  };
  expect(value("name", proto::INT64, ""),
         "column 'name': the record has a Protobuf string, the column wants an int64");
  expect(value("items", proto::STRING, ""), "the record has a repeated field");
  expect(value("counts", proto::STRING, ""), "the record has a map");
  expect(value("first_item", proto::STRING, "820100"), "the message shop.Order.Item");
  expect(value("raw", proto::STRING, ""), "a Protobuf bytes, the column wants a string");
  expect(value("big", proto::INT64, "48ffffffffffffffffff01"),
         "'18446744073709551615' is not an int64");
  expect(value("id", proto::INT32, "08ffffffff7f"), "is not an int32");
  expect(value("day", proto::DATE, "9201026162"), "'ab' is not a date");
  expect(value("name", proto::STRING, "1a05"), "is no message of type shop.Order");
  expect(value("name", proto::STRING, "1a01ff"), "is no message of type shop.Order");
  // A Timestamp of -1 nanoseconds.
  expect(value("name", proto::STRING, "120b10ffffffffffffffffff01"),
         "nanos: -1}' is not a timestamp");
}

TEST(ProtobufDecoder, TypesAreFoundByTheirNames) {
  const auto events = read_messages(
      order_source({{"id", proto::INT64}, {"at", proto::TIMESTAMP}}, "shop.Nothing"), {});
  ASSERT_FALSE(events.ok());
  EXPECT_NE(events.error().message().find("no message type 'shop.Nothing'"), std::string::npos);
}

// A field is one, by whichever of its names columns ask for it.
TEST(ProtobufDecoder, SeveralJsonColumnsMayBeOfOneField) {
  const auto events = read_messages(order_source({{"id", proto::INT64},
                                                  {"at", proto::TIMESTAMP},
                                                  {"first_item", proto::JSON},
                                                  {"firstItem", proto::JSON}}),
                                    {from_hex("12008201021005")});
  ASSERT_TRUE(events.ok()) << events.error().message();
  ASSERT_EQ(events->rows.size(), 1u);
  const Row& row = events->rows.begin()->second;
  EXPECT_EQ(row.at(2), R"('{"unitCount":5}')");
  EXPECT_EQ(row.at(3), row.at(2));
}

// Of messages Long { int64 id; Timestamp at; repeated Item items } whose items have a long name.
proto::Source source_of_long_names() {
  pb::FileDescriptorSet set;
  pb::FileDescriptorProto* file = set.add_file();
  file->set_name("long.proto");
  file->set_syntax("proto3");
  file->add_dependency("google/protobuf/timestamp.proto");
  const auto add = [](pb::DescriptorProto* to, const std::string& name, int number,
                      pb::FieldDescriptorProto::Type type, const std::string& type_name) {
    pb::FieldDescriptorProto* field = to->add_field();
    field->set_name(name);
    field->set_number(number);
    field->set_type(type);
    field->set_label(type_name == ".Item" ? pb::FieldDescriptorProto::LABEL_REPEATED
                                          : pb::FieldDescriptorProto::LABEL_OPTIONAL);
    if (!type_name.empty()) field->set_type_name(type_name);
  };
  pb::DescriptorProto* message = file->add_message_type();
  message->set_name("Long");
  add(message, "id", 1, pb::FieldDescriptorProto::TYPE_INT64, "");
  add(message, "at", 2, pb::FieldDescriptorProto::TYPE_MESSAGE, ".google.protobuf.Timestamp");
  add(message, "items", 3, pb::FieldDescriptorProto::TYPE_MESSAGE, ".Item");
  pb::DescriptorProto* item = file->add_message_type();
  item->set_name("Item");
  add(item, std::string(2000, 'n'), 1, pb::FieldDescriptorProto::TYPE_INT64, "");
  proto::Source source =
      source_with({{"id", proto::INT64}, {"at", proto::TIMESTAMP}, {"items", proto::JSON}});
  source.mutable_kafka()->set_format(proto::KafkaInput::PROTOBUF);
  source.mutable_kafka()->set_message_schema(set.SerializeAsString());
  source.mutable_kafka()->set_message_type("Long");
  return source;
}

size_t most_memory_mb() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<size_t>(usage.ru_maxrss) >> 10;
}

// Names in the schema may make the text of a small message large: no more of it is made than may be
// kept.
TEST(ProtobufDecoder, JsonTextIsBoundedWhileItIsMade) {
  const proto::Source source = source_of_long_names();
  const auto with_items = [](int items) {
    std::string message = from_hex("1200");
    for (int i = 0; i < items; ++i) message += from_hex("1a020801");
    return message;
  };
  const auto small = read_messages(source, {with_items(400)});
  ASSERT_TRUE(small.ok()) << small.error().message();
  EXPECT_EQ(small->rows.size(), 1u);
  const size_t before = most_memory_mb();
  const auto large = read_messages(source, {with_items(200'000)});  // 400 MB of text
  ASSERT_TRUE(large.ok());
  ASSERT_EQ(large->bad.size(), 1u);
  EXPECT_NE(large->bad.at(0).find("is larger than 1 MB"), std::string::npos) << large->bad.at(0);
  EXPECT_LT(most_memory_mb(), before + 200);
}

TEST(ProtobufDecoder, DescriptorSetsAreChecked) {
  EXPECT_FALSE(ProtobufSchema::from_descriptor_set("").ok());
  EXPECT_FALSE(ProtobufSchema::from_descriptor_set("no set at all").ok());
  const auto schema = ProtobufSchema::from_descriptor_set(golden_record_file("order.desc"));
  ASSERT_TRUE(schema.ok());
  EXPECT_TRUE((*schema)->message("shop.Order.Item").ok());
}

RC_GTEST_PROP(ProtobufDecoder, AnyBytesAreAnEventOrADeadLetter, ()) {
  static const proto::Source source = order_source(kOrders);
  static const std::vector<std::string> records = golden_records("orders.hex");
  any_bytes_are_an_event_or_a_dead_letter(source, records);
}

}  // namespace
}  // namespace tidemill::test
