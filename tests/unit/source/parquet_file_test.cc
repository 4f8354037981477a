// Parquet files: against files that another program wrote, in any read size, from any row on, with
// values that do not fit, cut off and damaged.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "shared/source/parquet_file_cursor.h"
#include "shared/source/source_cursor.h"
#include "tests/unit/source/source_fixture.h"

namespace tidemill::test {
namespace {

using Row = std::vector<std::string>;

const std::vector<NamedType> kPayment{
    {"id", proto::INT64},     {"at", proto::TIMESTAMP},  {"paid_at", proto::TIMESTAMP},
    {"name", proto::STRING},  {"amount", proto::DOUBLE}, {"price", proto::DOUBLE},
    {"exact", proto::STRING}, {"day", proto::DATE},      {"kind", proto::STRING},
    {"raw", proto::BYTES},    {"hash", proto::BYTES},    {"ok", proto::BOOL},
    {"n", proto::INT32},      {"ratio", proto::DOUBLE},  {"uid", proto::STRING},
    {"items", proto::JSON}};

proto::Source file_source(proto::FilesInput::Format format, const std::string& path,
                          const std::vector<NamedType>& columns = kPayment) {
  proto::Source source = source_with(columns);
  source.mutable_files()->set_format(format);
  source.mutable_files()->add_paths(path);
  return source;
}

Result<Events> read_parquet(std::string_view content,
                            const std::vector<NamedType>& columns = kPayment, uint64_t offset = 0,
                            ReadSize size = {}) {
  const TemporaryFile file(content);
  return read_all(file_source(proto::FilesInput::PARQUET, file.path(), columns), offset, size);
}

std::string error_of(std::string_view content, const std::vector<NamedType>& columns = kPayment) {
  const TemporaryFile file(content);
  const auto events =
      read_all(file_source(proto::FilesInput::PARQUET, file.path(), columns), 0, {});
  if (events.ok()) return "";
  const std::string& message = events.error().message();
  EXPECT_TRUE(message.starts_with(file.path() + ": ")) << message;
  return message.substr(std::min(message.size(), file.path().size() + 2));
}

std::vector<Row> rows_of(const Events& events) {
  std::vector<Row> out;
  for (const auto& [offset, row] : events.rows) out.push_back(row);
  return out;
}

TEST(ParquetFile, GivesWhatTheSameNdjsonGives) {
  const TemporaryFile ndjson(golden_record_file("payments.ndjson"));
  const auto expected = read_all(file_source(proto::FilesInput::NDJSON, ndjson.path()), 0, {});
  ASSERT_TRUE(expected.ok());
  ASSERT_EQ(expected->rows.size(), 60u);
  for (const char* name : {"payments.parquet", "payments_v2.parquet", "payments_int96.parquet"}) {
    std::vector<NamedType> columns = kPayment;
    // Without the annotation that it is a UUID it is bytes.
    const auto events = read_parquet(golden_record_file(name), columns);
    ASSERT_TRUE(events.ok()) << name << ": " << events.error().message();
    EXPECT_TRUE(events->bad.empty());
    EXPECT_EQ(rows_of(*events), rows_of(*expected)) << name;
    EXPECT_EQ(events->rows.begin()->first, 0u);
    EXPECT_EQ(events->end, 60u);
  }
}

TEST(ParquetFile, ReadSizeDoesNotMatterAndAnyRowStartsTheRest) {
  const TemporaryFile file(golden_record_file("payments.parquet"));
  const proto::Source source = file_source(proto::FilesInput::PARQUET, file.path());
  const auto all = read_all(source, 0, {});
  ASSERT_TRUE(all.ok());
  for (const ReadSize size : {ReadSize{1, 1}, ReadSize{7, 1 << 20}, ReadSize{1 << 16, 300}}) {
    const auto events = read_all(source, 0, size);
    ASSERT_TRUE(events.ok());
    EXPECT_EQ(*events, *all);
  }
  for (uint64_t offset = 0; offset <= 60; ++offset) {
    const auto rest = read_all(source, offset, {11, 1 << 20});
    ASSERT_TRUE(rest.ok()) << rest.error().message();
    EXPECT_EQ(rest->rows, tail(*all, offset).rows);
    EXPECT_EQ(rest->end, 60u);
  }
}

TEST(ParquetFile, ReadsEndWhereTheyAreTold) {
  const TemporaryFile file(golden_record_file("payments.parquet"));
  auto cursor = SourceCursor::open(file_source(proto::FilesInput::PARQUET, file.path()), 0, 0, {});
  ASSERT_TRUE(cursor.ok());
  EXPECT_EQ((*cursor)->info().end_offset, 60u);
  EventBatch batch;
  (*cursor)->read_until(3);
  ASSERT_TRUE((*cursor)->read(100, 1 << 20, &batch).ok());
  EXPECT_EQ(batch.rows(), 3u);
  EXPECT_EQ(batch.end_offset, 3u);
  EXPECT_FALSE(batch.finished);
  ASSERT_TRUE((*cursor)->read(100, 1 << 20, &batch).ok());
  EXPECT_EQ(batch.end_offset, 25u);  // of the row group
  EXPECT_EQ(batch.offsets.front(), 3u);
}

TEST(ParquetFile, ARowOfADeadLetterIsJsonOfTheColumnsThatWereRead) {
  const TemporaryFile file(golden_record_file("types.parquet"));
  auto cursor = SourceCursor::open(
      file_source(proto::FilesInput::PARQUET, file.path(),
                  {{"text", proto::STRING}, {"at", proto::TIMESTAMP}, {"uint8", proto::INT32}}),
      0, 0, {});
  ASSERT_TRUE(cursor.ok());
  EventBatch batch;
  ASSERT_TRUE((*cursor)->read(100, 1 << 20, &batch).ok());
  ASSERT_EQ(batch.rows(), 2u);
  uint64_t size = 0;
  const std::string row = (*cursor)->record_bytes(batch, 0, &size);
  EXPECT_EQ(row, "{\"at\":\"2018-04-01T00:00:31.500Z\",\"uint8\":255,\"text\":\"ä\\\"\\n\"}");
  EXPECT_EQ(size, row.size());
}

// All as JSON, which says exactly what was read.
TEST(ParquetFile, EveryTypeIsReadAsJson) {
  const std::string expected = golden_record_file("types.json");
  const TemporaryFile file(golden_record_file("types.parquet"));
  auto cursor = ParquetFileCursor::open_all(file_source(
      proto::FilesInput::PARQUET, file.path(), {{"uint8", proto::JSON}, {"at", proto::TIMESTAMP}}));
  ASSERT_TRUE(cursor.ok()) << cursor.error().message();
  EventBatch batch;
  ASSERT_TRUE((*cursor)->read(100, 1 << 20, &batch).ok());
  std::string first;
  std::string second;
  (*cursor)->whole()->append_json(0, &first);
  (*cursor)->whole()->append_json(1, &second);
  EXPECT_EQ(first + "\n", expected);
  EXPECT_NE(second.find("\"struct\":null"), std::string::npos) << second;
}

TEST(ParquetFile, TypesAreReadAsColumnsThatHoldThem) {
  const std::string content = golden_record_file("types.parquet");
  const auto first = [&](const char* name, proto::ColumnType type) {
    const auto events = read_parquet(content, {{name, type}, {"at", proto::TIMESTAMP}});
    if (!events.ok()) return "error: " + events.error().message();
    if (!events->bad.empty()) return "bad: " + events->bad.begin()->second;
    EXPECT_EQ(events->rows.at(1)[0], "null") << name;
    return events->rows.at(0)[0];
  };
  EXPECT_EQ(first("uint8", proto::INT32), "255");
  EXPECT_EQ(first("int8", proto::DOUBLE), "-128");
  EXPECT_EQ(first("uint32", proto::INT64), "4294967295");
  EXPECT_EQ(first("uint64", proto::DOUBLE), "1.8446744073709552e+19");
  EXPECT_EQ(first("half", proto::DOUBLE), "0.5");
  EXPECT_EQ(first("float", proto::DOUBLE), "0.10000000149011612");
  EXPECT_EQ(first("small", proto::DOUBLE), "-0.050000000000000003");
  EXPECT_EQ(first("small", proto::STRING), "'-0.05'");
  EXPECT_EQ(first("day", proto::INT64), "17622");
  EXPECT_EQ(first("millis", proto::TIMESTAMP), first("nanos", proto::TIMESTAMP));
  EXPECT_EQ(first("millis", proto::INT64), "1522540831500");
  EXPECT_EQ(first("nanos", proto::INT64), "1522540831500000001");
  EXPECT_EQ(first("clock", proto::INT64), "3723000000");
  EXPECT_EQ(first("json", proto::JSON), "'{\"a\":[1]}'");
  EXPECT_EQ(first("json", proto::STRING), "'{\"a\":[1]}'");
  EXPECT_EQ(first("uid", proto::STRING), "'00010203-0405-0607-0809-0a0b0c0d0e0f'");
  EXPECT_EQ(first("map", proto::JSON), "'{\"7\":true,\"8\":null}'");
  EXPECT_EQ(first("nothing", proto::DOUBLE), "null");
}

TEST(ParquetFile, AValueThatDoesNotFitIsADeadLetterOfItsRow) {
  const std::string content = golden_record_file("types.parquet");
  const auto bad = [&](const char* name, proto::ColumnType type) {
    const auto events = read_parquet(content, {{name, type}, {"at", proto::TIMESTAMP}});
    if (!events.ok()) return "error: " + events.error().message();
    EXPECT_EQ(events->bad.size(), 1u);
    EXPECT_EQ(events->rows.size(), 1u);  // the null
    return events->bad.count(0) == 0 ? "" : events->bad.at(0);
  };
  EXPECT_NE(bad("uint32", proto::INT32).find("column 'uint32': '4294967295' is not an int32"),
            std::string::npos);
  EXPECT_NE(bad("uint64", proto::INT64).find("'18446744073709551615' is not an int64"),
            std::string::npos);
  EXPECT_NE(bad("large", proto::INT64).find("is not an int64"), std::string::npos);
  EXPECT_NE(bad("text", proto::TIMESTAMP).find("is not a timestamp"), std::string::npos);
  EXPECT_NE(bad("text", proto::JSON).find("is not valid JSON"), std::string::npos);
  EXPECT_NE(bad("raw", proto::STRING).find("is not a string"), std::string::npos);
}

TEST(ParquetFile, ColumnsThatAreMissingOrOfOtherTypesAreErrorsOfTheFile) {
  const std::string content = golden_record_file("types.parquet");
  EXPECT_EQ(error_of(content, {{"amount", proto::DOUBLE}, {"at", proto::TIMESTAMP}}),
            "the file has no column 'amount'; it has at, uint8, int8, uint16, int16, uint32, "
            "uint64, half, float, nan, small, large, day, millis, nanos, clock, short_clock, text, "
            "json, raw and others");
  EXPECT_EQ(error_of(content, {{"small", proto::INT64}, {"at", proto::TIMESTAMP}}),
            "column 'small' is a decimal(9, 2) in the file, and int64 is wanted; it can be read as "
            "decimal, double, string or json");
  EXPECT_EQ(error_of(content, {{"list", proto::STRING}, {"at", proto::TIMESTAMP}}),
            "column 'list' is a list in the file, and string is wanted; it can be read as list or json");
  EXPECT_EQ(error_of(content, {{"id", proto::INT64}, {"uint8", proto::TIMESTAMP}}).substr(0, 27),
            "the file has no column 'id'");
}

TEST(ParquetFile, AFileThatIsNotWholeSaysSo) {
  const std::string content = golden_record_file("payments.parquet");
  for (const size_t size :
       {size_t{0}, size_t{3}, size_t{4}, size_t{11}, content.size() / 2, content.size() - 1}) {
    EXPECT_EQ(
        error_of(content.substr(0, size)),
        "it was cut off, or is still being written: a Parquet file is read when it is complete")
        << size;
  }
  EXPECT_EQ(error_of("id,at\n1,2018-04-01T00:00:00Z\n"),
            "this is no Parquet file: it does not begin with 'PAR1'");
  EXPECT_EQ(error_of("PARE" + content.substr(4)),
            "its footer is encrypted; write it without encryption");
  std::string footer = content;
  footer[content.size() - 5] = '\x7f';  // of its size
  EXPECT_NE(error_of(footer).find("its footer is damaged: it cannot have"), std::string::npos);
  footer = content;
  footer[content.size() - 20] ^= 0x55;
  footer[content.size() - 200] ^= 0x55;
  (void)error_of(footer);  // whatever it says, it says it
}

// Rows before the damage are read; there the file stands still.
TEST(ParquetFile, ADamagedRowGroupStopsTheFileThere) {
  std::string content = golden_record_file("payments.parquet");
  for (size_t i = 6'100; i < 6'300; ++i)
    content[i] = static_cast<char>(content[i] ^ 0x3c);  // of 'at'
  const TemporaryFile file(content);
  auto cursor = SourceCursor::open(file_source(proto::FilesInput::PARQUET, file.path()), 0, 0, {});
  ASSERT_TRUE(cursor.ok());
  EventBatch batch;
  ASSERT_TRUE((*cursor)->read(100, 1 << 20, &batch).ok());
  const uint64_t reached = batch.end_offset;
  EXPECT_EQ(reached, 25u);
  for (int i = 0; i < 2; ++i) {
    const Status read = (*cursor)->read(100, 1 << 20, &batch);
    ASSERT_FALSE(read.ok());
    EXPECT_NE(read.error().message().find(": row group 1 (rows 25 to 49) is damaged: "),
              std::string::npos)
        << read.error().message();
  }
}

TEST(ParquetFile, AnotherFileStopsTheJob) {
  const TemporaryFile file(golden_record_file("payments.parquet"));
  const proto::Source source = file_source(proto::FilesInput::PARQUET, file.path());
  auto cursor = SourceCursor::open(source, 0, 0, {});
  ASSERT_TRUE(cursor.ok());
  EventBatch batch;
  ASSERT_TRUE((*cursor)->read(10, 1 << 20, &batch).ok());
  const RecordIdentity last = batch.last;
  EXPECT_EQ(last.offset, 9u);
  EXPECT_TRUE(SourceCursor::open(source, 0, 10, last).ok());
  file.write(golden_record_file("payments_v2.parquet"));
  const Status grown = (*cursor)->read(10, 1 << 20, &batch);
  ASSERT_FALSE(grown.ok());
  EXPECT_EQ(grown.error().code(), ErrorCode::kSourceChanged);
  const auto again = SourceCursor::open(source, 0, 10, last);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code(), ErrorCode::kSourceChanged);
  EXPECT_NE(again.error().message().find("its footer is another one"), std::string::npos);
  const auto behind = SourceCursor::open(source, 0, 61, {});
  ASSERT_FALSE(behind.ok());
  EXPECT_EQ(behind.error().code(), ErrorCode::kSourceChanged);
}

// One that was written over with as many bytes, in place: what was read of it last may be of
// either.
TEST(ParquetFile, AFileThatBecameAnotherIsNotFinished) {
  const std::string content = golden_record_file("payments.parquet");
  const TemporaryFile file(content);
  auto cursor = SourceCursor::open(file_source(proto::FilesInput::PARQUET, file.path()), 0, 0, {});
  ASSERT_TRUE(cursor.ok());
  EventBatch batch;
  ASSERT_TRUE((*cursor)->read(10, 1 << 20, &batch).ok());
  std::string other = content;
  const size_t writer = other.rfind("parquet-cpp");
  ASSERT_NE(writer, std::string::npos);
  other[writer] = 'q';
  file.write(other);
  Status read;
  while ((read = (*cursor)->read(10, 1 << 20, &batch)).ok()) ASSERT_FALSE(batch.finished);
  EXPECT_EQ(read.error().code(), ErrorCode::kSourceChanged);
  EXPECT_NE(read.error().message().find("its footer became another one while it was read"),
            std::string::npos);
  EXPECT_FALSE((*cursor)->read(10, 1 << 20, &batch).ok());
  file.write(content);  // put back
  ASSERT_TRUE((*cursor)->read(10, 1 << 20, &batch).ok());
  EXPECT_TRUE(batch.finished);
  EXPECT_EQ(batch.end_offset, 60u);
}

// Text that is no UTF-8 is a fault of its row, also beside dictionaries.
TEST(ParquetFile, DictionariesAreCheckedAndTextsBesideThemAreNot) {
  const std::string content = golden_record_file("dictionary.parquet");
  const std::vector<NamedType> columns{
      {"kind", proto::STRING}, {"at", proto::TIMESTAMP}, {"note", proto::STRING}};
  const auto events = read_parquet(content, columns);
  ASSERT_TRUE(events.ok()) << events.error().message();
  ASSERT_EQ(events->bad.size(), 1u);
  EXPECT_NE(events->bad.at(1).find("column 'note'"), std::string::npos) << events->bad.at(1);
  EXPECT_EQ(events->rows.at(0)[0], "'a'");
  EXPECT_EQ(events->rows.at(2)[0], "'c'");
  // Two bits for each index, of which the third becomes 3.
  std::string damaged = content;
  const size_t indexes = damaged.find(std::string("\x02\x03\x24\x00", 4));
  ASSERT_NE(indexes, std::string::npos);
  damaged[indexes + 2] = '\x34';
  EXPECT_NE(error_of(damaged, columns).find("row group 0 (rows 0 to 2) is damaged: "),
            std::string::npos)
      << error_of(damaged, columns);
}

// Whatever the bytes are, reading says what is wrong or gives rows.
RC_GTEST_PROP(ParquetFile, DamageIsNeverWorseThanAnError, ()) {
  static const std::string whole = golden_record_file("payments_v2.parquet");
  std::string content = whole;
  const auto places =
      *rc::gen::container<std::vector<size_t>>(rc::gen::inRange<size_t>(4, content.size() - 8));
  for (const size_t at : places) content[at] = *rc::gen::arbitrary<char>();
  (void)read_parquet(content);
}

}  // namespace
}  // namespace tidemill::test
