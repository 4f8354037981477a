// A job file, read, and for commands that need no cluster compiled.
#pragma once

#include <string>

#include "cli/api.h"
#include "cli/global_options.h"
#include "shared/plan/yaml_job.h"

namespace tidemill::cli {

struct JobText {
  std::string yaml;
  std::string base_dir;  // what relative paths in it are relative to; absolute
};

// kUsage, said on stderr, if the file cannot be read.
ExitCode read_job_text(const std::string& file, JobText* text);

// Compiles the job. Relative paths in it are relative to the file. kUsage, said on stderr, if the
// file cannot be read; what is wrong with the job is in job->errors.
ExitCode read_job_file(const std::string& file, CompiledJob* job);

// All errors of the job to stderr; kUsage.
ExitCode refuse_job(const std::string& file, const CompiledJob& job);
// Likewise of one that the coordinator refused, or why there is no answer.
ExitCode refuse_job(const std::string& file, const Reply& reply);

}  // namespace tidemill::cli
