// `tidemill job stop`: stops a job for good.
#pragma once

#include <string>

#include "cli/global_options.h"

namespace tidemill::cli {

struct JobStopCommand {
  std::string job;  // name or id

  ExitCode run(const GlobalOptions& global) const;
};

}  // namespace tidemill::cli
