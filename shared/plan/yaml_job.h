// The YAML front end: a job as in config/jobs/*.yaml into a plan. Reference: docs/jobs.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/plan.pb.h"

namespace tidemill {

// One thing that is wrong with a job.
struct JobError {
  int line = 0;         // 1-based; 0 if it has no place
  int column = 0;       // 1-based
  std::string path;     // "views.customer.aggregations[1].windows[0]"
  std::string message;  // what is wrong, and what would be right
};

// "job.yaml:12:7: views.customer.where: unknown column 'amuont'; did you mean 'amount'?"
std::string to_string(const JobError& error, std::string_view file_name);

struct CompiledJob {
  proto::JobPlan plan;           // valid only if errors is empty
  std::vector<JobError> errors;  // all of them, in order of line
};

// Of a source that is not followed: whether its patterns must match files. Those of a job that runs
// already may be gone; a pattern that matches none then stands for itself among the paths.
enum class InputFiles { kRequired, kMayBeGone };

// `base_dir` is what relative file patterns are relative to. Reads directories (to expand
// patterns) and files that hold schemas of records, never the files that are sources.
CompiledJob compile_job(std::string_view yaml, const std::string& base_dir,
                        InputFiles input_files = InputFiles::kRequired);

}  // namespace tidemill
