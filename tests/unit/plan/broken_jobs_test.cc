// Every broken_jobs/*.yaml gives exactly the errors of the *.expected beside it. To see what a
// changed message looks like in all of them, run with TIDEMILL_REWRITE_EXPECTED=1 and read the
// difference.
#include <gtest/gtest.h>

#include <cstdlib>

#include "shared/plan/yaml_job.h"
#include "tests/unit/plan/job_files.h"

namespace tidemill {
namespace {

const char kDirectory[] = "tests/unit/plan/broken_jobs";

std::vector<std::string> broken_jobs() {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(kDirectory)) {
    if (entry.path().extension() == ".yaml") out.push_back(entry.path().stem().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string without(std::string text, const std::string& directory) {
  for (size_t at = text.find(directory); at != std::string::npos; at = text.find(directory)) {
    text.replace(at, directory.size(), "<base>");
  }
  return text;
}

TEST(BrokenJobs, GiveExactlyTheExpectedErrors) {
  const test::JobDirectory base({"in/a.csv", "in/b.ndjson", "in/c.txt"});
  const std::vector<std::string> jobs = broken_jobs();
  ASSERT_GE(jobs.size(), 30u);
  for (const std::string& name : jobs) {
    const std::filesystem::path stem = std::filesystem::path(kDirectory) / name;
    const std::string yaml = test::read_text(stem.string() + ".yaml");
    std::string actual;
    for (const JobError& error : compile_job(yaml, base.path()).errors) {
      actual += without(to_string(error, name + ".yaml"), base.path()) + "\n";
    }
    EXPECT_NE(actual, "") << name;
    if (std::getenv("TIDEMILL_REWRITE_EXPECTED") != nullptr) {
      std::ofstream(stem.string() + ".expected") << actual;
    }
    EXPECT_EQ(actual, test::read_text(stem.string() + ".expected")) << name;
  }
}

}  // namespace
}  // namespace tidemill
