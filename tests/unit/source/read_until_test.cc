// Reads that end at an offset: whatever the log, they stop there, and nothing is lost or repeated.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "shared/source/source_cursor.h"
#include "tests/unit/source/source_fixture.h"

namespace tidemill {
namespace {

using test::ReadSize;
using test::TemporaryDirectory;

struct Log {
  std::set<uint64_t> records;
  std::map<uint64_t, RecordIdentity> last_at;  // by position at which a batch ended
  uint64_t end = 0;
};

// `until`: where reads end, rising.
Log read_log(const proto::Source& source, const ReadSize& size, const std::set<uint64_t>& until) {
  auto cursor = SourceCursor::open(source, 0, 0, {});
  RC_ASSERT(cursor.ok());
  Log log;
  EventBatch batch;
  do {
    const auto next = until.upper_bound(log.end);
    (*cursor)->read_until(next == until.end() ? SourceCursor::kNoEnd : *next);
    RC_ASSERT((*cursor)->read(size.records, size.bytes, &batch).ok());
    RC_ASSERT(batch.begin_offset == log.end);
    RC_ASSERT(batch.finished || batch.end_offset > log.end);
    if (next != until.end()) RC_ASSERT(batch.end_offset <= *next);
    for (const uint64_t offset : batch.offsets) RC_ASSERT(log.records.insert(offset).second);
    for (const BadRecord& bad : batch.bad) RC_ASSERT(log.records.insert(bad.offset).second);
    log.end = batch.end_offset;
    log.last_at[log.end] = batch.last;
  } while (!batch.finished);
  return log;
}

void reads_end_where_they_are_told(const proto::Source& source) {
  const Log single = read_log(source, {1, 1 << 20}, {});  // its batches end behind each record
  std::set<uint64_t> until;
  for (const auto& [position, last] : single.last_at) {
    if (position > 0 && *rc::gen::inRange(0, 3) == 0) until.insert(position);
  }
  const ReadSize size{*rc::gen::inRange<size_t>(1, 9), *rc::gen::inRange<size_t>(1, 4000)};
  const Log cut = read_log(source, size, until);
  RC_ASSERT(cut.records == single.records);
  RC_ASSERT(cut.end == single.end);
  for (const uint64_t position : until) RC_ASSERT(cut.last_at.contains(position));
  for (const auto& [position, last] : cut.last_at) {
    const auto same = single.last_at.find(position);
    if (same != single.last_at.end()) RC_ASSERT(last == same->second);
  }
}

std::string some_records(proto::FilesInput::Format format) {
  const bool csv = format == proto::FilesInput::CSV;
  std::string text = csv ? "id,at,name,amount,ok,n\n" : "";
  const int records = *rc::gen::inRange(0, 30);
  for (int i = 0; i < records; ++i) {
    const std::string id = std::to_string(*rc::gen::inRange(0, 100'000));
    const int kind = *rc::gen::inRange(0, 6);
    if (kind == 0) {
      text += "not a record\n";
    } else if (kind == 1) {
      text += "\n";
    } else if (csv) {
      text += id + ",2020-01-01T00:00:00Z,\"a\nb\",1.5,true,7\r\n";
    } else {
      text += R"({"id": )" + id + R"(, "at": "2020-01-01T00:00:00Z", "name": "x"})" + "\n";
    }
  }
  return text;
}

RC_GTEST_PROP(ReadUntil, EndsAPlainFilesReads, (bool csv, bool compressed)) {
  const auto format = csv ? proto::FilesInput::CSV : proto::FilesInput::NDJSON;
  const TemporaryDirectory directory;
  const std::string name = compressed ? "a.gz" : "a";
  const std::string text = some_records(format);
  directory.write(name, compressed ? test::gzip(text) : text);
  reads_end_where_they_are_told(test::sample_source(format, directory.path(name)));
}

RC_GTEST_PROP(ReadUntil, EndsAGeneratorsReads, ()) {
  proto::GeneratorInput input = test::sample_generator();
  input.set_events(*rc::gen::inRange<uint64_t>(1, 60));
  input.set_partitions(1);
  reads_end_where_they_are_told(test::generator_source(input));
}

// Nobody stands there: such a read ends behind that record, and the next ones go on.
TEST(ReadUntil, WithinARecordHoldsNothingUp) {
  const TemporaryDirectory directory;
  directory.write("a", "{\"id\": 1, \"at\": \"2020-01-01T00:00:00Z\"}\nbad\n{}\n");
  auto cursor = SourceCursor::open(
      test::sample_source(proto::FilesInput::NDJSON, directory.path("a")), 0, 0, {});
  ASSERT_TRUE(cursor.ok());
  EventBatch batch;
  (*cursor)->read_until(7);
  ASSERT_TRUE((*cursor)->read(1, 1 << 20, &batch).ok());
  EXPECT_EQ(batch.rows(), 1U);
  (*cursor)->read_until(7);
  ASSERT_TRUE((*cursor)->read(10, 1 << 20, &batch).ok());
  EXPECT_TRUE(batch.finished);
}

}  // namespace
}  // namespace tidemill
