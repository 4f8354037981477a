// Files in gzip format: the same events as of their text, at the same offsets; what is cut off or
// damaged says so.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>

#include "tests/unit/source/source_fixture.h"

namespace tidemill::test {
namespace {

constexpr auto kCsv = proto::FilesInput::CSV;
constexpr auto kNdjson = proto::FilesInput::NDJSON;
const std::string kLine = "{\"at\":\"2018-04-01T00:00:31Z\",\"id\":1}\n";

std::string many_lines(size_t n) {
  std::string text;
  for (size_t i = 0; i < n; ++i) {
    text += "{\"at\":\"2018-04-01T00:00:31Z\",\"id\":" + std::to_string(i * 7919 % 100'003) +
            (i % 50 == 7 ? ",\"name\":\"a\\\"b\",\"n\":x}\n" : ",\"name\":\"a\\\"b\"}\n");
  }
  return text;
}

// All events of a compressed file.
Result<Events> read_gzip(const std::string& bytes, ReadSize size = {}, uint64_t offset = 0,
                         proto::FilesInput::Format format = kNdjson) {
  const TemporaryDirectory directory;
  directory.write("a.gz", bytes);
  return read_all(sample_source(format, directory.path("a.gz")), offset, size);
}

std::string error_of(const Result<Events>& events) {
  return events.ok() ? "read" : events.error().message();
}

TEST(Gzip, GivesTheEventsOfItsTextWhateverTheReadSize) {
  const std::string text = many_lines(20'000);
  const auto expected = read_text(kNdjson, text);
  ASSERT_TRUE(expected.ok());
  ASSERT_EQ(expected->bad.size(), 400U);
  const std::string bytes = gzip(text);
  for (const ReadSize size : {ReadSize{}, ReadSize{100, 3000}, ReadSize{1 << 20, 64 << 20}}) {
    const auto got = read_gzip(bytes, size);
    ASSERT_TRUE(got.ok()) << got.error().message();
    EXPECT_TRUE(*got == *expected);
  }
}

TEST(Gzip, ReadsMembersOneAfterAnotherAndZerosBehindThem) {
  const std::string text = many_lines(3000);
  const auto expected = read_text(kNdjson, text);
  ASSERT_TRUE(expected.ok());
  // Cut where no record ends; one member is empty.
  const std::string bytes = gzip(text.substr(0, 1001)) + gzip("") +
                            gzip(text.substr(1001, 70'000)) + gzip(text.substr(71'001)) +
                            std::string(100'000, '\0');
  for (const ReadSize size : {ReadSize{}, ReadSize{10, 300}}) {
    const auto got = read_gzip(bytes, size);
    ASSERT_TRUE(got.ok()) << got.error().message();
    EXPECT_TRUE(*got == *expected);
  }
}

TEST(Gzip, StartsAtAnyRecord) {
  const std::string text = many_lines(500);
  const auto all = read_gzip(gzip(text));
  ASSERT_TRUE(all.ok());
  for (const auto& row : all->rows) {
    if (row.first % 11 != 0) continue;
    const auto rest = read_gzip(gzip(text), {20, 1000}, row.first);
    ASSERT_TRUE(rest.ok()) << rest.error().message();
    EXPECT_TRUE(*rest == tail(*all, row.first));
  }
  const auto at_end = read_gzip(gzip(text), {}, text.size());
  ASSERT_TRUE(at_end.ok()) << at_end.error().message();
  EXPECT_TRUE(at_end->rows.empty());
}

TEST(Gzip, RefusesOffsetsThatAreNotItsOwn) {
  const std::string bytes = gzip(kLine + kLine);
  EXPECT_NE(error_of(read_gzip(bytes, {}, kLine.size() + 1)).find("no record starts at offset"),
            std::string::npos);
  const auto beyond = read_gzip(bytes, {}, 2 * kLine.size() + 1);
  EXPECT_NE(error_of(beyond).find("shrank to " + std::to_string(2 * kLine.size()) + " bytes"),
            std::string::npos)
      << error_of(beyond);
  EXPECT_EQ(beyond.error().code(), ErrorCode::kSourceChanged);
}

TEST(Gzip, OfNothingIsFinished) {
  const auto events = read_gzip(gzip(""));
  ASSERT_TRUE(events.ok()) << events.error().message();
  EXPECT_EQ(events->end, 0U);
}

TEST(Gzip, ReadsCsvWithAHeader) {
  const std::string text = "id,at,name,amount,ok,n\n1,2018-04-01T00:00:31Z,\"a\nb\",1.5,true,7\n";
  const auto events = read_gzip(gzip(text), {}, 0, kCsv);
  ASSERT_TRUE(events.ok()) << events.error().message();
  EXPECT_TRUE(*events == *read_text(kCsv, text));
}

TEST(Gzip, SkipsARecordThatIsTooLarge) {
  const std::string large = "{\"name\":\"" + std::string(5 << 20, 'x') + "\"}\r\n";
  const std::string text = kLine + large + kLine;
  const auto expected = read_text(kNdjson, text);
  ASSERT_TRUE(expected.ok());
  ASSERT_EQ(expected->bad.size(), 1U);
  for (const ReadSize size : {ReadSize{}, ReadSize{1, 100}, ReadSize{100, 32 << 20}}) {
    const auto got = read_gzip(gzip(text), size);
    ASSERT_TRUE(got.ok()) << got.error().message();
    EXPECT_TRUE(*got == *expected);
  }
}

// What is whole before the fault is read, then it is met.
TEST(Gzip, SaysThatItIsCutOffAfterWhatIsThere) {
  const std::string text = many_lines(20'000);
  const std::string bytes = gzip(text);
  const TemporaryDirectory directory;
  directory.write("a.gz", bytes.substr(0, bytes.size() / 2));
  const proto::Source source = sample_source(kNdjson, directory.path("a.gz"));
  auto cursor = SourceCursor::open(source, 0, 0, {});
  ASSERT_TRUE(cursor.ok()) << cursor.error().message();
  EventBatch batch;
  Status status;
  size_t records = 0;
  for (int i = 0; i < 10'000 && status.ok(); ++i) {
    status = (*cursor)->read(100, 5000, &batch);
    if (status.ok()) records += batch.rows() + batch.bad.size();
    ASSERT_FALSE(status.ok() && batch.finished);
  }
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kUser);
  EXPECT_NE(status.error().message().find("it was cut off, or is still being written"),
            std::string::npos)
      << status.error().message();
  EXPECT_GT(records, 8'000U);
  // Completed in place, it goes on where it was.
  directory.append("a.gz", bytes.substr(bytes.size() / 2));
  do {
    ASSERT_TRUE((*cursor)->read(1000, 100'000, &batch).ok());
    records += batch.rows() + batch.bad.size();
  } while (!batch.finished);
  EXPECT_EQ(records, 20'000U);
}

TEST(Gzip, SaysWhatIsDamaged) {
  EXPECT_NE(error_of(read_gzip("")).find("ends within its compressed text"), std::string::npos);
  EXPECT_NE(error_of(read_gzip(kLine)).find("a.gz: the gzip file is damaged before its byte"),
            std::string::npos);
  EXPECT_NE(error_of(read_gzip(gzip(kLine) + "more")).find("bytes of something else"),
            std::string::npos);
  std::string wrong_sum = gzip(kLine);
  wrong_sum[wrong_sum.size() - 6] ^= 1;
  const auto damaged = read_gzip(wrong_sum);
  EXPECT_NE(error_of(damaged).find("incorrect data check"), std::string::npos) << error_of(damaged);
  EXPECT_EQ(damaged.error().code(), ErrorCode::kCorrupt);
}

// Any change of a byte is an error or changes no text.
RC_GTEST_PROP(Gzip, ADamagedByteIsNeverTakenForText, ()) {
  static const std::string text = many_lines(300);
  static const std::string bytes = gzip(text);
  static const Events expected = *read_gzip(bytes);
  std::string damaged = bytes;
  damaged[*rc::gen::inRange<size_t>(0, bytes.size())] ^=
      static_cast<char>(1 << *rc::gen::inRange(0, 8));
  const auto got = read_gzip(damaged, {50, 2000});
  if (got.ok()) RC_ASSERT(*got == expected);
}

// Bytes that this process has read from files so far.
uint64_t bytes_read() {
  std::ifstream io("/proc/self/io");
  std::string name;
  uint64_t bytes = 0;
  io >> name >> bytes;
  return name == "rchar:" ? bytes : 0;
}

// Of a file whose whole records have been read, from where they end.
std::string fault_from(const proto::Source& source, uint64_t offset) {
  auto cursor = SourceCursor::open(source, 0, offset, {});
  if (!cursor.ok()) return cursor.error().message();
  EventBatch batch;
  const Status status = (*cursor)->read(1000, 1 << 20, &batch);
  return status.ok() ? "read" : status.error().message();
}

TEST(Gzip, AFaultIsRememberedAndNotDecompressedUpToAgain) {
  std::string text;
  uint64_t state = 1;
  while (text.size() < (8U << 20)) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    text += "{\"at\":\"2018-04-01T00:00:31Z\",\"name\":\"" + std::to_string(state) + "\"}\n";
  }
  const std::string bytes = gzip(text);
  for (const bool cut : {true, false}) {
    SCOPED_TRACE(cut);
    std::string damaged = bytes.substr(0, cut ? bytes.size() - 1000 : bytes.size());
    if (!cut) damaged[damaged.size() - 1000] ^= 1;
    const TemporaryDirectory directory;
    directory.write("a.gz", damaged);
    const proto::Source source = sample_source(kNdjson, directory.path("a.gz"));
    auto cursor = SourceCursor::open(source, 0, 0, {});
    ASSERT_TRUE(cursor.ok());
    EventBatch batch;
    uint64_t end = 0;
    Status status;
    while ((status = (*cursor)->read(10'000, 1 << 20, &batch)).ok()) end = batch.end_offset;
    ASSERT_GT(end, text.size() / 2);
    // Whoever tries again from there hears the same, and reads next to nothing.
    const uint64_t before = bytes_read();
    for (int i = 0; i < 20; ++i) EXPECT_EQ(fault_from(source, end), status.error().message());
    EXPECT_LT(bytes_read() - before, bytes.size() / 2);
    // Now and then it is looked at all the same.
    for (int i = 0; i < 60; ++i) EXPECT_EQ(fault_from(source, end), status.error().message());
    EXPECT_GT(bytes_read() - before, bytes.size() / 2);
    // Another place of the file, or the file made whole, is read as ever.
    EXPECT_EQ(fault_from(source, 0), "read");
    directory.write("a.gz", bytes);
    EXPECT_EQ(fault_from(source, end), "read");
  }
}

TEST(Gzip, AFileThatShrinksHasChanged) {
  const std::string bytes = gzip(many_lines(20'000));
  const TemporaryDirectory directory;
  directory.write("a.gz", bytes);
  auto cursor = SourceCursor::open(sample_source(kNdjson, directory.path("a.gz")), 0, 0, {});
  ASSERT_TRUE(cursor.ok());
  EventBatch batch;
  ASSERT_TRUE((*cursor)->read(100, 5000, &batch).ok());
  directory.write("a.gz", bytes.substr(0, 1000));
  const Status status = (*cursor)->read(100, 5000, &batch);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kSourceChanged);
}

}  // namespace
}  // namespace tidemill::test
