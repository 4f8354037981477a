// Columns that are lists, structs, maps or decimals, from every format: what one format gives of a
// record another one gives as well, byte for byte.
#include <gtest/gtest.h>

#include "shared/expr/types.h"
#include "shared/nested/nested_json.h"
#include "shared/nested/proto_type.h"
#include "tests/unit/source/source_fixture.h"

namespace tidemill::test {
namespace {

using Row = std::vector<std::string>;
using Types = std::vector<std::pair<const char*, const char*>>;

proto::Type type_of(const std::string& text) {
  const auto type = parse_type(text);
  EXPECT_TRUE(type.ok()) << (type.ok() ? "" : type.error().message());
  return type.ok() ? *type : proto::Type();
}

// The second column is the event time.
proto::Source typed_source(const Types& types) {
  std::vector<NamedType> columns;
  for (const auto& [name, type] : types) columns.emplace_back(name, type_of(type).kind());
  proto::Source source = source_with(columns);
  for (size_t i = 0; i < types.size(); ++i) {
    set_full_type(type_of(types[i].second), source.mutable_schema(static_cast<int>(i)));
  }
  return source;
}

proto::Source file_of(const Types& types, proto::FilesInput::Format format,
                      const std::string& path) {
  proto::Source source = typed_source(types);
  source.mutable_files()->set_format(format);
  source.mutable_files()->add_paths(path);
  return source;
}

// The JSON text of a value as the fixture shows it.
std::string json_of(const std::string& type, const std::string& shown) {
  if (shown == "null") return shown;
  const NestedType nested = nested_type(type_of(type));
  const std::string_view bytes = std::string_view(shown).substr(1, shown.size() - 2);
  EXPECT_TRUE(is_nested_value(nested, bytes));
  std::string out;
  append_nested_json(nested, bytes, JsonDoubles::kShortest, &out);
  return out;
}

// The value `json` of a column of the type, of one record; or why it is a bad one.
std::string ndjson(const std::string& type, const std::string& json) {
  const TemporaryFile file(R"({"id":1,"at":"2018-04-01T00:00:31Z","v":)" + json + "}\n");
  const auto events = read_all(file_of({{"id", "int64"}, {"at", "timestamp"}, {"v", type.c_str()}},
                                       proto::FilesInput::NDJSON, file.path()),
                               0, {});
  if (!events.ok()) return "error: " + events.error().message();
  if (events->rows.empty()) return events->bad.begin()->second;
  return json_of(type, events->rows.begin()->second.at(2));
}

TEST(NestedColumns, OfNdjson) {
  EXPECT_EQ(ndjson("list<int64>", "[1, -2 ,3]"), "[1,-2,3]");
  EXPECT_EQ(ndjson("list<string>", R"(["a","\u00e9\n",null,""])"), R"(["a","é\n",null,""])");
  EXPECT_EQ(ndjson("list<int32>", "[]"), "[]");
  EXPECT_EQ(ndjson("list<int32>", "null"), "null");
  EXPECT_EQ(ndjson("map<string, double>", R"({"b":1.5,"a":null})"), R"({"a":null,"b":1.5})");
  EXPECT_EQ(ndjson("map<int64, string>", R"({"10":"x","9":"y"})"), R"({"9":"y","10":"x"})");
  EXPECT_EQ(ndjson("struct<a: int32, b: list<bool>>", R"({"c":[{}],"b":[true,false]})"),
            R"({"a":null,"b":[true,false]})");
  EXPECT_EQ(ndjson("struct<t: timestamp, d: date, z: bytes>",
                   R"({"t":"2018-04-01T02:00:00+02:00","d":"1970-01-02","z":"\\x61"})"),
            R"({"t":"2018-04-01T00:00:00Z","d":"1970-01-02","z":"\\x61"})");
  // Exact, whether they are numbers or text.
  EXPECT_EQ(ndjson("list<decimal(20, 2)>", R"([123456789012345678.91, "0.125", 7])"),
            "[123456789012345678.91,0.13,7.00]");
  EXPECT_EQ(ndjson("list<json>", R"([{"a" : 1},null,[2]])"), R"([{"a" : 1},null,[2]])");
  EXPECT_EQ(ndjson("list<list<int32>>", "[[1],[],null]"), "[[1],[],null]");
}

TEST(NestedColumns, SayWhereTheFaultIs) {
  const auto expect = [](const std::string& got, const std::string& message) {
    EXPECT_NE(got.find(message), std::string::npos) << got;
  };
  expect(ndjson("list<int64>", R"([1,"x"])"),
         "column 'v[2]': '\"x\"' is not an int64; write a whole number");
  expect(ndjson("struct<items: list<struct<price: double>>>", R"({"items":[{},{"price":true}]})"),
         "column 'v.items[2].price': 'true' is not a double");
  expect(ndjson("map<string, int32>", R"({"a":3000000000})"),
         "column 'v['a']': '3000000000' is not an int32");
  expect(ndjson("map<string, int32>", R"({"a":1,"a":2})"), "column 'v': a key is there twice");
  expect(ndjson("struct<a: int32>", R"({"a":1,"a":2})"), "column 'v.a': it is there twice");
  expect(ndjson("list<int32>", "5"),
         "column 'v': '5' is not a list of its type; write a JSON array");
  expect(ndjson("struct<a: int32>", "[1]"), "is not a struct of its type");
  expect(ndjson("list<decimal(4, 2)>", "[100]"),
         "column 'v[1]': '100' is not a decimal(4, 2); write a number");
  std::string many = "[";
  for (int i = 0; i < 9000; ++i) many += i == 0 ? "1" : ",1";
  expect(ndjson("list<int64>", many + "]"), "it takes 72003 bytes, and may take 65536");
}

TEST(NestedColumns, OfCsv) {
  const std::string text =
      "id,at,tags,payload\n"
      "1,2018-04-01T00:00:31Z,\"[\"\"a\"\",\"\"b\"\"]\",\"{\"\"x\"\": 1.5}\"\n"
      "2,2018-04-01T00:00:32Z,,null\n"
      "3,2018-04-01T00:00:33Z,\"[1]\",\n";
  const TemporaryFile file(text);
  const auto events = read_all(file_of({{"id", "int64"},
                                        {"at", "timestamp"},
                                        {"tags", "list<string>"},
                                        {"payload", "struct<x: double>"}},
                                       proto::FilesInput::CSV, file.path()),
                               0, {});
  ASSERT_TRUE(events.ok());
  ASSERT_EQ(events->rows.size(), 2u);
  const Row& first = events->rows.begin()->second;
  EXPECT_EQ(json_of("list<string>", first.at(2)), R"(["a","b"])");
  EXPECT_EQ(json_of("struct<x: double>", first.at(3)), R"({"x":1.5})");
  EXPECT_EQ(std::next(events->rows.begin())->second.at(3), "null");
  ASSERT_EQ(events->bad.size(), 1u);
  EXPECT_NE(events->bad.begin()->second.find("column 'tags[1]': '1' is not a string"),
            std::string::npos);
}

constexpr char kItems[] =
    "list<struct<sku: string, count: int32, kind: string, price: double, since: date, "
    "tags: map<string, string>>>";
const Types kPayments{{"id", "int64"},
                      {"at", "timestamp"},
                      {"items", kItems},
                      {"exact", "decimal(20, 4)"},
                      {"price", "decimal(12, 2)"},
                      {"n", "decimal(10, 0)"}};

Events expected_payments() {
  const TemporaryFile file(golden_record_file("payments.ndjson"));
  const auto events = read_all(file_of(kPayments, proto::FilesInput::NDJSON, file.path()), 0, {});
  EXPECT_TRUE(events.ok());
  EXPECT_EQ(events->rows.size(), 60u);
  return *events;
}

std::vector<Row> rows_of(const Events& events) {
  std::vector<Row> out;
  for (const auto& [offset, row] : events.rows) out.push_back(row);
  return out;
}

TEST(NestedColumns, OfAvroAreThoseOfNdjson) {
  proto::Source source = typed_source(kPayments);
  source.mutable_kafka()->set_format(proto::KafkaInput::AVRO);
  source.mutable_kafka()->set_message_schema(golden_record_file("payment.avsc"));
  const auto events = read_messages(source, golden_records("payments_avro.hex"));
  ASSERT_TRUE(events.ok()) << events.error().message();
  ASSERT_TRUE(events->bad.empty()) << events->bad.begin()->second;
  EXPECT_EQ(rows_of(*events), rows_of(expected_payments()));
}

TEST(NestedColumns, OfParquetAreThoseOfNdjson) {
  for (const char* name : {"payments.parquet", "payments_v2.parquet"}) {
    const TemporaryFile file(golden_record_file(name));
    const auto events =
        read_all(file_of(kPayments, proto::FilesInput::PARQUET, file.path()), 0, {});
    ASSERT_TRUE(events.ok()) << events.error().message();
    ASSERT_TRUE(events->bad.empty()) << events->bad.begin()->second;
    EXPECT_EQ(rows_of(*events), rows_of(expected_payments())) << name;
  }
}

// The value of column `name` of a message whose time is the beginning of 1970.
std::string protobuf(const char* name, const std::string& type, const std::string& hex) {
  proto::Source source = typed_source({{"id", "int64"}, {"at", "timestamp"}, {name, type.c_str()}});
  source.mutable_kafka()->set_format(proto::KafkaInput::PROTOBUF);
  source.mutable_kafka()->set_message_schema(golden_record_file("order.desc"));
  source.mutable_kafka()->set_message_type("shop.Order");
  const auto events = read_messages(source, {from_hex("1200" + hex)});
  if (!events.ok()) return "error: " + events.error().message();
  if (events->rows.empty()) return events->bad.begin()->second;
  const std::string& shown = events->rows.begin()->second.at(2);
  return type_of(type).kind() == proto::DECIMAL ? shown : json_of(type, shown);
}

TEST(NestedColumns, OfProtobuf) {
  EXPECT_EQ(protobuf("numbers", "list<int64>", "9a01020102"), "[1,2]");
  EXPECT_EQ(protobuf("numbers", "list<double>", "9a01020102"), "[1,2]");
  EXPECT_EQ(protobuf("numbers", "list<decimal(5, 1)>", "9a01020102"), "[1.0,2.0]");
  EXPECT_EQ(protobuf("numbers", "list<int64>", ""), "[]");
  EXPECT_EQ(protobuf("counts", "map<string, int64>", "7a050a01611005"), R"({"a":5})");
  EXPECT_EQ(protobuf("items", "list<struct<sku: string, unit_count: int32, kind: string>>",
                     "72050a01781003"),
            R"([{"sku":"x","unit_count":3,"kind":"CARD"}])");
  EXPECT_EQ(protobuf("first_item", "struct<unitCount: int32, since: timestamp>", "8201021005"),
            R"({"unitCount":5,"since":null})");
  EXPECT_EQ(protobuf("first_item", "struct<unitCount: int32>", ""), "null");
  EXPECT_EQ(protobuf("n", "decimal(5, 2)", "4001"), "-1.00");
  EXPECT_EQ(protobuf("name", "decimal(5, 2)", "1a04312e3235"), "1.25");
}

TEST(NestedColumns, OfProtobufSayWhereTheFaultIs) {
  const auto expect = [](const std::string& got, const std::string& message) {
    EXPECT_NE(got.find(message), std::string::npos) << got;
  };
  expect(protobuf("numbers", "list<string>", "9a01020102"),
         "column 'numbers[1]': '1' is not a string");
  expect(protobuf("items", "list<struct<sku: int64>>", "72050a01781003"),
         "column 'items[1].sku': 'x' is not an int64");
  expect(protobuf("counts", "list<string>", ""), "column 'counts': 'a map' is not a list");
  expect(protobuf("name", "list<string>", "1a0178"), "column 'name': 'x' is not a list");
  expect(protobuf("name", "decimal(3, 2)", "1a0178"), "column 'name': 'x' is not a decimal(3, 2)");
}

}  // namespace
}  // namespace tidemill::test
