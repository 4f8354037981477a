// Every fuzz target takes every input of its corpus. tests/fuzz/run looks for more of them.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#define FUZZ_TARGET(name) extern "C" int fuzz_##name(const uint8_t* data, size_t size);
#include "fuzz_targets.inc"
#undef FUZZ_TARGET

namespace tidemill {
namespace {

namespace fs = std::filesystem;

struct Target {
  std::string name;
  int (*run)(const uint8_t*, size_t);
};

#define FUZZ_TARGET(name) {#name, fuzz_##name},
const std::vector<Target> kTargets = {
#include "fuzz_targets.inc"
};
#undef FUZZ_TARGET

std::vector<fs::path> files_in(const fs::path& directory) {
  std::vector<fs::path> out;
  if (!fs::exists(directory)) return out;
  for (const auto& entry : fs::directory_iterator(directory)) out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<fs::path> seeds_of(const std::string& target) {
  std::vector<fs::path> out = files_in(fs::path("tests/fuzz/corpus") / target);
  if (target != "job_yaml") return out;
  for (const char* jobs : {"tests/golden/jobs", "config/jobs"}) {
    for (const fs::path& file : files_in(jobs)) {
      if (file.extension() == ".yaml") out.push_back(file);
    }
  }
  return out;
}

class Corpora : public testing::TestWithParam<Target> {};

TEST_P(Corpora, AreTaken) {
  const std::vector<fs::path> seeds = seeds_of(GetParam().name);
  EXPECT_FALSE(seeds.empty()) << "a target needs seeds in tests/fuzz/corpus/" << GetParam().name;
  for (const fs::path& seed : seeds) {
    SCOPED_TRACE(seed);
    std::ifstream in(seed, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    EXPECT_EQ(GetParam().run(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Corpora, testing::ValuesIn(kTargets),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace tidemill
