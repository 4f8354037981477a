// `tidemill job submit`: submits a job, and waits for its end if asked to.
#pragma once

#include <string>

#include "cli/global_options.h"

namespace tidemill::cli {

struct JobSubmitCommand {
  std::string file;
  bool wait = false;             // until it is COMPLETED, with a progress bar
  std::string from_savepoint{};  // that it starts with; empty: none

  ExitCode run(const GlobalOptions& global) const;
};

}  // namespace tidemill::cli
