#include "cli/generate.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "tests/unit/source/source_fixture.h"

namespace tidemill::test {
namespace {

class Generate : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::path(testing::TempDir()) /
                 ("tidemill_generate_" + std::to_string(::getpid()));
    options_.out = (directory_ / "deep").string();
    options_.partitions = 2;
    options_.events = 20'000;
    options_.malformed_share = 0.01;
    options_.quiet = true;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path directory_;
  GenerateOptions options_;
};

TEST_F(Generate, WritesAFileForEachPartitionThatReadsBack) {
  for (const char* format : {"csv", "ndjson"}) {
    options_.format = format;
    ASSERT_EQ(run_generate(options_), 0);
    std::set<std::string> ids;
    for (const char* partition : {"0", "1"}) {
      const std::string path = options_.out + "/transactions-" + partition + "." + format;
      proto::Source source = generator_source({});
      source.mutable_files()->set_format(options_.format == "csv" ? proto::FilesInput::CSV
                                                                  : proto::FilesInput::NDJSON);
      source.mutable_files()->add_paths(path);
      const auto events = read_all(source, 0, {});
      ASSERT_TRUE(events.ok()) << events.error().message();
      EXPECT_EQ(events->rows.size() + events->bad.size(), 20'000U);
      EXPECT_NEAR(static_cast<double>(events->bad.size()), 200, 60);
      for (const auto& row : events->rows) EXPECT_TRUE(ids.insert(row.second[0]).second);
    }
  }
  for (const auto& entry : std::filesystem::directory_iterator(options_.out)) {
    EXPECT_NE(entry.path().extension(), ".partial");
  }
}

TEST_F(Generate, RefusesWrongOptions) {
  GenerateOptions options = options_;
  options.format = "parquet";
  EXPECT_EQ(run_generate(options), 1);
  options = options_;
  options.start_time = "yesterday";
  EXPECT_EQ(run_generate(options), 1);
  options = options_;
  options.late_by = "soon";
  EXPECT_EQ(run_generate(options), 1);
  options = options_;
  options.events = 0;
  EXPECT_EQ(run_generate(options), 1);
  options = options_;
  options.customers = 0;
  EXPECT_EQ(run_generate(options), 1);
  options = options_;
  options.out = "/dev/null/x";
  EXPECT_EQ(run_generate(options), 1);
  EXPECT_FALSE(std::filesystem::exists(options_.out));
}

}  // namespace
}  // namespace tidemill::test
