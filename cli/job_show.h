// `tidemill job show`: how far a job is, and what it holds.
#pragma once

#include <string>

#include "cli/global_options.h"

namespace tidemill::cli {

struct JobShowCommand {
  std::string job;  // name or id

  ExitCode run(const GlobalOptions& global) const;
};

}  // namespace tidemill::cli
