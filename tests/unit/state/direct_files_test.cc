// Files written and read past the page cache hold what files hold.
#include "shared/state/direct_files.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/unit/state/state_fixture.h"

namespace tidemill::testing {
namespace {

std::string text_in(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::string random_text(size_t bytes, Random* random) {
  std::string out(bytes, '\0');
  for (char& c : out) c = static_cast<char>((*random)());
  return out;
}

rocksdb::EnvOptions direct() { return streaming_options(1u << 20); }

// Pieces of all sizes, synced now and then, so that more follows a last block that is not whole.
RC_GTEST_PROP(DirectFiles, HoldWhatWasAppended, (uint64_t seed)) {
  const ScratchDirectory scratch;
  const std::string path = scratch.path() + "/file";
  Random random(seed);
  const auto env = direct_files_env();
  std::unique_ptr<rocksdb::WritableFile> file;
  ASSERT_TRUE(env->NewWritableFile(path, &file, direct()).ok());
  std::string expected;
  const size_t pieces = random() % 12;
  for (size_t i = 0; i < pieces; ++i) {
    const size_t most = random() % 3 == 0 ? 3u << 20 : random() % 2 == 0 ? 10'000 : 10;
    expected += random_text(random() % most, &random);
    const size_t before = file->GetFileSize();
    ASSERT_TRUE(file->Append(rocksdb::Slice(expected).ToString().substr(before)).ok());
    EXPECT_EQ(file->GetFileSize(), expected.size());
    if (random() % 3 != 0) continue;
    ASSERT_TRUE(file->Sync().ok());
    EXPECT_TRUE(text_in(path) == expected);
  }
  ASSERT_TRUE(file->Close().ok());
  EXPECT_TRUE(text_in(path) == expected);

  std::unique_ptr<rocksdb::SequentialFile> reader;
  ASSERT_TRUE(env->NewSequentialFile(path, &reader, direct()).ok());
  const size_t skipped = random() % (expected.size() + 1);
  ASSERT_TRUE(reader->Skip(skipped).ok());
  std::string read = expected.substr(0, skipped);
  for (rocksdb::Slice piece("x"); !piece.empty();) {
    std::string into(1 + random() % (2u << 20), '\0');
    ASSERT_TRUE(reader->Read(into.size(), &piece, into.data()).ok());
    read += piece.ToString();
  }
  EXPECT_TRUE(read == expected);
}

TEST(DirectFiles, OnlyWhatIsLargeIsWrittenSo) {
  EXPECT_FALSE(streaming_options(0).use_direct_writes);
  EXPECT_FALSE(streaming_options(100'000).use_direct_reads);
  EXPECT_TRUE(streaming_options(1'000'000).use_direct_writes);
  EXPECT_TRUE(streaming_options(1'000'000).use_direct_reads);
}

// /proc has no direct input.
TEST(DirectFiles, WhereItCannotBeTheFileIsAnOrdinaryOne) {
  std::unique_ptr<rocksdb::SequentialFile> reader;
  ASSERT_TRUE(direct_files_env()->NewSequentialFile("/proc/self/status", &reader, direct()).ok());
  rocksdb::Slice piece;
  char into[5];
  ASSERT_TRUE(reader->Read(sizeof into, &piece, into).ok());
  EXPECT_EQ(piece.ToString(), "Name:");
}

TEST(DirectFiles, AFileThatIsNotThereIsAnError) {
  std::unique_ptr<rocksdb::SequentialFile> reader;
  const ScratchDirectory scratch;
  EXPECT_FALSE(
      direct_files_env()->NewSequentialFile(scratch.path() + "/no", &reader, direct()).ok());
  std::unique_ptr<rocksdb::WritableFile> file;
  EXPECT_FALSE(direct_files_env()->NewWritableFile(scratch.path() + "/no/f", &file, direct()).ok());
}

}  // namespace
}  // namespace tidemill::testing
