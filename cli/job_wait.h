// Waiting for a job to complete, with its progress on stderr: a bar that is redrawn on a terminal,
// else a line for each tenth.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/global_options.h"

namespace tidemill::cli {

// How far a job is: over its source partitions, what readers of features can see (published) of
// what there is. What there is: the file's size where that can be told, else what has been read.
struct JobProgress {
  double share = 0;  // 0 to 1
  uint64_t records = 0;
  uint64_t bad_records = 0;
  std::string error;  // of the first source partition that stands still
};

JobProgress progress_of(const nlohmann::json& job);

// Until the job is COMPLETED (ok), FAILED or STOPPED (failed). A coordinator that cannot be reached
// is waited for, up to 30 s.
ExitCode wait_for_job(const GlobalOptions& global, const std::string& job);

}  // namespace tidemill::cli
