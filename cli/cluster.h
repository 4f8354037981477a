// `tidemill cluster`: the members of the cluster.
#pragma once

#include "cli/global_options.h"

namespace tidemill::cli {

struct ClusterCommand {
  ExitCode run(const GlobalOptions& global) const;
};

}  // namespace tidemill::cli
