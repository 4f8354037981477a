// `tidemill snapshot list`: the newest snapshot of each key partition of a job.
#pragma once

#include <string>

#include "cli/global_options.h"

namespace tidemill::cli {

struct SnapshotListCommand {
  std::string job;

  ExitCode run(const GlobalOptions& global) const;
};

}  // namespace tidemill::cli
