// `tidemill down`: ends the cluster that `tidemill up` runs in a directory.
#pragma once

#include <string>

#include "cli/global_options.h"

namespace tidemill::cli {

struct DownCommand {
  std::string dir = "./run";

  ExitCode run(const GlobalOptions& global) const;
};

}  // namespace tidemill::cli
