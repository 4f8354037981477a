#include "shared/plan/file_pattern.h"

#include <gtest/gtest.h>

#include "tests/unit/plan/job_files.h"

namespace tidemill {
namespace {

TEST(FilePattern, FindsRegularFilesInByteOrder) {
  const test::JobDirectory base({"in/b.csv", "in/a.csv", "in/B.csv", "in/c.txt", "in/d.csv/x"});
  const auto found = expand_pattern("in/*.csv", base.path());
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(*found, (std::vector<std::string>{base.path() + "/in/B.csv", base.path() + "/in/a.csv",
                                              base.path() + "/in/b.csv"}));
  EXPECT_EQ(*expand_pattern("in/../in/./c.txt", base.path()),
            std::vector<std::string>{base.path() + "/in/c.txt"});
  EXPECT_EQ(*expand_pattern(base.path() + "/in/c.*", "/"),
            std::vector<std::string>{base.path() + "/in/c.txt"});
  EXPECT_FALSE(expand_pattern("in/*.json", base.path()).ok());
  EXPECT_FALSE(expand_pattern("in", base.path()).ok());
  EXPECT_FALSE(expand_pattern("", base.path()).ok());
}

TEST(FilePattern, NoMatchIsNoErrorForFilesThatMayAppear) {
  const test::JobDirectory base({"[x]/a.csv"});
  const std::string pattern = absolute_pattern("*.ndjson", base.path() + "/[x]");
  EXPECT_EQ(pattern, base.path() + "/\\[x\\]/*.ndjson");
  const auto none = matching_files(pattern);
  ASSERT_TRUE(none.ok());
  EXPECT_TRUE(none->empty());
  std::ofstream(base.path() + "/[x]/b.ndjson") << "\n";
  EXPECT_EQ(*matching_files(pattern), std::vector<std::string>{base.path() + "/[x]/b.ndjson"});
  EXPECT_EQ(absolute_pattern("/in/*.csv", base.path()), "/in/*.csv");
  EXPECT_FALSE(matching_files(base.path() + "/nowhere/*.csv").ok());
}

TEST(FilePattern, TellsCompressedFilesByTheirEnding) {
  EXPECT_TRUE(is_compressed("in/a.csv.gz"));
  EXPECT_FALSE(is_compressed("in/a.csv"));
}

TEST(FilePattern, TakesTheBaseDirectoryAsAName) {
  const test::JobDirectory base({"[x]/a.csv", "x/b.csv"});
  const auto found = expand_pattern("*.csv", base.path() + "/[x]");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(*found, std::vector<std::string>{base.path() + "/[x]/a.csv"});
}

}  // namespace
}  // namespace tidemill
