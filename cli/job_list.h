// `tidemill job list`: all jobs the coordinator knows.
#pragma once

#include "cli/global_options.h"

namespace tidemill::cli {

struct JobListCommand {
  ExitCode run(const GlobalOptions& global) const;
};

}  // namespace tidemill::cli
