// Jobs in YAML: a bad one is refused with errors that have a message; the plan of a good one passes
// the check that plans from the wire go through.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "shared/plan/plan.h"
#include "shared/plan/yaml_job.h"
#include "tests/fuzz/input.h"

namespace {

// A directory with one empty file, for file patterns; gone when the process ends.
class BaseDir {
 public:
  BaseDir() {
    char name[] = "/tmp/tidemill_fuzz_XXXXXX";
    ASSERT(::mkdtemp(name) != nullptr);
    path_ = name;
    ASSERT(std::ofstream(path_ + "/a.csv").good());
  }
  ~BaseDir() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemill;
  static const BaseDir base_dir;
  const auto bytes = fuzz::copy_of(data, size);
  CompiledJob job = compile_job(fuzz::text_of(bytes.data(), bytes.size()), base_dir.path());
  for (const JobError& error : job.errors) {
    ASSERT(!error.message.empty() && error.line >= 0 && error.column >= 0);
    fuzz::touch(to_string(error, "job.yaml"));
  }
  if (job.errors.empty()) ASSERT(Plan::from_proto(std::move(job.plan)).ok());
  return 0;
}
