// A job file, read and compiled for commands that need no cluster.
#pragma once

#include <string>

#include "cli/global_options.h"
#include "shared/plan/yaml_job.h"

namespace tidemill::cli {

// Compiles the job. Relative paths in it are relative to the file. kUsage, said on stderr, if the
// file cannot be read; what is wrong with the job is in job->errors.
ExitCode read_job_file(const std::string& file, CompiledJob* job);

// All errors of the job to stderr; kUsage.
ExitCode refuse_job(const std::string& file, const CompiledJob& job);

}  // namespace tidemill::cli
