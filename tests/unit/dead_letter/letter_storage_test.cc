#include "shared/dead_letter/letter_storage.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "shared/dead_letter/letter_line.h"
#include "tests/simulation/memory_letter_files.h"
#include "tests/unit/dead_letter/letters.h"

namespace tidemill {
namespace {

namespace fs = std::filesystem;
using test::MemoryLetterFiles;

std::vector<uint64_t> offsets_of(const std::shared_ptr<LetterFiles>& files) {
  auto page = read_dead_letters(*files, "cards", kTestJob, {});
  EXPECT_TRUE(page.ok()) << page.error().message();
  std::vector<uint64_t> out;
  for (const DeadLetter& letter : page->letters) out.push_back(letter.offset);
  return out;
}

class LettersOnDisk : public testing::Test {
 protected:
  void SetUp() override {
    root_ =
        fs::temp_directory_path() / ("tidemill_letter_storage_test_" + std::to_string(getpid()));
    fs::remove_all(root_);
    files_ = letter_directory((root_ / "a" / "b").string());
  }
  void TearDown() override { fs::remove_all(root_); }
  fs::path file(uint64_t epoch) const {
    return root_ / "a" / "b" / "cards-7" / to_file_name({3, epoch});
  }

  fs::path root_;
  std::shared_ptr<LetterFiles> files_;
};

TEST_F(LettersOnDisk, AreInAFileOfTheirPartitionAndEpoch) {
  const auto writer = open_writer(files_, 12);
  ASSERT_TRUE(writer);
  EXPECT_FALSE(fs::exists(root_)) << "nothing is made before there is a letter";
  ASSERT_TRUE(writer->append({}).ok());
  EXPECT_FALSE(fs::exists(root_));
  const std::vector<DeadLetter> letters{letter_at(5), letter_at(9, "a"), letter_at(9, "b")};
  ASSERT_TRUE(writer->append(letters).ok());
  EXPECT_EQ(file(12).filename(), "0000000003-00000000000000000012.ndjson");
  std::ifstream in(file(12));
  std::string line;
  size_t lines = 0;
  while (std::getline(in, line)) ++lines;
  EXPECT_EQ(lines, 3u);
  EXPECT_EQ(writer->counts(), (DeadLetterCounts{{{BadReason::kUnparsable, ""}, 1},
                                                {{BadReason::kExpression, "a"}, 1},
                                                {{BadReason::kExpression, "b"}, 1}}));
}

TEST_F(LettersOnDisk, ALaterReaderGoesOnBehindTheLast) {
  ASSERT_TRUE(open_writer(files_, 1)->append(std::vector{letter_at(5), letter_at(9, "a")}).ok());
  const auto second = open_writer(files_, 4);
  EXPECT_EQ(second->counts().at({BadReason::kUnparsable, ""}), 1u);
  ASSERT_TRUE(second->append(std::vector{letter_at(5), letter_at(9, "a")}).ok());
  EXPECT_FALSE(fs::exists(file(4)));
  ASSERT_TRUE(
      second->append(std::vector{letter_at(9, "a"), letter_at(9, "b"), letter_at(11)}).ok());
  EXPECT_EQ(second->counts().at({BadReason::kUnparsable, ""}), 2u);
  EXPECT_EQ(offsets_of(files_), (std::vector<uint64_t>{5, 9, 9, 11}));
  EXPECT_EQ(open_writer(files_, 2)->counts().size(), 2u) << "later epochs are not its own past";
}

TEST_F(LettersOnDisk, ATornLastLineIsNotThere) {
  ASSERT_TRUE(open_writer(files_, 1)->append(std::vector{letter_at(5), letter_at(9)}).ok());
  fs::resize_file(file(1), fs::file_size(file(1)) - 1);
  const auto again = open_writer(files_, 1);
  EXPECT_EQ(again->counts().at({BadReason::kUnparsable, ""}), 1u);
  ASSERT_TRUE(again->append(std::vector{letter_at(9), letter_at(10)}).ok());
  EXPECT_EQ(offsets_of(files_), (std::vector<uint64_t>{5, 9, 10}));
}

TEST_F(LettersOnDisk, ACorruptLineSaysWhereItIs) {
  ASSERT_TRUE(open_writer(files_, 1)->append(std::vector{letter_at(5)}).ok());
  std::ofstream(file(1), std::ios::app) << "garbage\n";
  const auto opened =
      FiledDeadLetters(files_).open("cards", kTestJob, SourcePartitionId(3), Epoch(2));
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), ErrorCode::kCorrupt);
  EXPECT_NE(opened.error().message().find(file(1).string() + ", line 2: "), std::string::npos)
      << opened.error().message();
  EXPECT_FALSE(read_dead_letters(*files_, "cards", kTestJob, {}).ok());
}

TEST_F(LettersOnDisk, OrderWithinAFileIsChecked) {
  ASSERT_TRUE(open_writer(files_, 1)->append(std::vector{letter_at(5), letter_at(9)}).ok());
  std::string line;
  append_letter_line(letter_at(9), &line);
  std::ofstream(file(1), std::ios::app) << line;
  const auto page = read_dead_letters(*files_, "cards", kTestJob, {});
  ASSERT_FALSE(page.ok());
  EXPECT_NE(page.error().message().find("line 3: offset 9 is not behind"), std::string::npos)
      << page.error().message();
}

// /dev/full takes nothing: ENOSPC.
TEST_F(LettersOnDisk, AFullDiskIsSaidAndLosesNothing) {
  const auto writer = open_writer(files_, 1);
  fs::create_directories(file(1).parent_path());
  fs::create_symlink("/dev/full", file(1));
  const std::vector<DeadLetter> first{letter_at(5), letter_at(9)};
  const Status full = writer->append(first);
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().code(), ErrorCode::kRetryable);
  EXPECT_NE(full.error().message().find(file(1).string() + ": No space left"), std::string::npos)
      << full.error().message();
  EXPECT_TRUE(writer->counts().empty());
  fs::remove(file(1));
  ASSERT_TRUE(writer->append(first).ok());
  EXPECT_EQ(writer->counts().at({BadReason::kUnparsable, ""}), 2u);
  EXPECT_EQ(offsets_of(files_), (std::vector<uint64_t>{5, 9}));
}

TEST_F(LettersOnDisk, APlaceThatCannotBeIsSaid) {
  fs::create_directories(root_);
  std::ofstream(root_ / "a") << "a file";
  const auto opened =
      FiledDeadLetters(files_).open("cards", kTestJob, SourcePartitionId(3), Epoch(2));
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().message().find((root_ / "a" / "b").string()), std::string::npos)
      << opened.error().message();
}

TEST_F(LettersOnDisk, AFileDeletedMeanwhileIsMadeAnew) {
  const auto writer = open_writer(files_, 1);
  ASSERT_TRUE(writer->append(std::vector{letter_at(5)}).ok());
  fs::remove_all(file(1).parent_path());
  EXPECT_FALSE(writer->append(std::vector{letter_at(9)}).ok());
  ASSERT_TRUE(writer->append(std::vector{letter_at(9)}).ok());
  EXPECT_EQ(offsets_of(files_), (std::vector<uint64_t>{9}));
}

TEST(Letters, TheLowestEpochOfARepeatedKeyIsTaken) {
  const auto files = std::make_shared<MemoryLetterFiles>();
  const auto paused = open_writer(files, 1);
  ASSERT_TRUE(paused->append(std::vector{letter_at(1)}).ok());
  ASSERT_TRUE(open_writer(files, 2)->append(std::vector{letter_at(2), letter_at(3)}).ok());
  DeadLetter other = letter_at(2);
  other.message = "of the lower epoch";
  ASSERT_TRUE(paused->append(std::vector{other}).ok());
  const auto page = read_dead_letters(*files, "cards", kTestJob, {});
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->letters.size(), 3u);
  EXPECT_EQ(page->letters[1].message, "of the lower epoch");
  EXPECT_EQ(page->counts.at(0).letters, 3u);
  EXPECT_EQ(open_writer(files, 3)->counts().at({BadReason::kUnparsable, ""}), 3u);
}

// What a reader has seen of another one's file must survive, though that one did not sync it.
TEST(Letters, WhatIsCountedOnIsMadeDurable) {
  const auto files = std::make_shared<MemoryLetterFiles>();
  const auto paused = open_writer(files, 1);
  files->set_tear([](const std::string&, size_t bytes) { return bytes - 10; });
  EXPECT_FALSE(paused->append(std::vector{letter_at(1), letter_at(2), letter_at(3)}).ok());
  files->set_tear({});
  EXPECT_EQ(files->durable()->contents().begin()->second, "");
  const auto next = open_writer(files, 2);
  EXPECT_EQ(next->counts().at({BadReason::kUnparsable, ""}), 2u);
  ASSERT_TRUE(next->append(std::vector{letter_at(1), letter_at(2), letter_at(3)}).ok());
  EXPECT_EQ(offsets_of(files->durable()), (std::vector<uint64_t>{1, 2, 3}));
}

// Whatever part of a write gets through, trying again completes it.
TEST(Letters, AnAppendTornAtAnyByteIsCompleted) {
  std::string lines;
  const std::vector<DeadLetter> letters{letter_at(1), letter_at(2, "v"), letter_at(3)};
  for (const DeadLetter& letter : letters) append_letter_line(letter, &lines);
  for (size_t through = 0; through < lines.size(); ++through) {
    const auto files = std::make_shared<MemoryLetterFiles>();
    const auto writer = open_writer(files, 1);
    files->set_tear([through](const std::string&, size_t) { return through; });
    ASSERT_FALSE(writer->append(letters).ok());
    files->set_tear({});
    const auto later = open_writer(files, 2);  // sees the whole lines of the torn append
    ASSERT_TRUE(later->append(letters).ok());
    ASSERT_TRUE(writer->append({}).ok()) << "what is left is written without new letters";
    ASSERT_EQ(files->contents().begin()->second, lines);
    ASSERT_EQ(offsets_of(files), (std::vector<uint64_t>{1, 2, 3})) << through;
    ASSERT_EQ(later->counts(), writer->counts());
  }
}

}  // namespace
}  // namespace tidemill
