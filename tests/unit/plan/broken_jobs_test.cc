// Every tests/golden/jobs/*.yaml is refused with exactly the errors of the *.txt beside it, and
// every error says where it is and what would be right. To write the *.txt anew after a message was
// changed on purpose: docs/development.md.
#include <gtest/gtest.h>

#include <cstdlib>
#include <regex>

#include "shared/plan/job_errors.h"
#include "shared/plan/yaml_job.h"
#include "tests/unit/plan/job_files.h"

namespace tidemill {
namespace {

namespace fs = std::filesystem;

const char kDirectory[] = "tests/golden/jobs";

// In the directory that the jobs are compiled in.
const std::vector<std::string> kFiles = {"in/a.csv", "in/b.ndjson", "in/c.txt", "in/d.csv.gz"};

struct Refused {
  std::string name;
  std::string yaml;
  std::vector<JobError> errors;
};

std::vector<std::string> files_of(const std::string& extension) {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(kDirectory)) {
    if (entry.path().extension() == extension) out.push_back(entry.path().stem().string());
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

const std::vector<Refused>& refused_jobs() {
  static const std::vector<Refused> all = [] {
    const test::JobDirectory base(kFiles);
    std::vector<Refused> out;
    for (const std::string& name : files_of(".yaml")) {
      Refused job{name, test::read_text(fs::path(kDirectory) / (name + ".yaml")), {}};
      job.errors = compile_job(job.yaml, base.path()).errors;
      for (JobError& error : job.errors) error.message = without(error.message, base.path());
      out.push_back(std::move(job));
    }
    return out;
  }();
  return all;
}

size_t line_count(const std::string& text) {
  return 1 + static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

// "views.v.aggregations[0].column": keys are names as they were written, whatever is in them.
bool is_path(const std::string& path) {
  static const std::regex pattern(R"((\[\d+\]|[^.\[\]]+)((\.[^.\[\]]+)|(\[\d+\]))*)");
  return std::regex_match(path, pattern);
}

// Words by which a message says what would be right. One of them says it, at the least; whether it
// is of use, only who reads the *.txt can tell.
bool gives_advice(const std::string& message) {
  static const std::regex advice(
      "expected |did you mean '|known (is|are) |[;:,] (write|add|keep|give|make|leave|name|close|"
      "indent|begin|save|look|use|compare|read|cast|decompress) |; it takes | is missing: |\\bmust "
      "(be|not)\\b|"
      "at most | allowed\\b| needs | needed\\b| gives a | a name is | a topic is | has from |"
      "is text of |such as |docs/expressions.md|; there is |an entity's columns are ");
  return std::regex_search(message, advice);
}

TEST(BrokenJobs, GiveExactlyTheExpectedErrors) {
  const bool rewrite = std::getenv("TIDEMILL_REWRITE_GOLDENS") != nullptr;
  for (const Refused& job : refused_jobs()) {
    std::string actual;
    for (const JobError& error : job.errors) {
      actual += to_string(error, job.name + ".yaml") + "\n";
    }
    EXPECT_NE(actual, "") << job.name << " is accepted";
    const fs::path golden = fs::path(kDirectory) / (job.name + ".txt");
    if (rewrite) std::ofstream(golden) << actual;
    EXPECT_EQ(actual, test::read_text(golden)) << job.name;
  }
}

TEST(BrokenJobs, AreAtLeastAHundredEachWithItsGoldenFile) {
  EXPECT_GE(refused_jobs().size(), 100u);
  EXPECT_EQ(files_of(".yaml"), files_of(".txt"));
}

TEST(BrokenJobs, EveryErrorNamesItsPlace) {
  for (const Refused& job : refused_jobs()) {
    for (const JobError& error : job.errors) {
      const std::string shown = to_string(error, job.name + ".yaml");
      EXPECT_GE(error.line, 1) << shown;
      EXPECT_LE(error.line, static_cast<int>(line_count(job.yaml))) << shown;
      EXPECT_GE(error.column, 1) << shown;
      EXPECT_TRUE(is_path(error.path)) << shown;
      const std::string place =
          job.name + ".yaml:" + std::to_string(error.line) + ":" + std::to_string(error.column);
      EXPECT_EQ(shown, place + ": " + error.path + ": " + error.message);
    }
  }
}

TEST(BrokenJobs, EveryErrorSaysWhatWouldBeRight) {
  for (const Refused& job : refused_jobs()) {
    for (const JobError& error : job.errors) {
      EXPECT_TRUE(gives_advice(error.message)) << to_string(error, job.name + ".yaml");
    }
  }
}

// What the advice names is there to be seen: a message about an unknown name is never without the
// names that are known.
TEST(BrokenJobs, UnknownNamesComeWithKnownOnes) {
  const std::regex unknown("^(character \\d+: )?unknown ");
  const std::regex known(
      "did you mean '|known (is|are) |; write |docs/expressions.md|there is |write its IANA");
  size_t seen = 0;
  for (const Refused& job : refused_jobs()) {
    for (const JobError& error : job.errors) {
      if (!std::regex_search(error.message, unknown)) continue;
      ++seen;
      EXPECT_TRUE(std::regex_search(error.message, known)) << to_string(error, job.name);
    }
  }
  EXPECT_GE(seen, 20u);
}

}  // namespace
}  // namespace tidemill
