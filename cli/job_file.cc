#include "cli/job_file.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace tidemill::cli {

ExitCode read_job_file(const std::string& file, CompiledJob* job) {
  std::ifstream in(file);
  std::stringstream yaml;
  if (!in || !(yaml << in.rdbuf())) {
    return fail(ExitCode::kUsage, "cannot read " + file + ": name a job file");
  }
  std::error_code ec;
  const std::string base_dir = std::filesystem::absolute(file, ec).parent_path().string();
  *job = compile_job(yaml.str(), base_dir);
  return ExitCode::kOk;
}

ExitCode refuse_job(const std::string& file, const CompiledJob& job) {
  for (const JobError& error : job.errors) {
    std::fprintf(stderr, "%s\n", to_string(error, file).c_str());
  }
  return fail(ExitCode::kUsage, file + " has " + std::to_string(job.errors.size()) +
                                    (job.errors.size() == 1 ? " error" : " errors"));
}

}  // namespace tidemill::cli
