// `tidemill validate`: compiles a job without a cluster, and says everything that is wrong with it.
#pragma once

#include <string>

#include "cli/global_options.h"

namespace tidemill::cli {

struct ValidateCommand {
  std::string file;

  ExitCode run(const GlobalOptions& global) const;
};

}  // namespace tidemill::cli
