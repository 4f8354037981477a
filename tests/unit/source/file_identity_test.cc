// Which file is which: binding, discovery, and records that show that a file is another one.
#include "shared/source/file_identity.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "shared/base/hash.h"
#include "tests/unit/source/source_fixture.h"

namespace tidemill::test {
namespace {

constexpr auto kCsv = proto::FilesInput::CSV;
constexpr auto kNdjson = proto::FilesInput::NDJSON;
const std::string kHeader = "id,at,name,amount,ok,n\n";
const std::string kRow = "1,2018-04-01T00:00:31Z,ann,1.5,true,7\n";

std::string json_line(int id) {
  return "{\"id\":" + std::to_string(id) + ",\"at\":\"2018-04-01T00:00:31Z\"}\n";
}

proto::Source files_of(proto::FilesInput::Format format, const TemporaryDirectory& directory,
                       const std::vector<std::string>& names) {
  proto::Source source = sample_source(format, "");
  source.mutable_files()->clear_paths();
  for (const std::string& name : names) source.mutable_files()->add_paths(directory.path(name));
  return source;
}

proto::Source followed(proto::FilesInput::Format format, const TemporaryDirectory& directory,
                       const std::vector<std::string>& names) {
  proto::Source source = files_of(format, directory, names);
  source.mutable_files()->set_follow(true);
  source.mutable_files()->add_patterns(directory.path("*"));
  const Status bound = bind_files_source(&source);
  EXPECT_TRUE(bound.ok()) << bound.error().message();
  return source;
}

// The names of the files that discovery adds.
std::string discover(proto::Source* source) {
  const int before = source->files().paths_size();
  const Status status = discover_files(source);
  EXPECT_TRUE(status.ok()) << status.error().message();
  EXPECT_EQ(source->files().paths_size(), source->files().identities_size());
  std::string added;
  for (int i = before; i < source->files().paths_size(); ++i) {
    const std::string& path = source->files().paths(i);
    added += (added.empty() ? "" : " ") + path.substr(path.rfind('/') + 1);
  }
  return added;
}

TEST(FileIdentity, IsOfTheHeadOfTheText) {
  const TemporaryDirectory directory;
  const std::string text = json_line(1) + std::string(5000, 'x');
  directory.write("a", text);
  directory.write("a.gz", gzip(text));
  directory.write("short", "abc");
  const auto plain = identify_file(directory.path("a"));
  const auto compressed = identify_file(directory.path("a.gz"));
  const auto little = identify_file(directory.path("short"));
  ASSERT_TRUE(plain.ok() && compressed.ok() && little.ok());
  EXPECT_EQ(plain->head_bytes(), 1024U);
  EXPECT_EQ(plain->head_hash(), hash_bytes(text.substr(0, 1024), 0));
  EXPECT_EQ(compressed->head_hash(), plain->head_hash());
  EXPECT_NE(compressed->inode(), plain->inode());
  EXPECT_EQ(little->head_bytes(), 3U);
  EXPECT_FALSE(identify_file(directory.path("none")).ok());
}

TEST(FileIdentity, BindingTakesAllFilesOrSaysWhichItCannot) {
  const TemporaryDirectory directory;
  directory.write("a", json_line(1));
  proto::Source source = files_of(kNdjson, directory, {"a", "b"});
  const Status missing = bind_files_source(&source);
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message().find("b: cannot open"), std::string::npos);
  directory.write("b", json_line(2));
  ASSERT_TRUE(bind_files_source(&source).ok());
  ASSERT_TRUE(bind_files_source(&source).ok());
  EXPECT_EQ(source.files().identities_size(), 2);
  proto::Source generator = generator_source(sample_generator());
  EXPECT_TRUE(bind_files_source(&generator).ok());
}

TEST(FileIdentity, AFollowedFileIsReadUnderOneNameOnly) {
  const TemporaryDirectory directory;
  directory.write("a", json_line(1));
  ASSERT_EQ(::symlink(directory.path("a").c_str(), directory.path("current").c_str()), 0);
  proto::Source source = files_of(kNdjson, directory, {"a", "current"});
  EXPECT_TRUE(bind_files_source(&source).ok());
  source.mutable_files()->set_follow(true);
  const Status twice = bind_files_source(&source);
  ASSERT_FALSE(twice.ok());
  EXPECT_NE(twice.error().message().find("are the same file"), std::string::npos);
  proto::Source one = followed(kNdjson, directory, {"a"});
  EXPECT_EQ(discover(&one), "");
}

// A file that is not followed is what is at its path, as long as it begins as it did.
TEST(FileIdentity, AFileThatIsNotFollowedMayBePutBack) {
  const TemporaryDirectory directory;
  directory.write("a", json_line(1));
  proto::Source source = files_of(kNdjson, directory, {"a"});
  ASSERT_TRUE(bind_files_source(&source).ok());
  directory.write("copy", json_line(1) + json_line(2));
  directory.rename("copy", "a");
  const auto all = read_all(source, 0, {});
  ASSERT_TRUE(all.ok()) << all.error().message();
  EXPECT_EQ(all->rows.size(), 2U);
  directory.write("other", json_line(7));
  directory.rename("other", "a");
  const auto other = read_all(source, 0, {});
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code(), ErrorCode::kSourceChanged);
}

TEST(FileIdentity, TheLastRecordShowsThatItIsAnotherFile) {
  for (const bool compressed : {false, true}) {
    const TemporaryDirectory directory;
    const std::string name = compressed ? "a.gz" : "a";
    const std::string first = json_line(1) + "\n\r\n" + json_line(2) + "\n";
    const auto put = [&](const std::string& text) {
      directory.write(name, compressed ? gzip(text) : text);
    };
    put(first + json_line(3));
    const proto::Source source = files_of(kNdjson, directory, {name});
    auto cursor = SourceCursor::open(source, 0, 0, {});
    ASSERT_TRUE(cursor.ok());
    EventBatch batch;
    ASSERT_TRUE((*cursor)->read(2, 1000, &batch).ok());
    const RecordIdentity last = batch.last;
    EXPECT_EQ(last.offset, batch.offsets.back());
    // Whatever the read size.
    auto again = SourceCursor::open(source, 0, 0, {});
    EventBatch one;
    ASSERT_TRUE((*again)->read(1, 1000, &one).ok());
    EXPECT_NE(one.last, last);
    while (one.end_offset < batch.end_offset) ASSERT_TRUE((*again)->read(1, 1000, &one).ok());
    EXPECT_EQ(one.last, last);
    // It is kept by reads of nothing.
    auto opened = SourceCursor::open(source, 0, batch.end_offset, last);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    ASSERT_TRUE((*opened)->read(0, 1000, &one).ok());
    EXPECT_EQ(one.last, last);

    put(json_line(1) + "\n\r\n" + json_line(9) + "\n" + json_line(3));
    const auto other = SourceCursor::open(source, 0, batch.end_offset, last);
    ASSERT_FALSE(other.ok());
    EXPECT_EQ(other.error().code(), ErrorCode::kSourceChanged);
    EXPECT_NE(other.error().message().find("is not the one that was read there"),
              std::string::npos);
    EXPECT_TRUE(SourceCursor::open(source, 0, batch.end_offset, {}).ok());
  }
}

TEST(Discovery, AddsFilesThatMatchOnceTheyHoldAnything) {
  const TemporaryDirectory directory;
  directory.write("a", json_line(1));
  proto::Source source = followed(kNdjson, directory, {"a"});
  EXPECT_EQ(discover(&source), "");
  directory.write("c", "");
  directory.write("b", json_line(2));
  EXPECT_EQ(discover(&source), "b");
  directory.append("c", "{");
  EXPECT_EQ(discover(&source), "c");
  EXPECT_EQ(discover(&source), "");
}

TEST(Discovery, NeedsAPatternsFilesOnlyAndNothingIfTheyAreNotFollowed) {
  const TemporaryDirectory directory;
  directory.write("a.csv", kHeader + kRow);
  proto::Source source = followed(kCsv, directory, {"a.csv"});
  source.mutable_files()->set_patterns(0, directory.path("a*"));
  directory.write("b.csv", kHeader + kRow);
  EXPECT_EQ(discover(&source), "");
  source.mutable_files()->set_patterns(0, directory.path("*"));
  source.mutable_files()->set_follow(false);
  EXPECT_EQ(discover(&source), "");
}

TEST(Discovery, RecognisesRotatedFiles) {
  const TemporaryDirectory directory;
  directory.write("app.log", json_line(1));
  proto::Source source = followed(kNdjson, directory, {"app.log"});
  directory.rename("app.log", "app.log.1");
  EXPECT_EQ(discover(&source), "");
  directory.write("app.log", json_line(2));
  EXPECT_EQ(discover(&source), "app.log");
  // It has the name of the first one, which is found all the same.
  EXPECT_EQ(source.files().paths(0), source.files().paths(1));
  for (uint32_t index : {0U, 1U}) {
    auto found = find_file(source.files(), index);
    ASSERT_TRUE(found.ok()) << found.error().message();
    EXPECT_EQ(found->moved, index == 0);
  }
  directory.rename("app.log.1", "app.log.2");
  directory.rename("app.log", "app.log.1");
  EXPECT_EQ(discover(&source), "");
}

TEST(Discovery, RecognisesCompressedFilesAndReadsThoseItNeverSaw) {
  const TemporaryDirectory directory;
  const std::string content = json_line(1) + json_line(2);
  directory.write("app.log", content);
  proto::Source source = followed(kNdjson, directory, {"app.log"});
  // While it is being compressed, both are there, one of them in part.
  const std::string bytes = gzip(content);
  directory.rename("app.log", "app.log.1");
  for (size_t i = 0; i < bytes.size(); ++i) {
    directory.write("app.log.1.gz", bytes.substr(0, i));
    ASSERT_EQ(discover(&source), "") << i;
  }
  directory.write("app.log.1.gz", bytes);
  directory.remove("app.log.1");
  EXPECT_EQ(discover(&source), "");
  // Rotated and compressed while nobody looked.
  directory.write("app.log.0.gz", gzip(json_line(7)));
  EXPECT_EQ(discover(&source), "app.log.0.gz");
  EXPECT_EQ(discover(&source), "");
}

TEST(Discovery, FilesWithTheSameHeaderAreTwo) {
  const TemporaryDirectory directory;
  directory.write("a.csv", kHeader);
  proto::Source source = followed(kCsv, directory, {"a.csv"});
  directory.write("b.csv", kHeader);
  EXPECT_EQ(discover(&source), "");  // nothing in it
  directory.append("b.csv", kRow);
  EXPECT_EQ(discover(&source), "b.csv");
  directory.write("c.csv", kHeader + kRow);
  EXPECT_EQ(discover(&source), "c.csv");
}

// An inode that is used again, as of the oldest file that rotation removed, is a new file.
TEST(Discovery, AnInodeThatIsUsedAgainIsAnotherFile) {
  const TemporaryDirectory directory;
  directory.write("a.csv", kHeader + kRow);
  proto::Source source = followed(kCsv, directory, {"a.csv"});
  if (source.files().identities(0).born_us() == 0) {
    GTEST_SKIP() << "this file system does not say when files were made";
  }
  source.mutable_files()->mutable_identities(0)->set_born_us(
      source.files().identities(0).born_us() - kMicrosPerSecond);
  *source.mutable_files()->mutable_paths(0) = directory.path("removed.csv");
  EXPECT_EQ(discover(&source), "a.csv");
}

TEST(Discovery, ADeviceNumberMayChange) {
  const TemporaryDirectory directory;
  directory.write("a", json_line(1));
  proto::Source source = followed(kNdjson, directory, {"a"});
  source.mutable_files()->mutable_identities(0)->set_device(12345);
  EXPECT_EQ(discover(&source), "");
  EXPECT_TRUE(find_file(source.files(), 0).ok());
}

TEST(Discovery, IdentitiesGrowWithShortFiles) {
  const TemporaryDirectory directory;
  directory.write("a", json_line(1));
  proto::Source source = followed(kNdjson, directory, {"a"});
  const std::string text = json_line(1) + json_line(2);
  directory.write("b", json_line(1));
  directory.append("a", json_line(2));
  EXPECT_EQ(discover(&source), "b");
  EXPECT_EQ(source.files().identities(0).head_bytes(), text.size());
  EXPECT_EQ(source.files().identities(0).head_hash(), hash_bytes(text, 0));
}

TEST(Discovery, OneBadFileKeepsNoOtherFromBeingFound) {
  const TemporaryDirectory directory;
  proto::Source source = followed(kNdjson, directory, {});
  directory.write("a.gz", "this is no gzip file at all, whatever it is called");
  directory.write("b", json_line(1));
  const Status status = discover_files(&source);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message().find("a.gz: the gzip file is damaged"), std::string::npos);
  ASSERT_EQ(source.files().paths_size(), 1);
  EXPECT_EQ(source.files().paths(0), directory.path("b"));
}

// Plans hold UTF-8 only; a message about such a file must, too.
TEST(Discovery, AFileWhoseNameIsNotUtf8IsLeftOut) {
  const TemporaryDirectory directory;
  directory.write("a", json_line(1));
  proto::Source source = followed(kNdjson, directory, {"a"});
  directory.write("b\xFF", json_line(2));
  directory.write("c", json_line(3));
  const Status status = discover_files(&source);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message(),
            directory.path("b?") + " is not read: its name is not valid UTF-8; rename it");
  ASSERT_EQ(source.files().paths_size(), 2);
  EXPECT_EQ(source.files().paths(1), directory.path("c"));
  EXPECT_FALSE(bind_files_source(&source).ok());
  directory.rename("b\xFF", "b");
  EXPECT_EQ(discover(&source), "b");
  // What is known may be renamed to anything.
  directory.rename("a", "a\xFF");
  EXPECT_EQ(discover(&source), "");
  EXPECT_TRUE(find_file(source.files(), 0).ok());
  const auto missing = identify_file(directory.path("d\xFF"));
  ASSERT_FALSE(missing.ok());
  EXPECT_TRUE(missing.error().message().starts_with(directory.path("d?") + ": cannot open"));
}

// The header of a CSV file that was rotated before it got a record is that of all others.
TEST(Discovery, AHeaderMakesNoCompressedFileKnown) {
  const TemporaryDirectory directory;
  directory.write("a.csv", kHeader);
  proto::Source source = followed(kCsv, directory, {"a.csv"});
  directory.write("b.csv.gz", gzip(kHeader + kRow));
  EXPECT_EQ(discover(&source), "b.csv.gz");
  directory.write("c.csv.gz", gzip(kHeader + kRow));  // a copy
  EXPECT_EQ(discover(&source), "");
  directory.write("d.csv.gz", gzip(kHeader));
  EXPECT_EQ(discover(&source), "");
}

// Finished logs that are there when the job is submitted are read, those in the making are not.
TEST(FileIdentity, BindingFollowedFilesTakesCompressedOnesAsDiscoveryDoes) {
  const TemporaryDirectory directory;
  directory.write("app.log", json_line(3));
  directory.write("app.log.1", json_line(2));
  directory.write("app.log.1.gz", gzip(json_line(2)));
  directory.write("app.log.2.gz", gzip(json_line(1)));
  directory.write("app.log.3.gz", gzip(json_line(0)).substr(0, 20));
  const proto::Source source = followed(kNdjson, directory, {"app.log", "app.log.1"});
  ASSERT_EQ(source.files().paths_size(), 3);
  EXPECT_EQ(source.files().identities_size(), 3);
  EXPECT_EQ(source.files().paths(2), directory.path("app.log.2.gz"));
}

}  // namespace
}  // namespace tidemill::test
