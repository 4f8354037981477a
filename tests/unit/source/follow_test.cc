// Files that grow and are rotated while they are read.
#include <gtest/gtest.h>

#include "shared/source/file_identity.h"
#include "shared/source/open_file.h"
#include "tests/unit/source/source_fixture.h"

namespace tidemill::test {
namespace {

constexpr auto kCsv = proto::FilesInput::CSV;
constexpr auto kNdjson = proto::FilesInput::NDJSON;
constexpr DurationUs kIdleAfter = 30 * kMicrosPerSecond;
const std::string kHeader = "id,at,name,amount,ok,n\n";

std::string json_line(int id) {
  return "{\"id\":" + std::to_string(id) + ",\"at\":\"2018-04-01T00:00:31Z\"}\n";
}
std::string csv_line(int id) {
  return std::to_string(id) + ",2018-04-01T00:00:31Z,ann,1.5,true,7\n";
}

// A source of one followed file, bound as it is now.
class Followed {
 public:
  explicit Followed(proto::FilesInput::Format format, const std::string& content,
                    const std::string& name = "app.log") {
    directory.write(name, content);
    source = sample_source(format, directory.path(name));
    source.set_idle_after_us(kIdleAfter);
    source.mutable_files()->set_follow(true);
    source.mutable_files()->add_patterns(directory.path(name) + "*");
    const Status bound = bind_files_source(&source);
    EXPECT_TRUE(bound.ok());
    EXPECT_TRUE(open(0, {}).ok());
  }

  Status open(uint64_t offset, const RecordIdentity& last, uint32_t index = 0) {
    auto opened = SourceCursor::open(source, index, offset, last);
    if (!opened.ok()) return opened.error();
    cursor = std::move(*opened);
    return {};
  }

  // The ids of what is read next; what the status is, if it is not ok.
  std::string read(size_t max_records = 1000) {
    const Status status = cursor->read(max_records, 1 << 20, &batch);
    if (!status.ok()) {
      EXPECT_EQ(status.error().code(), ErrorCode::kSourceChanged) << status.error().message();
      return status.error().message();
    }
    std::string ids;
    for (size_t row = 0; row < batch.rows(); ++row) {
      ids += (ids.empty() ? "" : " ") + std::to_string(batch.columns[0].ints[row]);
    }
    for (const BadRecord& bad : batch.bad) ids += " bad " + bad.bytes;
    if (batch.at_end) ids += "|";
    if (batch.finished) ids += "end";
    return ids;
  }

  // So long after the file that is there under `name` was changed last.
  void set_time_since_change(const std::string& name, DurationUs since) {
    const auto status = status_at(directory.path(name));
    ASSERT_TRUE(status.ok() && status->has_value());
    cursor->set_wall_time((*status)->changed_us + since);
  }

  TemporaryDirectory directory;
  proto::Source source;
  std::unique_ptr<SourceCursor> cursor;
  EventBatch batch;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Follow, ReadsWhatIsAppended) {
  Followed f(kNdjson, json_line(1) + json_line(2));
  EXPECT_EQ(f.read(), "1 2|");
  EXPECT_EQ(f.read(), "|");
  f.directory.append("app.log", json_line(3));
  EXPECT_EQ(f.read(), "3|");
  EXPECT_EQ(f.cursor->info().end_offset, 3 * json_line(1).size());
}

TEST(Follow, ALineIsNoRecordBeforeItsNewline) {
  Followed f(kNdjson, json_line(1));
  EXPECT_EQ(f.read(), "1|");
  const std::string line = json_line(2);
  for (size_t i = 0; i + 1 < line.size(); ++i) {
    f.directory.append("app.log", line.substr(i, 1));
    ASSERT_EQ(f.read(), "|") << i;
    ASSERT_EQ(f.batch.end_offset, line.size());
  }
  f.directory.append("app.log", "\n" + json_line(3).substr(0, 10));
  EXPECT_EQ(f.read(), "2|");
  f.directory.append("app.log", json_line(3).substr(10));
  EXPECT_EQ(f.read(), "3|");
}

TEST(Follow, AQuotedNewlineWaitsForTheQuote) {
  Followed f(kCsv, kHeader + csv_line(1) + "2,2018-04-01T00:00:31Z,\"a\nb");
  EXPECT_EQ(f.read(), "1|");
  f.directory.append("app.log", "\nc");
  EXPECT_EQ(f.read(), "|");
  f.directory.append("app.log", "\",1,t,1\n" + csv_line(3));
  EXPECT_EQ(f.read(), "2 3|");
}

TEST(Follow, WaitsForAHeader) {
  Followed f(kCsv, "");
  EXPECT_EQ(f.read(), "|");
  f.directory.append("app.log", kHeader.substr(0, 5));
  EXPECT_EQ(f.read(), "|");
  EXPECT_EQ(f.read(), "|");
  f.directory.append("app.log", kHeader.substr(5) + csv_line(1));
  EXPECT_EQ(f.read(), "1|");
}

TEST(Follow, ARecordThatIsTooLargeEndsAtItsNewline) {
  Followed f(kNdjson, json_line(1));
  EXPECT_EQ(f.read(), "1|");
  for (int i = 0; i < 5; ++i) {
    f.directory.append("app.log", std::string(600 << 10, 'x'));
    ASSERT_EQ(f.read(), "|") << i;
  }
  f.directory.append("app.log", "y\r\n" + json_line(2));
  std::string got = f.read(1);
  ASSERT_EQ(f.batch.bad.size(), 1U);
  EXPECT_EQ(f.batch.bad[0].reason, BadReason::kOversized);
  EXPECT_EQ(f.batch.bad[0].size, 5U * (600 << 10) + 1);
  EXPECT_EQ(f.batch.bad[0].bytes, std::string(kBadRecordBytes, 'x'));
  EXPECT_EQ(f.read(), "2|");
}

TEST(Follow, IsFinishedOnceRotatedAwayAndLeftAlone) {
  Followed f(kNdjson, json_line(1));
  EXPECT_EQ(f.read(), "1|");
  f.set_time_since_change("app.log", 10 * kIdleAfter);
  EXPECT_EQ(f.read(), "|");  // still at its path
  f.directory.rename("app.log", "app.log.1");
  f.set_time_since_change("app.log.1", kIdleAfter - 1);
  EXPECT_EQ(f.read(), "|");
  f.directory.append("app.log.1", json_line(2));
  f.directory.write("app.log", json_line(7));
  EXPECT_EQ(f.read(), "2|");
  f.set_time_since_change("app.log.1", kIdleAfter);
  EXPECT_EQ(f.read(), "|end");
  EXPECT_EQ(f.read(), "|end");
}

TEST(Follow, WithoutAClockNothingIsFinished) {
  Followed f(kNdjson, json_line(1));
  f.directory.rename("app.log", "app.log.1");
  EXPECT_EQ(f.read(), "1|");
  EXPECT_EQ(f.read(), "|");
}

TEST(Follow, AFinishedFileThatGrowsIsReadOn) {
  Followed f(kNdjson, json_line(1));
  f.directory.rename("app.log", "app.log.1");
  f.set_time_since_change("app.log.1", kIdleAfter);
  EXPECT_EQ(f.read(), "1|");
  EXPECT_EQ(f.read(), "|end");
  f.directory.append("app.log.1", json_line(2));
  EXPECT_EQ(f.read(), "2|");
  f.set_time_since_change("app.log.1", kIdleAfter);
  EXPECT_EQ(f.read(), "|end");
}

TEST(Follow, TheLastLineOfARotatedFileNeedsNoNewline) {
  for (const auto format : {kNdjson, kCsv}) {
    const bool csv = format == kCsv;
    std::string last = csv ? csv_line(2) : json_line(2);
    last.pop_back();
    Followed f(format, (csv ? kHeader + csv_line(1) : json_line(1)) + last);
    EXPECT_EQ(f.read(), "1|");
    f.directory.rename("app.log", "app.log.1");
    f.set_time_since_change("app.log.1", kIdleAfter);
    EXPECT_EQ(f.read(), "2|end");
    EXPECT_EQ(f.read(), "|end");
    // That line was taken for whole; more of it would make it another one.
    f.directory.append("app.log.1", "3");
    EXPECT_TRUE(contains(f.read(), "grew within its last line"));
  }
}

TEST(Follow, ARotatedFileOfNothingIsFinished) {
  for (const auto format : {kNdjson, kCsv}) {
    Followed f(format, "");
    f.directory.rename("app.log", "app.log.1");
    f.set_time_since_change("app.log.1", kIdleAfter);
    EXPECT_EQ(f.read(), "|end");
  }
}

TEST(Follow, ARemovedFileIsReadToItsEndAndFinished) {
  Followed f(kNdjson, json_line(1) + json_line(2));
  EXPECT_EQ(f.read(1), "1");
  f.set_time_since_change("app.log", 10 * kIdleAfter);
  f.directory.remove("app.log");
  EXPECT_EQ(f.read(), "2|");
  EXPECT_EQ(f.read(), "|end");
}

TEST(Follow, ATruncatedFileHasChanged) {
  Followed f(kNdjson, json_line(1) + json_line(2));
  EXPECT_EQ(f.read(1), "1");
  f.directory.write("app.log", "");
  EXPECT_TRUE(contains(f.read(), "without copytruncate"));
  EXPECT_TRUE(contains(f.read(), "without copytruncate"));
}

TEST(Follow, ATruncatedFileThatGrewBeyondHasChanged) {
  Followed f(kNdjson, json_line(1) + json_line(2));
  EXPECT_EQ(f.read(), "1 2|");
  f.directory.write("app.log", json_line(3) + json_line(4) + json_line(5));
  EXPECT_TRUE(contains(f.read(), "was written anew"));
}

TEST(Follow, AFileThatIsReadLaterIsFoundUnderItsNewName) {
  Followed f(kNdjson, json_line(1) + json_line(2));
  EXPECT_EQ(f.read(1), "1");
  const uint64_t offset = f.batch.end_offset;
  const RecordIdentity last = f.batch.last;
  f.directory.rename("app.log", "app.log.1");
  f.directory.write("app.log", json_line(7));
  ASSERT_TRUE(f.open(offset, last).ok());
  f.set_time_since_change("app.log.1", kIdleAfter);
  EXPECT_EQ(f.read(), "2|");
  EXPECT_EQ(f.read(), "|end");
}

TEST(Follow, AFileThatWasCompressedMeanwhileIsReadFromThere) {
  Followed f(kNdjson, json_line(1) + json_line(2));
  EXPECT_EQ(f.read(1), "1");
  const uint64_t offset = f.batch.end_offset;
  const RecordIdentity last = f.batch.last;
  f.directory.write("app.log.2.gz", gzip(json_line(8)));
  f.directory.write("app.log.1.gz", gzip(json_line(1) + json_line(2)));
  f.directory.write("app.log", json_line(7));
  ASSERT_TRUE(f.open(offset, last).ok());
  EXPECT_EQ(f.read(), "2|end");
  ASSERT_TRUE(f.open(0, {}).ok());
  EXPECT_EQ(f.read(), "1 2|end");
}

TEST(Follow, AFileThatIsGoneSaysSo) {
  Followed f(kNdjson, json_line(1));
  f.directory.write("app.log.new", json_line(7));
  f.directory.rename("app.log.new", "app.log");
  Status opened = f.open(0, {});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), ErrorCode::kSourceChanged);
  EXPECT_TRUE(contains(opened.error().message(), "was replaced by another one"));
  EXPECT_TRUE(contains(opened.error().message(), "put it back, or submit the job anew"));
  f.directory.remove("app.log");
  opened = f.open(0, {});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), ErrorCode::kSourceChanged);
  EXPECT_TRUE(contains(opened.error().message(), "app.log: the file is gone"));
  // Put back, it is another inode, and the same file.
  f.directory.write("app.log", json_line(1) + json_line(2));
  EXPECT_TRUE(f.open(0, {}).ok());
}

TEST(Follow, AFileThatWasWrittenAnewInPlaceSaysSo) {
  Followed f(kNdjson, json_line(1));
  f.directory.write("app.log", json_line(7));
  const Status opened = f.open(0, {});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), ErrorCode::kSourceChanged);
  EXPECT_TRUE(contains(opened.error().message(), "without copytruncate"));
}

TEST(Follow, ADirectoryThatIsMissingMayComeBack) {
  Followed f(kNdjson, json_line(1));
  *f.source.mutable_files()->mutable_paths(0) = "/nonexistent/app.log";
  const Status opened = f.open(0, {});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), ErrorCode::kUser);
}

// Many files begin with the same header, and all with nothing.
TEST(Follow, ACompressedFileIsNotToldByWhatAllBeginWith) {
  for (const std::string& known : {std::string(), kHeader}) {
    Followed f(kCsv, known);
    f.directory.remove("app.log");
    f.directory.write("app.log.1.gz", gzip(kHeader + csv_line(1)));
    const Status opened = f.open(0, {});
    ASSERT_FALSE(opened.ok());
    EXPECT_TRUE(contains(opened.error().message(), "the file is gone"));
    // Those without a record are alike.
    f.directory.write("app.log.2.gz", gzip(known));
    f.directory.write("app.log.3.gz", gzip(known));
    ASSERT_TRUE(f.open(0, {}).ok());
    EXPECT_EQ(f.read(), "|end");
  }
}

}  // namespace
}  // namespace tidemill::test
