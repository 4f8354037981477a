// What belongs to the file rather than to its format: offsets, sizes, large records, failures.
#include <gtest/gtest.h>

#include "tests/unit/source/source_fixture.h"

namespace tidemill::test {
namespace {

constexpr auto kCsv = proto::FilesInput::CSV;
constexpr auto kNdjson = proto::FilesInput::NDJSON;
const std::string kLine = "{\"at\":\"2018-04-01T00:00:31Z\",\"id\":1}\n";
const std::string kHeader = "id,at,name,amount,ok,n\n";
const std::string kCsvLine = "1,2018-04-01T00:00:31Z,ann,1.5,true,7\n";

std::string error_of(const proto::Source& source, uint32_t partition, uint64_t offset) {
  const auto cursor = SourceCursor::open(source, partition, offset, {});
  return cursor.ok() ? "opened" : cursor.error().message();
}

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

TEST(FileCursor, RefusesWhatIsNoFile) {
  EXPECT_TRUE(contains(error_of(sample_source(kCsv, "/nonexistent/a.csv"), 0, 0),
                       "/nonexistent/a.csv: cannot open: No such file"));
  EXPECT_TRUE(contains(error_of(sample_source(kCsv, "/tmp"), 0, 0), "is not a regular file"));
  EXPECT_TRUE(contains(error_of(sample_source(kCsv, "/tmp"), 1, 0), "there is no file 1, only 1"));
}

TEST(FileCursor, RefusesASchemaWithoutEventTime) {
  const TemporaryFile file(kLine);
  proto::Source source = sample_source(kNdjson, file.path());
  source.set_event_time_field(0);
  EXPECT_TRUE(contains(error_of(source, 0, 0), "the event time is not a column of type"));
  source.set_event_time_field(6);
  EXPECT_TRUE(contains(error_of(source, 0, 0), "the event time is not a column of type"));
}

TEST(FileCursor, RefusesOffsetsWhereNoRecordStarts) {
  const TemporaryFile json(kLine + kLine);
  const proto::Source lines = sample_source(kNdjson, json.path());
  EXPECT_EQ(error_of(lines, 0, kLine.size()), "opened");
  EXPECT_EQ(error_of(lines, 0, 2 * kLine.size()), "opened");
  EXPECT_TRUE(contains(error_of(lines, 0, kLine.size() + 1), "no record starts at offset"));
  EXPECT_TRUE(contains(error_of(lines, 0, 2 * kLine.size() + 1), "the file shrank to"));
  const TemporaryFile csv(kHeader + kCsvLine + kCsvLine);
  const proto::Source table = sample_source(kCsv, csv.path());
  EXPECT_EQ(error_of(table, 0, kHeader.size()), "opened");
  EXPECT_TRUE(contains(error_of(table, 0, 1), "no record starts at offset 1"));
  EXPECT_TRUE(contains(error_of(table, 0, kHeader.size() + 1), "no record starts at offset"));
}

TEST(FileCursor, AShrunkenFileFailsLoudly) {
  const TemporaryFile file(kLine + kLine + kLine);
  auto cursor = SourceCursor::open(sample_source(kNdjson, file.path()), 0, 0, {});
  ASSERT_TRUE(cursor.ok());
  EventBatch batch;
  ASSERT_TRUE((*cursor)->read(2, 1000, &batch).ok());
  EXPECT_EQ(batch.rows(), 2U);
  EXPECT_FALSE(batch.finished);
  file.write(kLine);
  const Status status = (*cursor)->read(2, 1000, &batch);
  ASSERT_FALSE(status.ok());
  EXPECT_TRUE(contains(status.error().message(),
                       "the file shrank to 37 bytes, but was read up to "
                       "offset 74"));
}

TEST(FileCursor, StaysFinishedAtTheEnd) {
  const TemporaryFile file(kLine);
  auto cursor = SourceCursor::open(sample_source(kNdjson, file.path()), 0, kLine.size(), {});
  ASSERT_TRUE(cursor.ok());
  EventBatch batch;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE((*cursor)->read(10, 1000, &batch).ok());
    EXPECT_EQ(batch.rows(), 0U);
    EXPECT_EQ(batch.begin_offset, kLine.size());
    EXPECT_EQ(batch.end_offset, kLine.size());
    EXPECT_TRUE(batch.finished);
  }
}

TEST(FileCursor, WhatIsNotTheFileOfBeforeHasChanged) {
  const TemporaryFile json(kLine + kLine);
  const proto::Source source = sample_source(kNdjson, json.path());
  for (const uint64_t offset : {uint64_t{3}, 2 * kLine.size() + 1}) {
    const auto cursor = SourceCursor::open(source, 0, offset, {});
    ASSERT_FALSE(cursor.ok());
    EXPECT_EQ(cursor.error().code(), ErrorCode::kSourceChanged);
  }
  auto cursor = SourceCursor::open(source, 0, 0, {});
  ASSERT_TRUE(cursor.ok());
  EventBatch batch;
  ASSERT_TRUE((*cursor)->read(2, 1000, &batch).ok());
  EXPECT_TRUE(batch.at_end);
  json.write(kLine);
  const Status status = (*cursor)->read(2, 1000, &batch);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kSourceChanged);
}

// Strings are made plain in the text that was read; what is given is how they are in the file.
TEST(FileCursor, LargeRecordsAreGivenAsTheyAreUpTo64KiB) {
  std::string quotes, escapes;
  for (int i = 0; i < 50'000; ++i) quotes += "a\"\"b", escapes += "a\\\"b";
  const std::string csv = "1,2018-04-01T00:00:31Z,\"" + quotes + "\",1.5,true,";
  const std::string json = "{\"at\":\"2018-04-01T00:00:31Z\",\"name\":\"" + escapes + "\",\"n\":";
  const struct {
    proto::FilesInput::Format format;
    std::string head, good, bad;
  } cases[] = {{kCsv, kHeader, csv + "7", csv + "x"}, {kNdjson, "", json + "7}", json + "x}"}};
  for (const auto& c : cases) {
    for (const char* end : {"\n", "\r\n", "\n\r\n\n"}) {
      const TemporaryFile file(c.head + c.good + end + c.bad + end);
      auto cursor = SourceCursor::open(sample_source(c.format, file.path()), 0, 0, {});
      ASSERT_TRUE(cursor.ok());
      EventBatch batch;
      ASSERT_TRUE((*cursor)->read(10, 1 << 20, &batch).ok());
      ASSERT_EQ(batch.rows(), 1U);
      ASSERT_EQ(batch.bad.size(), 1U);
      uint64_t size = 0;
      EXPECT_TRUE((*cursor)->record_bytes(batch, 0, &size) == c.good.substr(0, kBadRecordBytes));
      EXPECT_EQ(size, c.good.size());
      EXPECT_TRUE(batch.bad[0].bytes == c.bad.substr(0, kBadRecordBytes));
      EXPECT_EQ(batch.bad[0].size, c.bad.size());
    }
  }
}

// A record of `size` bytes that is valid but for its size.
std::string json_of_size(size_t size) {
  const std::string head = "{\"at\":\"2018-04-01T00:00:31Z\",\"name\":\"";
  return head + std::string(size - head.size() - 2, 'x') + "\"}";
}

TEST(FileCursor, ARecordOfOneMegabyteIsReadAndALargerOneSkipped) {
  constexpr size_t kLimit = 1 << 20;
  for (const char* end : {"\n", "\r\n"}) {
    const std::string fits = json_of_size(kLimit) + end;
    const std::string large = json_of_size(kLimit + 1) + end;
    const std::string huge = json_of_size(3 * kLimit + 5) + end;
    const std::string content = kLine + fits + large + kLine + huge + kLine;
    for (const ReadSize size : {ReadSize{}, ReadSize{1, 100}, ReadSize{100, 16 << 20}}) {
      const auto events = read_text(kNdjson, content, 0, size);
      ASSERT_TRUE(events.ok());
      EXPECT_EQ(events->rows.size(), 4U);
      ASSERT_EQ(events->bad.size(), 2U);
      EXPECT_EQ(events->bad.begin()->first, kLine.size() + fits.size());
      EXPECT_TRUE(contains(events->bad.begin()->second, "the record is larger than 1 MB"));
      EXPECT_TRUE(contains(events->bad.begin()->second, "| {\"at\":\"2018-04-01T00:00:31Z\""));
      EXPECT_EQ(events->end, content.size());
    }
  }
}

TEST(FileCursor, AHugeLastRecordWithoutNewlineIsSkippedToTheEnd) {
  const std::string content = kLine + json_of_size(5 << 20);
  const auto events = read_text(kNdjson, content);
  ASSERT_TRUE(events.ok());
  EXPECT_EQ(events->rows.size(), 1U);
  EXPECT_EQ(events->bad.size(), 1U);
  EXPECT_EQ(events->end, content.size());
}

TEST(FileCursor, LargeCsvRecordsAndOpenQuotesDoNotDependOnTheReadSize) {
  const std::string open = "1,2018-04-01T00:00:31Z,\"open\n";
  const std::string long_value =
      "1,2018-04-01T00:00:31Z,\"" + std::string(1 << 20, 'y') + "\",1,t,1\n";
  std::string many;
  while (many.size() < 1200 * 1000) many += kCsvLine;
  const std::string content = kHeader + open + many + long_value + kCsvLine + open + kCsvLine;
  const auto expected = read_text(kCsv, content);
  ASSERT_TRUE(expected.ok());
  EXPECT_EQ(expected->bad.size(), 3U);
  EXPECT_EQ(expected->rows.size(), many.size() / kCsvLine.size() + 2);
  for (const ReadSize size : {ReadSize{1 << 20, 64 << 20}, ReadSize{5000, 10'000}}) {
    const auto got = read_text(kCsv, content, 0, size);
    ASSERT_TRUE(got.ok());
    EXPECT_TRUE(*got == *expected);
  }
}

}  // namespace
}  // namespace tidemill::test
