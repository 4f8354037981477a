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

TEST(FilePattern, TakesTheBaseDirectoryAsAName) {
  const test::JobDirectory base({"[x]/a.csv", "x/b.csv"});
  const auto found = expand_pattern("*.csv", base.path() + "/[x]");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(*found, std::vector<std::string>{base.path() + "/[x]/a.csv"});
}

}  // namespace
}  // namespace tidemill
