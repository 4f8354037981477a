// Parquet files in memory: what is written is what is read, of every type, in any batches.
#include "shared/parquet/parquet_file.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

#include "shared/expr/types.h"
#include "shared/nested/nested_json.h"
#include "shared/nested/proto_type.h"
#include "tests/unit/parquet/memory_file.h"

namespace tidemill::test {
namespace {

ParquetValues values_of(ColumnType type, std::vector<uint8_t> nulls) {
  ParquetValues out;
  out.items.type = type;
  out.items.nulls = std::move(nulls);
  return out;
}

std::string written(const std::vector<ParquetField>& fields,
                    const std::vector<ParquetValues>& values, size_t rows) {
  MemoryOutput out;
  auto writer = open_parquet_writer(&out, nullptr, fields);
  EXPECT_TRUE(writer.ok()) << writer.error().message();
  std::vector<const ParquetValues*> columns;
  for (const ParquetValues& each : values) columns.push_back(&each);
  EXPECT_TRUE((*writer)->write(rows, nullptr, columns).ok());
  EXPECT_TRUE((*writer)->finish().ok());
  return out.out;
}

std::unique_ptr<ParquetReader> reader_of(const std::string& bytes,
                                         const std::vector<ParquetWanted>& wanted,
                                         bool all = false) {
  auto reader = open_parquet_reader(std::make_unique<MemoryInput>(bytes));
  EXPECT_TRUE(reader.ok()) << reader.error().message();
  const Status selected = (*reader)->select(wanted, all);
  EXPECT_TRUE(selected.ok()) << selected.error().message();
  return std::move(*reader);
}

TEST(ParquetFile, EveryTypeIsReadAsItWasWritten) {
  std::vector<ParquetField> fields;
  std::vector<ParquetValues> values;
  const auto add = [&](const char* name, ParquetValues of) {
    fields.push_back({name, of.items.type});
    values.push_back(std::move(of));
    return &values.back().items;
  };
  values.reserve(9);
  add("bool", values_of(ColumnType::kBool, {0, 0, 1}))->bools = {1, 0, 0};
  add("int32", values_of(ColumnType::kInt32, {0, 0, 1}))->ints = {-2147483648, 2147483647, 0};
  add("int64", values_of(ColumnType::kInt64, {0, 0, 1}))->ints = {INT64_MIN, INT64_MAX, 0};
  add("double", values_of(ColumnType::kDouble, {0, 0, 1}))->doubles = {
      -0.0, std::numeric_limits<double>::infinity(), 0};
  add("string", values_of(ColumnType::kString, {0, 0, 1}))->strings = {"", "ä", ""};
  add("timestamp", values_of(ColumnType::kTimestamp, {0, 0, 1}))->ints = {-1, 253402300799999999,
                                                                          0};
  add("date", values_of(ColumnType::kDate, {0, 0, 1}))->ints = {-719162, 2932896, 0};
  add("bytes", values_of(ColumnType::kBytes, {0, 0, 1}))->strings = {std::string_view("\0\xff", 2),
                                                                     "", ""};
  add("json", values_of(ColumnType::kJson, {0, 0, 1}))->strings = {"{\"a\":[1]}", "null", ""};
  const std::string bytes = written(fields, values, 3);
  std::vector<ParquetWanted> wanted;
  for (const ParquetField& field : fields) wanted.push_back({field.name, field.type});
  const auto reader = reader_of(bytes, wanted);
  EXPECT_EQ(reader->rows(), 3u);
  ParquetBatch batch;
  ASSERT_TRUE(reader->read(0, 10, 1 << 20, &batch).ok());
  ASSERT_EQ(batch.rows, 3u);
  EXPECT_TRUE(batch.faults.empty());
  for (size_t c = 0; c < fields.size(); ++c) {
    const Column& read = batch.columns[c];
    const Column& was = values[c].items;
    EXPECT_EQ(read.nulls, was.nulls) << fields[c].name;
    for (size_t row = 0; row < 2; ++row) {
      if (!was.bools.empty()) {
        EXPECT_EQ(read.bools[row], was.bools[row]);
      }
      if (!was.ints.empty()) {
        EXPECT_EQ(read.ints[row], was.ints[row]) << fields[c].name;
      }
      if (!was.doubles.empty()) {
        EXPECT_EQ(read.doubles[row], was.doubles[row]);
      }
      if (!was.strings.empty()) {
        EXPECT_EQ(read.strings[row], was.strings[row]) << fields[c].name;
      }
    }
  }
  std::string json;
  batch.whole->append_json(0, &json);
  EXPECT_EQ(json,
            "{\"bool\":true,\"int32\":-2147483648,\"int64\":-9223372036854775808,\"double\":-0.0,"
            "\"string\":\"\",\"timestamp\":\"1969-12-31T23:59:59.999999Z\",\"date\":\"0001-01-01\","
            "\"bytes\":\"\\\\x00ff\",\"json\":\"{\\\"a\\\":[1]}\"}");
}

NestedType nested(const std::string& type) { return nested_type(*parse_type(type)); }

// Columns of decimals, lists, structs and maps are those of Parquet: what is read of them is their
// digits and their JSON, for the caller to parse.
TEST(ParquetFile, WhatHasPartsIsWrittenAsSuch) {
  const auto field = [](const char* name, const std::string& type) {
    ParquetField out;
    out.name = name;
    out.details = nested(type);
    out.type = out.details.kind;
    return out;
  };
  const std::vector<ParquetField> fields = {
      field("price", "decimal(38, 2)"), field("tags", "list<string>"),
      field("by_day", "map<date, list<decimal(5, 1)>>"),
      field("payload", "struct<a: int32, t: timestamp, b: bool, x: double, z: bytes, j: json>")};
  const std::vector<std::vector<const char*>> texts = {
      {"-999999999999999999999999999999999999.99", "0.10"},
      {R"(["a",null,""])", "[]"},
      {R"({"2018-04-01":[1.5,-2.0],"2018-04-02":null})", "{}"},
      {R"({"a":-1,"t":"2018-04-01T00:00:31Z","b":true,"x":0.5,"z":"\\x00ff","j":"[1]"})",
       R"({"a":null,"t":null,"b":null,"x":null,"z":null,"j":null})"}};
  std::vector<std::string> bytes;
  bytes.reserve(8);
  std::vector<ParquetValues> values;
  for (size_t c = 0; c < fields.size(); ++c) {
    ParquetValues column = values_of(fields[c].type, {0, 1, 0});
    for (size_t row = 0; row < 3; ++row) {
      if (row == 1) {
        column.items.strings.push_back({});
        continue;
      }
      const char* text = texts[c][row / 2];
      if (fields[c].type == ColumnType::kDecimal) {
        Decimal value;
        ASSERT_EQ(parse_decimal(text, {38, 2}, &value), DecimalText::kGood);
        char stored[kMaxDecimalEncoding];
        bytes.emplace_back(stored, encode_decimal(value, stored));
      } else {
        NestedJsonParser parser;
        std::string_view value;
        // JSON within it is text in Parquet, and its text is a string.
        const auto fault = parser.parse(fields[c].details, text, &value);
        ASSERT_FALSE(fault.has_value()) << fault->path;
        bytes.emplace_back(value);
      }
      column.items.strings.push_back(bytes.back());
    }
    values.push_back(std::move(column));
  }
  std::vector<ParquetWanted> wanted;
  for (const ParquetField& each : fields) wanted.push_back({each.name, each.type});
  const auto reader = reader_of(written(fields, values, 3), wanted);
  ParquetBatch batch;
  ASSERT_TRUE(reader->read(0, 10, 1 << 20, &batch).ok());
  ASSERT_EQ(batch.rows, 3u);
  EXPECT_TRUE(batch.faults.empty());
  for (size_t c = 0; c < fields.size(); ++c) {
    EXPECT_EQ(batch.columns[c].type, ColumnType::kString);
    EXPECT_EQ(batch.columns[c].nulls, (std::vector<uint8_t>{0, 1, 0})) << fields[c].name;
    EXPECT_EQ(batch.columns[c].strings[2], texts[c][1]);
  }
  EXPECT_EQ(batch.columns[0].strings[0], texts[0][0]);
  EXPECT_EQ(batch.columns[1].strings[0], texts[1][0]);
  EXPECT_EQ(batch.columns[2].strings[0], texts[2][0]);
  EXPECT_EQ(batch.columns[3].strings[0],
            R"({"a":-1,"t":"2018-04-01T00:00:31Z","b":true,"x":0.5,"z":"\\x00ff","j":"\"[1]\""})");
}

TEST(ParquetFile, ListsAndMapsKeepWhatIsNullAndWhatIsEmpty) {
  ParquetValues lists = values_of(ColumnType::kInt64, {0, 0, 0});
  lists.items.ints = {1, 2, 3};
  lists.nulls = {0, 1, 0, 0};
  lists.ends = {2, 2, 2, 3};
  ParquetValues maps = values_of(ColumnType::kDouble, {0, 1});
  maps.items.doubles = {0.5, 0};
  maps.keys.type = ColumnType::kString;
  maps.keys.nulls = {0, 0};
  maps.keys.strings = {"a", "b"};
  maps.nulls = {1, 0, 0, 0};
  maps.ends = {0, 2, 2, 2};
  ParquetField list{"list", ColumnType::kInt64, ParquetField::Shape::kLists, {}};
  ParquetField map{"map", ColumnType::kDouble, ParquetField::Shape::kMaps, ColumnType::kString};
  const std::string bytes = written({list, map}, {lists, maps}, 4);
  const auto reader = reader_of(bytes, {{"map", ColumnType::kJson}, {"list", ColumnType::kJson}});
  ParquetBatch batch;
  ASSERT_TRUE(reader->read(0, 10, 1 << 20, &batch).ok());
  using Texts = std::vector<std::string_view>;
  EXPECT_EQ(batch.columns[1].nulls, (std::vector<uint8_t>{0, 1, 0, 0}));
  EXPECT_EQ(batch.columns[1].strings, (Texts{"[1,2]", "", "[]", "[3]"}));
  EXPECT_EQ(batch.columns[0].nulls, (std::vector<uint8_t>{1, 0, 0, 0}));
  EXPECT_EQ(batch.columns[0].strings, (Texts{"", "{\"a\":0.5,\"b\":null}", "{}", "{}"}));
}

// Rows that are kept go into another file with values beside them.
TEST(ParquetFile, RowsAreKeptBesideNewColumns) {
  ParquetValues number = values_of(ColumnType::kInt64, {0, 1, 0});
  number.items.ints = {7, 0, 9};
  const std::string first = written({{"n", ColumnType::kInt64}}, {number}, 3);
  const auto reader = reader_of(first, {}, true);
  ParquetBatch batch;
  ASSERT_TRUE(reader->read(1, 100, 1 << 20, &batch).ok());
  ASSERT_EQ(batch.rows, 2u);
  ParquetValues text = values_of(ColumnType::kString, {0, 1});
  text.items.strings = {"x", ""};
  MemoryOutput out;
  auto writer = open_parquet_writer(&out, reader.get(), {{"t", ColumnType::kString}});
  ASSERT_TRUE(writer.ok()) << writer.error().message();
  const ParquetValues* const columns[] = {&text};
  ASSERT_TRUE((*writer)->write(2, batch.whole.get(), columns).ok());
  ASSERT_TRUE((*writer)->finish().ok());
  const auto again = reader_of(out.out, {}, true);
  EXPECT_EQ(again->columns(), (std::vector<std::string>{"n", "t"}));
  ParquetBatch rows;
  ASSERT_TRUE(again->read(0, 9, 1 << 20, &rows).ok());
  std::string json;
  rows.whole->append_json(0, &json);
  rows.whole->append_json(1, &json);
  EXPECT_EQ(json, "{\"n\":null,\"t\":\"x\"}{\"n\":9,\"t\":null}");
  std::string value;
  EXPECT_FALSE(rows.whole->append_text(0, 0, &value));
  EXPECT_TRUE(rows.whole->append_text(1, 0, &value));
  EXPECT_EQ(value, "x");
}

RC_GTEST_PROP(ParquetFile, AnyRowIsReadInBatchesOfAnySize, ()) {
  const size_t rows = 300;
  ParquetValues number = values_of(ColumnType::kInt64, std::vector<uint8_t>(rows, 0));
  for (size_t i = 0; i < rows; ++i) number.items.ints.push_back(static_cast<int64_t>(i));
  static const std::string bytes = written({{"n", ColumnType::kInt64}}, {number}, rows);
  const auto reader = reader_of(bytes, {{"n", ColumnType::kInt64}});
  ParquetBatch batch;
  for (int reads = 0; reads < 10; ++reads) {
    const auto row = *rc::gen::inRange<uint64_t>(0, rows);
    const auto most = *rc::gen::inRange<size_t>(1, 50);
    RC_ASSERT(reader->read(row, most, *rc::gen::inRange<size_t>(0, 200), &batch).ok());
    RC_ASSERT(batch.rows >= 1u && batch.rows <= most);
    for (size_t i = 0; i < batch.rows; ++i) {
      RC_ASSERT(batch.columns[0].ints[i] == static_cast<int64_t>(row + i));
    }
  }
}

// Strings that a dictionary repeats take far more memory than the file says.
TEST(ParquetFile, LongRepeatedTextsAreReadInSmallerBatches) {
  const std::string text(64 << 10, 'x');
  const size_t rows = 10'000;  // 640 MB
  ParquetValues values = values_of(ColumnType::kString, std::vector<uint8_t>(1000, 0));
  values.items.strings.assign(1000, text);
  MemoryOutput out;
  auto writer = open_parquet_writer(&out, nullptr, {{"s", ColumnType::kString}});
  ASSERT_TRUE(writer.ok());
  const ParquetValues* const columns[] = {&values};
  for (size_t i = 0; i < rows; i += 1000)
    ASSERT_TRUE((*writer)->write(1000, nullptr, columns).ok());
  ASSERT_TRUE((*writer)->finish().ok());
  EXPECT_LT(out.out.size(), 100u << 20);
  const auto reader = reader_of(out.out, {{"s", ColumnType::kString}});
  ParquetBatch batch;
  uint64_t row = 0;
  while (row < rows) {
    const Status read = reader->read(row, 1 << 16, size_t{1} << 40, &batch);
    ASSERT_TRUE(read.ok()) << read.error().message();
    for (const std::string_view each : batch.columns[0].strings) ASSERT_EQ(each, text);
    row += batch.rows;
  }
  EXPECT_EQ(row, rows);
}

TEST(ParquetFile, WhatCannotBeWrittenSaysSo) {
  MemoryOutput out;
  out.full = true;
  const auto writer = open_parquet_writer(&out, nullptr, {{"n", ColumnType::kInt64}});
  ASSERT_FALSE(writer.ok());
  EXPECT_EQ(writer.error().message(), "the disk is full");
}

}  // namespace
}  // namespace tidemill::test
