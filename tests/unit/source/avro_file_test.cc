// Avro container files: against files that another program wrote, in any read size, from any
// record on, cut off and damaged.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "shared/source/avro_container.h"
#include "shared/source/record_parser.h"
#include "shared/source/source_cursor.h"
#include "tests/unit/source/source_fixture.h"

namespace tidemill::test {
namespace {

using Row = std::vector<std::string>;

const std::vector<NamedType> kColumns{{"id", proto::INT64},    {"at", proto::TIMESTAMP},
                                      {"name", proto::STRING}, {"raw", proto::BYTES},
                                      {"items", proto::JSON},  {"exact", proto::STRING}};

proto::Source file_source(proto::FilesInput::Format format, const std::string& path) {
  proto::Source source = source_with(kColumns);
  source.mutable_files()->set_format(format);
  source.mutable_files()->add_paths(path);
  return source;
}

Result<Events> read_avro(std::string_view content, uint64_t offset = 0, ReadSize size = {}) {
  const TemporaryFile file(content);
  return read_all(file_source(proto::FilesInput::AVRO, file.path()), offset, size);
}

std::vector<Row> rows_of(const Events& events) {
  std::vector<Row> out;
  for (const auto& [offset, row] : events.rows) out.push_back(row);
  return out;
}

std::string zigzag(int64_t number) {
  auto bits = static_cast<uint64_t>(number) << 1 ^ static_cast<uint64_t>(number >> 63);
  std::string out;
  for (; bits >= 0x80; bits >>= 7) out += static_cast<char>(bits | 0x80);
  return out + static_cast<char>(bits);
}
std::string with_size(const std::string& text) {
  return zigzag(static_cast<int64_t>(text.size())) + text;
}

const std::string kSync = "0123456789abcdef";
const std::string kSchema =
    R"({"type":"record","name":"R","fields":[{"name":"id","type":"long"},)"
    R"({"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},)"
    R"({"name":"name","type":"string"}]})";

std::string header(const std::string& schema = kSchema, const std::string& codec = "null") {
  return std::string("Obj\x01", 4) + zigzag(2) + with_size("avro.schema") + with_size(schema) +
         with_size("avro.codec") + with_size(codec) + zigzag(0) + kSync;
}
std::string record(int64_t id, const std::string& name = "n") {
  return zigzag(id) + zigzag(id) + with_size(name);
}
std::string block(int64_t records, const std::string& data) {
  return zigzag(records) + with_size(data) + kSync;
}
uint64_t offset_of(size_t block, uint64_t index) { return uint64_t{block} << 20 | index; }

TEST(AvroFile, GivesWhatTheSameNdjsonGives) {
  const TemporaryFile ndjson(golden_record_file("payments.ndjson"));
  const auto expected = read_all(file_source(proto::FilesInput::NDJSON, ndjson.path()), 0, {});
  ASSERT_TRUE(expected.ok());
  ASSERT_EQ(expected->rows.size(), 60u);
  for (const char* codec : {"null", "deflate", "snappy", "zstandard"}) {
    const auto events = read_avro(golden_record_file("payments_" + std::string(codec) + ".avro"));
    ASSERT_TRUE(events.ok()) << codec << ": " << events.error().message();
    EXPECT_TRUE(events->bad.empty());
    EXPECT_EQ(rows_of(*events), rows_of(*expected)) << codec;
  }
}

TEST(AvroFile, OffsetsAreTheBlockAndTheRecordInIt) {
  const std::string head = header();
  const std::string first = block(2, record(1) + record(2));
  const std::string content = head + first + block(0, "") + block(1, record(3));
  const auto events = read_avro(content);
  ASSERT_TRUE(events.ok());
  const size_t second = head.size() + first.size() + block(0, "").size();
  ASSERT_EQ(events->rows.size(), 3u);
  EXPECT_EQ(events->rows.at(offset_of(head.size(), 0))[0], "1");
  EXPECT_EQ(events->rows.at(offset_of(head.size(), 1))[0], "2");
  EXPECT_EQ(events->rows.at(offset_of(second, 0))[0], "3");
  EXPECT_EQ(events->end, offset_of(content.size(), 0));
}

TEST(AvroFile, ReadSizeDoesNotMatterAndAnyRecordStartsTheRest) {
  const TemporaryFile file(golden_record_file("payments_snappy.avro"));
  const proto::Source source = file_source(proto::FilesInput::AVRO, file.path());
  const auto all = read_all(source, 0, {});
  ASSERT_TRUE(all.ok());
  for (const ReadSize size : {ReadSize{1, 1}, ReadSize{7, 1 << 20}, ReadSize{1 << 16, 300}}) {
    const auto events = read_all(source, 0, size);
    ASSERT_TRUE(events.ok());
    EXPECT_EQ(*events, *all);
  }
  for (const auto& [offset, row] : all->rows) {
    const auto rest = read_all(source, offset, {5, 1 << 20});
    ASSERT_TRUE(rest.ok()) << rest.error().message();
    EXPECT_EQ(*rest, tail(*all, offset));
  }
  const auto none = read_all(source, all->end, {});
  ASSERT_TRUE(none.ok());
  EXPECT_TRUE(none->rows.empty());
}

TEST(AvroFile, ReadsEndWhereTheyAreTold) {
  const std::string head = header();
  const TemporaryFile file(head + block(3, record(1) + record(2) + record(3)));
  const proto::Source source = file_source(proto::FilesInput::AVRO, file.path());
  auto cursor = SourceCursor::open(source, 0, 0, {});
  ASSERT_TRUE(cursor.ok());
  EventBatch batch;
  (*cursor)->read_until(offset_of(head.size(), 2));
  ASSERT_TRUE((*cursor)->read(100, 1 << 20, &batch).ok());
  EXPECT_EQ(batch.rows(), 2u);
  EXPECT_EQ(batch.end_offset, offset_of(head.size(), 2));
  EXPECT_FALSE(batch.finished);
  uint64_t size = 0;
  EXPECT_EQ((*cursor)->record_bytes(batch, 1, &size), record(2));
  EXPECT_EQ(size, record(2).size());
  ASSERT_TRUE((*cursor)->read(100, 1 << 20, &batch).ok());
  EXPECT_EQ(batch.rows(), 1u);
  EXPECT_TRUE(batch.finished);
}

TEST(AvroFile, AnotherFileStopsTheJob) {
  const std::string head = header();
  const TemporaryFile file(head + block(2, record(1) + record(2)));
  const proto::Source source = file_source(proto::FilesInput::AVRO, file.path());
  auto cursor = SourceCursor::open(source, 0, 0, {});
  ASSERT_TRUE(cursor.ok());
  EventBatch batch;
  ASSERT_TRUE((*cursor)->read(1, 1 << 20, &batch).ok());
  EXPECT_EQ(batch.last.offset, offset_of(head.size(), 0));
  EXPECT_TRUE(SourceCursor::open(source, 0, batch.end_offset, batch.last).ok());
  file.write(head + block(2, record(7) + record(2)));
  const auto other = SourceCursor::open(source, 0, batch.end_offset, batch.last);
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code(), ErrorCode::kSourceChanged);
  const auto nowhere = SourceCursor::open(source, 0, offset_of(head.size() + 1, 0), {});
  ASSERT_FALSE(nowhere.ok());
  EXPECT_EQ(nowhere.error().code(), ErrorCode::kSourceChanged);
  file.write(head);
  const Status shrunk = (*cursor)->read(1, 1 << 20, &batch);
  ASSERT_FALSE(shrunk.ok());
  EXPECT_EQ(shrunk.error().code(), ErrorCode::kSourceChanged);
}

TEST(AvroFile, ABadRecordTakesTheRestOfItsBlock) {
  const std::string head = header();
  const std::string broken = block(3, record(1) + "\x02\x02\x7f" + record(3));
  const auto events = read_avro(head + broken + block(1, record(4)));
  ASSERT_TRUE(events.ok());
  EXPECT_EQ(events->rows.size(), 2u);
  ASSERT_EQ(events->bad.size(), 1u);
  EXPECT_EQ(events->bad.begin()->first, offset_of(head.size(), 1));
  EXPECT_NE(events->bad.begin()->second.find("a length is negative; the 1 records behind it"),
            std::string::npos)
      << events->bad.begin()->second;
}

TEST(AvroFile, AValueThatDoesNotFitIsOneBadRecord) {
  const std::string head = header();
  const auto events = read_avro(head + block(3, record(1) + record(2, "\xff") + record(3)));
  ASSERT_TRUE(events.ok());
  EXPECT_EQ(events->rows.size(), 2u);
  EXPECT_EQ(events->bad.count(offset_of(head.size(), 1)), 1u);
}

TEST(AvroFile, ARecordBeyondTheBoundIsOneBadRecord) {
  const std::string head = header();
  const std::string most(kMaxRecordBytes - record(2, "").size() - 2,
                         'x');  // its length has 3 bytes
  ASSERT_EQ(record(2, most).size(), kMaxRecordBytes);
  const auto events =
      read_avro(head + block(4, record(1) + record(2, most) + record(3, most + "x") + record(4)));
  ASSERT_TRUE(events.ok());
  EXPECT_EQ(events->rows.size(), 3u);
  ASSERT_EQ(events->bad.size(), 1u);
  EXPECT_EQ(events->bad.begin()->first, offset_of(head.size(), 2));
  EXPECT_NE(
      events->bad.begin()->second.find("the record is larger than 1 MB; write smaller records"),
      std::string::npos);
}

// What is a record when it is first read is one when reading goes on behind it.
TEST(AvroFile, DeepRecordsArePassedAsTheyWereRead) {
  const std::string schema =
      R"({"type":"record","name":"R","fields":[{"name":"id","type":"long"},)"
      R"({"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},)"
      R"({"name":"items","type":{"type":"record","name":"L","fields":[)"
      R"({"name":"next","type":["null","L"]}]}},{"name":"raw","type":["null",{"type":"record",)"
      R"("name":"M","fields":[{"name":"next","type":["null","M"]}]}]}]})";
  const auto deep = [](int lists, int skipped) {
    return zigzag(1) + zigzag(1) + std::string(static_cast<size_t>(lists), '\x02') +
           std::string(1, '\0') + std::string(static_cast<size_t>(skipped), '\x02') +
           std::string(1, '\0');
  };
  size_t events_seen = 0;
  size_t bad_seen = 0;
  for (int depth = 120; depth < 132; ++depth) {
    for (const std::string& first : {deep(depth, 0), deep(0, depth)}) {
      const TemporaryFile file(header(schema) + block(2, first + deep(1, 0)));
      const proto::Source source = file_source(proto::FilesInput::AVRO, file.path());
      const auto all = read_all(source, 0, {});
      ASSERT_TRUE(all.ok()) << all.error().message();
      bad_seen += all->rows.count(offset_of(header(schema).size(), 0)) == 0;
      events_seen += all->rows.size();
      for (const auto& [offset, row] : all->rows) {
        const auto rest = read_all(source, offset, {});
        ASSERT_TRUE(rest.ok()) << depth << ": " << rest.error().message();
        EXPECT_EQ(*rest, tail(*all, offset));
      }
    }
  }
  EXPECT_GT(events_seen, 0u);
  EXPECT_GT(bad_seen, 0u);
}

TEST(AvroFile, BytesBehindTheLastRecordAreSaid) {
  const auto events = read_avro(header() + block(1, record(1) + "xyz") + block(1, record(2)));
  ASSERT_TRUE(events.ok());
  EXPECT_EQ(events->rows.size(), 2u);
  EXPECT_EQ(events->bad.begin()->first, offset_of(header().size(), 1));
  EXPECT_NE(events->bad.begin()->second.find("3 bytes are behind the last record"),
            std::string::npos);
}

TEST(AvroFile, ABlockThatCannotBeDecompressedIsOneBadRecord) {
  for (const char* codec : {"deflate", "snappy", "zstandard"}) {
    const auto events = read_avro(header(kSchema, codec) + block(9, "no such data, not at all"));
    ASSERT_TRUE(events.ok()) << events.error().message();
    ASSERT_EQ(events->bad.size(), 1u);
    EXPECT_NE(events->bad.begin()->second.find("the block of 9 records at byte"),
              std::string::npos);
  }
}

TEST(AvroFile, WhatCannotBeReadStandsStill) {
  const auto why = [](std::string_view content) {
    const auto events = read_avro(content);
    return events.ok() ? std::string("read") : events.error().message();
  };
  const auto expect = [](const std::string& got, const std::string& message) {
    EXPECT_NE(got.find(message), std::string::npos) << got;
  };
  const std::string good = header() + block(1, record(1));
  expect(why(""), "cut off");
  expect(why("PAR1xxxx"), "this is no Avro file");
  expect(why(good.substr(0, 30)), "cut off");
  expect(why(good.substr(0, good.size() - 1)), "cut off");
  expect(why(header(kSchema, "lzma") + block(1, record(1))),
         "its blocks are compressed by 'lzma'; write it with null, deflate");
  expect(why(header("{", "null")), "the schema in its header: the schema is not valid JSON");
  expect(why(header("\"long\"", "null")), "the schema is not that of a record");
  std::string unmarked = good;
  unmarked.back() = 'x';
  expect(why(unmarked), "is damaged: the file's marker is not behind it");
  expect(why(header() + zigzag(-1) + zigzag(0) + kSync), "its head makes no sense");
  expect(why(header() + zigzag(int64_t{1} << 20) + with_size("") + kSync), "write smaller blocks");
  expect(why(header() + zigzag(1) + zigzag(int64_t{1} << 40)), "write smaller blocks");
}

// What is whole before a fault is read first.
TEST(AvroFile, WhatIsBeforeAFaultIsRead) {
  const std::string good = header() + block(1, record(1));
  const TemporaryFile file(good + zigzag(1) + zigzag(50));
  auto cursor = SourceCursor::open(file_source(proto::FilesInput::AVRO, file.path()), 0, 0, {});
  ASSERT_TRUE(cursor.ok());
  EventBatch batch;
  ASSERT_TRUE((*cursor)->read(10, 1 << 20, &batch).ok());
  EXPECT_EQ(batch.rows(), 1u);
  EXPECT_EQ(batch.end_offset, offset_of(good.size(), 0));
  EXPECT_FALSE(batch.finished);
  EXPECT_FALSE((*cursor)->read(10, 1 << 20, &batch).ok());
}

// A small block may hold as much as it likes.
TEST(AvroFile, ABlockHasABound) {
  const std::string bomb = gzip(std::string(80 << 20, '\0'));
  // The data of a gzip member, without its ten bytes of header and eight at the end.
  const std::string deflated = bomb.substr(10, bomb.size() - 18);
  const auto events = read_avro(header(kSchema, "deflate") + block(1, deflated));
  ASSERT_TRUE(events.ok());
  EXPECT_NE(events->bad.begin()->second.find("holds more than 64 MB"), std::string::npos);
}

// Any damage is an error of the file or bad records; in whatever pieces it is read.
RC_GTEST_PROP(AvroFile, AnyBytesGiveTheSameInAnyPieces, ()) {
  static const std::vector<std::string> files{golden_record_file("payments_null.avro"),
                                              golden_record_file("payments_deflate.avro")};
  std::string content = files[*rc::gen::inRange<size_t>(0, files.size())];
  for (int i = *rc::gen::inRange(0, 5); i > 0; --i) {
    // Mostly behind the header, of which most is the schema.
    const size_t least = *rc::gen::weightedElement<size_t>({{9, 2800}, {1, 0}});
    content[*rc::gen::inRange<size_t>(least, content.size())] = *rc::gen::arbitrary<char>();
  }
  if (*rc::gen::inRange(0, 5) == 0) {
    content.resize(*rc::gen::inRange<size_t>(0, content.size()));
  }
  const auto at_once = read_avro(content);
  const auto in_pieces = read_avro(content, 0, {3, 100});
  RC_ASSERT(at_once.ok() == in_pieces.ok());
  if (at_once.ok()) RC_ASSERT(*at_once == *in_pieces);
}

}  // namespace
}  // namespace tidemill::test
