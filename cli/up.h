// `tidemill up`: starts a local cluster (supervisor.h) and says how to go on.
#pragma once

#include "cli/global_options.h"
#include "cli/supervisor.h"

namespace tidemill::cli {

struct UpCommand {
  SupervisorConfig cluster;
  bool detach = false;  // return when the cluster is ready; a process in the background supervises

  ExitCode run(const GlobalOptions& global) const;
};

}  // namespace tidemill::cli
