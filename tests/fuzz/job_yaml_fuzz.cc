// Jobs in YAML: a bad one is refused with errors that have a message; the plan of a good one passes
// the check that plans from the wire go through.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "shared/plan/plan.h"
#include "shared/plan/yaml_job.h"
#include "tests/fuzz/input.h"

namespace {

void remove_base_dir();

// A directory with one empty file, for file patterns; gone when the process ends.
const std::string& base_dir() {
  static const std::string path = [] {
    char name[] = "/tmp/tidemill_fuzz_XXXXXX";
    ASSERT(::mkdtemp(name) != nullptr);
    ASSERT(std::ofstream(std::string(name) + "/a.csv").good());
    ASSERT(std::atexit(remove_base_dir) == 0);
    return std::string(name);
  }();
  return path;
}

void remove_base_dir() { std::filesystem::remove_all(base_dir()); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemill;
  const auto bytes = fuzz::copy_of(data, size);
  CompiledJob job = compile_job(fuzz::text_of(bytes.data(), bytes.size()), base_dir());
  for (const JobError& error : job.errors) {
    ASSERT(!error.message.empty() && error.line >= 0 && error.column >= 0);
    fuzz::touch(to_string(error, "job.yaml"));
  }
  if (job.errors.empty()) ASSERT(Plan::from_proto(std::move(job.plan)).ok());
  return 0;
}
